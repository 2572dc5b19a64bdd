//! Children that lower drivers have completed, on their way back to the pool.

use core::{
    ptr::NonNull,
    sync::atomic::{AtomicI32, AtomicUsize, Ordering, fence},
};

use ndis::{ModuleHandle, Nbl, NblChain, NblQueue, Status};
use ndis_sys as sys;

use crate::{
    child::{Context, asks_for_timestamp, children_left, context, is_tagged},
    child_pool::ChildPool,
};

/// Adjacent NBLs in a completed chain that are children of one parent and of one owner CPU: they
/// are returned together and decrement the parent's count together. A child that cannot be used
/// again is handled alone.
#[must_use = "children that are not completed are lost, and their parent with them"]
pub struct Siblings {
    nbls: NblQueue,
    count: u32,
    home: u32,
    /// The first failure among them.
    status: sys::NDIS_STATUS,
    parent: NonNull<sys::NET_BUFFER_LIST>,
    /// The run is a single child that cannot be used again.
    is_tagged: bool,
}

impl Siblings {
    /// Takes the run of children that `chain` begins with, as many as there are, if they belong to
    /// the filter module `module`; `None` if the first NBL is not one of the module's children.
    #[inline]
    pub fn pop(chain: &mut NblChain, module: ModuleHandle) -> Option<Self> {
        // Only `Children::inherit` writes the module's handle to a SourceHandle, and only to
        // children; NDIS forbids others to write it.
        let is_child = |nbl: NonNull<sys::NET_BUFFER_LIST>| {
            // SAFETY: the chain owns its NBLs.
            unsafe { (*nbl.as_ptr()).SourceHandle == module.raw() }
        };
        let first = chain.first().filter(|first| is_child(*first))?;
        // SAFETY: the chain owns its NBLs, and these are children, with a context of ours and a
        // parent that waits for them.
        unsafe {
            let ours = context(first);
            let (parent, home) = (NonNull::new((*ours).parent)?, (*ours).home);
            let (mut count, mut status) = (0_u32, sys::NDIS_STATUS_SUCCESS);
            let (mut last, mut next) = (first, Some(first));
            let mut alone = false;
            while let Some(nbl) = next.filter(|nbl| is_child(*nbl) && !alone) {
                let context = context(nbl);
                let differs = (*context).parent != parent.as_ptr() || (*context).home != home;
                let tagged = is_tagged(nbl);
                if differs || tagged && count > 0 {
                    break;
                }
                alone = tagged;
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
                home,
                status,
                parent,
                is_tagged: alone,
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
        // SAFETY: the parent is the filter's, and its flags do not change.
        if unsafe { asks_for_timestamp(self.parent.as_ptr()) } {
            self.bring_timestamp();
        }
        if self.is_tagged {
            pool.discard(self.home, self.nbls);
        } else {
            pool.bring_home(self.home, self.nbls);
        }
        WaitingParent {
            parent: self.parent,
            count: self.count,
        }
    }

    /// Copies the transmit timestamp to the parent, if the child that requested it is among them.
    #[cold]
    fn bring_timestamp(&self) {
        const SLOT: usize = sys::NetBufferListInfoReserved3;
        for nbl in self.nbls.iter() {
            // SAFETY: the children are owned here, and the parent waits for them; only one of its
            // children requests a timestamp, so that the slot has a single writer.
            unsafe {
                if asks_for_timestamp(nbl.as_ptr()) {
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
            // SAFETY: the parent lives until all its children are counted off, of which this has
            // some, and its status is accessed only like this until then.
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
        // access the field at once, all of them atomically.
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
