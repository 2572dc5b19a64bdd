//! Reasons why an image does not load, each in one line with the remedy.

use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
};

/// An image that did not load.
#[derive(Debug)]
pub struct LoadError {
    path: PathBuf,
    fault: Fault,
}

/// The kind of fault.
#[derive(Debug)]
pub enum Fault {
    /// The file cannot be read.
    Read(io::Error),
    /// This machine cannot run x64 code.
    Host,
    /// The file is no x64 PE image, or ends before its image does.
    NotAnImage(String),
    /// The image is not a driver's: another subsystem, or no entry point in code.
    NotADriver(&'static str),
    /// The image can only run at its preferred address.
    NoRelocations,
    /// A relocation of an unsupported type, or one that lies outside of the image; its RVA.
    Relocation(usize),
    /// The import table lies outside of the image, or imports by ordinal.
    Imports,
    /// The model has no such routine: module and name.
    NoSuchImport(String, String),
    /// Memory could not be had, or not be protected.
    Map(region::Error),
}

impl LoadError {
    pub(crate) fn new(path: &Path, fault: Fault) -> Self {
        Self {
            path: path.to_owned(),
            fault,
        }
    }

    /// The kind of fault.
    #[must_use]
    pub fn fault(&self) -> &Fault {
        &self.fault
    }
}

impl Error for LoadError {}
impl Error for Fault {}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "cannot be read ({error}); build it with `cargo make sys`"),
            Self::Host => f.write_str("holds x64 code, which runs on x86-64 hosts only"),
            Self::NotAnImage(why) => {
                write!(f, "is no whole x64 image ({why}); build it again with `cargo make sys`")
            }
            Self::NotADriver(why) => write!(f, "is no driver: {why}"),
            Self::NoRelocations => f.write_str(
                "has no relocations and could not be moved; link it with /DYNAMICBASE and without /FIXED",
            ),
            Self::Relocation(rva) => {
                write!(f, "has a relocation at RVA {rva:#x} of an unknown kind or outside of it")
            }
            Self::Imports => f.write_str("has an import table that cannot be read"),
            Self::NoSuchImport(module, name) => write!(
                f,
                "imports {} from {}, which the model does not have; \
                 add it to the model, or take it out of driver/src/imports.rs",
                // As they are in the file, which may be any bytes.
                name.escape_debug(),
                module.escape_debug()
            ),
            Self::Map(error) => write!(f, "could not be mapped: {error}"),
        }
    }
}
