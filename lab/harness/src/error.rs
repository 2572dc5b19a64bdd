//! Why there is no machine, none that answers, or no chart.

use std::fmt;
use std::path::PathBuf;

use loader::LoadError;

use crate::device::ControlError;

/// Why there is no machine, none that answers, or no chart. Its text is one line.
#[derive(Debug)]
pub enum Error {
    /// The image of the driver does not load.
    Image(LoadError),
    /// The driver does not start; its status.
    Driver(i32),
    /// The driver's control device does not answer as it should.
    Control(ControlError),
    /// A chart cannot be written.
    Chart(PathBuf, String),
}

impl Error {
    /// A short identifier in kebab case, for JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Image(_) => "image",
            Self::Driver(_) => "driver",
            Self::Control(_) => "control",
            Self::Chart(..) => "output",
        }
    }

    /// Whether the driver ran, and failed.
    #[must_use]
    pub fn is_of_driver(&self) -> bool {
        matches!(self, Self::Driver(_) | Self::Control(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(error) => error.fmt(f),
            Self::Chart(path, why) => {
                write!(f, "{}: the chart cannot be written: {why}", path.display())
            }
            Self::Driver(status) => write!(f, "the driver does not start: status {status:#010x}"),
            Self::Control(error) => {
                write!(
                    f,
                    "the driver's control device does not answer as it should: {error}"
                )
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        Self::Image(error)
    }
}

impl From<ControlError> for Error {
    fn from(error: ControlError) -> Self {
        Self::Control(error)
    }
}
