//! Routines that no case comes to. Each ends the process.

use std::{ffi::c_void, io::Write};

use ndis::sys::{
    BOOLEAN, EVENT_DATA_DESCRIPTOR, EVENT_DESCRIPTOR, GUID, KPROCESSOR_MODE, MDL,
    NDIS_CONFIGURATION_PARAMETER, NDIS_HANDLE, NDIS_OID_REQUEST, NDIS_STATUS, NDIS_STRING,
    NTSTATUS, REGHANDLE,
};

/// Defines routines by their signatures.
#[macro_export]
macro_rules! unused {
    ($( fn $name:ident($($argument:ty),*) $(-> $result:ty)?; )+) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "efiapi" fn $name($(_: $argument),*) $(-> $result)? {
            $crate::unreached(stringify!($name))
        }
    )+};
}

unused! {
    fn NdisFOidRequestComplete(NDIS_HANDLE, *mut NDIS_OID_REQUEST, NDIS_STATUS);
    fn NdisAllocateCloneOidRequest(
        NDIS_HANDLE, *mut NDIS_OID_REQUEST, u32, *mut *mut NDIS_OID_REQUEST
    ) -> NDIS_STATUS;
    fn NdisFreeCloneOidRequest(NDIS_HANDLE, *mut NDIS_OID_REQUEST);
    fn NdisWriteConfiguration(
        *mut NDIS_STATUS, NDIS_HANDLE, *mut NDIS_STRING, *mut NDIS_CONFIGURATION_PARAMETER
    );
    fn MmMapLockedPagesSpecifyCache(
        *mut MDL, KPROCESSOR_MODE, i32, *mut c_void, u32, u32
    ) -> *mut c_void;
    fn MmUnmapLockedPages(*mut c_void, *mut MDL);
    fn IoAllocateErrorLogEntry(*mut c_void, u8) -> *mut c_void;
    fn IoWriteErrorLogEntry(*mut c_void);
    fn EtwUnregister(REGHANDLE) -> NTSTATUS;
    fn EtwSetInformation(REGHANDLE, i32, *const c_void, u32) -> NTSTATUS;
    fn EtwEventEnabled(REGHANDLE, *const EVENT_DESCRIPTOR) -> BOOLEAN;
    fn EtwWriteTransfer(
        REGHANDLE, *const EVENT_DESCRIPTOR, *const GUID, *const GUID, u32,
        *const EVENT_DATA_DESCRIPTOR
    ) -> NTSTATUS;
}

/// Ends the process: the driver called `routine`.
pub fn unreached(routine: &str) -> ! {
    let line = format!("no case comes to {routine}, but the driver called it\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    std::process::abort();
}
