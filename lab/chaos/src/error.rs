//! Why a run has no verdict.

use std::io;
use std::path::PathBuf;

/// Why a run has no verdict. Its text is one line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A script cannot be read, or is none.
    #[error(
        "{}: this is no script that can be run ({}); name a file that --script has written",
        .0.display(),
        .1
    )]
    Script(PathBuf, String),
    /// The program cannot be started again, as a worker.
    #[error("no worker can be started: {0}")]
    Worker(io::Error),
    /// A file cannot be written.
    #[error("{}: cannot be written ({}); check the folder and its free space", .0.display(), .1)]
    Write(PathBuf, io::Error),
    /// The driver does not load.
    #[error(transparent)]
    Machine(#[from] harness::Error),
}

impl Error {
    /// A short identifier in kebab case, for JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Script(..) => "script",
            Self::Worker(_) => "worker",
            Self::Write(..) => "output",
            Self::Machine(error) => error.name(),
        }
    }
}
