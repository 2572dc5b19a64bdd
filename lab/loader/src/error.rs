//! Reasons why an image does not load, each in one line with the remedy.

use std::io;
use std::path::{Path, PathBuf};

/// An image that did not load.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", .path.display())]
pub struct LoadError {
    path: PathBuf,
    fault: Fault,
}

/// The kind of fault.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what it is")]
pub enum Fault {
    #[error("cannot be read ({0}); build it with `cargo make sys`")]
    Read(io::Error),
    #[error("holds x64 code, which runs on x86-64 hosts only")]
    Host,
    #[error("is not a whole x64 image ({0}); build it again with `cargo make sys`")]
    NotAnImage(String),
    #[error("is no driver: {0}")]
    NotADriver(&'static str),
    #[error(
        "has no relocations and could not be moved; link it with /DYNAMICBASE and without /FIXED"
    )]
    NoRelocations,
    #[error("has a relocation at RVA {0:#x} of an unknown kind or outside of it")]
    Relocation(usize),
    #[error("has an import table that cannot be read")]
    Imports,
    #[error("imports {}, which the model does not have; add them in lab/model/src/exports", listed(.0))]
    NoSuchImports(Vec<(String, String)>),
    #[error("could not be mapped: {0}")]
    Map(region::Error),
}

/// The routines with their modules, in one line.
fn listed(imports: &[(String, String)]) -> String {
    let name = |(module, routine): &(String, String)| {
        format!("{} from {}", routine.escape_debug(), module.escape_debug())
    };
    imports.iter().map(name).collect::<Vec<_>>().join(", ")
}

impl LoadError {
    pub(crate) fn new(path: &Path, fault: Fault) -> Self {
        Self {
            path: path.to_owned(),
            fault,
        }
    }

    /// The kind of fault.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }
}
