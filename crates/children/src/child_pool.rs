//! The children between two sends: a cache for each processor, without a lock.
//!
//! A cache has two lists. `local` belongs to the processor: only code at DISPATCH_LEVEL on it
//! touches the list, so that taking a child costs no atomic operation. `returned` receives children
//! that any processor returns at any IRQL: a batch is pushed with one compare-exchange, and the
//! owner CPU takes the whole list with one exchange when `local` runs dry. A shared list is never
//! popped, so the ABA problem cannot arise.

use core::{
    cell::UnsafeCell,
    ptr::{self, NonNull},
    sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering},
};

use ndis::{
    AtDispatch, ModuleHandle, Nbl, NblChain, NblQueue, PerProcessor, Status, Tag, driver::header,
    processor_counts,
};
use ndis_sys as sys;

use crate::{
    chains::Chains,
    child::{Children, Context, context, has_wfp_context},
};

/// Maximum number of children that a processor may own, and so the most that one parent can have:
/// about 9 MiB of non-paged pool, enough for 480 sends of 1 MiB in flight. With trimmed chains it
/// is 42 MiB.
pub const MAX_CHILDREN: u32 = 8192;
/// Largest payload in bytes of one child that a pool can be made for. It keeps the context area,
/// page frame numbers included, far below the 64 KiB that an NBL's context may have.
const MAX_CAPACITY: u32 = 1 << 20;
const _: () = {
    let trimmed = Chains::Trimmed {
        max_sg_elements: None,
    };
    assert!(Context::size(MAX_CAPACITY, trimmed) < 8 << 10);
    assert!(Context::size(MAX_CAPACITY, Chains::Shared) < 8 << 10);
};

const TAG_NBL: Tag = Tag::new(*b"MslN");
const TAG_CACHE: Tag = Tag::new(*b"MslC");

type RawNbl = *mut sys::NET_BUFFER_LIST;

/// The children of one processor.
struct Cache {
    local: UnsafeCell<Local>,
    returned: Returned,
}

/// The list that only the processor itself touches, at DISPATCH_LEVEL.
struct Local {
    idle: RawNbl,
    /// Children that were allocated for this owner CPU, wherever they are now. Those that were
    /// freed are counted separately.
    allocated: u32,
}

/// In a cache line of its own: other processors write to it.
#[repr(align(64))]
struct Returned {
    idle: AtomicPtr<sys::NET_BUFFER_LIST>,
    /// Children that were freed instead of returned to their owner CPU, since the pool was created.
    freed: AtomicU32,
}

// SAFETY: `local` is reached by one processor at a time, and `returned` is atomic (invariant 3).
unsafe impl Sync for Cache {}
// SAFETY: NBLs are not tied to a thread.
unsafe impl Send for Cache {}

/// The children of one filter module.
pub struct ChildPool {
    caches: PerProcessor<Cache>,
    nbls: NblPool,
    capacity: u32,
    chains: Chains,
    allocations: AtomicU64,
}

impl ChildPool {
    /// A pool whose children carry up to `capacity` bytes of payload each (1 MiB at most) in
    /// `chains`, with `preallocated` of them for each active processor. IRQL PASSIVE_LEVEL.
    ///
    /// # Errors
    /// [`Status::RESOURCES`] where there is no memory; nothing is left behind then.
    pub fn try_new(
        module: ModuleHandle,
        capacity: u32,
        chains: Chains,
        preallocated: u32,
    ) -> Result<Self, Status> {
        let capacity = capacity.clamp(1, MAX_CAPACITY);
        let nbls = NblPool::try_new(module, Context::size(capacity, chains))?;
        let caches = PerProcessor::try_new(TAG_CACHE, |_| Cache {
            local: UnsafeCell::new(Local {
                idle: ptr::null_mut(),
                allocated: 0,
            }),
            returned: Returned {
                idle: AtomicPtr::new(ptr::null_mut()),
                freed: AtomicU32::new(0),
            },
        })?;
        let pool = Self {
            caches,
            nbls,
            capacity,
            chains,
            allocations: AtomicU64::new(0),
        };
        for processor in 0..processor_counts().0 {
            pool.preallocate(processor, preallocated)?;
        }
        Ok(pool)
    }

    /// Largest payload in bytes that one child can carry.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.capacity
    }

    /// The number of children ever allocated: constant in steady state.
    #[must_use]
    pub fn allocations(&self) -> u64 {
        self.allocations.load(Ordering::Relaxed)
    }

    /// Preallocates `count` children in the cache of `processor`, before the pool is in use.
    fn preallocate(&self, processor: u32, count: u32) -> Result<(), Status> {
        let cache = self.caches.get(processor).ok_or(Status::RESOURCES)?;
        // SAFETY: only `try_new` has the pool so far (invariant 3).
        let local = unsafe { &mut *cache.local.get() };
        for _ in 0..count.min(MAX_CHILDREN) {
            let child = self
                .allocate(processor, local, &cache.returned)
                .ok_or(Status::RESOURCES)?;
            local.push(child);
        }
        Ok(())
    }

    /// Takes `count` idle children of this processor. Children that the cache lacks are allocated
    /// once and stay in the cache afterwards. IRQL DISPATCH_LEVEL.
    ///
    /// # Errors
    /// [`Status::RESOURCES`] where memory or the processor's share of children is exhausted; no
    /// child is taken then.
    pub fn take(&self, count: u32, at: &AtDispatch) -> Result<Children, Status> {
        let processor = at.processor();
        let cache = self.caches.get(processor).ok_or(Status::RESOURCES)?;
        // SAFETY: `at` proves that this thread has the processor to itself at DISPATCH_LEVEL
        // (invariant 3), and the reference ends before any call that could re-enter this function:
        // the pool routine that `allocate` calls does not.
        let local = unsafe { &mut *cache.local.get() };
        let mut taken = Children::default();
        while taken.count() < count {
            let missing = count.saturating_sub(taken.count());
            if let Some((run, length)) = local.pop_run(missing, &cache.returned) {
                taken.append(run, length);
            } else if let Some(child) = self.allocate(processor, local, &cache.returned) {
                taken.append(NblQueue::of(child), 1);
            } else {
                self.recycle(taken);
                return Err(Status::RESOURCES);
            }
        }
        Ok(taken)
    }

    /// Allocates one more child with owner CPU `owner_cpu`, within the bound for a processor.
    #[cold]
    fn allocate(&self, owner_cpu: u32, local: &mut Local, returned: &Returned) -> Option<Nbl> {
        let freed = returned.freed.load(Ordering::Relaxed);
        if local.allocated.wrapping_sub(freed) >= MAX_CHILDREN {
            return None;
        }
        let nbl = self.nbls.allocate()?;
        // SAFETY: a new NBL of the pool, with a context area for its capacity and chains, which this
        // initializes before anything else uses it (invariant 1).
        unsafe { Context::initialize(context(nbl), owner_cpu, self.capacity, self.chains) };
        local.allocated = local.allocated.wrapping_add(1);
        self.allocations.fetch_add(1, Ordering::Relaxed);
        // SAFETY: NDIS has just allocated it for this call, so nothing else owns it (invariant 2).
        Some(unsafe { Nbl::from_raw(nbl) })
    }

    /// Returns children that were not sent to their owner CPU. IRQL ≤ DISPATCH_LEVEL.
    pub fn recycle(&self, children: Children) {
        let mut children = children.abandon().into_chain();
        let mut idle = NblQueue::new();
        let mut owner_cpu = 0;
        while let Some(first) = children.first() {
            // SAFETY: `children` owns its first NBL, a child (invariants 1 and 2). All were taken
            // together, from one cache.
            let must_be_freed = unsafe {
                owner_cpu = (*context(first)).owner_cpu;
                has_wfp_context(first)
            };
            match children.pop() {
                Some(child) if must_be_freed => self.discard(owner_cpu, NblQueue::of(child)),
                Some(child) => idle.push(child),
                None => {}
            }
        }
        self.return_to_owner_cpu(owner_cpu, idle);
    }

    /// Frees children of owner CPU `owner_cpu` that cannot be used again. IRQL ≤ DISPATCH_LEVEL.
    #[cold]
    pub(crate) fn discard(&self, owner_cpu: u32, children: NblQueue) {
        let Some(cache) = self.caches.get(owner_cpu) else {
            return;
        };
        let mut children = children.into_chain();
        while let Some(child) = children.pop() {
            self.nbls.free(child);
            cache.returned.freed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns idle children to the cache of `owner_cpu`, their owner CPU. IRQL ≤ DISPATCH_LEVEL.
    #[inline]
    pub(crate) fn return_to_owner_cpu(&self, owner_cpu: u32, children: NblQueue) {
        let (Some((first, last)), Some(cache)) = (children.into_ends(), self.caches.get(owner_cpu))
        else {
            return;
        };
        let list = &cache.returned.idle;
        let mut head = list.load(Ordering::Relaxed);
        loop {
            // SAFETY: this call owns the children until the exchange succeeds (invariant 2).
            unsafe { (*last.as_ptr()).Next = head };
            // Release: the thread that takes the children sees all earlier writes to them.
            match list.compare_exchange_weak(
                head,
                first.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}

impl Drop for ChildPool {
    /// Frees every child; all have been returned (invariant 8).
    fn drop(&mut self) {
        for cache in self.caches.iter() {
            // SAFETY: `&mut self` is the only reference to the pool (invariant 3).
            let local = unsafe { &mut *cache.local.get() };
            while let Some((run, _)) = local.pop_run(u32::MAX, &cache.returned) {
                let mut run = run.into_chain();
                while let Some(child) = run.pop() {
                    // SAFETY: `run` owned the child (invariants 1 and 2). One that was neither
                    // completed nor abandoned before it was returned may have a copy left.
                    unsafe { Context::release(context(NonNull::new_unchecked(child.as_ptr()))) };
                    self.nbls.free(child);
                }
            }
        }
    }
}

impl Local {
    fn push(&mut self, child: Nbl) {
        let raw = child.into_raw().as_ptr();
        // SAFETY: this call owns the child (invariant 2).
        unsafe { (*raw).Next = self.idle };
        self.idle = raw;
    }

    /// Takes up to `max` children out, all at once; `None` if none is idle.
    #[inline]
    fn pop_run(&mut self, max: u32, returned: &Returned) -> Option<(NblQueue, u32)> {
        if self.idle.is_null() {
            // Acquire: see what the returning processor wrote to the children.
            self.idle = returned.idle.swap(ptr::null_mut(), Ordering::Acquire);
        }
        // SAFETY: the list owns its children, linked by `Next` with null at the end (invariant 2).
        let mut chain = unsafe { NblChain::from_raw(self.idle) };
        let run = chain.pop_counted(max);
        self.idle = chain.into_raw();
        run
    }
}

/// The NDIS pool that the children's NBLs come from.
struct NblPool {
    pool: sys::NDIS_HANDLE,
    context_size: u16,
}

// SAFETY: NDIS synchronises access to its pools.
unsafe impl Send for NblPool {}
// SAFETY: as above.
unsafe impl Sync for NblPool {}

impl NblPool {
    fn try_new(module: ModuleHandle, context_size: usize) -> Result<Self, Status> {
        let context_size = u16::try_from(context_size).map_err(|_| Status::RESOURCES)?;
        let parameters = sys::NET_BUFFER_LIST_POOL_PARAMETERS {
            Header: header(
                sys::NDIS_OBJECT_TYPE_DEFAULT,
                sys::NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
                sys::NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
            ),
            ProtocolId: sys::NDIS_PROTOCOL_ID_DEFAULT,
            fAllocateNetBuffer: 1,
            ContextSize: context_size,
            PoolTag: TAG_NBL.value(),
            DataSize: 0,
        };
        // SAFETY: `module` is the handle of a filter module that is attached, and the parameters
        // are read during the call only.
        let pool =
            unsafe { sys::NdisAllocateNetBufferListPool(module.raw(), &raw const parameters) };
        if pool.is_null() {
            return Err(Status::RESOURCES);
        }
        Ok(Self { pool, context_size })
    }

    fn allocate(&self) -> Option<NonNull<sys::NET_BUFFER_LIST>> {
        // SAFETY: the pool pairs each NBL with a NET_BUFFER, as this routine requires; a null MDL
        // chain goes with offset and length 0.
        NonNull::new(unsafe {
            sys::NdisAllocateNetBufferAndNetBufferList(
                self.pool,
                self.context_size,
                0,
                ptr::null_mut(),
                0,
                0,
            )
        })
    }

    fn free(&self, nbl: Nbl) {
        // SAFETY: `nbl` came from `allocate`, and this call owns it (invariant 2).
        unsafe { sys::NdisFreeNetBufferList(nbl.into_raw().as_ptr()) };
    }
}

impl Drop for NblPool {
    fn drop(&mut self) {
        // SAFETY: ChildPool's drop freed all NBLs of the pool before its fields are dropped
        // (invariant 8).
        unsafe { sys::NdisFreeNetBufferListPool(self.pool) };
    }
}
