//! Which build of the driver the scenarios run: the filter linked into this process, or the image
//! that `MSLSO_DRIVER` names.

use std::{env, path::PathBuf};

use loader::Image;
use ndis::sys::DRIVER_INITIALIZE;

/// The variable that names an image to test. A relative path counts from the workspace's root.
pub const VARIABLE: &str = "MSLSO_DRIVER";

/// A build of the driver, ready to be loaded into a model.
pub enum Driver {
    /// The filter, linked natively.
    Native,
    /// A loaded image.
    Image(Image),
}

impl Driver {
    /// The build that this run of the tests is about.
    ///
    /// # Panics
    /// Where the image does not load.
    #[must_use]
    pub fn under_test() -> Self {
        match image_path() {
            None => Self::Native,
            Some(path) => Self::Image(Image::load(path).unwrap_or_else(|error| panic!("{error}"))),
        }
    }

    /// Its entry point.
    #[must_use]
    pub fn entry(&self) -> DRIVER_INITIALIZE {
        match self {
            Self::Native => filter::driver_entry,
            Self::Image(image) => image.entry(),
        }
    }
}

fn image_path() -> Option<PathBuf> {
    let path = env::var_os(VARIABLE)?;
    // Cargo runs tests in the package's folder.
    Some(
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(path),
    )
}

/// The image under test as bytes; `None`, with a word on how to get one, in a native run.
///
/// # Panics
/// Where the image cannot be read.
#[must_use]
pub fn image_under_test() -> Option<Vec<u8>> {
    let Some(path) = image_path() else {
        println!("no image under test; `cargo make test-sys` builds it and runs this against it");
        return None;
    };
    let bytes = std::fs::read(&path);
    Some(bytes.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}
