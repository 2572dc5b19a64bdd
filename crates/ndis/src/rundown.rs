//! Rundown protection: the gate between a filter module's work and its pause.
//!
//! The kernel's cache aware flavour keeps a count for each processor, so that entering and leaving
//! touches no shared cache line, and it solves the one hard case, the last leaver racing with the
//! memory's end, inside the kernel. Closed means paused: [`Gate::enter`] fails then.

use core::ptr::NonNull;

use crate::{pool::Tag, status::Status, sys};

/// A gate that work enters and leaves, and that closes once everybody has left.
pub struct Gate {
    reference: NonNull<sys::EX_RUNDOWN_REF_CACHE_AWARE>,
}

// SAFETY: the kernel's rundown routines synchronise all access to the reference.
unsafe impl Send for Gate {}
// SAFETY: as above.
unsafe impl Sync for Gate {}

impl Gate {
    /// A closed gate. IRQL ≤ APC_LEVEL.
    ///
    /// # Errors
    /// [`Status::RESOURCES`] where there is no memory.
    pub fn try_new_closed(tag: Tag) -> Result<Self, Status> {
        // SAFETY: no precondition but the IRQL, which the caller keeps.
        let reference =
            unsafe { sys::ExAllocateCacheAwareRundownProtection(sys::NonPagedPoolNx, tag.value()) };
        let gate = Self {
            reference: NonNull::new(reference).ok_or(Status::RESOURCES)?,
        };
        gate.close();
        Ok(gate)
    }

    /// Opens a closed gate. IRQL ≤ APC_LEVEL.
    pub fn open(&self) {
        // SAFETY: the reference lives as long as `self`; a filter module is restarted only when it
        // is paused, so the rundown is complete, as this routine requires.
        unsafe { sys::ExReInitializeRundownProtectionCacheAware(self.reference.as_ptr()) };
    }

    /// Closes the gate to newcomers and waits until all that entered have left. IRQL ≤ APC_LEVEL.
    pub fn close(&self) {
        // SAFETY: the reference lives as long as `self`.
        unsafe { sys::ExWaitForRundownProtectionReleaseCacheAware(self.reference.as_ptr()) };
    }

    /// Goes in `count` times, or not at all where the gate is closed. IRQL ≤ DISPATCH_LEVEL.
    #[must_use]
    pub fn enter(&self, count: u32) -> bool {
        // SAFETY: the reference lives as long as `self`.
        let entered =
            unsafe { sys::ExAcquireRundownProtectionCacheAwareEx(self.reference.as_ptr(), count) };
        entered != 0
    }

    /// The way out of the gate, apart from the memory that the gate stands in.
    #[must_use]
    pub fn exit(&self) -> Exit {
        Exit(self.reference)
    }
}

/// The way out of a [`Gate`], held by value: when the last one has left, the gate, and the filter
/// module around it, may be freed at once, so no reference to either may be alive by then.
#[derive(Clone, Copy)]
pub struct Exit(NonNull<sys::EX_RUNDOWN_REF_CACHE_AWARE>);

impl Exit {
    /// Leaves `count` times; each needs an [`enter`](Gate::enter) before. IRQL ≤ DISPATCH_LEVEL.
    pub fn leave(self, count: u32) {
        if count > 0 {
            // SAFETY: the caller entered and has not left, so the reference still lives.
            unsafe { sys::ExReleaseRundownProtectionCacheAwareEx(self.0.as_ptr(), count) };
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // SAFETY: the reference came from ExAllocateCacheAwareRundownProtection and is freed once.
        unsafe { sys::ExFreeCacheAwareRundownProtection(self.reference.as_ptr()) };
    }
}
