//! A lock for code that calls PASSIVE_LEVEL routines, which cannot run under a spin lock.
//!
//! A thread that finds it taken sleeps and tries again. It is meant for administrative operations,
//! a few a day and rarely concurrent; it is never taken on the data path.
//!
//! A user-mode program's thread takes it within a [`CriticalRegion`](crate::CriticalRegion) only;
//! otherwise suspending that thread would block all others.

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

    /// Acquires the lock, until the returned guard is dropped. Not recursive. IRQL PASSIVE_LEVEL.
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
