//! Rundown protection between a filter module's work and its pause.
//!
//! The kernel's cache-aware flavour keeps a count for each processor, so that acquiring and
//! releasing touches no shared cache line, and it solves the one hard case inside the kernel: the
//! last release racing with the end of the memory. After rundown the module is paused, and
//! [`RundownRef::acquire`] fails.

use core::ptr::NonNull;

use crate::{pool_tag::Tag, status::Status, sys};

/// Rundown protection (EX_RUNDOWN_REF_CACHE_AWARE): work acquires and releases it, and rundown waits
/// for all releases.
pub struct RundownRef {
    reference: NonNull<sys::EX_RUNDOWN_REF_CACHE_AWARE>,
}

// SAFETY: the kernel's rundown routines synchronise all access to the reference.
unsafe impl Send for RundownRef {}
// SAFETY: as above.
unsafe impl Sync for RundownRef {}

impl RundownRef {
    /// Creates rundown protection that cannot be acquired yet. IRQL ≤ APC_LEVEL.
    pub fn try_new_run_down(tag: Tag) -> Result<Self, Status> {
        // SAFETY: no precondition but the IRQL, which the caller keeps.
        let reference =
            unsafe { sys::ExAllocateCacheAwareRundownProtection(sys::NonPagedPoolNx, tag.value()) };
        let rundown = Self {
            reference: NonNull::new(reference).ok_or(Status::RESOURCES)?,
        };
        rundown.wait_for_release();
        Ok(rundown)
    }

    /// Reinitializes the protection, so that it can be acquired. IRQL ≤ APC_LEVEL.
    pub fn reinitialize(&self) {
        // SAFETY: the reference lives as long as `self`; a filter module is restarted only when it
        // is paused, so the rundown is complete, as this routine requires.
        unsafe { sys::ExReInitializeRundownProtectionCacheAware(self.reference.as_ptr()) };
    }

    /// Makes further acquisitions fail and waits for all releases. IRQL ≤ APC_LEVEL.
    pub fn wait_for_release(&self) {
        // SAFETY: the reference lives as long as `self`. The rundown is marked as complete once the
        // wait is over, which a reference has to be before it is reinitialized (Windows driver
        // documentation, ExReInitializeRundownProtectionCacheAware).
        unsafe {
            sys::ExWaitForRundownProtectionReleaseCacheAware(self.reference.as_ptr());
            sys::ExRundownCompletedCacheAware(self.reference.as_ptr());
        }
    }

    /// Acquires the protection `count` times, or not at all after rundown. IRQL ≤ DISPATCH_LEVEL.
    #[must_use]
    pub fn acquire(&self, count: u32) -> bool {
        // SAFETY: the reference lives as long as `self`.
        let acquired =
            unsafe { sys::ExAcquireRundownProtectionCacheAwareEx(self.reference.as_ptr(), count) };
        acquired != 0
    }

    /// The handle that releases the protection, apart from the memory that contains the
    /// [`RundownRef`].
    #[must_use]
    pub fn guard(&self) -> RundownGuard {
        RundownGuard(self.reference)
    }
}

/// The handle that releases a [`RundownRef`], held by value: after the last release the
/// `RundownRef`, and the filter module around it, may be freed at once, so no reference to either may
/// be alive by then.
#[derive(Clone, Copy)]
pub struct RundownGuard(NonNull<sys::EX_RUNDOWN_REF_CACHE_AWARE>);

impl RundownGuard {
    /// Releases `count` times; each needs an [`acquire`](RundownRef::acquire) before. IRQL ≤ DISPATCH_LEVEL.
    pub fn release(self, count: u32) {
        if count > 0 {
            // SAFETY: the caller acquired the protection and has not released it, so the reference still
            // lives.
            unsafe { sys::ExReleaseRundownProtectionCacheAwareEx(self.0.as_ptr(), count) };
        }
    }
}

impl Drop for RundownRef {
    fn drop(&mut self) {
        // SAFETY: the reference came from ExAllocateCacheAwareRundownProtection and is freed once.
        unsafe { sys::ExFreeCacheAwareRundownProtection(self.reference.as_ptr()) };
    }
}
