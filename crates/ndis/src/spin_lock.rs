//! A value behind a kernel spin lock.

use core::{
    cell::UnsafeCell,
    ops::{Deref, DerefMut},
};

use crate::sys;

/// A value that one processor at a time may access, at DISPATCH_LEVEL.
///
/// A guard must be dropped before any call to NDIS (rule 24): it stays within one function that
/// only reads and changes the value.
pub struct SpinLock<T> {
    lock: UnsafeCell<sys::KSPIN_LOCK>,
    value: UnsafeCell<T>,
}

// SAFETY: the lock gives one processor at a time access to the value.
unsafe impl<T: Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    /// A lock around `value`, to be [initialized](Self::initialize) where it stays.
    pub const fn new(value: T) -> Self {
        Self {
            lock: UnsafeCell::new(0),
            value: UnsafeCell::new(value),
        }
    }

    /// Initializes the lock, at its final address and before its first use. Any IRQL.
    pub fn initialize(&self) {
        // SAFETY: the lock is owned here and not held yet.
        unsafe { sys::KeInitializeSpinLock(self.lock.get()) };
    }

    /// Acquires the lock. IRQL ≤ DISPATCH_LEVEL.
    #[must_use]
    pub fn lock(&self) -> SpinGuard<'_, T> {
        // SAFETY: the lock is initialized and, by the type's contract, not held by this thread.
        let irql = unsafe { sys::KeAcquireSpinLockRaiseToDpc(self.lock.get()) };
        SpinGuard { of: self, irql }
    }
}

/// The value of a [`SpinLock`] that is held.
pub struct SpinGuard<'lock, T> {
    of: &'lock SpinLock<T>,
    irql: sys::KIRQL,
}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        unsafe { &*self.of.value.get() }
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held, and the guard borrowed mutably.
        unsafe { &mut *self.of.value.get() }
    }
}

impl<T> Drop for SpinGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: taken in `lock` on this processor, with the IRQL of before.
        unsafe { sys::KeReleaseSpinLock(self.of.lock.get(), self.irql) };
    }
}
