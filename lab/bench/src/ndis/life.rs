//! The routines around the data path: load, attach, settings, pause.

use std::{
    ffi::c_void,
    ptr,
    sync::{
        Mutex,
        atomic::{AtomicPtr, AtomicU64, Ordering},
    },
};

use ::ndis::sys::{
    self, BOOLEAN, EX_RUNDOWN_REF_CACHE_AWARE, KEVENT, KIRQL, KPROCESSOR_MODE, KSPIN_LOCK,
    NDIS_FILTER_ATTRIBUTES, NDIS_FILTER_DRIVER_CHARACTERISTICS, NDIS_HANDLE, NDIS_STATUS, NTSTATUS,
};

use super::thread::PROCESSOR;

/// The characteristics that the driver registered, and the context that it registered with.
static REGISTERED: Mutex<Option<Registered>> = Mutex::new(None);
/// The context that the last module was attached with.
static MODULE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static DEVICE_EXTENSION: AtomicU64 = AtomicU64::new(0);

struct Registered {
    characteristics: NDIS_FILTER_DRIVER_CHARACTERISTICS,
    context: NDIS_HANDLE,
}

// SAFETY: names and functions that do not change, and a context that is valid on any thread.
unsafe impl Send for Registered {}

/// The characteristics that the driver registered, and the context for FilterAttach.
pub(crate) fn characteristics() -> Option<(NDIS_FILTER_DRIVER_CHARACTERISTICS, NDIS_HANDLE)> {
    let registered = REGISTERED.lock().expect("no panic");
    let registered = registered.as_ref()?;
    Some((registered.characteristics, registered.context))
}

/// The context that FilterAttach set.
pub(crate) fn take_context() -> NDIS_HANDLE {
    MODULE.swap(ptr::null_mut(), Ordering::Relaxed)
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFRegisterFilterDriver(
    _driver: *mut sys::DRIVER_OBJECT,
    context: NDIS_HANDLE,
    characteristics: *mut NDIS_FILTER_DRIVER_CHARACTERISTICS,
    handle: *mut NDIS_HANDLE,
) -> NDIS_STATUS {
    // SAFETY: the caller passes characteristics, and a place for the handle.
    unsafe {
        *handle = ptr::without_provenance_mut(1);
        *REGISTERED.lock().expect("no panic") = Some(Registered {
            characteristics: *characteristics,
            context,
        });
    }
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFSetAttributes(
    _module: NDIS_HANDLE,
    context: NDIS_HANDLE,
    _attributes: *mut NDIS_FILTER_ATTRIBUTES,
) -> NDIS_STATUS {
    MODULE.store(context, Ordering::Relaxed);
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisRegisterDeviceEx(
    _driver: NDIS_HANDLE,
    _attributes: *mut sys::NDIS_DEVICE_OBJECT_ATTRIBUTES,
    _device: *mut *mut sys::DEVICE_OBJECT,
    _handle: *mut NDIS_HANDLE,
) -> NDIS_STATUS {
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisGetDeviceReservedExtension(
    _device: *mut sys::DEVICE_OBJECT,
) -> *mut c_void {
    DEVICE_EXTENSION.as_ptr().cast()
}

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

/// Makes an event signalled or not.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeInitializeEvent(event: *mut KEVENT, _kind: i32, signalled: BOOLEAN) {
    // SAFETY: the caller passes a place for an event.
    unsafe { (*event).Header = [signalled.into(), 0, 0] };
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

/// All events are signalled already when the main thread waits for them.
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
