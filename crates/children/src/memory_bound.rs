//! The bound on the memory of one filter module's children.

use core::sync::atomic::{AtomicUsize, Ordering};

/// Counts the bytes of non-paged pool that children and their parts have on all processors. It is
/// touched only when memory is allocated or freed, which is never in steady state.
#[repr(align(64))]
pub(crate) struct MemoryBound {
    used: AtomicUsize,
    bound: usize,
}

impl MemoryBound {
    pub(crate) const fn new(bound: usize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            bound,
        }
    }

    /// The bound in bytes.
    pub(crate) const fn bound(&self) -> usize {
        self.bound
    }

    /// Bytes in use.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Counts `bytes` that are about to be allocated; `false`, and nothing is counted, if they
    /// exceed the bound.
    pub(crate) fn reserve(&self, bytes: usize) -> bool {
        let more = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.bound);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    /// Counts off `bytes` that were freed, or not allocated after all.
    pub(crate) fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}
