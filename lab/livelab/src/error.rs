//! Why there is no live traffic, or no verdict on it.

use std::path::PathBuf;
use std::{fmt, io};

use harness::device::ControlError;
use testpkt::capture::CaptureError;

/// The reason why there is no verdict. Its text is one line, with the next step where one is known.
#[derive(Debug)]
pub enum Error {
    /// The system is not Linux.
    NotLinux,
    /// Network namespaces may not be made.
    NotPermitted(io::Error),
    /// The system refuses something.
    System {
        /// The operation that failed.
        doing: String,
        /// The reason.
        why: io::Error,
    },
    /// A command of the user's cannot be run, or fails.
    Command(String),
    /// A transfer cannot go on.
    Transfer(String),
    /// The user or the system asked for the end.
    Interrupted,
    /// No large send was made.
    NothingTried,
    /// The driver does not load, start or answer, or a chart cannot be written.
    Machine(harness::Error),
    /// A capture file cannot be written.
    Capture(CaptureError),
    /// A file cannot be written.
    Write(PathBuf, io::Error),
}

impl Error {
    /// A short identifier in kebab case, for JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotLinux => "not-linux",
            Self::NotPermitted(_) => "not-permitted",
            Self::System { .. } => "system",
            Self::Command(_) => "command",
            Self::Transfer(_) => "transfer",
            Self::Interrupted => "interrupted",
            Self::NothingTried => "nothing-tried",
            Self::Machine(error) => error.name(),
            Self::Capture(_) => "capture",
            Self::Write(..) => "output",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLinux => f.write_str(
                "live traffic needs the network namespaces of Linux; run it there, as root",
            ),
            Self::NotPermitted(why) => write!(
                f,
                "network namespaces cannot be made ({why}); run it as root, or in a user \
                 namespace: unshare --user --map-root-user mslso-lab ..."
            ),
            Self::System { doing, why } => write!(f, "{doing}: {why}"),
            Self::Command(what) | Self::Transfer(what) => f.write_str(what),
            Self::Interrupted => f.write_str("interrupted; everything is taken down again"),
            Self::NothingTried => f.write_str(
                "no large send reached the filter, so that nothing was tried; send more, or from the guest",
            ),
            Self::Machine(error) => error.fmt(f),
            Self::Capture(error) => error.fmt(f),
            Self::Write(path, why) => write!(f, "{}: cannot be written: {why}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

impl From<harness::Error> for Error {
    fn from(error: harness::Error) -> Self {
        Self::Machine(error)
    }
}

impl From<ControlError> for Error {
    fn from(error: ControlError) -> Self {
        Self::Machine(error.into())
    }
}

impl From<CaptureError> for Error {
    fn from(error: CaptureError) -> Self {
        Self::Capture(error)
    }
}
