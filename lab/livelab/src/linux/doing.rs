//! Errors of the system, with the operation that failed.

use std::io;

use crate::error::Error;

/// Adds the operation to the error of a failed call.
pub(super) trait Doing<T> {
    /// Names the operation, as in "setting the MTU".
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|error| Error::System {
            doing: what(),
            why: error.into(),
        })
    }
}
