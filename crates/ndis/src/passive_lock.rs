//! A lock for what calls routines of PASSIVE_LEVEL, under which no spin lock can be held.
//!
//! Who finds it taken sleeps and looks again. That is for what administrators do, a few times a day
//! and hardly ever two of them at once; nothing on the way of a packet takes it.
//!
//! A program's thread takes it within a [`CriticalRegion`](crate::CriticalRegion) only, or whoever
//! suspends that thread keeps all others waiting.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::processor::sleep_briefly;

/// See the module.
#[derive(Default)]
pub struct PassiveLock {
    taken: AtomicBool,
}

impl PassiveLock {
    /// A lock that is free.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            taken: AtomicBool::new(false),
        }
    }

    /// Takes the lock, until what is returned is dropped. Not to be taken twice by one thread.
    /// IRQL PASSIVE_LEVEL.
    #[must_use]
    pub fn lock(&self) -> PassiveGuard<'_> {
        while self.taken.swap(true, Ordering::Acquire) {
            sleep_briefly();
        }
        PassiveGuard(self)
    }
}

/// A [`PassiveLock`] that is held.
pub struct PassiveGuard<'lock>(&'lock PassiveLock);

impl Drop for PassiveGuard<'_> {
    fn drop(&mut self) {
        self.0.taken.store(false, Ordering::Release);
    }
}
