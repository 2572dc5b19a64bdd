//! The build of the driver that runs: the filter linked into this program, or a finished image.
#![expect(unsafe_code, reason = "names the driver's entry point and calls it")]

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use loader::{Image, OnMissing};
use model::World;
use ndis::sys::DRIVER_INITIALIZE;

use crate::Error;

/// The word for the filter linked natively, where a path would name an image.
pub const NATIVE: &str = "native";

/// A build of the driver by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Build {
    /// The filter, linked natively.
    #[default]
    Native,
    /// The image in this file: `mslso.sys`, or `mslso.dll` as Cargo names it.
    Image(PathBuf),
}

impl From<OsString> for Build {
    /// Every name but [`NATIVE`] is a path.
    fn from(name: OsString) -> Self {
        if name == NATIVE {
            Self::Native
        } else {
            Self::Image(name.into())
        }
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native => f.write_str("the filter's code, linked into this program"),
            Self::Image(path) => write!(f, "the image {}, as it is installed", path.display()),
        }
    }
}

/// A build of the driver, ready to be loaded into a model.
pub enum Driver {
    /// The filter, linked natively.
    Native,
    /// A loaded image.
    Image(Image),
}

impl Driver {
    /// Makes `build` ready.
    pub fn load(build: &Build) -> Result<Self, Error> {
        Ok(match build {
            Build::Native => Self::Native,
            Build::Image(path) => Self::Image(Image::load(path)?),
        })
    }

    /// The same of a driver that may import routines which the model does not have: `on_missing` is
    /// called in place of one that it calls.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub fn load_with_gaps(build: &Build, on_missing: OnMissing) -> Result<Self, Error> {
        Ok(match build {
            Build::Native => Self::Native,
            Build::Image(path) => Self::Image(Image::load_with_gaps(path, on_missing)?),
        })
    }

    /// Its entry point, to be called while this driver lives.
    pub fn entry(&self) -> DRIVER_INITIALIZE {
        match self {
            Self::Native => filter::driver_entry,
            Self::Image(image) => image.entry(),
        }
    }

    /// Loads it into `world`, and no more.
    ///
    /// # Errors
    ///
    /// What the entry point answers, where it fails.
    ///
    /// # Safety
    ///
    /// As for [`start`](Self::start).
    pub unsafe fn load_into(&self, world: &Arc<World>) -> Result<(), i32> {
        // SAFETY: as in `start`.
        unsafe { world.load(self.entry()) }
    }

    /// Loads it into `world`, attaches and restarts it.
    ///
    /// # Errors
    ///
    /// The first step's status that fails.
    ///
    /// # Safety
    ///
    /// The driver outlives every use of `world`.
    pub unsafe fn start(&self, world: &Arc<World>) -> Result<(), Error> {
        // SAFETY: both are entry points of the driver, the image's by its header; the code stays in
        // place as long as the caller guarantees.
        unsafe { world.start(self.entry()) }.map_err(Error::Driver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_one_word_is_a_path() {
        assert_eq!(Build::from(OsString::from("native")), Build::Native);
        for path in ["./native", "Native", "mslso.sys", ""] {
            assert_eq!(Build::from(OsString::from(path)), Build::Image(path.into()));
        }
    }
}
