//! Why there is no live traffic, or no verdict on it.

use std::io;
use std::path::PathBuf;

use harness::device::ControlError;
use testpkt::capture::CaptureError;

/// The reason why there is no verdict. Its text is one line, with the next step where one is known.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what it is")]
pub enum Error {
    #[error("live traffic needs the network namespaces of Linux; run it there, as root")]
    NotLinux,
    #[error(
        "network namespaces cannot be made ({0}); run it as root, or in a user namespace: \
         unshare --user --map-root-user mslso-lab ..."
    )]
    NotPermitted(io::Error),
    #[error("{doing}: {why}")]
    System {
        /// The operation that failed.
        doing: String,
        /// The reason.
        why: io::Error,
    },
    #[error("{0}")]
    Command(String),
    #[error("{0}")]
    Transfer(String),
    #[error("interrupted; everything is taken down again")]
    Interrupted,
    #[error(
        "no large send reached the filter, so nothing was tested; send more, or send from the guest"
    )]
    NothingTried,
    /// The driver does not load, start or answer, or a chart cannot be written.
    #[error(transparent)]
    Machine(#[from] harness::Error),
    /// A capture file cannot be written.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error("{}: cannot be written ({}); check the folder and its free space", .0.display(), .1)]
    Write(PathBuf, io::Error),
    /// A document cannot be updated; why, and what to do.
    #[error("{}: {}", .0.display(), .1)]
    Document(PathBuf, String),
}

impl Error {
    /// A short identifier in kebab case, for JSON.
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
            Self::Write(..) | Self::Document(..) => "output",
        }
    }
}

impl From<ControlError> for Error {
    fn from(error: ControlError) -> Self {
        Self::Machine(error.into())
    }
}
