//! `ntoskrnl.exe`: the cancel of requests that a driver keeps.

use ::ndis::sys::{self, IRP, KIRQL};

use super::spin_lock::require_dispatch;
use crate::{cancel_lock, rules::Rule, thread};

unsafe extern "efiapi" fn IoAcquireCancelSpinLock(irql: *mut KIRQL) {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, "IoAcquireCancelSpinLock");
    // SAFETY: the caller passes a place.
    unsafe { *irql = cancel_lock::acquire() };
}

unsafe extern "efiapi" fn IoReleaseCancelSpinLock(irql: KIRQL) {
    let routine = "IoReleaseCancelSpinLock";
    require_dispatch(routine);
    if !cancel_lock::release(irql) {
        let found = "the cancel spin lock is not held";
        thread::world().violation(Rule::SpinLock, routine, found.into());
    }
}

unsafe extern "efiapi" fn IoCancelIrp(irp: *mut IRP) -> u8 {
    // SAFETY: the caller passes a request.
    unsafe { thread::world().cancel_irp(irp) }.into()
}

super::exports! {
    IoAcquireCancelSpinLock
    IoReleaseCancelSpinLock
    IoCancelIrp
}
