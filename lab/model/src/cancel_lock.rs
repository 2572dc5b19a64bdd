//! The system's cancel spin lock, under which requests are canceled.

use std::sync::atomic::{AtomicBool, Ordering};

use ndis::sys::{self, KIRQL};

use crate::thread;

static HELD: AtomicBool = AtomicBool::new(false);

/// Acquires the lock. Returns the IRQL from before.
pub(crate) fn acquire() -> KIRQL {
    let before = thread::set_irql(sys::DISPATCH_LEVEL);
    while HELD.swap(true, Ordering::Acquire) {
        std::thread::yield_now();
    }
    before
}

/// Releases it, and goes back to `irql`. Returns whether it was held.
pub(crate) fn release(irql: KIRQL) -> bool {
    let held = HELD.swap(false, Ordering::Release);
    thread::set_irql(irql);
    held
}
