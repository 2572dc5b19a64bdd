//! The means by which processors synchronize: IRQL, spin locks, rundown protection, sleep.

use ndis::sys::{
    BOOLEAN, DISPATCH_LEVEL, EX_RUNDOWN_REF_CACHE_AWARE, KIRQL, KSPIN_LOCK, PROCESSOR_NUMBER,
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
unsafe extern "efiapi" fn KeInitializeSpinLock(lock: *mut KSPIN_LOCK) {
    // SAFETY: the caller passes a place for a lock.
    unsafe { *lock = 0 };
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

/// Waits until another thread has left the driver, if one is in it: no time passes here.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisMSleep(_microseconds: u32) {
    let others = || world::with(|world| world.calls);
    let before = others();
    wait_until(|| before <= 1 || others() < before);
}

/// Rundown protection, where a pointer to the kernel's is expected.
struct Rundown {
    inside: u32,
    closed: u32,
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
    memory::allocate(size_of::<Rundown>()).cast()
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn ExFreeCacheAwareRundownProtection(reference: Reference) {
    // SAFETY: as the caller vouches.
    unsafe { memory::free(reference.cast()) };
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
unsafe extern "efiapi" fn ExReInitializeRundownProtectionCacheAware(reference: Reference) {
    point();
    // SAFETY: as the caller vouches.
    unsafe { rundown(reference).closed = 0 };
}
