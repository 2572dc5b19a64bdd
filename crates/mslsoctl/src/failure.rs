//! Why a command ends without its result.

use std::{fmt, io};

use control::Invalid;
use serde_json::{Value, json};

use crate::SCHEMA;
use crate::adapter::Adapter;
use crate::device::DeviceError;

/// The exit codes of the program.
pub mod exit {
    /// Any failure without a code of its own.
    pub const OTHER: u8 = 1;
    /// The command line is wrong or a value is out of range. clap ends with the same code.
    pub const USAGE: u8 = 2;
    /// The driver is not installed or not loaded.
    pub const NO_DRIVER: u8 = 3;
    /// The caller is no administrator.
    pub const ACCESS_DENIED: u8 = 4;
    /// No adapter is the one meant, or several may be.
    pub const NO_SUCH_ADAPTER: u8 = 5;
}

/// The reason why a command ends without its result. Its text is one line and states what to do
/// next.
#[derive(Debug)]
pub enum Failure {
    /// The command line is wrong: clap's error.
    Usage(clap::Error),
    /// The device cannot be opened or a request to it failed.
    Device(DeviceError),
    /// The driver's answer breaks the protocol.
    Reply(Invalid),
    /// The connection of this name has no filter attached.
    NotAttached(String),
    /// No adapter is called so.
    NoSuchAdapter(String),
    /// The filter is attached to no adapter.
    NoAdapters,
    /// Several adapters match: the adapter that was requested, if any, and the adapters.
    Ambiguous(Option<String>, Vec<Adapter>),
    /// A command for all adapters ends at this one.
    At(Box<Adapter>, Box<Self>),
    /// The output cannot be written.
    Output(io::Error),
}

impl Failure {
    /// The exit code for it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Device(DeviceError::NotWindows | DeviceError::NotInstalled) => exit::NO_DRIVER,
            Self::Device(DeviceError::AccessDenied) => exit::ACCESS_DENIED,
            Self::Usage(_) | Self::Device(DeviceError::InvalidParameter) => exit::USAGE,
            Self::Device(DeviceError::NoSuchAdapter)
            | Self::NotAttached(_)
            | Self::NoSuchAdapter(_)
            | Self::NoAdapters
            | Self::Ambiguous(..) => exit::NO_SUCH_ADAPTER,
            Self::At(_, failure) => failure.exit_code(),
            Self::Device(_) | Self::Reply(_) | Self::Output(_) => exit::OTHER,
        }
    }

    /// A short identifier in kebab case, for JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::At(_, failure) => failure.name(),
            Self::Device(error) => error.name(),
            Self::Reply(Invalid::Version) => DeviceError::Version.name(),
            Self::Reply(_) => "malformed-reply",
            Self::NotAttached(_) => "not-attached",
            Self::NoSuchAdapter(_) | Self::NoAdapters => "no-such-adapter",
            Self::Ambiguous(..) => "ambiguous-adapter",
            Self::Output(_) => "output",
        }
    }

    /// The failure as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "schema": SCHEMA,
            "error": self.name(),
            "message": self.to_string(),
            "exit_code": self.exit_code(),
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) => write!(f, "{}; see `mslsoctl --help`", in_one_line(error)),
            Self::Device(error) => error.fmt(f),
            Self::Reply(Invalid::Version) => DeviceError::Version.fmt(f),
            Self::Reply(invalid) => write!(
                f,
                "the driver's answer cannot be understood ({invalid}); use the mslsoctl that came \
                 with the driver"
            ),
            Self::NotAttached(name) => write!(
                f,
                "the driver is not attached to the connection {name:?}; enable it there with \
                 `Enable-NetAdapterBinding -Name {name:?} -ComponentID mslso_lwf`"
            ),
            Self::NoSuchAdapter(name) => write!(
                f,
                "no adapter has the interface index, the connection or the description {name:?}; \
                 see `mslsoctl list`"
            ),
            Self::NoAdapters => f.write_str(
                "the driver is attached to no adapter; enable it on one with \
                 `Enable-NetAdapterBinding -Name ADAPTER -ComponentID mslso_lwf`",
            ),
            Self::Ambiguous(name, adapters) => {
                match name {
                    Some(name) => write!(f, "several adapters match {name:?}:")?,
                    None => f.write_str("there are several adapters:")?,
                }
                for (place, adapter) in adapters.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "," };
                    write!(f, "{comma} {} ({adapter})", adapter.if_index)?;
                }
                f.write_str("; name one by its interface index")
            }
            Self::At(adapter, failure) => {
                write!(
                    f,
                    "at interface {} ({adapter}): {failure}",
                    adapter.if_index
                )
            }
            Self::Output(error) => write!(f, "the output cannot be written: {error}"),
        }
    }
}

/// The message of clap, without its advice.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let said = text.split("\n\n").next().unwrap_or_default();
    let said = said.trim_start_matches("error: ");
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl std::error::Error for Failure {}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Self::Usage(error)
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        Self::Reply(invalid)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
