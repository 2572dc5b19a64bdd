//! Registers the filter driver with NDIS, and keeps its state until it is unloaded.

use core::{
    ffi::c_void,
    ptr::{self, NonNull},
};

pub use crate::object::{header, unicode_string};
use crate::{
    device::{self, DeviceNames},
    status::Status,
    sys,
};

/// NDIS's version as `NdisGetVersion` returns it: major in the upper, minor in the lower half.
pub fn ndis_version() -> u32 {
    // SAFETY: no preconditions.
    unsafe { sys::NdisGetVersion() }
}

/// Characteristics in which nothing is set: no handler, no name, no version.
pub const fn no_characteristics() -> sys::NDIS_FILTER_DRIVER_CHARACTERISTICS {
    // SAFETY: numbers, raw pointers and optional function pointers may all be zero.
    unsafe { core::mem::zeroed() }
}

/// The registration that the system keeps for the driver from load to unload.
///
/// It belongs to the driver object, not to a global: a driver that is loaded into two models of one
/// process has two of them.
struct Registration {
    filter: sys::NDIS_HANDLE,
    /// Null until there is one.
    device: sys::NDIS_HANDLE,
    context: NonNull<c_void>,
}

const REGISTRATION_BYTES: u32 = 24;
const _: () = assert!(REGISTRATION_BYTES as usize == size_of::<Registration>());

/// The key under which the registration is kept: its address identifies it.
static REGISTRATION_KEY: u8 = 0;

fn key() -> *mut c_void {
    (&raw const REGISTRATION_KEY).cast_mut().cast()
}

/// Registers the filter driver with `context`, which NDIS passes to every FilterAttach, creates its
/// control device, and stores both with the driver object. IRQL PASSIVE_LEVEL.
///
/// # Errors
/// The status of the system or NDIS; nothing is registered then.
///
/// # Safety
/// `driver` is the driver object passed to DriverEntry; the handlers in `characteristics` keep the
/// contract of an NDIS filter driver, and `dispatch` that of a device; `context` lives until
/// [`deregister`] has returned.
pub unsafe fn register(
    driver: NonNull<sys::DRIVER_OBJECT>,
    characteristics: &mut sys::NDIS_FILTER_DRIVER_CHARACTERISTICS,
    names: &DeviceNames,
    dispatch: sys::DRIVER_DISPATCH,
    context: NonNull<c_void>,
) -> Result<(), Status> {
    let mut place: *mut c_void = ptr::null_mut();
    // SAFETY: the driver object is alive; the system frees the place when the driver is gone.
    let status = unsafe {
        sys::IoAllocateDriverObjectExtension(
            driver.as_ptr(),
            key(),
            REGISTRATION_BYTES,
            &raw mut place,
        )
    };
    Status(status).ok()?;
    let place = place.cast::<Registration>();
    // SAFETY: the place is new, as long as a registration, and aligned as pool memory is. NDIS
    // writes the handle before it returns, perhaps after the first FilterAttach.
    unsafe {
        place.write(Registration {
            filter: ptr::null_mut(),
            device: ptr::null_mut(),
            context,
        });
        let status = sys::NdisFRegisterFilterDriver(
            driver.as_ptr(),
            context.as_ptr(),
            characteristics,
            &raw mut (*place).filter,
        );
        Status(status).ok()?;
        let device = device::create((*place).filter, names, dispatch, context)
            .inspect_err(|_| sys::NdisFDeregisterFilterDriver((*place).filter))?;
        (*place).device = device;
    }
    Ok(())
}

/// Undoes [`register`], in the driver's unload, and returns the context. IRQL PASSIVE_LEVEL.
///
/// # Safety
/// `driver` was registered, and unload runs once.
pub unsafe fn deregister(driver: NonNull<sys::DRIVER_OBJECT>) -> Option<NonNull<c_void>> {
    // SAFETY: the driver object is alive until unload has returned; `register` wrote the place.
    let registration = unsafe {
        sys::IoGetDriverObjectExtension(driver.as_ptr(), key())
            .cast::<Registration>()
            .as_ref()
    }?;
    if !registration.device.is_null() {
        // SAFETY: made by `register`, removed once.
        unsafe { sys::NdisDeregisterDeviceEx(registration.device) };
    }
    // SAFETY: registered once, deregistered once. NDIS detaches every module before it returns.
    unsafe { sys::NdisFDeregisterFilterDriver(registration.filter) };
    Some(registration.context)
}
