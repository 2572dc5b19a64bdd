//! The INF: the parts that the catalog needs, and its version stamp.

use std::collections::BTreeSet;

use crate::failure::Failure;

/// An INF of ASCII characters, with the lines of Windows.
///
/// Windows reads an INF without a byte order mark in the code page of the machine, so that others
/// would not be the same everywhere.
#[derive(Clone, Debug)]
pub struct Inf {
    lines: Vec<String>,
}

impl Inf {
    /// Reads an INF. `$ARCH$` becomes `arch`, as with stampinf.
    ///
    /// # Errors
    ///
    /// It has other characters than ASCII, or no section `[Version]`.
    pub fn new(bytes: &[u8], arch: &str) -> Result<Self, Failure> {
        let text = str::from_utf8(bytes)
            .ok()
            .filter(|text| text.is_ascii())
            .ok_or_else(|| Failure::Inf("has other characters than ASCII".into()))?;
        let lines = text.lines().map(|line| line.replace("$ARCH$", arch));
        let inf = Self {
            lines: lines.collect(),
        };
        if inf.section("Version").next().is_none() {
            return Err(Failure::Inf("has nothing in a section [Version]".into()));
        }
        Ok(inf)
    }

    /// Puts date, as `01/31/2026`, and version, as `1.2.3.0`, into DriverVer.
    pub fn stamp(&mut self, date: &str, version: &str) {
        let stamp = format!("DriverVer = {date},{version}");
        let old = self
            .section("Version")
            .find(|entry| is(entry.key, "DriverVer"));
        let last = self.section("Version").last().map(|entry| entry.at);
        match (old.map(|entry| entry.at), last) {
            (Some(at), _) => self.lines[at] = stamp,
            (None, Some(last)) => self.lines.insert(last + 1, stamp),
            (None, None) => {}
        }
    }

    /// The name of the catalog.
    #[must_use]
    pub fn catalog(&self) -> Option<&str> {
        let mut version = self.section("Version");
        version
            .find(|entry| is(entry.key, "CatalogFile"))
            .map(|entry| entry.value)
    }

    /// The files that it installs, in lower case.
    #[must_use]
    pub fn files(&self) -> BTreeSet<String> {
        self.families("SourceDisksFiles")
            .map(|entry| entry.key.to_ascii_lowercase())
            .collect()
    }

    /// The hardware and component identifiers of its devices, in lower case, as in catalogs.
    #[must_use]
    pub fn identifiers(&self) -> BTreeSet<String> {
        self.section("Manufacturer")
            .filter_map(|entry| entry.value.split(',').next())
            .flat_map(|models| self.families(models.trim()))
            .flat_map(|device| device.value.split(',').skip(1))
            .map(|identifier| identifier.trim().to_ascii_lowercase())
            .filter(|identifier| !identifier.is_empty())
            .collect()
    }

    /// The file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = self.lines.join("\r\n");
        text.push_str("\r\n");
        text.into_bytes()
    }

    /// The entries of a section.
    fn section(&self, name: &str) -> impl Iterator<Item = Entry<'_>> {
        self.entries(move |section| is(section, name))
    }

    /// The entries of a section and of all with its name and a platform, like `[Name.NTamd64]`.
    fn families(&self, name: &str) -> impl Iterator<Item = Entry<'_>> {
        self.entries(move |section| {
            is(
                section.split_once('.').map_or(section, |(base, _)| base),
                name,
            )
        })
    }

    fn entries(&self, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = Entry<'_>> {
        let mut inside = false;
        self.lines.iter().enumerate().filter_map(move |(at, line)| {
            let line = line.split(';').next().unwrap_or_default().trim();
            if let Some(section) = line.strip_prefix('[') {
                inside = wanted(section.trim_end_matches(']').trim());
                return None;
            }
            let (key, value) = line.split_once('=')?;
            inside.then(|| Entry {
                at,
                key: key.trim(),
                value: value.trim(),
            })
        })
    }
}

/// A line `key = value`.
struct Entry<'a> {
    at: usize,
    key: &'a str,
    value: &'a str,
}

fn is(name: &str, wanted: &str) -> bool {
    name.eq_ignore_ascii_case(wanted)
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
        Inf::new(text.as_bytes(), "amd64").expect("an INF")
    }

    fn written(inf: &Inf) -> String {
        String::from_utf8(inf.to_bytes()).expect("text")
    }

    #[test]
    fn a_version_is_stamped_over_the_one_there() {
        let mut inf = inf(TEXT);
        inf.stamp("01/31/2026", "0.1.0.0");
        let text = written(&inf);
        assert_eq!(text.matches("DriverVer").count(), 1);
        assert!(
            text.contains("\r\nDriverVer = 01/31/2026,0.1.0.0\r\n"),
            "{text}"
        );
    }

    #[test]
    fn a_version_is_added_where_there_is_none() {
        let mut inf = inf(&TEXT.replace("DriverVer =\n", ""));
        inf.stamp("01/31/2026", "0.1.0.0");
        let text = written(&inf);
        let wanted = "CatalogFile=mslso.cat ; its name\r\nDriverVer = 01/31/2026,0.1.0.0\r\n";
        assert!(text.contains(wanted), "{text}");
    }

    #[test]
    fn every_line_ends_as_on_windows() {
        for text in [TEXT.to_owned(), TEXT.replace('\n', "\r\n")] {
            let text = written(&inf(&text));
            assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
            assert!(!text.contains("\r\r"));
        }
    }

    #[test]
    fn what_the_catalog_needs_is_found() {
        let inf = inf(TEXT);
        assert_eq!(inf.catalog(), Some("mslso.cat"));
        assert_eq!(Vec::from_iter(inf.files()), ["mslso.sys"]);
        assert_eq!(
            Vec::from_iter(inf.identifiers()),
            ["mslso_lwf", "other\\id"]
        );
    }

    #[test]
    fn an_inf_is_ascii_and_has_a_version() {
        assert!(Inf::new("[Version]\nProvider = \"\u{e9}\"\n".as_bytes(), "amd64").is_err());
        assert!(Inf::new(b"\xFF\xFE[\0", "amd64").is_err());
        assert!(Inf::new(b"[Strings]\na = b\n", "amd64").is_err());
    }
}
