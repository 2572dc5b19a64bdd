//! Children that lower drivers have completed, on their way back to the pool.

use core::{
    ptr::NonNull,
    sync::atomic::{AtomicI32, AtomicUsize, Ordering, fence},
};

use ndis::{ModuleHandle, Nbl, NblChain, NblQueue, Status};
use ndis_sys as sys;

use crate::{
    child::{Context, children_left, context, has_wfp_context, requests_timestamp},
    child_pool::ChildPool,
};

/// Adjacent NBLs in a completed chain that are children of one parent and of one owner CPU: they
/// are returned together and decrement the parent's count together. A child that cannot be used
/// again is handled alone.
#[must_use = "children that are not completed are lost, and their parent with them"]
pub struct ChildRun {
    nbls: NblQueue,
    count: u32,
    owner_cpu: u32,
    /// The first failure among them.
    status: sys::NDIS_STATUS,
    parent: NonNull<sys::NET_BUFFER_LIST>,
    /// The run is a single child that cannot be used again.
    has_wfp_context: bool,
}

impl ChildRun {
    /// Takes the run of children that `chain` begins with, as many as there are, if they belong to
    /// the filter module `module`; `None` if the first NBL is not one of the module's children.
    #[inline]
    pub fn pop(chain: &mut NblChain, module: ModuleHandle) -> Option<Self> {
        let is_child = |nbl: NonNull<sys::NET_BUFFER_LIST>| {
            // SAFETY: `nbl` is one of the chain, which owns its NBLs.
            unsafe { (*nbl.as_ptr()).SourceHandle == module.raw() }
        };
        let first = chain.first().filter(|first| is_child(*first))?;
        // SAFETY: the chain owns its NBLs; those with the module's SourceHandle are children
        // (invariant 4), with a context (invariant 1) and a parent that waits for them (invariant 5).
        unsafe {
            let ours = context(first);
            let (parent, owner_cpu) = (NonNull::new((*ours).parent)?, (*ours).owner_cpu);
            let (mut count, mut status) = (0_u32, sys::NDIS_STATUS_SUCCESS);
            let (mut last, mut next) = (first, Some(first));
            let mut alone = false;
            while let Some(nbl) = next.filter(|nbl| is_child(*nbl) && !alone) {
                let context = context(nbl);
                let differs =
                    (*context).parent != parent.as_ptr() || (*context).owner_cpu != owner_cpu;
                let must_be_freed = has_wfp_context(nbl);
                if differs || must_be_freed && count > 0 {
                    break;
                }
                alone = must_be_freed;
                Context::release(context);
                if status == sys::NDIS_STATUS_SUCCESS {
                    status = (*nbl.as_ptr()).Status;
                }
                count = count.wrapping_add(1);
                last = nbl;
                next = NonNull::new((*nbl.as_ptr()).Next);
            }
            Some(Self {
                nbls: chain.split_after(last),
                count,
                owner_cpu,
                status,
                parent,
                has_wfp_context: alone,
            })
        }
    }

    /// The number of children.
    #[must_use]
    #[inline]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The first failure among them, or success.
    #[must_use]
    #[inline]
    pub const fn status(&self) -> Status {
        Status(self.status)
    }

    /// Returns them to the cache of `pool` that owns them. Yields the parent, which still waits for
    /// them. IRQL ≤ DISPATCH_LEVEL.
    #[inline]
    pub fn return_to_owner_cpu(self, pool: &ChildPool) -> WaitingParent {
        // SAFETY: the parent waits for these children, and its flags do not change (invariant 5).
        if unsafe { requests_timestamp(self.parent.as_ptr()) } {
            self.copy_timestamp();
        }
        if self.has_wfp_context {
            pool.discard(self.owner_cpu, self.nbls);
        } else {
            pool.return_to_owner_cpu(self.owner_cpu, self.nbls);
        }
        WaitingParent {
            parent: self.parent,
            count: self.count,
        }
    }

    /// Copies the transmit timestamp to the parent, if the child that requested it is among them.
    #[cold]
    fn copy_timestamp(&self) {
        const SLOT: usize = sys::NetBufferListInfoReserved3;
        for nbl in self.nbls.iter() {
            // SAFETY: `self` owns the children (invariant 2), and the parent waits for them (invariant
            // 5); only one of its children requests a timestamp, so that the slot has a single writer.
            unsafe {
                if requests_timestamp(nbl.as_ptr()) {
                    (&mut (*self.parent.as_ptr()).NetBufferListInfo)[SLOT] =
                        (&(*nbl.as_ptr()).NetBufferListInfo)[SLOT];
                }
            }
        }
    }
}

/// A parent that waits for children, of which some are completed and not counted off yet.
#[must_use = "children that are not counted off are lost, and their parent with them"]
pub struct WaitingParent {
    parent: NonNull<sys::NET_BUFFER_LIST>,
    count: u32,
}

impl WaitingParent {
    /// Makes `status` the parent's status if it is a failure and no other child failed before.
    #[inline]
    pub fn record_first_failure(&self, status: Status) {
        if status != Status::SUCCESS {
            // SAFETY: the parent waits for the children that `self` has still to count off; until then
            // its status is accessed atomically (invariant 5).
            let first = unsafe { AtomicI32::from_ptr(&raw mut (*self.parent.as_ptr()).Status) };
            // Losing the race means that another child failed first.
            let _ = first.compare_exchange(
                sys::NDIS_STATUS_SUCCESS,
                status.0,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
    }

    /// Counts the children off. Returns the parent if these were its last.
    #[inline]
    pub fn count_off(self) -> Option<Nbl> {
        // SAFETY: the parent waits for the children that `self` counts off, and several processors
        // access Scratch at once, all of them atomically (invariant 5).
        unsafe {
            let left = AtomicUsize::from_ptr(children_left(self.parent.as_ptr()));
            // Release, so that the thread that completes the parent sees everything that happened to
            // these children; acquire there, to see it.
            let count = self.count as usize;
            if left.fetch_sub(count, Ordering::Release) != count {
                return None;
            }
            fence(Ordering::Acquire);
            Some(Nbl::from_raw(self.parent))
        }
    }
}
