//! The state of one processor: each thread is one.

use std::{cell::Cell, ptr};

use ::ndis::sys::{KIRQL, NET_BUFFER_LIST, PASSIVE_LEVEL};

/// See the module.
pub(super) struct Processor {
    pub(super) number: Cell<u32>,
    pub(super) irql: Cell<KIRQL>,
    /// The chain that the filter sent down last, and the one that it completed last.
    pub(super) sent: Cell<*mut NET_BUFFER_LIST>,
    pub(super) completed: Cell<*mut NET_BUFFER_LIST>,
    /// Rundown protection acquired less released, on this processor.
    pub(super) inside: Cell<i64>,
}

thread_local! {
    pub(super) static PROCESSOR: Processor = const {
        Processor {
            number: Cell::new(0),
            irql: Cell::new(PASSIVE_LEVEL),
            sent: Cell::new(ptr::null_mut()),
            completed: Cell::new(ptr::null_mut()),
            inside: Cell::new(0),
        }
    };
}

/// This thread is processor `number` from now on.
pub(crate) fn become_processor(number: u32) {
    PROCESSOR.with(|processor| processor.number.set(number));
}

/// The chain that the filter sent down since the last call.
pub(crate) fn take_sent() -> *mut NET_BUFFER_LIST {
    PROCESSOR.with(|processor| processor.sent.replace(ptr::null_mut()))
}

/// The chain that the filter completed since the last call.
pub(crate) fn take_completed() -> *mut NET_BUFFER_LIST {
    PROCESSOR.with(|processor| processor.completed.replace(ptr::null_mut()))
}
