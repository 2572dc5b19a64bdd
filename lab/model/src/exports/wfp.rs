//! `fwpkclnt.sys`: the Windows Filtering Platform, as far as a driver that is a callout driver too sets
//! it up. No packet reaches a callout.

use std::{ffi::c_void, ptr};

use ::ndis::sys::{self, NTSTATUS};

use crate::{objects::Kind, thread};

/// A new handle at `place`.
///
/// # Safety
/// `place` is a place for it.
unsafe fn open(place: *mut *mut c_void, routine: &str) -> NTSTATUS {
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, routine);
    let world = thread::world();
    let Some(handle) = world.state().new_handle(Kind::WfpHandle, routine) else {
        return sys::NDIS_STATUS_RESOURCES;
    };
    // SAFETY: as the caller vouches.
    unsafe { *place = handle.cast() };
    sys::STATUS_SUCCESS
}

fn close(handle: *mut c_void, routine: &str) -> NTSTATUS {
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, routine);
    let world = thread::world();
    world
        .state()
        .free_object(handle.addr(), Kind::WfpHandle, routine);
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn FwpmEngineOpen0(
    _server: *const u16,
    _service: u32,
    _identity: *const c_void,
    _session: *const c_void,
    engine: *mut *mut c_void,
) -> NTSTATUS {
    // SAFETY: the caller passes a place.
    unsafe { open(engine, "FwpmEngineOpen0") }
}

unsafe extern "efiapi" fn FwpmEngineClose0(engine: *mut c_void) -> NTSTATUS {
    close(engine, "FwpmEngineClose0")
}

unsafe extern "efiapi" fn FwpsInjectionHandleCreate0(
    _family: u16,
    _flags: u32,
    handle: *mut *mut c_void,
) -> NTSTATUS {
    // SAFETY: the caller passes a place.
    unsafe { open(handle, "FwpsInjectionHandleCreate0") }
}

unsafe extern "efiapi" fn FwpsInjectionHandleDestroy0(handle: *mut c_void) -> NTSTATUS {
    close(handle, "FwpsInjectionHandleDestroy0")
}

/// Registers a callout, and writes its number.
unsafe extern "efiapi" fn register_callout(
    _device: *mut c_void,
    _callout: *const c_void,
    id: *mut u32,
) -> NTSTATUS {
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, "FwpsCalloutRegister");
    if !id.is_null() {
        // SAFETY: the caller passes a place or null.
        unsafe { *id = 1 };
    }
    sys::STATUS_SUCCESS
}
use register_callout as FwpsCalloutRegister0;
use register_callout as FwpsCalloutRegister1;
use register_callout as FwpsCalloutRegister2;
use register_callout as FwpsCalloutRegister3;

/// Adds or deletes an object of the engine.
unsafe extern "efiapi" fn change(_engine: *mut c_void) -> NTSTATUS {
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, "FwpmFilterAdd0");
    sys::STATUS_SUCCESS
}
use change as FwpmCalloutAdd0;
use change as FwpmCalloutDeleteById0;
use change as FwpmCalloutDeleteByKey0;
use change as FwpmFilterAdd0;
use change as FwpmFilterDeleteById0;
use change as FwpmFilterDeleteByKey0;
use change as FwpmProviderAdd0;
use change as FwpmProviderDeleteByKey0;
use change as FwpmSubLayerAdd0;
use change as FwpmSubLayerDeleteByKey0;
use change as FwpmTransactionAbort0;
use change as FwpmTransactionBegin0;
use change as FwpmTransactionCommit0;
use change as FwpsCalloutUnregisterById0;
use change as FwpsCalloutUnregisterByKey0;

/// FWPM_SERVICE_RUNNING.
unsafe extern "efiapi" fn FwpmBfeStateGet0() -> u32 {
    const RUNNING: u32 = 3;
    RUNNING
}

unsafe extern "efiapi" fn FwpmBfeStateSubscribeChanges0(
    _device: *mut c_void,
    _callback: *const c_void,
    _context: *mut c_void,
    handle: *mut *mut c_void,
) -> NTSTATUS {
    // SAFETY: the caller passes a place.
    unsafe { open(handle, "FwpmBfeStateSubscribeChanges0") }
}

unsafe extern "efiapi" fn FwpmBfeStateUnsubscribeChanges0(handle: *mut c_void) -> NTSTATUS {
    close(handle, "FwpmBfeStateUnsubscribeChanges0")
}

/// Enumerates nothing.
unsafe extern "efiapi" fn FwpmFilterCreateEnumHandle0(
    _engine: *mut c_void,
    _template: *const c_void,
    handle: *mut *mut c_void,
) -> NTSTATUS {
    // SAFETY: the caller passes a place.
    unsafe { open(handle, "FwpmFilterCreateEnumHandle0") }
}

unsafe extern "efiapi" fn FwpmFilterEnum0(
    _engine: *mut c_void,
    _handle: *mut c_void,
    _most: u32,
    entries: *mut *mut c_void,
    count: *mut u32,
) -> NTSTATUS {
    // SAFETY: the caller passes two places.
    unsafe { (*entries, *count) = (ptr::null_mut(), 0) };
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn FwpmFilterDestroyEnumHandle0(
    _engine: *mut c_void,
    handle: *mut c_void,
) -> NTSTATUS {
    close(handle, "FwpmFilterDestroyEnumHandle0")
}

unsafe extern "efiapi" fn FwpmFreeMemory0(memory: *mut *mut c_void) {
    // SAFETY: the caller passes a place.
    unsafe { *memory = ptr::null_mut() };
}

super::exports! {
    FwpmEngineOpen0
    FwpmEngineClose0
    FwpsInjectionHandleCreate0
    FwpsInjectionHandleDestroy0
    FwpsCalloutRegister0
    FwpsCalloutRegister1
    FwpsCalloutRegister2
    FwpsCalloutRegister3
    FwpmCalloutAdd0
    FwpmCalloutDeleteById0
    FwpmCalloutDeleteByKey0
    FwpmFilterAdd0
    FwpmFilterDeleteById0
    FwpmFilterDeleteByKey0
    FwpmProviderAdd0
    FwpmProviderDeleteByKey0
    FwpmSubLayerAdd0
    FwpmSubLayerDeleteByKey0
    FwpmTransactionAbort0
    FwpmTransactionBegin0
    FwpmTransactionCommit0
    FwpsCalloutUnregisterById0
    FwpsCalloutUnregisterByKey0
    FwpmBfeStateGet0
    FwpmBfeStateSubscribeChanges0
    FwpmBfeStateUnsubscribeChanges0
    FwpmFilterCreateEnumHandle0
    FwpmFilterEnum0
    FwpmFilterDestroyEnumHandle0
    FwpmFreeMemory0
}
