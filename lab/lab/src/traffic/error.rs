//! Failures around the driver: of namespaces, devices, sockets, commands.

use std::{fmt, io};

/// The reason why there is no traffic. Its text is one line, with the next step where one is known.
#[derive(Debug)]
pub enum TrafficError {
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
}

impl fmt::Display for TrafficError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermitted(why) => write!(
                f,
                "network namespaces cannot be made ({why}); run it as root, or in a user \
                 namespace: unshare --user --map-root-user mslso-lab ..."
            ),
            Self::System { doing, why } => write!(f, "{doing}: {why}"),
            Self::Command(what) | Self::Transfer(what) => f.write_str(what),
            Self::Interrupted => f.write_str("interrupted; everything is taken down again"),
        }
    }
}

impl std::error::Error for TrafficError {}

/// Adds the operation to the error of a failed call.
pub(super) trait Doing<T> {
    /// Names the operation, as in "setting the MTU".
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, TrafficError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, TrafficError> {
        self.map_err(|error| TrafficError::System {
            doing: what(),
            why: error.into(),
        })
    }
}
