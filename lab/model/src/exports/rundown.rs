//! `ntoskrnl.exe`: rundown protection in memory of the driver.

use std::sync::atomic::{AtomicUsize, Ordering};

use ::ndis::sys::{self, BOOLEAN};

use super::kernel::{
    ExAcquireRundownProtectionCacheAwareEx, ExReleaseRundownProtectionCacheAwareEx, Reference,
};
use crate::{race, rules::Rule, suspension, thread, world::Waited};

/// EX_RUNDOWN_REF: how often it is acquired, above the bit that says that it is down or to be.
type Rundown = AtomicUsize;
const DOWN: usize = 1;
const ONE: usize = 2;

unsafe extern "efiapi" fn ExInitializeRundownProtection(reference: *mut Rundown) {
    // SAFETY: the caller passes a place for a reference.
    unsafe { reference.write(Rundown::new(0)) };
}

unsafe extern "efiapi" fn ExAcquireRundownProtectionEx(
    reference: *mut Rundown,
    count: u32,
) -> BOOLEAN {
    let routine = "ExAcquireRundownProtection";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    suspension::require_none(routine);
    let count = count as usize * ONE;
    // SAFETY: the caller passes a reference.
    let word = unsafe { &*reference };
    let add = |now: usize| (now & DOWN == 0).then_some(now + count);
    word.fetch_update(Ordering::Acquire, Ordering::Relaxed, add)
        .is_ok()
        .into()
}

unsafe extern "efiapi" fn ExAcquireRundownProtection(reference: *mut Rundown) -> BOOLEAN {
    // SAFETY: as for this routine.
    unsafe { ExAcquireRundownProtectionEx(reference, 1) }
}

unsafe extern "efiapi" fn ExReleaseRundownProtectionEx(reference: *mut Rundown, count: u32) {
    let routine = "ExReleaseRundownProtection";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    race::release(reference.addr());
    let count = count as usize * ONE;
    // SAFETY: the caller passes a reference.
    let word = unsafe { &*reference };
    let taken = word.fetch_update(Ordering::Release, Ordering::Relaxed, |now| {
        now.checked_sub(count)
    });
    if taken.is_err() {
        let found = "released more often than acquired";
        thread::world().violation(Rule::Pause, routine, found.into());
    }
}

unsafe extern "efiapi" fn ExReleaseRundownProtection(reference: *mut Rundown) {
    // SAFETY: as for this routine.
    unsafe { ExReleaseRundownProtectionEx(reference, 1) };
}

unsafe extern "efiapi" fn ExWaitForRundownProtectionRelease(reference: *mut Rundown) {
    let routine = "ExWaitForRundownProtectionRelease";
    thread::require_irql_at_most(sys::APC_LEVEL, routine);
    // SAFETY: the caller passes a reference.
    let word = unsafe { &*reference };
    word.fetch_or(DOWN, Ordering::Relaxed);
    let is_down = || word.load(Ordering::Acquire) == DOWN;
    let world = thread::world();
    if world.wait(routine, None, is_down) == Waited::Forever {
        let found = "the wait would never end";
        world.violation(Rule::Pause, routine, found.into());
    }
    race::acquire(reference.addr());
}

unsafe extern "efiapi" fn ExReInitializeRundownProtection(reference: *mut Rundown) {
    // SAFETY: the caller passes a reference.
    if unsafe { (*reference).swap(0, Ordering::Relaxed) } != DOWN {
        let routine = "ExReInitializeRundownProtection";
        let found = "reinitialized before the rundown is completed";
        thread::world().violation(Rule::Pause, routine, found.into());
    }
}

unsafe extern "efiapi" fn ExRundownCompleted(reference: *mut Rundown) {
    // SAFETY: the caller passes a reference.
    unsafe { (*reference).store(DOWN, Ordering::Relaxed) };
}

unsafe extern "efiapi" fn ExAcquireRundownProtectionCacheAware(reference: Reference) -> BOOLEAN {
    // SAFETY: as for this routine.
    unsafe { ExAcquireRundownProtectionCacheAwareEx(reference, 1) }
}

unsafe extern "efiapi" fn ExReleaseRundownProtectionCacheAware(reference: Reference) {
    // SAFETY: as for this routine.
    unsafe { ExReleaseRundownProtectionCacheAwareEx(reference, 1) };
}

super::exports! {
    ExInitializeRundownProtection
    ExAcquireRundownProtection
    ExAcquireRundownProtectionEx
    ExReleaseRundownProtection
    ExReleaseRundownProtectionEx
    ExWaitForRundownProtectionRelease
    ExReInitializeRundownProtection
    ExRundownCompleted
    ExAcquireRundownProtectionCacheAware
    ExReleaseRundownProtectionCacheAware
}
