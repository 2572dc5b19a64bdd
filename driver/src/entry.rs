//! The entry point that the linker names as the image's.

use ndis_sys as sys;

/// The system calls this once it has mapped the image. IRQL PASSIVE_LEVEL.
///
/// # Safety
/// The system passes the driver object that it made for this image.
#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn DriverEntry(
    driver_object: *mut sys::DRIVER_OBJECT,
    registry_path: *mut sys::UNICODE_STRING,
) -> sys::NTSTATUS {
    #[cfg(feature = "checked")]
    crate::checked::print_load();
    // SAFETY: the system lends the driver object that it created for this image, by this function's
    // contract.
    unsafe { filter::driver_entry(driver_object, registry_path) }
}
