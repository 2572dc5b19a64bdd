//! Routines that the benchmark never reaches. Each ends the process.

use std::{ffi::c_void, io::Write};

use ::ndis::sys::{
    BOOLEAN, EVENT_DATA_DESCRIPTOR, EVENT_DESCRIPTOR, GUID, IRP, KPROCESSOR_MODE, MDL,
    NDIS_CONFIGURATION_PARAMETER, NDIS_HANDLE, NDIS_OID_REQUEST, NDIS_STATUS, NDIS_STRING,
    NET_PNP_EVENT_NOTIFICATION, NTSTATUS, REGHANDLE,
};

/// Defines routines by their signatures.
macro_rules! unused {
    ($( fn $name:ident($($argument:ty),*) $(-> $result:ty)?; )+) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "efiapi" fn $name($(_: $argument),*) $(-> $result)? {
            unreached(stringify!($name))
        }
    )+};
}

unused! {
    fn NdisFDeregisterFilterDriver(NDIS_HANDLE);
    fn NdisFOidRequestComplete(NDIS_HANDLE, *mut NDIS_OID_REQUEST, NDIS_STATUS);
    fn NdisFCancelOidRequest(NDIS_HANDLE, *mut c_void);
    fn NdisFNetPnPEvent(NDIS_HANDLE, *mut NET_PNP_EVENT_NOTIFICATION) -> NDIS_STATUS;
    fn NdisAllocateCloneOidRequest(
        NDIS_HANDLE, *mut NDIS_OID_REQUEST, u32, *mut *mut NDIS_OID_REQUEST
    ) -> NDIS_STATUS;
    fn NdisFreeCloneOidRequest(NDIS_HANDLE, *mut NDIS_OID_REQUEST);
    fn NdisWriteConfiguration(
        *mut NDIS_STATUS, NDIS_HANDLE, *mut NDIS_STRING, *mut NDIS_CONFIGURATION_PARAMETER
    );
    fn NdisDeregisterDeviceEx(NDIS_HANDLE);
    fn MmMapLockedPagesSpecifyCache(
        *mut MDL, KPROCESSOR_MODE, i32, *mut c_void, u32, u32
    ) -> *mut c_void;
    fn MmUnmapLockedPages(*mut c_void, *mut MDL);
    fn IofCompleteRequest(*mut IRP, i8);
    fn KeEnterCriticalRegion();
    fn KeLeaveCriticalRegion();
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

fn unreached(routine: &str) -> ! {
    let line = format!("the benchmark does not reach {routine}, but the filter called it\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    std::process::abort();
}
