//! Why there is no machine, or none that answers.

use std::fmt;

use loader::LoadError;

use crate::device::ControlError;

/// Why there is no machine, or none that answers. Its text is one line.
#[derive(Debug)]
pub enum Error {
    /// The image of the driver does not load.
    Image(LoadError),
    /// The driver does not start; its status.
    Driver(i32),
    /// The driver's control device does not answer as it should.
    Control(ControlError),
}

impl Error {
    /// A short identifier in kebab case, for JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Image(_) => "image",
            Self::Driver(_) => "driver",
            Self::Control(_) => "control",
        }
    }

    /// Whether the driver ran, and failed.
    #[must_use]
    pub fn is_of_driver(&self) -> bool {
        !matches!(self, Self::Image(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(error) => error.fmt(f),
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
