//! Whose thread the driver runs on, and whether anybody can suspend it.
//!
//! A program's thread is suspended by a normal kernel APC, which PASSIVE_LEVEL does not hold off and
//! a critical region does. A driver that holds something on such a thread, outside of a region, has
//! whoever wants it too wait until the program is resumed. What the model sees of that are the
//! routines with which drivers take hold of things and wait.

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

/// Checks that `routine`, which waits, or has others wait for this thread, is called where nobody
/// can suspend it.
pub(crate) fn require_none(routine: &str) {
    if REQUESTS.get() > 0 && regions() == 0 {
        let found = "called outside of a critical region by a thread that can be suspended";
        thread::world().violation(Rule::ControlDevice, routine, found.into());
    }
}
