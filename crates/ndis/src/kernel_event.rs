//! A kernel event: threads wait until another thread signals it.

use core::{cell::UnsafeCell, mem::MaybeUninit, ptr};

use crate::sys;

/// A kernel event, to be initialized where it stays, in non-paged memory, before its first use.
///
/// A call that signals the event happens before the end of each wait that it ends. The call does
/// not access the event after a waiting thread has returned, so that thread may free it.
pub struct KernelEvent(UnsafeCell<MaybeUninit<sys::KEVENT>>);

// SAFETY: the kernel's routines synchronize all access to the event.
unsafe impl Send for KernelEvent {}
// SAFETY: as above.
unsafe impl Sync for KernelEvent {}

impl KernelEvent {
    /// An event that is not initialized yet.
    pub const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Initializes the event, signaled. It stays signaled until it is [reset](Self::reset), and
    /// ends the wait of every thread. Any IRQL.
    pub fn initialize_notification(&self) {
        self.initialize(sys::NotificationEvent);
    }

    /// Initializes the event, signaled. It ends the wait of one thread and is then no longer
    /// signaled. Any IRQL.
    pub fn initialize_synchronization(&self) {
        self.initialize(sys::SynchronizationEvent);
    }

    fn initialize(&self, kind: i32) {
        // SAFETY: the event is owned here, and no thread uses it yet.
        unsafe { sys::KeInitializeEvent(self.raw(), kind, 1) };
    }

    /// Signals the event. IRQL ≤ DISPATCH_LEVEL.
    pub fn set(&self) {
        // SAFETY: the event is initialized, by the type's contract. With `Wait` 0 this routine may
        // be called at DISPATCH_LEVEL (Windows driver documentation, KeSetEvent).
        unsafe { sys::KeSetEvent(self.raw(), sys::IO_NO_INCREMENT.into(), 0) };
    }

    /// Makes the event not signaled. Returns whether it was signaled. IRQL ≤ DISPATCH_LEVEL.
    pub fn reset(&self) -> bool {
        // SAFETY: the event is initialized, by the type's contract.
        unsafe { sys::KeResetEvent(self.raw()) != 0 }
    }

    /// Waits until the event is signaled. The wait is not alertable, and the end of a program does
    /// not interrupt it. IRQL PASSIVE_LEVEL.
    pub fn wait(&self) {
        self.wait_for(ptr::null_mut());
    }

    /// Waits until the event is signaled, or so many milliseconds have passed. IRQL PASSIVE_LEVEL.
    pub fn wait_at_most(&self, milliseconds: u32) {
        /// In units of 100 ns.
        const MILLISECOND: i64 = 10_000;
        // Negative: from now on. A zero would not wait, and cannot overflow.
        let mut timeout = i64::from(milliseconds).wrapping_mul(-MILLISECOND);
        self.wait_for(&raw mut timeout);
    }

    /// Returns whether a notification event is signaled. IRQL ≤ DISPATCH_LEVEL.
    pub fn is_signaled(&self) -> bool {
        let mut no_time = 0;
        self.wait_for(&raw mut no_time) == sys::STATUS_SUCCESS
    }

    fn wait_for(&self, timeout: *mut i64) -> sys::NTSTATUS {
        // SAFETY: the event is initialized, by the type's contract; the timeout is null, or lives
        // during the call.
        unsafe {
            sys::KeWaitForSingleObject(
                self.raw().cast(),
                sys::Executive,
                sys::KernelMode,
                0,
                timeout,
            )
        }
    }

    const fn raw(&self) -> *mut sys::KEVENT {
        self.0.get().cast()
    }
}

impl Default for KernelEvent {
    fn default() -> Self {
        Self::new()
    }
}
