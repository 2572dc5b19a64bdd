//! The means by which processors synchronize: IRQL, spin locks, events, rundown protection.

use std::ffi::c_void;

use ndis::sys::{
    self, BOOLEAN, DISPATCH_LEVEL, EX_RUNDOWN_REF_CACHE_AWARE, KEVENT, KIRQL, KPROCESSOR_MODE,
    KSPIN_LOCK, NTSTATUS, PROCESSOR_NUMBER,
};

use super::memory;
use crate::{
    points::{point, wait_until, wake},
    world::{self, ACTIVE, PROCESSORS},
};

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeGetCurrentProcessorNumberEx(_number: *mut PROCESSOR_NUMBER) -> u32 {
    world::with(|world| world.processor())
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeQueryMaximumProcessorCountEx(_group: u16) -> u32 {
    PROCESSORS
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeQueryActiveProcessorCountEx(_group: u16) -> u32 {
    ACTIVE
}

/// Only one of two threads on a processor can be at DISPATCH_LEVEL.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KfRaiseIrql(irql: KIRQL) -> KIRQL {
    point();
    let before = world::with(|world| world.irql());
    if irql >= DISPATCH_LEVEL {
        wait_until(|| world::with(|world| world.try_raise()));
    }
    before
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeLowerIrql(irql: KIRQL) {
    world::with(|world| world.lower(irql));
    wake();
    point();
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeAcquireSpinLockRaiseToDpc(lock: *mut KSPIN_LOCK) -> KIRQL {
    // SAFETY: the caller passes a lock that lives; only one thread of the system touches it.
    unsafe {
        let before = KfRaiseIrql(DISPATCH_LEVEL);
        wait_until(|| *lock == 0);
        *lock = 1;
        before
    }
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeReleaseSpinLock(lock: *mut KSPIN_LOCK, irql: KIRQL) {
    // SAFETY: as above.
    unsafe {
        *lock = 0;
        KeLowerIrql(irql);
    }
}

/// An event, where the kernel's is expected.
#[repr(C)]
struct Event {
    /// The event ends one wait, in place of all.
    is_synchronization: bool,
    signaled: bool,
    /// How often it was signaled.
    signals: u64,
    _kernel: u64,
}
const _: () = assert!(size_of::<Event>() == size_of::<KEVENT>());

/// # Safety
/// `event` is initialized. The returned reference is the only one.
unsafe fn event<'a>(event: *mut KEVENT) -> &'a mut Event {
    // SAFETY: KeInitializeEvent wrote it there; only one thread of the system touches it.
    unsafe { &mut *event.cast() }
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeInitializeEvent(place: *mut KEVENT, kind: i32, signaled: BOOLEAN) {
    let event = Event {
        is_synchronization: kind == sys::SynchronizationEvent,
        signaled: signaled != 0,
        signals: 0,
        _kernel: 0,
    };
    // SAFETY: the caller passes a place for an event.
    unsafe { place.cast::<Event>().write(event) };
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeSetEvent(place: *mut KEVENT, _increment: i32, _wait: BOOLEAN) -> i32 {
    point();
    // SAFETY: the caller passes an event that is initialized.
    let event = unsafe { event(place) };
    let before = std::mem::replace(&mut event.signaled, true);
    event.signals += 1;
    wake();
    // From here on a thread that waited may have freed the event.
    point();
    before.into()
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeResetEvent(place: *mut KEVENT) -> i32 {
    point();
    // SAFETY: the caller passes an event that is initialized.
    let event = unsafe { event(place) };
    std::mem::take(&mut event.signaled).into()
}

/// A notification event ends the waits that have begun when it is signaled, also if it is reset
/// before the waiting threads run.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeWaitForSingleObject(
    object: *mut c_void,
    _reason: i32,
    _mode: KPROCESSOR_MODE,
    _alertable: BOOLEAN,
    timeout: *mut i64,
) -> NTSTATUS {
    let place = object.cast();
    point();
    // SAFETY: the caller passes an event that is initialized, and lives while this thread waits;
    // the timeout is null, or lives as long as the call.
    let (signals, timeout) = unsafe { (event(place).signals, timeout.as_ref()) };
    let is_over = || {
        // SAFETY: as above.
        let event = unsafe { event(place) };
        if event.is_synchronization {
            std::mem::take(&mut event.signaled)
        } else {
            event.signaled || event.signals != signals
        }
    };
    if timeout == Some(&0) {
        return if is_over() {
            sys::STATUS_SUCCESS
        } else {
            sys::STATUS_TIMEOUT
        };
    }
    if world::with(|world| world.irql()) >= DISPATCH_LEVEL {
        world::wrong("a wait at DISPATCH_LEVEL");
    }
    if timeout.is_some() {
        // Any time may have passed when this thread goes on.
        point();
        return if is_over() {
            sys::STATUS_SUCCESS
        } else {
            sys::STATUS_TIMEOUT
        };
    }
    wait_until(is_over);
    sys::STATUS_SUCCESS
}

/// Rundown protection, where a pointer to the kernel's is expected.
struct Rundown {
    inside: u32,
    closed: u32,
    completed: u32,
}

type Reference = *mut EX_RUNDOWN_REF_CACHE_AWARE;

/// # Safety
/// `reference` is of ExAllocateCacheAwareRundownProtection. The returned reference is the only one.
unsafe fn rundown<'a>(reference: Reference) -> &'a mut Rundown {
    // SAFETY: as the caller vouches.
    unsafe { memory::check(reference.cast()) };
    // SAFETY: as the caller vouches.
    unsafe { &mut *reference.cast() }
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn ExAllocateCacheAwareRundownProtection(
    _pool: i32,
    _tag: u32,
) -> *mut EX_RUNDOWN_REF_CACHE_AWARE {
    // Zeros are run-down protection that is active and not acquired.
    memory::nullndis_allocate(size_of::<Rundown>()).cast()
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn ExFreeCacheAwareRundownProtection(reference: Reference) {
    // SAFETY: as the caller vouches.
    unsafe { memory::nullndis_free(reference.cast()) };
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn ExAcquireRundownProtectionCacheAwareEx(
    reference: Reference,
    count: u32,
) -> BOOLEAN {
    point();
    // SAFETY: as the caller vouches.
    let rundown = unsafe { rundown(reference) };
    if rundown.closed != 0 {
        return 0;
    }
    rundown.inside += count;
    1
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn ExReleaseRundownProtectionCacheAwareEx(reference: Reference, count: u32) {
    point();
    // SAFETY: as the caller vouches.
    let rundown = unsafe { rundown(reference) };
    match rundown.inside.checked_sub(count) {
        Some(inside) => rundown.inside = inside,
        None => world::wrong("rundown protection is released more often than it was acquired"),
    }
    wake();
    // From here on the module may be gone.
    point();
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn ExWaitForRundownProtectionReleaseCacheAware(reference: Reference) {
    point();
    // SAFETY: as the caller vouches.
    unsafe {
        rundown(reference).closed = 1;
        wait_until(|| rundown(reference).inside == 0);
    }
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn ExRundownCompletedCacheAware(reference: Reference) {
    // SAFETY: as the caller vouches.
    unsafe { rundown(reference).completed = 1 };
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn ExReInitializeRundownProtectionCacheAware(reference: Reference) {
    point();
    // SAFETY: as the caller vouches.
    let rundown = unsafe { rundown(reference) };
    if rundown.completed == 0 {
        world::wrong("a rundown is reused that was not completed");
    }
    (rundown.closed, rundown.completed) = (0, 0);
}
