//! A lock for code that calls PASSIVE_LEVEL routines, which cannot run under a spin lock.

use crate::kernel_event::KernelEvent;

/// A lock over a kernel event, to be [initialized](Self::initialize) where it stays. It is meant
/// for administrative operations, a few a day, and is never taken on the data path.
///
/// - One thread holds it at a time, and a thread that waits for it sleeps. A holder's writes are
///   visible to the next one.
/// - It is not recursive: a thread that takes it twice waits forever.
/// - An event has no owner, so the kernel does not raise the priority of a holder for which a
///   thread of higher priority waits. A wait is as long as a few holders need, each for some
///   registry calls or for a pass over the counters.
/// - The order in which waiting threads get it is the kernel's.
///
/// A user-mode program's thread takes it within a [`CriticalRegion`](crate::CriticalRegion) only;
/// otherwise suspending that thread would block all others.
#[derive(Default)]
pub struct EventLock {
    /// A synchronization event, signaled while the lock is free.
    free: KernelEvent,
}

impl EventLock {
    /// A lock that is not initialized yet.
    pub const fn new() -> Self {
        Self {
            free: KernelEvent::new(),
        }
    }

    /// Initializes the lock, free, at its final address and before its first use. Any IRQL.
    pub fn initialize(&self) {
        self.free.initialize_synchronization();
    }

    /// Acquires the lock, until the returned guard is dropped. IRQL PASSIVE_LEVEL.
    #[must_use]
    pub fn lock(&self) -> EventGuard<'_> {
        self.free.wait();
        EventGuard(self)
    }
}

/// An [`EventLock`] that is held.
pub struct EventGuard<'lock>(&'lock EventLock);

impl Drop for EventGuard<'_> {
    fn drop(&mut self) {
        self.0.free.set();
    }
}
