//! The folder of a package, file by file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use rsa::sha2::{Digest, Sha256};

use crate::failure::Failure;

/// The file with the checksums of all others, in the format of `sha256sum`.
pub const CHECKSUMS: &str = "SHA256SUMS";

/// A package's files by name, until they are written.
#[derive(Debug, Default)]
pub struct Folder {
    files: BTreeMap<String, Vec<u8>>,
}

impl Folder {
    /// Adds a file.
    ///
    /// # Errors
    ///
    /// There is one of that name, whatever the case: Windows does not distinguish case.
    pub fn add(&mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Result<(), Failure> {
        if self.get(name).is_some() || name.eq_ignore_ascii_case(CHECKSUMS) {
            return Err(Failure::SameName(name.into()));
        }
        self.files.insert(name.into(), bytes.into());
        Ok(())
    }

    /// Adds the file at `path`, under its own name.
    pub fn copy(&mut self, path: &Path) -> Result<(), Failure> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.add(&name, read(path)?)
    }

    /// Adds the PowerShell scripts and modules and the recording profiles in a folder, but of no
    /// folder in it.
    pub fn copy_scripts(&mut self, folder: &Path) -> Result<(), Failure> {
        for entry in fs::read_dir(folder).map_err(Failure::read(folder))? {
            let path = entry.map_err(Failure::read(folder))?.path();
            let is_script = path.extension().is_some_and(|end| {
                ["ps1", "psm1", "psd1", "ps1xml", "wprp"]
                    .iter()
                    .any(|kind| end == *kind)
            });
            if is_script && path.is_file() {
                self.copy(&path)?;
            }
        }
        Ok(())
    }

    /// The file of that name, whatever the case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.files
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, bytes)| bytes.as_slice())
    }

    /// Replaces the contents of `path` by this package, and returns the number of files.
    ///
    /// # Errors
    ///
    /// There is something that is no package, or a file cannot be written.
    pub fn write(&self, path: &Path) -> Result<usize, Failure> {
        clear(path)?;
        for (name, bytes) in &self.files {
            write(&path.join(name), bytes)?;
        }
        write(&path.join(CHECKSUMS), self.checksums().as_bytes())?;
        Ok(self.files.len() + 1)
    }

    fn checksums(&self) -> String {
        let mut text = String::new();
        for (name, bytes) in &self.files {
            for byte in Sha256::digest(bytes) {
                let _ = write!(text, "{byte:02x}");
            }
            let _ = writeln!(text, "  {name}");
        }
        text
    }
}

/// Makes `path` an empty folder; of its contents, only a former package is removed.
///
/// # Errors
///
/// There is something else, or a file cannot be removed.
pub fn clear(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(Failure::write(path))?;
    let checksums = path.join(CHECKSUMS);
    for old in former(&checksums) {
        let old = path.join(old);
        if old.is_file() {
            fs::remove_file(&old).map_err(Failure::write(&old))?;
        }
    }
    if checksums.is_file() {
        fs::remove_file(&checksums).map_err(Failure::write(&checksums))?;
    }
    let mut left = fs::read_dir(path).map_err(Failure::read(path))?;
    match left.next() {
        None => Ok(()),
        Some(_) => Err(Failure::NotAPackage(path.into())),
    }
}

/// The files that the checksums name, which are in their folder.
fn former(checksums: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(checksums).unwrap_or_default();
    text.lines()
        .filter_map(|line| Some(Path::new(line.split_once("  ")?.1)))
        .filter(|name| name.file_name() == Some(name.as_os_str()))
        .map(Path::to_owned)
        .collect()
}

/// The bytes of a file.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(Failure::read(path))
}

/// Writes a file.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).map_err(Failure::write(path))
}
