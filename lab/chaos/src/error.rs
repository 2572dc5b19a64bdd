//! Why a run has no verdict.

use std::path::PathBuf;
use std::{fmt, io};

/// Why a run has no verdict. Its text is one line.
#[derive(Debug)]
pub enum Error {
    /// A script cannot be read, or is none.
    Script(PathBuf, String),
    /// The program cannot be started again, as a worker.
    Worker(io::Error),
    /// A file cannot be written.
    Write(PathBuf, io::Error),
    /// The driver does not load.
    Machine(harness::Error),
}

impl Error {
    /// A short identifier in kebab case, for JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Script(..) => "script",
            Self::Worker(_) => "worker",
            Self::Write(..) => "output",
            Self::Machine(error) => error.name(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script(path, why) => write!(
                f,
                "{}: this is no script that can be run: {why}",
                path.display()
            ),
            Self::Worker(why) => write!(f, "no worker can be started: {why}"),
            Self::Write(path, why) => write!(f, "{}: cannot be written: {why}", path.display()),
            Self::Machine(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<harness::Error> for Error {
    fn from(error: harness::Error) -> Self {
        Self::Machine(error)
    }
}
