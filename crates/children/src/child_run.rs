//! Children that lower drivers have completed, on their way back to the pool.

use core::{
    ptr::NonNull,
    sync::atomic::{AtomicI32, AtomicUsize, Ordering, fence},
};

use ndis::{AtDispatch, ModuleHandle, Nbl, NblChain, Status};
use ndis_sys as sys;

use crate::{
    child_pool::ChildPool,
    context::{Context, children_left, context, has_wfp_context, requests_timestamp},
    extra::Extras,
    idle_list::Items,
};

/// Adjacent NBLs in a completed chain that are children of one parent and of one owner CPU: they
/// are returned together and decrement the parent's count together. A child that cannot be used
/// again is handled alone.
#[must_use = "children that are not completed are lost, and their parent with them"]
pub struct ChildRun {
    children: Items,
    owner_cpu: u32,
    /// The first failure among them.
    status: sys::NDIS_STATUS,
    parent: NonNull<sys::NET_BUFFER_LIST>,
    /// The run is a single child that cannot be used again.
    has_wfp_context: bool,
    /// The blocks that they had beside their own memory.
    extras: Extras,
    /// The parent's first child, if it is one of them.
    first_child: Option<NonNull<sys::NET_BUFFER_LIST>>,
}

impl ChildRun {
    /// Takes the run of children that `chain` begins with, as many as there are, if they belong to
    /// the filter module `module`; `None` if the first NBL is not one of the module's children.
    #[inline]
    pub fn pop(chain: &mut NblChain, module: ModuleHandle) -> Option<Self> {
        // Only `Children::inherit` writes the module's handle to a SourceHandle, and only to
        // children; NDIS forbids others to write it.
        let is_child = |nbl: NonNull<sys::NET_BUFFER_LIST>| {
            // SAFETY: the chain owns its NBLs (invariant 2).
            unsafe { (*nbl.as_ptr()).SourceHandle == module.raw() }
        };
        let first = chain.first().filter(|first| is_child(*first))?;
        let (mut extras, mut first_child) = (Extras::NONE, None);
        // SAFETY: the chain owns its NBLs (invariant 2), and these are children (invariant 4), with a
        // context of ours (invariant 1) and a parent that waits for them (invariant 5).
        unsafe {
            let mut ours = context(first);
            let (parent, owner_cpu) = (NonNull::new((*ours).parent)?, (*ours).owner_cpu);
            let (mut count, mut status) = (0_u32, sys::NDIS_STATUS_SUCCESS);
            let (mut last, alone) = (first, has_wfp_context(first));
            loop {
                if Context::release(ours, &mut extras) {
                    first_child = Some(last);
                }
                if status == sys::NDIS_STATUS_SUCCESS {
                    status = (*last.as_ptr()).Status;
                }
                count = count.wrapping_add(1);
                // The next one belongs to the run if it is like this one: it is compared with what
                // is known of the first, and read once.
                let Some(next) = NonNull::new((*last.as_ptr()).Next) else {
                    break;
                };
                if alone || !is_child(next) {
                    break;
                }
                ours = context(next);
                let differs = (*ours).parent != parent.as_ptr() || (*ours).owner_cpu != owner_cpu;
                if differs || has_wfp_context(next) {
                    break;
                }
                last = next;
            }
            // Out of the chain, as the list from `first` to `last` that it is.
            let _ = chain.split_after(last);
            Some(Self {
                children: Items::from_ends(first.cast(), last.cast(), count),
                owner_cpu,
                status,
                parent,
                has_wfp_context: alone,
                extras,
                first_child,
            })
        }
    }

    /// The number of children.
    #[inline]
    pub const fn count(&self) -> u32 {
        self.children.count()
    }

    /// The first failure among them, or success.
    #[inline]
    pub const fn status(&self) -> Status {
        Status(self.status)
    }

    /// Returns them to their owner CPU in `pool`. Yields the parent, which still waits for them. IRQL
    /// ≤ DISPATCH_LEVEL; with `at`, the owner CPU itself takes them back at once.
    #[inline]
    pub fn return_to_owner_cpu(
        mut self,
        pool: &ChildPool,
        at: Option<&AtDispatch>,
    ) -> WaitingParent {
        if let Some(first) = self.first_child {
            // SAFETY: the child is owned here (invariant 2), and the parent waits for it
            // (invariant 5).
            unsafe { copy_timestamp(first.as_ptr(), self.parent.as_ptr()) };
        }
        let count = self.children.count();
        if !self.extras.is_empty() {
            pool.return_extras(self.owner_cpu, self.extras, at);
        }
        if !self.has_wfp_context {
            pool.return_children(self.owner_cpu, self.children, at);
        } else if let Some(child) = self.children.pop() {
            // SAFETY: a single child, owned here (invariant 2) and released (invariants 6 and 7).
            unsafe { pool.free_child(child) };
        }
        WaitingParent {
            parent: self.parent,
            count,
        }
    }
}

/// Copies the transmit timestamp of the first child to the parent. A NIC that timestamps all packets
/// writes one that nobody requested (Windows driver documentation, "Reporting timestamping
/// capabilities", AllTransmit); without one the parent keeps its slot.
///
/// # Safety
/// The child is owned by the caller, and the parent waits for it: it is the only one whose timestamp
/// is copied, so that the slot has a single writer.
#[inline]
unsafe fn copy_timestamp(child: *mut sys::NET_BUFFER_LIST, parent: *mut sys::NET_BUFFER_LIST) {
    const SLOT: usize = sys::NetBufferListInfoReserved3;
    // SAFETY: both NBLs may be used here, by this function's contract (invariant 5).
    unsafe {
        let timestamp = (&(*child).NetBufferListInfo)[SLOT];
        if !timestamp.is_null() || requests_timestamp(parent) {
            (&mut (*parent).NetBufferListInfo)[SLOT] = timestamp;
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
            // SAFETY: the parent lives until all its children are counted off, of which this has
            // some, and its status is accessed only like this until then (invariant 5).
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
        // SAFETY: the parent is the filter's until its last child is counted off; several processors
        // access the field at once, all of them atomically (invariant 5).
        unsafe {
            let left = AtomicUsize::from_ptr(children_left(self.parent.as_ptr()));
            // Release, so that the thread that completes the parent sees everything that happened to
            // these children; acquire there, to see it.
            let count = self.count as usize;
            // If these are all that are left, no other processor counts any off: no need for an
            // interlocked operation.
            if left.load(Ordering::Acquire) == count {
                left.store(0, Ordering::Relaxed);
            } else if left.fetch_sub(count, Ordering::Release) != count {
                return None;
            } else {
                fence(Ordering::Acquire);
            }
            Some(Nbl::from_raw(self.parent))
        }
    }
}
