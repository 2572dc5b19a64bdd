//! Children on their way home.

use core::{
    ptr::NonNull,
    sync::atomic::{AtomicI32, AtomicUsize, Ordering, fence},
};

use crate::{
    child::{Context, asks_for_timestamp, children_left, context, is_tagged},
    child_pool::ChildPool,
    filter_module::ModuleHandle,
    nbl::{Nbl, NblChain, NblQueue},
    status::Status,
    sys,
};

/// Neighbours in a completed chain that are children of one parent, and of one processor: they go
/// home together, and count off together. A child that cannot be used again goes alone.
#[must_use = "children that are not settled are lost, and their parent with them"]
pub struct Siblings {
    nbls: NblQueue,
    count: u32,
    home: u32,
    /// The first failure among them.
    status: sys::NDIS_STATUS,
    parent: NonNull<sys::NET_BUFFER_LIST>,
    /// There is one, and it cannot be used again.
    is_tagged: bool,
}

impl Siblings {
    /// Takes the siblings that `chain` begins with, as many as there are, if they are children of
    /// the filter module `module`; `None` where the first NBL is somebody else's.
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

    /// How many there are.
    #[must_use]
    #[inline]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Brings them home to `pool` and counts them off. Their status counts for the parent, and the
    /// last child yields the parent, with its status and large-send slot as a completer leaves
    /// them. IRQL ≤ DISPATCH_LEVEL.
    #[inline]
    pub fn settle(self, pool: &ChildPool) -> Option<Nbl> {
        let parent = self.parent.as_ptr();
        // SAFETY: the parent is the filter's, which leaves its flags alone.
        if unsafe { asks_for_timestamp(parent) } {
            self.bring_timestamp();
        }
        if self.is_tagged {
            pool.discard(self.home, self.nbls);
        } else {
            pool.bring_home(self.home, self.nbls);
        }
        // SAFETY: the parent is the filter's until its last child is counted off; the two fields
        // that several processors touch at once are accessed atomically.
        unsafe {
            note_failure(parent, self.status);
            let left = AtomicUsize::from_ptr(children_left(parent));
            // Release, so that what happened to these children is seen by who completes the parent;
            // acquire there, to see it.
            let count = self.count as usize;
            if left.fetch_sub(count, Ordering::Release) != count {
                return None;
            }
            fence(Ordering::Acquire);
            let mut parent = Nbl::from_raw(self.parent);
            // What of an LSOv1 send went out before one failed is not told: all of it is sent again.
            if parent.status() != Status::SUCCESS {
                parent.set_large_send(parent.large_send().transmit_complete(0));
            }
            Some(parent)
        }
    }

    /// If the one that asked when it left is among them, the parent has the answer.
    #[cold]
    fn bring_timestamp(&self) {
        const SLOT: usize = sys::NetBufferListInfoReserved3;
        for nbl in self.nbls.iter() {
            // SAFETY: the children are owned here, and the parent waits for them; of its children
            // one alone asks, so that nobody else writes the slot.
            unsafe {
                if asks_for_timestamp(nbl.as_ptr()) {
                    (&mut (*self.parent.as_ptr()).NetBufferListInfo)[SLOT] =
                        (&(*nbl.as_ptr()).NetBufferListInfo)[SLOT];
                }
            }
        }
    }
}

/// Keeps the first failure among the children as the parent's status.
///
/// # Safety
/// `parent` is a parent that waits for its children, of which the caller settles some.
#[inline]
unsafe fn note_failure(parent: *mut sys::NET_BUFFER_LIST, status: sys::NDIS_STATUS) {
    if status != sys::NDIS_STATUS_SUCCESS {
        // SAFETY: the parent lives until the caller's children are settled, and while it waits its
        // status is accessed only like this.
        let first = unsafe { AtomicI32::from_ptr(&raw mut (*parent).Status) };
        // Losing the race means that another child failed first.
        let _ = first.compare_exchange(
            sys::NDIS_STATUS_SUCCESS,
            status,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }
}
