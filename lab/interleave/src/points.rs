//! Scheduling points: where a thread may lose its processor to another.

use std::cell::Cell;

use shuttle::{
    current,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use crate::world;

thread_local! {
    /// Whether the case's thread that is running is in the driver's code.
    static IN_DRIVER: Cell<bool> = const { Cell::new(false) };
    static POINTS: Cell<u64> = const { Cell::new(0) };
    /// Only to be touched: shuttle lets others run before.
    static TOUCHED: AtomicBool = const { AtomicBool::new(false) };
}

/// Runs the driver's code, in which atomic operations are scheduling points.
pub fn driver<R>(code: impl FnOnce() -> R) -> R {
    set(true, code)
}

/// Runs code that the driver called and that is not its own.
pub(crate) fn outside<R>(code: impl FnOnce() -> R) -> R {
    set(false, code)
}

/// A thread that is preempted in `code` finds the flag as it left it.
fn set<R>(flag: bool, code: impl FnOnce() -> R) -> R {
    let before = IN_DRIVER.replace(flag);
    let result = code();
    IN_DRIVER.set(before);
    result
}

/// Lets the scheduler choose the next thread, if the driver's code runs. The case's first thread
/// goes on: when it is in the driver, no other thread is.
pub(crate) fn point() {
    if IN_DRIVER.get() {
        POINTS.set(POINTS.get() + 1);
        if usize::from(current::me()) != 0 {
            outside(|| TOUCHED.with(|touched| touched.load(Ordering::SeqCst)));
        }
    }
}

/// How many scheduling points `code` comes to.
pub fn at_points(code: impl FnOnce()) -> u64 {
    let before = POINTS.get();
    code();
    POINTS.get() - before
}

/// Waits until `ready`. Code that changes the state behind `ready` [wakes](wake) the waiting
/// threads.
pub(crate) fn wait_until(ready: impl Fn() -> bool) {
    while !ready() {
        world::with(|world| world.waiting.push(thread::current()));
        outside(thread::park);
    }
}

/// Makes all waiting threads check again.
pub(crate) fn wake() {
    for thread in world::with(|world| std::mem::take(&mut world.waiting)) {
        outside(|| thread.unpark());
    }
}
