//! The routines around the data path: status indications, locks, events, pause.

use std::{
    ffi::c_void,
    sync::atomic::{AtomicU64, Ordering},
};

use ::ndis::sys::{
    self, BOOLEAN, EX_RUNDOWN_REF_CACHE_AWARE, KEVENT, KIRQL, KPROCESSOR_MODE, KSPIN_LOCK,
    NDIS_HANDLE, NDIS_STATUS, NTSTATUS,
};

use super::thread::PROCESSOR;

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFIndicateStatus(
    _module: NDIS_HANDLE,
    _indication: *mut sys::NDIS_STATUS_INDICATION,
) {
}

/// The NIC does not report its hardware capabilities.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFOidRequest(
    _module: NDIS_HANDLE,
    _request: *mut sys::NDIS_OID_REQUEST,
) -> NDIS_STATUS {
    sys::NDIS_STATUS_NOT_SUPPORTED
}

/// Processors that the machine has.
const PROCESSORS: u32 = 2;

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeQueryMaximumProcessorCountEx(_group: u16) -> u32 {
    PROCESSORS
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeQueryActiveProcessorCountEx(_group: u16) -> u32 {
    PROCESSORS
}

/// Two threads are never here at once: the data path takes no lock, which the count of them shows,
/// and all else is done by the main thread.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeAcquireSpinLockRaiseToDpc(_lock: *mut KSPIN_LOCK) -> KIRQL {
    LOCKS_TAKEN.fetch_add(1, Ordering::Relaxed);
    PROCESSOR.with(|processor| processor.irql.replace(sys::DISPATCH_LEVEL))
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeReleaseSpinLock(_lock: *mut KSPIN_LOCK, irql: KIRQL) {
    PROCESSOR.with(|processor| processor.irql.set(irql));
}

static LOCKS_TAKEN: AtomicU64 = AtomicU64::new(0);

/// How often a spin lock was taken, so far.
pub(crate) fn locks_taken() -> u64 {
    LOCKS_TAKEN.load(Ordering::Relaxed)
}

/// Makes an event signaled or not.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeInitializeEvent(event: *mut KEVENT, _kind: i32, signaled: BOOLEAN) {
    // SAFETY: the caller passes a place for an event.
    unsafe { (*event).Header = [signaled.into(), 0, 0] };
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeSetEvent(event: *mut KEVENT, _increment: i32, _wait: BOOLEAN) -> i32 {
    // SAFETY: the caller passes an event that is initialized and, here, used by the main thread
    // alone.
    unsafe { std::mem::replace(&mut (*event).Header[0], 1) as i32 }
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeResetEvent(event: *mut KEVENT) -> i32 {
    // SAFETY: as above.
    unsafe { std::mem::replace(&mut (*event).Header[0], 0) as i32 }
}

/// All events are signaled already when the main thread waits for them.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeWaitForSingleObject(
    _object: *mut c_void,
    _reason: i32,
    _mode: KPROCESSOR_MODE,
    _alertable: BOOLEAN,
    _timeout: *mut i64,
) -> NTSTATUS {
    sys::NDIS_STATUS_SUCCESS
}

/// All protection is released already, for the benchmark completes its sends.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn ExWaitForRundownProtectionReleaseCacheAware(
    _reference: *mut EX_RUNDOWN_REF_CACHE_AWARE,
) {
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn ExRundownCompletedCacheAware(
    _reference: *mut EX_RUNDOWN_REF_CACHE_AWARE,
) {
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn ExReInitializeRundownProtectionCacheAware(
    _reference: *mut EX_RUNDOWN_REF_CACHE_AWARE,
) {
}
