//! Registering the filter driver with NDIS, and what the system keeps for it until it unloads.

use core::ptr::{self, NonNull};

use crate::{status::Status, sys};

/// NDIS's version as `NdisGetVersion` tells it: major in the upper, minor in the lower half.
#[must_use]
pub fn ndis_version() -> u32 {
    // SAFETY: no preconditions.
    unsafe { sys::NdisGetVersion() }
}

/// The header of an NDIS object of our own making.
#[must_use]
pub const fn header(kind: u8, revision: u8, size: u16) -> sys::NDIS_OBJECT_HEADER {
    sys::NDIS_OBJECT_HEADER {
        Type: kind,
        Revision: revision,
        Size: size,
    }
}

/// Characteristics in which nothing is set: no handler, no name, no version.
#[must_use]
pub const fn no_characteristics() -> sys::NDIS_FILTER_DRIVER_CHARACTERISTICS {
    // SAFETY: numbers, raw pointers and optional function pointers may all be zero.
    unsafe { core::mem::zeroed() }
}

/// A UNICODE_STRING over UTF-16 text that lives as long as the driver.
#[must_use]
pub const fn unicode_string(text: &'static [u16]) -> sys::UNICODE_STRING {
    assert!(text.len() < 0x7FFF);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::arithmetic_side_effects,
        reason = "bounded by the assertion"
    )]
    let bytes = (text.len() * 2) as u16;
    sys::UNICODE_STRING {
        Length: bytes,
        MaximumLength: bytes,
        Buffer: text.as_ptr().cast_mut(),
    }
}

/// Bytes of one registration.
const PLACE_BYTES: u32 = 8;
const _: () = assert!(PLACE_BYTES as usize == size_of::<sys::NDIS_HANDLE>());

/// The key under which [`registration`] is kept: its address is what counts.
static REGISTRATION_KEY: u8 = 0;

/// The driver object's place for NDIS's handle of this filter driver.
///
/// It belongs to the driver object, not to a global: a driver that is loaded twice into two models
/// of one process has two of them.
fn registration(driver: NonNull<sys::DRIVER_OBJECT>) -> *mut sys::NDIS_HANDLE {
    // SAFETY: the driver object is alive from DriverEntry until unload has returned.
    unsafe { sys::IoGetDriverObjectExtension(driver.as_ptr(), key()).cast() }
}

fn key() -> *mut core::ffi::c_void {
    (&raw const REGISTRATION_KEY).cast_mut().cast()
}

/// Registers the filter driver, and remembers the registration with the driver object.
/// IRQL PASSIVE_LEVEL.
///
/// # Errors
/// What the system or NDIS answers; nothing is registered then.
///
/// # Safety
/// `driver` is the driver object that DriverEntry got, and the handlers in `characteristics` keep
/// the contract of an NDIS filter driver.
pub unsafe fn register(
    driver: NonNull<sys::DRIVER_OBJECT>,
    characteristics: &mut sys::NDIS_FILTER_DRIVER_CHARACTERISTICS,
) -> Result<(), Status> {
    let mut place: *mut core::ffi::c_void = ptr::null_mut();
    // SAFETY: the driver object is alive; the system zeroes the place and frees it at unload.
    let status = unsafe {
        sys::IoAllocateDriverObjectExtension(driver.as_ptr(), key(), PLACE_BYTES, &raw mut place)
    };
    Status(status).ok()?;
    // SAFETY: as the caller vouches; NDIS copies the characteristics during the call.
    let status = unsafe {
        sys::NdisFRegisterFilterDriver(
            driver.as_ptr(),
            driver.as_ptr().cast(),
            characteristics,
            place.cast(),
        )
    };
    Status(status).ok()
}

/// Undoes [`register`], in the driver's unload. IRQL PASSIVE_LEVEL.
///
/// # Safety
/// `driver` was registered, and no filter module of it is attached any more.
pub unsafe fn deregister(driver: NonNull<sys::DRIVER_OBJECT>) {
    let place = registration(driver);
    if !place.is_null() {
        // SAFETY: `register` left the handle there, and unload runs once.
        unsafe { sys::NdisFDeregisterFilterDriver(*place) };
    }
}
