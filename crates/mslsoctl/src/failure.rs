//! Why a command ends without its result.

use std::io;

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
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what it is")]
pub enum Failure {
    #[error("{}; see `mslsoctl --help`", in_one_line(.0))]
    Usage(#[from] clap::Error),
    /// The device cannot be opened or a request to it failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("{}", of_reply(*.0))]
    Reply(#[from] Invalid),
    #[error(
        "the driver is not attached to the connection {0:?}; enable it there with \
         `Enable-NetAdapterBinding -Name {0:?} -ComponentID mslso_lwf`"
    )]
    NotAttached(String),
    #[error(
        "no adapter has the interface index, the connection or the description {0:?}; \
         see `mslsoctl list`"
    )]
    NoSuchAdapter(String),
    #[error(
        "the driver is attached to no adapter; enable it on one with \
         `Enable-NetAdapterBinding -Name ADAPTER -ComponentID mslso_lwf`"
    )]
    NoAdapters,
    #[error("{}", several(.0.as_deref(), .1))]
    Ambiguous(Option<String>, Vec<Adapter>),
    #[error("at interface {at} ({adapter}): {failure}", at = .0.if_index, adapter = .0, failure = .1)]
    At(Box<Adapter>, Box<Self>),
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// The exit code for it.
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
    pub fn to_json(&self) -> Value {
        json!({
            "schema": SCHEMA,
            "error": self.name(),
            "message": self.to_string(),
            "exit_code": self.exit_code(),
        })
    }
}

fn of_reply(invalid: Invalid) -> String {
    match invalid {
        Invalid::Version => DeviceError::Version.to_string(),
        _ => format!(
            "the driver's answer cannot be understood ({invalid}); use the mslsoctl that came with \
             the driver"
        ),
    }
}

fn several(name: Option<&str>, adapters: &[Adapter]) -> String {
    let found = match name {
        Some(name) => format!("several adapters match {name:?}"),
        None => "there are several adapters".to_owned(),
    };
    let adapters = adapters
        .iter()
        .map(|adapter| format!("{} ({adapter})", adapter.if_index));
    let adapters = adapters.collect::<Vec<_>>().join(", ");
    format!("{found}: {adapters}; name one by its interface index")
}

/// The message of clap, without its advice.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let said = text.split("\n\n").next().unwrap_or_default();
    let said = said.trim_start_matches("error: ");
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}
