//! Configuration, and what is of no account around the data path.

use std::{ffi::c_void, ptr};

use control::{Profile, keyword};
use ndis::sys::{self, KSPIN_LOCK, NDIS_HANDLE, NDIS_STATUS, NET_PNP_EVENT_NOTIFICATION, NTSTATUS};

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisGetVersion() -> u32 {
    filter::OLDEST_NDIS
}

/// The registry has a profile, so that there is something to split, and nothing else.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisOpenConfigurationEx(
    _object: *mut sys::NDIS_CONFIGURATION_OBJECT,
    handle: *mut NDIS_HANDLE,
) -> NDIS_STATUS {
    // SAFETY: the caller passes a place for the handle.
    unsafe { *handle = ptr::without_provenance_mut(2) };
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisReadConfiguration(
    status: *mut NDIS_STATUS,
    value: *mut *mut sys::NDIS_CONFIGURATION_PARAMETER,
    _configuration: NDIS_HANDLE,
    asked: *mut sys::NDIS_STRING,
    _kind: i32,
) {
    // SAFETY: the caller passes a counted string.
    let name = unsafe {
        let units = usize::from((*asked).Length) / 2;
        std::slice::from_raw_parts((*asked).Buffer, units)
    };
    let is_profile = name.iter().copied().eq(keyword::PROFILE.encode_utf16());
    // SAFETY: the caller passes places for status and value. The value is never freed, which is
    // acceptable for one number an attach.
    unsafe {
        *status = if is_profile {
            *value = Box::leak(Box::new(sys::NDIS_CONFIGURATION_PARAMETER {
                ParameterType: sys::NdisParameterInteger,
                ParameterData: sys::NDIS_CONFIGURATION_PARAMETER_DATA {
                    IntegerData: Profile::Throughput.number(),
                },
            }));
            sys::NDIS_STATUS_SUCCESS
        } else {
            sys::NDIS_STATUS_FAILURE
        };
    }
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisCloseConfiguration(_configuration: NDIS_HANDLE) {}

/// No event session is enabled.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn EtwRegister(
    _id: *const sys::GUID,
    _callback: *const c_void,
    _context: *mut c_void,
    _handle: *mut sys::REGHANDLE,
) -> NTSTATUS {
    sys::NDIS_STATUS_FAILURE
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeInitializeSpinLock(lock: *mut KSPIN_LOCK) {
    // SAFETY: the caller passes a place for a lock.
    unsafe { *lock = 0 };
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn IofCompleteRequest(_irp: *mut sys::IRP, _boost: i8) {}

/// Threads are not suspended here.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeEnterCriticalRegion() {}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeLeaveCriticalRegion() {}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFNetPnPEvent(
    _module: NDIS_HANDLE,
    _event: *mut NET_PNP_EVENT_NOTIFICATION,
) -> NDIS_STATUS {
    sys::NDIS_STATUS_SUCCESS
}
