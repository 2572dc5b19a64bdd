//! Why the program ends without a verdict.

use std::io;
use std::path::PathBuf;

use harness::device::ControlError;
use harness::json::SCHEMA;
use serde_json::json;
use testpkt::capture::CaptureError;

/// The exit codes of the program.
pub mod exit {
    /// No fault was found. Packets that were refused, and reported, are no fault.
    pub const GOOD: u8 = 0;
    /// The wire differs, a rule was broken, or the driver failed.
    pub const BAD: u8 = 1;
    /// The input cannot be used, an output not be written, or the command line
    /// is wrong.
    pub const UNUSABLE: u8 = 2;
    /// No fault was found, but packets longer than a segment were left whole, or no large send was
    /// made.
    pub const INCOMPLETE: u8 = 3;
    /// The user or the system asked for the end; 128 and the number of SIGINT.
    pub const INTERRUPTED: u8 = 130;
}

/// Why the program ends without a verdict. Its text is one line.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what it is")]
pub enum Error {
    #[error("{}; see `mslso-lab --help`", in_one_line(.0))]
    Usage(Box<clap::Error>),
    /// A capture file cannot be read or written.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error("{}: is named twice; name another file for each output", .0.display())]
    SameFile(PathBuf),
    #[error("{}: no folder can be made there ({}); name another with --out", .0.display(), .1)]
    Folder(PathBuf, io::Error),
    #[error("no worker can be started: {0}")]
    Worker(io::Error),
    /// The driver called a routine that the model does not have, in this step.
    #[error(
        "the driver calls {0} in step {1:?}, which the model does not have; add it in \
         lab/model/src/exports"
    )]
    Missing(String, String),
    /// So many packets longer than a segment passed uncut.
    #[error(
        "{0} packet(s) longer than a segment passed uncut; state the MSS of TCP with --mss, cut UDP \
         with --uso and tunnels with --encap, or raise --mtu"
    )]
    Uncut(u64),
    /// The driver does not load, start or answer, or a chart cannot be written.
    #[error(transparent)]
    Machine(#[from] harness::Error),
    /// Random runs have no verdict.
    #[error(transparent)]
    Chaos(#[from] chaos::Error),
    /// Live traffic has no verdict.
    #[error(transparent)]
    Live(#[from] livelab::Error),
}

impl Error {
    /// The exit code for this error.
    pub fn exit_code(&self) -> u8 {
        use livelab::Error as Live;
        match self {
            Self::Machine(error)
            | Self::Chaos(chaos::Error::Machine(error))
            | Self::Live(Live::Machine(error))
                if error.is_of_driver() =>
            {
                exit::BAD
            }
            Self::Live(Live::Transfer(_)) => exit::BAD,
            Self::Uncut(_) | Self::Live(Live::NothingTried) => exit::INCOMPLETE,
            Self::Live(Live::Interrupted) => exit::INTERRUPTED,
            _ => exit::UNUSABLE,
        }
    }

    /// A short identifier in kebab case, for JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Capture(_) => "capture",
            Self::SameFile(_) => "same-file",
            Self::Folder(..) => "output",
            Self::Worker(_) => "worker",
            Self::Missing(..) => "missing-routine",
            Self::Uncut(_) => "uncut",
            Self::Machine(error) => error.name(),
            Self::Chaos(error) => error.name(),
            Self::Live(error) => error.name(),
        }
    }

    /// The error as one JSON object in one line.
    pub fn to_json(&self) -> String {
        json!({
            "schema": SCHEMA,
            "error": self.name(),
            "message": self.to_string(),
            "exit_code": self.exit_code(),
        })
        .to_string()
    }
}

impl From<clap::Error> for Error {
    fn from(error: clap::Error) -> Self {
        Self::Usage(error.into())
    }
}

impl From<ControlError> for Error {
    fn from(error: ControlError) -> Self {
        Self::Machine(error.into())
    }
}

/// clap's message in one line.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let first = first.trim_start_matches("error: ").split_whitespace();
    first.collect::<Vec<_>>().join(" ")
}
