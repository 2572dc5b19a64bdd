//! Why the program ends without a verdict.

use std::fmt;
use std::io;
use std::path::PathBuf;

use loader::LoadError;

use serde_json::json;

use crate::capture::CaptureError;
use crate::device::ControlError;
use crate::json::SCHEMA;
#[cfg(target_os = "linux")]
use crate::traffic::TrafficError;

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
#[derive(Debug)]
pub enum Failure {
    /// The command line is wrong: clap's message.
    Usage(Box<clap::Error>),
    /// A capture file cannot be read or written.
    Capture(CaptureError),
    /// An output would overwrite the input or the other output.
    SameFile(PathBuf),
    /// The folder for the outputs cannot be made.
    Folder(PathBuf, io::Error),
    /// The image of the driver does not load.
    Image(LoadError),
    /// A chart cannot be written.
    Plot(PathBuf, String),
    /// The driver does not start; its status.
    Driver(i32),
    /// The driver's control device does not answer as it should.
    Control(ControlError),
    /// A script cannot be read, or is none.
    Script(PathBuf, String),
    /// The program cannot be started again, as a worker.
    Worker(io::Error),
    /// So many packets longer than a segment passed uncut.
    Uncut(u64),
    /// A file cannot be written.
    Write(PathBuf, io::Error),
    /// No large send was made.
    #[cfg(target_os = "linux")]
    NothingTried,
    /// There is no live traffic.
    #[cfg(target_os = "linux")]
    Traffic(TrafficError),
    /// There is no live traffic on this system.
    #[cfg(not(target_os = "linux"))]
    NotLinux,
}

impl Failure {
    /// The exit code for this failure.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Driver(_) | Self::Control(_) => exit::BAD,
            Self::Uncut(_) => exit::INCOMPLETE,
            #[cfg(target_os = "linux")]
            Self::NothingTried => exit::INCOMPLETE,
            #[cfg(target_os = "linux")]
            Self::Traffic(TrafficError::Interrupted) => exit::INTERRUPTED,
            #[cfg(target_os = "linux")]
            Self::Traffic(TrafficError::Transfer(_)) => exit::BAD,
            _ => exit::UNUSABLE,
        }
    }

    /// A short identifier in kebab case, for JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Capture(_) => "capture",
            Self::SameFile(_) => "same-file",
            Self::Folder(..) | Self::Plot(..) | Self::Write(..) => "output",
            Self::Image(_) => "image",
            Self::Driver(_) => "driver",
            Self::Control(_) => "control",
            Self::Script(..) => "script",
            Self::Worker(_) => "worker",
            Self::Uncut(_) => "uncut",
            #[cfg(target_os = "linux")]
            Self::NothingTried => "nothing-tried",
            #[cfg(target_os = "linux")]
            Self::Traffic(error) => match error {
                TrafficError::NotPermitted(_) => "not-permitted",
                TrafficError::System { .. } => "system",
                TrafficError::Command(_) => "command",
                TrafficError::Transfer(_) => "transfer",
                TrafficError::Interrupted => "interrupted",
            },
            #[cfg(not(target_os = "linux"))]
            Self::NotLinux => "not-linux",
        }
    }

    /// The failure as one JSON object in one line.
    #[must_use]
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

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) => {
                let text = error.to_string();
                let first = text.split("\n\n").next().unwrap_or_default();
                let first = first.trim_start_matches("error: ").split_whitespace();
                let line = first.collect::<Vec<_>>().join(" ");
                write!(f, "{line}; see `mslso-lab --help`")
            }
            Self::Capture(error) => error.fmt(f),
            Self::SameFile(path) => write!(
                f,
                "{}: is named twice; name another file for each output",
                path.display()
            ),
            Self::Folder(path, error) => write!(
                f,
                "{}: no folder can be made there ({error}); name another with --out",
                path.display()
            ),
            Self::Image(error) => error.fmt(f),
            Self::Plot(path, why) => {
                write!(f, "{}: the chart cannot be written: {why}", path.display())
            }
            Self::Script(path, why) => {
                write!(
                    f,
                    "{}: this is no script that can be run: {why}",
                    path.display()
                )
            }
            Self::Uncut(count) => write!(
                f,
                "{count} packet(s) longer than a segment passed uncut; state the MSS of TCP with --mss, cut UDP with --uso and tunnels with --encap, or raise --mtu",
            ),
            Self::Worker(why) => write!(f, "no worker can be started: {why}"),
            Self::Write(path, why) => {
                write!(f, "{}: cannot be written: {why}", path.display())
            }
            #[cfg(target_os = "linux")]
            Self::NothingTried => f.write_str(
                "no large send reached the filter, so that nothing was tried; send more, or from the guest",
            ),
            #[cfg(target_os = "linux")]
            Self::Traffic(error) => error.fmt(f),
            #[cfg(not(target_os = "linux"))]
            Self::NotLinux => f.write_str(
                "live traffic needs the network namespaces of Linux; run it there, as root",
            ),
            Self::Control(error) => {
                write!(
                    f,
                    "the driver's control device does not answer as it should: {error}"
                )
            }
            Self::Driver(status) => write!(f, "the driver does not start: status {status:#010x}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Self::Usage(error.into())
    }
}

#[cfg(target_os = "linux")]
impl From<TrafficError> for Failure {
    fn from(error: TrafficError) -> Self {
        Self::Traffic(error)
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::Image(error)
    }
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        Self::Control(error)
    }
}

impl From<CaptureError> for Failure {
    fn from(error: CaptureError) -> Self {
        Self::Capture(error)
    }
}
