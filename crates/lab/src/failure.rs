//! Why the program ends without a verdict.

use std::fmt;
use std::path::PathBuf;
use std::{io, process::ExitCode};

use loader::LoadError;

use crate::capture::CaptureError;
use crate::device::ControlError;
#[cfg(target_os = "linux")]
use crate::traffic::TrafficError;

/// The exit codes of the program.
pub mod exit {
    /// All is right. Packets that were refused, and reported, are part of that.
    pub const GOOD: u8 = 0;
    /// The wire differs, a rule was broken, or the driver failed.
    pub const BAD: u8 = 1;
    /// The input cannot be used, an output not be written, or the command line
    /// is wrong.
    pub const UNUSABLE: u8 = 2;
    /// All that happened was right, but no large send was among it.
    pub const NOTHING: u8 = 3;
    /// The user or the system asked for the end; 128 and the number of SIGINT.
    pub const INTERRUPTED: u8 = 130;
}

/// Why the program ends without a verdict. Its text is one line.
#[derive(Debug)]
pub enum Failure {
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
    /// The exit code that says so.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Driver(_) | Self::Control(_) => exit::BAD,
            #[cfg(target_os = "linux")]
            Self::NothingTried => exit::NOTHING,
            #[cfg(target_os = "linux")]
            Self::Traffic(TrafficError::Interrupted) => exit::INTERRUPTED,
            #[cfg(target_os = "linux")]
            Self::Traffic(TrafficError::Transfer(_)) => exit::BAD,
            _ => exit::UNUSABLE,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
            Self::Worker(why) => write!(f, "no worker can be started: {why}"),
            Self::Write(path, why) => {
                write!(f, "{}: cannot be written: {why}", path.display())
            }
            #[cfg(target_os = "linux")]
            Self::NothingTried => f.write_str(
                "no large send was made, so that nothing was tried; send more, or from the guest",
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
