//! The build of the driver that the scenarios run: the filter linked into this process, or the
//! image that `MSLSO_DRIVER` names.

use std::{env, path::PathBuf};

use control::utf16;
use harness::driver::{self, Build};
use ndis::sys::{self, DRIVER_INITIALIZE};

/// The variable that names an image to test. A relative path counts from the workspace's root.
pub const VARIABLE: &str = "MSLSO_DRIVER";

/// A build of the driver, ready to be loaded into a model.
pub struct Driver(driver::Driver);

impl Driver {
    /// The build that this run of the tests is about.
    ///
    /// # Panics
    /// If the image does not load.
    #[must_use]
    pub fn under_test() -> Self {
        let build = image_path().map_or(Build::Native, Build::Image);
        Self(driver::Driver::load(&build).unwrap_or_else(|error| panic!("{error}")))
    }

    /// Its entry point.
    #[must_use]
    pub fn entry(&self) -> DRIVER_INITIALIZE {
        self.0.entry()
    }
}

/// The characteristics of a driver of the tests, which registers by itself: names, and no handlers.
#[must_use]
pub fn characteristics() -> sys::NDIS_FILTER_DRIVER_CHARACTERISTICS {
    static GUID: [u16; 39] = utf16("{4b0c9b8e-5d1a-4e1b-a2f7-0c9e7d527f3b}");
    static SERVICE: [u16; 9] = utf16("scenario");
    let mut all = ndis::driver::no_characteristics();
    all.Header = ndis::driver::header(
        sys::NDIS_OBJECT_TYPE_FILTER_DRIVER_CHARACTERISTICS,
        sys::NDIS_FILTER_CHARACTERISTICS_REVISION_3,
        sys::NDIS_SIZEOF_FILTER_DRIVER_CHARACTERISTICS_REVISION_3,
    );
    (all.MajorNdisVersion, all.MinorNdisVersion) = (6, 85);
    all.UniqueName = ndis::driver::unicode_string(&GUID);
    all.ServiceName = ndis::driver::unicode_string(&SERVICE);
    all.FriendlyName = all.ServiceName;
    all
}

/// Opens the configuration of a module, which such a driver has from NDIS.
///
/// # Panics
/// If NDIS opens none.
///
/// # Safety
/// The module is attaching or attached, on a machine of the model.
#[must_use]
pub unsafe fn open_configuration(module: sys::NDIS_HANDLE) -> sys::NDIS_HANDLE {
    let mut object = sys::NDIS_CONFIGURATION_OBJECT {
        Header: ndis::driver::header(
            sys::NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT,
            sys::NDIS_CONFIGURATION_OBJECT_REVISION_1,
            sys::NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1,
        ),
        NdisHandle: module,
        Flags: 0,
    };
    let mut handle = std::ptr::null_mut();
    // SAFETY: object and place live during the call.
    let status = unsafe { sys::NdisOpenConfigurationEx(&raw mut object, &raw mut handle) };
    assert_eq!(status, sys::NDIS_STATUS_SUCCESS);
    handle
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
/// If the image cannot be read.
#[must_use]
pub fn image_under_test() -> Option<Vec<u8>> {
    let Some(path) = image_path() else {
        #[expect(clippy::print_stdout, reason = "the test harness captures it")]
        {
            println!(
                "no image under test; `cargo make test-sys` builds it and runs this against it"
            );
        }
        return None;
    };
    let bytes = std::fs::read(&path);
    Some(bytes.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}
