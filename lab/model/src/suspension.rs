//! The thread that the driver runs on, and whether it can be suspended.
//!
//! A program's thread is suspended by a normal kernel APC, which PASSIVE_LEVEL does not hold off
//! and a critical region does. If a driver holds a resource on such a thread, outside of a critical
//! region, every other thread that wants the resource waits until the program is resumed. The model
//! checks this at the routines with which drivers acquire resources and wait.

use std::cell::Cell;

use crate::{rules::Rule, thread};

thread_local! {
    /// Critical regions that this thread is in.
    static REGIONS: Cell<usize> = const { Cell::new(0) };
    /// Requests to the control device that it is making: it is a program's then.
    static REQUESTS: Cell<usize> = const { Cell::new(0) };
}

/// How many critical regions this thread is in.
pub(crate) fn regions() -> usize {
    REGIONS.get()
}

/// Puts this thread into `count` critical regions.
pub(crate) fn set_regions(count: usize) {
    REGIONS.set(count);
}

/// Runs `body` as a program's thread that makes a request.
pub(crate) fn requesting<T>(body: impl FnOnce() -> T) -> T {
    REQUESTS.set(REQUESTS.get() + 1);
    let result = body();
    REQUESTS.set(REQUESTS.get() - 1);
    result
}

/// Checks that `routine`, which waits, or makes others wait for this thread, is called where the
/// thread cannot be suspended.
pub(crate) fn require_none(routine: &str) {
    if REQUESTS.get() > 0 && regions() == 0 {
        let found = "called outside of a critical region by a thread that can be suspended";
        thread::world().violation(Rule::ControlDevice, routine, found.into());
    }
}
