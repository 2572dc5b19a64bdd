//! A reader of INF files, as strict as this project's own file allows.
//!
//! After "General Syntax Rules for INF Files" of the Windows driver documentation. Names compare
//! without case; sections of one name are one. Lines that are continued are refused: none is needed.

use std::{collections::BTreeSet, fmt};

/// An INF file.
pub struct Inf {
    sections: Vec<Section>,
}

/// A section.
pub struct Section {
    /// Name, as its first header has it.
    pub name: String,
    /// Its lines, in order.
    pub lines: Vec<Line>,
}

/// A line: `key = field, field` or `field, field`. Tokens are not replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The text before the equals sign.
    pub key: Option<String>,
    /// The texts between commas, without quotation marks.
    pub fields: Vec<String>,
}

/// Why a file could not be read.
#[derive(PartialEq, Eq, Debug)]
pub struct SyntaxError {
    /// Line, counted from 1.
    pub line: usize,
    /// The error on this line.
    pub what: &'static str,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl Inf {
    /// Reads a file.
    ///
    /// # Errors
    /// The first line that is no INF.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut sections: Vec<Section> = Vec::new();
        let mut current = None;
        for (index, text) in text.lines().enumerate() {
            let error = |what| SyntaxError {
                line: index + 1,
                what,
            };
            // InfVerif error 1003: ANSI or UTF-16, and ASCII is the ANSI of every code page.
            if !text.is_ascii() {
                return Err(error("a character that is not ASCII"));
            }
            let text = without_comment(text).ok_or_else(|| error("a quotation that is open"))?;
            if let Some(name) = text.strip_prefix('[') {
                let name = name
                    .strip_suffix(']')
                    .ok_or_else(|| error("a header that is open"))?;
                current = Some(place_of(&mut sections, name));
            } else if text.ends_with('\\') {
                return Err(error("a line that is continued"));
            } else if !text.is_empty() {
                let at = current.ok_or_else(|| error("a line before the first section"))?;
                sections[at].lines.push(Line::parse(text));
            }
        }
        Ok(Self { sections })
    }

    /// Names of all sections.
    pub fn section_names(&self) -> impl Iterator<Item = &str> {
        self.sections.iter().map(|section| section.name.as_str())
    }

    /// The section of that name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        let mut sections = self.sections.iter();
        sections.find(|section| section.name.eq_ignore_ascii_case(name))
    }

    /// Lines of a section; none if it is missing.
    #[must_use]
    pub fn lines(&self, section: &str) -> &[Line] {
        self.section(section).map_or(&[], |section| &section.lines)
    }

    /// Fields of the only line with this key, tokens replaced.
    #[must_use]
    pub fn fields(&self, section: &str, key: &str) -> Option<Vec<String>> {
        let is_it = |line: &&Line| self.key(line).eq_ignore_ascii_case(key);
        let mut lines = self.lines(section).iter().filter(is_it);
        let line = lines.next()?;
        let only = lines.next().is_none();
        only.then(|| line.fields.iter().map(|field| self.expand(field)).collect())
    }

    /// The first field of the only line with this key, tokens replaced; empty if there is none.
    #[must_use]
    pub fn value(&self, section: &str, key: &str) -> String {
        let fields = self.fields(section, key).unwrap_or_default();
        fields.into_iter().next().unwrap_or_default()
    }

    /// Key of a line, tokens replaced; empty if it has none.
    #[must_use]
    pub fn key(&self, line: &Line) -> String {
        self.expand(line.key.as_deref().unwrap_or_default())
    }

    /// Text with its `%tokens%` replaced. A token that is unknown, or a directory's number, stays.
    #[must_use]
    pub fn expand(&self, text: &str) -> String {
        let mut expanded = String::new();
        for part in parts(text) {
            match part {
                Part::Text(text) => expanded.push_str(text),
                Part::Token(token) => match self.string(token) {
                    Some(string) => expanded.push_str(string),
                    None => expanded.extend(["%", token, "%"]),
                },
            }
        }
        expanded
    }

    /// Every token that lines outside of `[Strings]` name, in lower case, without directories'
    /// numbers.
    #[must_use]
    pub fn tokens(&self) -> BTreeSet<String> {
        let is_strings = |section: &&Section| section.name.eq_ignore_ascii_case("Strings");
        let sections = self.sections.iter().filter(|section| !is_strings(section));
        let lines = sections.flat_map(|section| &section.lines);
        lines
            .flat_map(|line| line.key.iter().chain(&line.fields))
            .flat_map(|text| parts(text))
            .filter_map(|part| match part {
                Part::Token(token) if token.parse::<u32>().is_err() => Some(token),
                _ => None,
            })
            .map(str::to_ascii_lowercase)
            .collect()
    }

    fn string(&self, token: &str) -> Option<&str> {
        let of = |line: &&Line| {
            line.key
                .as_deref()
                .is_some_and(|key| key.eq_ignore_ascii_case(token))
        };
        let line = self.lines("Strings").iter().find(of)?;
        line.fields.first().map(String::as_str)
    }
}

impl Line {
    fn parse(text: &str) -> Self {
        let equals = outside_quotes(text).find(|&(_, byte)| byte == b'=');
        let (key, rest) = match equals {
            Some((at, _)) => (Some(unquoted(&text[..at])), &text[at + 1..]),
            None => (None, text),
        };
        let mut fields = Vec::new();
        let mut start = 0;
        for (at, byte) in outside_quotes(rest) {
            if byte == b',' {
                fields.push(unquoted(&rest[start..at]));
                start = at + 1;
            }
        }
        fields.push(unquoted(&rest[start..]));
        Self { key, fields }
    }
}

enum Part<'a> {
    Text(&'a str),
    Token(&'a str),
}

/// Text between percent signs is a token; two of them are one sign.
fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    text.split('%')
        .enumerate()
        .map(|(index, part)| match index % 2 {
            0 => Part::Text(part),
            _ if part.is_empty() => Part::Text("%"),
            _ => Part::Token(part),
        })
}

/// Position and value of each byte that is not in quotation marks.
fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let mut quoted = false;
    text.bytes().enumerate().filter(move |&(_, byte)| {
        quoted ^= byte == b'"';
        !quoted
    })
}

/// The line up to its comment; `None` where a quotation does not end.
fn without_comment(text: &str) -> Option<&str> {
    let comment = outside_quotes(text).find(|&(_, byte)| byte == b';');
    let text = &text[..comment.map_or(text.len(), |(at, _)| at)];
    let closed = text.bytes().filter(|&byte| byte == b'"').count() % 2 == 0;
    closed.then(|| text.trim())
}

fn unquoted(text: &str) -> String {
    let text = text.trim();
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text).replace("\"\"", "\"")
}

fn place_of(sections: &mut Vec<Section>, name: &str) -> usize {
    let same = |section: &Section| section.name.eq_ignore_ascii_case(name);
    sections.iter().position(same).unwrap_or_else(|| {
        sections.push(Section {
            name: name.to_owned(),
            lines: Vec::new(),
        });
        sections.len() - 1
    })
}
