//! Why there is no machine, none that answers, or no chart.

use std::path::PathBuf;

use loader::LoadError;

use crate::device::ControlError;

/// Why there is no machine, none that answers, or no chart. Its text is one line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The image of the driver does not load.
    #[error(transparent)]
    Image(#[from] LoadError),
    /// The driver does not start; its status.
    #[error("the driver does not start: status {0:#010x}")]
    Driver(i32),
    /// The driver's control device does not answer as it should.
    #[error("the driver's control device does not answer as it should: {0}")]
    Control(#[from] ControlError),
    /// A chart cannot be written.
    #[error(
        "{}: the chart cannot be written ({}); check the folder and its free space",
        .0.display(),
        .1
    )]
    Chart(PathBuf, String),
}

impl Error {
    /// A short identifier in kebab case, for JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Image(_) => "image",
            Self::Driver(_) => "driver",
            Self::Control(_) => "control",
            Self::Chart(..) => "output",
        }
    }

    /// Whether the driver ran, and failed.
    pub fn is_of_driver(&self) -> bool {
        matches!(self, Self::Driver(_) | Self::Control(_))
    }
}
