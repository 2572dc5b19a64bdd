//! A reader of INF files, as strict as this project's own file allows, and the file's version stamp.
//!
//! After "General Syntax Rules for INF Files" of the Windows driver documentation. Names compare
//! without case; sections of one name are one. Lines that are continued are refused: none is needed.

use std::collections::BTreeSet;

use crate::failure::Failure;

/// An INF file.
#[derive(Clone, Debug)]
pub struct Inf {
    text: Vec<String>,
    sections: Vec<Section>,
}

/// A section.
#[derive(Clone, Debug)]
pub struct Section {
    /// Name, as its first header has it.
    pub name: String,
    /// Its lines, in order.
    pub lines: Vec<Line>,
    /// Where each of them is in the file, counted from 0.
    places: Vec<usize>,
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
#[derive(PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct SyntaxError {
    /// Line, counted from 1.
    pub line: usize,
    /// The error on this line.
    pub what: &'static str,
}

impl Inf {
    /// Reads a file.
    ///
    /// # Errors
    /// The first line that is no INF.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut sections: Vec<Section> = Vec::new();
        let mut current = None;
        let whole = text.lines().map(str::to_owned).collect();
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
                sections[at].places.push(index);
            }
        }
        Ok(Self {
            text: whole,
            sections,
        })
    }

    /// Reads the INF of a package. `$ARCH$` becomes `arch`, as with stampinf.
    ///
    /// # Errors
    ///
    /// It is none, or has nothing in a section `[Version]`.
    pub fn of_package(bytes: &[u8], arch: &str) -> Result<Self, Failure> {
        let text = String::from_utf8_lossy(bytes).replace("$ARCH$", arch);
        let inf =
            Self::parse(&text).map_err(|error| Failure::Inf(format!("cannot be read: {error}")))?;
        if inf.lines("Version").is_empty() {
            return Err(Failure::Inf("has nothing in a section [Version]".into()));
        }
        Ok(inf)
    }

    /// The name of the catalog.
    pub fn catalog(&self) -> String {
        self.value("Version", "CatalogFile")
    }

    /// The files that it installs, in lower case.
    pub fn files(&self) -> BTreeSet<String> {
        self.families("SourceDisksFiles")
            .filter(|line| line.key.is_some())
            .map(|line| self.key(line).to_ascii_lowercase())
            .collect()
    }

    /// The hardware and component identifiers of its devices, in lower case, as in catalogs.
    pub fn identifiers(&self) -> BTreeSet<String> {
        self.lines("Manufacturer")
            .iter()
            .flat_map(|line| self.families(&line.fields[0]))
            .flat_map(|device| &device.fields[1..])
            .map(|identifier| self.expand(identifier).to_ascii_lowercase())
            .filter(|identifier| !identifier.is_empty())
            .collect()
    }

    /// The file, with the line ends of Windows.
    pub fn to_bytes(&self) -> Vec<u8> {
        windows_text(&self.text)
    }

    /// The same with date, as `01/31/2026`, and version, as `1.2.3.0`, in DriverVer.
    pub fn stamped(&self, date: &str, version: &str) -> Vec<u8> {
        let mut text = self.text.clone();
        if let Some(section) = self.section("Version") {
            let mut lines = section.lines.iter();
            let old = lines.position(|line| self.key(line).eq_ignore_ascii_case("DriverVer"));
            let stamp = format!("DriverVer = {date},{version}");
            match (old, section.places.last()) {
                (Some(at), _) => text[section.places[at]] = stamp,
                (None, Some(last)) => text.insert(last + 1, stamp),
                (None, None) => {}
            }
        }
        windows_text(&text)
    }

    /// Names of all sections.
    pub fn section_names(&self) -> impl Iterator<Item = &str> {
        self.sections.iter().map(|section| section.name.as_str())
    }

    /// The section of that name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        let mut sections = self.sections.iter();
        sections.find(|section| section.name.eq_ignore_ascii_case(name))
    }

    /// Lines of a section; none if it is missing.
    pub fn lines(&self, section: &str) -> &[Line] {
        self.section(section).map_or(&[], |section| &section.lines)
    }

    /// The lines of a section and of all with its name and a platform, like `[Name.NTamd64]`.
    fn families(&self, name: &str) -> impl Iterator<Item = &Line> {
        let sections = self.sections.iter().filter(move |section| {
            let base = section.name.split('.').next().unwrap_or_default();
            base.eq_ignore_ascii_case(name)
        });
        sections.flat_map(|section| &section.lines)
    }

    /// Fields of the only line with this key, tokens replaced.
    pub fn fields(&self, section: &str, key: &str) -> Option<Vec<String>> {
        let is_it = |line: &&Line| self.key(line).eq_ignore_ascii_case(key);
        let mut lines = self.lines(section).iter().filter(is_it);
        let line = lines.next()?;
        let only = lines.next().is_none();
        only.then(|| line.fields.iter().map(|field| self.expand(field)).collect())
    }

    /// The first field of the only line with this key, tokens replaced; empty if there is none.
    pub fn value(&self, section: &str, key: &str) -> String {
        let fields = self.fields(section, key).unwrap_or_default();
        fields.into_iter().next().unwrap_or_default()
    }

    /// Key of a line, tokens replaced; empty if it has none.
    pub fn key(&self, line: &Line) -> String {
        self.expand(line.key.as_deref().unwrap_or_default())
    }

    /// Text with its `%tokens%` replaced. A token that is unknown, or a directory's number, stays.
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

fn windows_text(lines: &[String]) -> Vec<u8> {
    (lines.join("\r\n") + "\r\n").into_bytes()
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
            places: Vec::new(),
        });
        sections.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use super::Inf;

    const TEXT: &str = "; a comment\n[VERSION]\nSignature = \"$Windows NT$\"\n\
        CatalogFile=mslso.cat ; its name\nDriverVer =\n\n\
        [Manufacturer]\n%Us% = Models,NT$ARCH$.10.0...19041,NT$ARCH$.10.0...25319\n\n\
        [Models.NTamd64.10.0...19041]\n%Name% = Old, MSLSO_LWF\n\
        [Models.NTamd64.10.0...25319]\n%Name% = New, MSLSO_LWF, other\\id\n\
        [SourceDisksFiles.amd64]\nMslso.sys = 1\n[Strings]\nUs = \"x\"\n";

    fn inf(text: &str) -> Inf {
        Inf::of_package(text.as_bytes(), "amd64").expect("an INF")
    }

    fn written(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_version_is_stamped_over_the_one_there() {
        let text = written(inf(TEXT).stamped("01/31/2026", "0.1.0.0"));
        assert_eq!(text.matches("DriverVer").count(), 1);
        assert!(
            text.contains("\r\nDriverVer = 01/31/2026,0.1.0.0\r\n"),
            "{text}"
        );
    }

    #[test]
    fn a_version_is_added_where_there_is_none() {
        let inf = inf(&TEXT.replace("DriverVer =\n", ""));
        let text = written(inf.stamped("01/31/2026", "0.1.0.0"));
        let wanted = "CatalogFile=mslso.cat ; its name\r\nDriverVer = 01/31/2026,0.1.0.0\r\n";
        assert!(text.contains(wanted), "{text}");
    }

    #[test]
    fn every_line_ends_as_on_windows() {
        for text in [TEXT.to_owned(), TEXT.replace('\n', "\r\n")] {
            let text = written(inf(&text).to_bytes());
            assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
            assert!(!text.contains("\r\r"));
        }
    }

    #[test]
    fn what_the_catalog_needs_is_found() {
        let inf = inf(TEXT);
        assert_eq!(inf.catalog(), "mslso.cat");
        assert_eq!(Vec::from_iter(inf.files()), ["mslso.sys"]);
        assert_eq!(
            Vec::from_iter(inf.identifiers()),
            ["mslso_lwf", "other\\id"]
        );
    }

    #[test]
    fn an_inf_is_ascii_and_has_a_version() {
        assert!(Inf::of_package("[Version]\nProvider = \"\u{e9}\"\n".as_bytes(), "amd64").is_err());
        assert!(Inf::of_package(b"\xFF\xFE[\0", "amd64").is_err());
        assert!(Inf::of_package(b"[Strings]\na = b\n", "amd64").is_err());
    }
}
