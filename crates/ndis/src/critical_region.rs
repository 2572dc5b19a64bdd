//! Keeping a program's thread from being suspended.

use core::marker::PhantomData;

use crate::sys;

/// Proof that this thread takes no normal kernel APC until the proof is dropped, and so cannot be
/// suspended: a debugger, or a frozen job, suspends a thread by such an APC even in the kernel, for
/// an unbounded time (MUP changes in Windows Vista, "a thread suspend is a potentially unbounded
/// wait").
///
/// Required on a user-mode program's thread that takes something other threads wait for: a
/// [`EventLock`](crate::EventLock), an entry [`ModuleRef`](crate::ModuleRef). Special kernel APCs
/// continue, and with them everything the registry needs. System threads are never suspended.
pub struct CriticalRegion {
    /// The region belongs to the thread that entered it.
    stays_here: PhantomData<*const ()>,
}

impl CriticalRegion {
    /// Enters the region. IRQL ≤ APC_LEVEL, where it also is to be dropped.
    #[must_use]
    pub fn enter() -> Self {
        // SAFETY: no precondition but the IRQL, which the caller keeps; `drop` leaves the region.
        unsafe { sys::KeEnterCriticalRegion() };
        Self {
            stays_here: PhantomData,
        }
    }
}

impl Drop for CriticalRegion {
    fn drop(&mut self) {
        // SAFETY: `enter` entered it on this same thread.
        unsafe { sys::KeLeaveCriticalRegion() };
    }
}
