//! The children between two sends, with the memory that they need: idle lists for each processor,
//! and a bound on the memory of all.

use core::{
    mem::offset_of,
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use ndis::{AtDispatch, ModuleHandle, PerProcessor, PoolBox, Status, Tag, processor_counts};
use ndis_sys as sys;

use crate::{
    context::{Context, context},
    extra::{Extra, ExtraKind, Extras},
    idle_list::{IdleList, Items, Link},
    mdl_array::{Copy, MAX_SG_ELEMENTS, MIN_SG_ELEMENTS, MdlArray},
    memory_bound::MemoryBound,
    packet::Packet,
    pools::{NblPool, NetBufferPool, allocate_block, free_block},
};

/// Largest payload in bytes of one child that a pool can be made for. It keeps an MDL array far
/// below the 32 KiB that the size of an MDL can express.
const MOST_CAPACITY: u32 = 1 << 20;
/// Maximum number of packets in a child that has more than one.
pub const PACKETS_PER_CHILD: u32 = 64;

/// Bytes that a child has in non-paged pool: the list and its packet as NDIS allocates them, and the
/// context area.
pub const CHILD_BYTES: usize = size_of::<sys::NET_BUFFER_LIST>()
    + size_of::<sys::NET_BUFFER>()
    + size_of::<sys::NET_BUFFER_LIST_CONTEXT>()
    + size_of::<Context>()
    + NDIS_BYTES;
/// Bytes that each further packet of a child has in non-paged pool, with its NET_BUFFER.
pub const PACKET_BYTES: usize =
    size_of::<Packet>() + size_of::<sys::NET_BUFFER>() + 2 * POOL_HEADER;
/// Bytes before each allocation in the pool, of the kernel's.
const POOL_HEADER: usize = 16;
/// Estimated bytes of an NBL that are private to NDIS, after the part that drivers see.
const NDIS_BYTES: usize = 64 + POOL_HEADER;

/// Most items of each kind that a processor keeps for itself; the others can be freed when memory is
/// short on another processor.
const KEEP: Keep = Keep {
    children: 320,
    packets: 64,
    arrays: 64,
};

// A child is linked by its NBL's `Next`, an extra by its first field.
const _: () = assert!(offset_of!(sys::NET_BUFFER_LIST, Next) == offset_of!(Link, next));
const _: () = assert!(offset_of!(Extra, link) == 0);
const _: () = assert!(MdlArray::room(MAX_SG_ELEMENTS, MOST_CAPACITY) < 32 << 10);

/// The settings of a [`ChildPool`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolLimits {
    /// Largest payload in bytes of one child; 1 MiB at most.
    pub capacity: u32,
    /// Maximum number of MDLs of a packet, the header's included: 2 to [`MAX_SG_ELEMENTS`].
    pub max_sg_elements: u32,
    /// Bytes of non-paged pool that all children may have together.
    pub memory: usize,
    /// Children that are preallocated for each active processor.
    pub ready: u32,
}

/// The number of items that a processor keeps for itself.
#[derive(Clone, Copy)]
struct Keep {
    children: u32,
    packets: u32,
    arrays: u32,
}

impl Keep {
    /// [`KEEP`], or less, so that what the processors keep is at most half of the memory.
    fn of(memory: usize, array_bytes: usize) -> Self {
        let each = (KEEP.children as usize)
            .saturating_mul(CHILD_BYTES)
            .saturating_add((KEEP.packets as usize).saturating_mul(PACKET_BYTES))
            .saturating_add((KEEP.arrays as usize).saturating_mul(array_bytes));
        let all = each.saturating_mul(processor_counts().1 as usize);
        // At most 1, in units of 1/1024.
        let scale = match (memory / 2).saturating_mul(1024).checked_div(all) {
            Some(scale) => u32::try_from(scale).unwrap_or(1024).min(1024),
            None => 1024,
        };
        let scaled = |count: u32| (count.saturating_mul(scale) >> 10_u32).max(1);
        Self {
            children: scaled(KEEP.children),
            packets: scaled(KEEP.packets),
            arrays: scaled(KEEP.arrays),
        }
    }
}

/// The idle items of one processor.
struct Idle {
    children: IdleList,
    packets: IdleList,
    arrays: IdleList,
}

/// The children of one filter module.
pub struct ChildPool {
    idle: PerProcessor<Idle>,
    nbls: NblPool,
    net_buffers: NetBufferPool,
    limits: PoolLimits,
    keep: Keep,
    /// Bytes of MDLs that an array has room for.
    array_room: usize,
    /// Children of one packet that the memory is enough for.
    most_children: u32,
    /// In an allocation of its own, away from what every send reads.
    memory: PoolBox<MemoryBound>,
    allocations: AtomicU64,
}

impl ChildPool {
    /// A pool with `limits`. IRQL PASSIVE_LEVEL.
    ///
    /// # Errors
    /// [`Status::RESOURCES`] where there is no memory; nothing is left behind then.
    #[inline(never)]
    pub fn try_new(module: ModuleHandle, limits: PoolLimits) -> Result<Self, Status> {
        let limits = PoolLimits {
            capacity: limits.capacity.clamp(1, MOST_CAPACITY),
            max_sg_elements: limits
                .max_sg_elements
                .clamp(MIN_SG_ELEMENTS, MAX_SG_ELEMENTS),
            ..limits
        };
        let most_mdls = limits.max_sg_elements.saturating_sub(1);
        let array_room = MdlArray::room(most_mdls, limits.capacity);
        Ok(Self {
            idle: PerProcessor::try_new(Tag::IDLE_LISTS, |_| Idle {
                children: IdleList::new(),
                packets: IdleList::new(),
                arrays: IdleList::new(),
            })?,
            nbls: NblPool::try_new(module, size_of::<Context>())?,
            net_buffers: NetBufferPool::try_new(module)?,
            keep: Keep::of(limits.memory, array_room),
            limits,
            array_room,
            most_children: most_children(limits.memory),
            memory: PoolBox::try_new(Tag::IDLE_LISTS, MemoryBound::new(limits.memory))?,
            allocations: AtomicU64::new(0),
        })
    }

    /// Preallocates children for each active processor, before the pool is in use. IRQL ≤
    /// DISPATCH_LEVEL.
    #[inline(never)]
    pub fn preallocate(&self) -> Result<(), Status> {
        for processor in 0..processor_counts().0 {
            self.preallocate_for(processor)?;
        }
        Ok(())
    }

    /// Largest payload in bytes that one child can carry.
    pub const fn capacity(&self) -> u32 {
        self.limits.capacity
    }

    /// Whether `children` children, and `more_packets` packets beyond the first of each, fit in the
    /// pool's memory bound.
    pub fn can_have(&self, children: u32, more_packets: u32) -> bool {
        if more_packets == 0 {
            return children <= self.most_children;
        }
        let children = (children as usize).saturating_mul(CHILD_BYTES);
        let packets = (more_packets as usize).saturating_mul(PACKET_BYTES);
        children.saturating_add(packets) <= self.limits.memory
    }

    /// The number of children ever allocated: constant in steady state.
    pub fn allocations(&self) -> u64 {
        self.allocations.load(Ordering::Relaxed)
    }

    /// Bytes of non-paged pool that children and their parts have now.
    pub fn memory(&self) -> usize {
        self.memory.used()
    }

    /// The number of children that rest with each processor.
    fn ready(&self) -> u32 {
        self.limits.ready.min(self.keep.children)
    }

    fn preallocate_for(&self, processor: u32) -> Result<(), Status> {
        let idle = self.idle.get(processor).ok_or(Status::RESOURCES)?;
        let mut ready = Items::EMPTY;
        for _ in 0..self.ready() {
            let Some(child) = self.allocate_child(processor) else {
                self.free_items(ready, Self::free_child);
                return Err(Status::RESOURCES);
            };
            // SAFETY: the child is new, and owned here (invariant 2).
            unsafe { ready.push(child) };
        }
        // SAFETY: the pool is not in use yet (invariant 3).
        unsafe { idle.children.set_local(ready) };
        Ok(())
    }

    /// Takes `count` idle children of this processor, `owner_cpu`. Missing children are allocated,
    /// and stay in its lists later. Returns `None`, taking nothing, if memory or the bound is
    /// exhausted.
    pub(crate) fn take_children(
        &self,
        owner_cpu: u32,
        count: u32,
        at: &AtDispatch,
    ) -> Option<Items> {
        let list = &self.idle.get(owner_cpu)?.children;
        let found = list.take(count, self.keep.children, at);
        if found.count() == count {
            return Some(found);
        }
        let allocate = || self.allocate_child(owner_cpu);
        fill_up(found, list, count, self.keep.children, allocate, at)
    }

    /// The same of packets.
    #[cold]
    #[inline(never)]
    pub(crate) fn take_packets(
        &self,
        owner_cpu: u32,
        count: u32,
        at: &AtDispatch,
    ) -> Option<Items> {
        let list = &self.idle.get(owner_cpu)?.packets;
        let allocate = || self.allocate_packet();
        fill_up(Items::EMPTY, list, count, self.keep.packets, allocate, at)
    }

    /// Returns idle children to `owner_cpu`. IRQL ≤ DISPATCH_LEVEL. If this is the owner CPU, as `at`
    /// shows, they are the next that it takes: its data cache still has them.
    #[inline]
    pub(crate) fn return_children(&self, owner_cpu: u32, children: Items, at: Option<&AtDispatch>) {
        let Some(idle) = self.idle.get(owner_cpu) else {
            return;
        };
        match at {
            Some(at) if at.processor() == owner_cpu => {
                idle.children.give_local(children, self.keep.children, at);
            }
            _ => idle.children.give(children),
        }
    }

    /// Returns the extra packets and MDL arrays of children to `owner_cpu`, and frees their payload
    /// copies. IRQL ≤ DISPATCH_LEVEL; `at` as for [`return_children`](Self::return_children).
    #[inline(never)]
    pub(crate) fn return_extras(
        &self,
        owner_cpu: u32,
        mut extras: Extras,
        at: Option<&AtDispatch>,
    ) {
        let Some(idle) = self.idle.get(owner_cpu) else {
            return;
        };
        let (mut packets, mut arrays) = (Items::EMPTY, Items::EMPTY);
        while let Some(extra) = extras.pop() {
            // SAFETY: the extra is owned here (invariant 2); it was allocated as its kind says.
            unsafe {
                match (*extra.as_ptr()).kind {
                    ExtraKind::Packet => packets.push(extra.cast()),
                    ExtraKind::MdlArray => arrays.push(extra.cast()),
                    ExtraKind::Copy => self.free_copy(extra),
                }
            }
        }
        match at.filter(|at| at.processor() == owner_cpu) {
            Some(at) => {
                idle.packets.give_local(packets, self.keep.packets, at);
                idle.arrays.give_local(arrays, self.keep.arrays, at);
            }
            None => {
                idle.packets.give(packets);
                idle.arrays.give(arrays);
            }
        }
    }

    /// Frees each processor's idle items beyond its preallocated children.
    ///
    /// # Safety
    /// All children have been returned, and no other thread uses the pool during the call.
    pub unsafe fn trim(&self) {
        for idle in self.idle.iter() {
            // SAFETY: no other thread uses the pool, by this function's contract (invariants 3 and
            // 9); the lists own their items (invariant 2).
            unsafe {
                let mut children = idle.children.take_all();
                let mut ready = Items::EMPTY;
                while ready.count() < self.ready()
                    && let Some(child) = children.pop()
                {
                    ready.push(child);
                }
                idle.children.set_local(ready);
                self.free_items(children, Self::free_child);
                self.free_items(idle.packets.take_all(), Self::free_packet);
                self.free_items(idle.arrays.take_all(), Self::free_array);
            }
        }
    }

    /// Frees `items` by `free`.
    fn free_items(&self, mut items: Items, free: unsafe fn(&Self, NonNull<Link>)) {
        while let Some(item) = items.pop() {
            // SAFETY: the list owns its items (invariant 2), which are of the kind that `free` takes.
            unsafe { free(self, item) };
        }
    }

    /// Reserves `bytes` that exceed the bound, by first freeing idle items of all processors.
    /// Returns whether it succeeded.
    #[cold]
    #[inline(never)]
    fn make_room(&self, bytes: usize) -> bool {
        // More than one at a time: the next ones are about to be needed.
        let enough = bytes.saturating_mul(PACKETS_PER_CHILD as usize);
        let most = self
            .memory
            .bound()
            .saturating_sub(enough.min(self.memory.bound()));
        let has_enough = || self.memory.used() <= most;
        for idle in self.idle.iter() {
            // SAFETY: the lists own their items (invariant 2), of which each has one kind.
            unsafe {
                idle.arrays.reclaim(|item| {
                    self.free_array(item);
                    !has_enough()
                });
                idle.packets.reclaim(|item| {
                    self.free_packet(item);
                    !has_enough()
                });
                idle.children.reclaim(|item| {
                    self.free_child(item);
                    !has_enough()
                });
            }
            if has_enough() {
                break;
            }
        }
        self.memory.reserve(bytes)
    }

    /// Allocates memory for `bytes` within the bound; the allocation itself is `allocate`'s.
    #[inline(always)]
    fn allocate<T>(
        &self,
        bytes: usize,
        allocate: impl FnOnce() -> Option<NonNull<T>>,
    ) -> Option<NonNull<T>> {
        if !self.memory.reserve(bytes) && !self.make_room(bytes) {
            return None;
        }
        let made = allocate();
        if made.is_none() {
            self.memory.release(bytes);
        }
        made
    }

    /// Allocates one more child with that owner CPU.
    #[cold]
    fn allocate_child(&self, owner_cpu: u32) -> Option<NonNull<Link>> {
        let nbl = self.allocate(CHILD_BYTES, || self.nbls.allocate())?;
        // SAFETY: a new NBL from a pool whose context size is a `Context`'s (invariant 1).
        unsafe { Context::initialize(context(nbl), nbl, owner_cpu) };
        self.allocations.fetch_add(1, Ordering::Relaxed);
        Some(nbl.cast())
    }

    /// Frees a child. IRQL ≤ DISPATCH_LEVEL.
    ///
    /// # Safety
    /// It is a child of the pool that is owned by the caller, and released.
    #[inline(always)]
    pub(crate) unsafe fn free_child(&self, child: NonNull<Link>) {
        // SAFETY: the child is from `allocate_child` and owned (invariant 2).
        unsafe { self.nbls.free(child.cast()) };
        self.memory.release(CHILD_BYTES);
    }

    /// Allocates one more packet.
    #[cold]
    fn allocate_packet(&self) -> Option<NonNull<Link>> {
        self.allocate(PACKET_BYTES, || {
            let packet = allocate_block::<Packet>(Tag::CHILD, size_of::<Packet>())?;
            let Some(net_buffer) = self.net_buffers.allocate() else {
                // SAFETY: allocated right before.
                unsafe { free_block(Tag::CHILD, packet) };
                return None;
            };
            // SAFETY: new memory for a packet, which stays where it is (invariant 1).
            unsafe { Packet::initialize(packet.as_ptr(), net_buffer.as_ptr()) };
            Some(packet.cast())
        })
    }

    /// # Safety
    /// It is a packet of the pool that is owned by the caller, and released.
    #[inline(always)]
    unsafe fn free_packet(&self, packet: NonNull<Link>) {
        let packet = packet.cast::<Packet>();
        // SAFETY: the packet is from `allocate_packet` and owned (invariant 2).
        unsafe {
            self.net_buffers.free((*packet.as_ptr()).net_buffer);
            free_block(Tag::CHILD, packet);
        }
        self.memory.release(PACKET_BYTES);
    }

    const fn array_bytes(&self) -> usize {
        size_of::<MdlArray>().saturating_add(self.array_room)
    }

    #[inline(always)]
    fn allocate_array(&self) -> Option<NonNull<Link>> {
        let bytes = self.array_bytes();
        let array = self.allocate(bytes, || allocate_block::<Extra>(Tag::MDL_ARRAY, bytes))?;
        // SAFETY: new memory, longer than an `Extra`.
        unsafe { array.write(Extra::new(ExtraKind::MdlArray, 0)) };
        Some(array.cast())
    }

    /// # Safety
    /// It is an array of the pool that is owned by the caller, and released.
    #[inline(always)]
    unsafe fn free_array(&self, array: NonNull<Link>) {
        // SAFETY: the array is from `allocate_array` and owned (invariant 2).
        unsafe { free_block(Tag::MDL_ARRAY, array) };
        self.memory.release(self.array_bytes());
    }

    #[inline(always)]
    fn allocate_copy(&self, length: u32) -> Option<NonNull<Copy>> {
        let bytes = Copy::size(length);
        let copy = self.allocate(bytes, || allocate_block::<Extra>(Tag::COPY, bytes))?;
        // SAFETY: new memory, longer than an `Extra`.
        unsafe { copy.write(Extra::new(ExtraKind::Copy, length)) };
        Some(copy.cast())
    }

    /// # Safety
    /// It is a copy of the pool that is owned by the caller.
    #[cold]
    unsafe fn free_copy(&self, copy: NonNull<Extra>) {
        // SAFETY: the copy is from `allocate_copy` and owned (invariant 2).
        let bytes = unsafe {
            let bytes = Copy::size((*copy.as_ptr()).used);
            free_block(Tag::COPY, copy);
            bytes
        };
        self.memory.release(bytes);
    }
}

/// Children of one packet that `memory` bytes are enough for.
fn most_children(memory: usize) -> u32 {
    u32::try_from(memory / CHILD_BYTES).unwrap_or(u32::MAX)
}

/// Fills `items` up to `count` from `list`, then by allocating. If an allocation fails, returns all
/// items to `list` and yields `None`.
#[cold]
#[inline(never)]
fn fill_up(
    mut items: Items,
    list: &IdleList,
    count: u32,
    keep: u32,
    allocate: impl Fn() -> Option<NonNull<Link>>,
    at: &AtDispatch,
) -> Option<Items> {
    while items.count() < count {
        let found = list.take(count.wrapping_sub(items.count()), keep, at);
        if found.count() > 0 {
            items.append(found);
        } else if let Some(item) = allocate() {
            // SAFETY: the item is new, and owned here (invariant 2).
            unsafe { items.push(item) };
        } else {
            list.give(items);
            return None;
        }
    }
    Some(items)
}

impl Drop for ChildPool {
    /// Frees everything; all children have been returned, since the filter module's rundown is
    /// complete.
    fn drop(&mut self) {
        for idle in self.idle.iter() {
            // SAFETY: `&mut self`: the pool is not shared (invariants 3 and 9).
            unsafe {
                self.free_items(idle.children.take_all(), Self::free_child);
                self.free_items(idle.packets.take_all(), Self::free_packet);
                self.free_items(idle.arrays.take_all(), Self::free_array);
            }
        }
    }
}

/// The source of MDL arrays and copies for packets.
#[derive(Clone, Copy)]
pub struct MdlSource<'a> {
    pool: &'a ChildPool,
    at: Option<&'a AtDispatch>,
}

impl<'a> MdlSource<'a> {
    /// The memory of `pool`, for a caller that is at DISPATCH_LEVEL if there is an `at`, and
    /// otherwise at any IRQL up to that.
    pub const fn new(pool: &'a ChildPool, at: Option<&'a AtDispatch>) -> Self {
        Self { pool, at }
    }

    #[inline]
    pub(crate) const fn capacity(&self) -> u32 {
        self.pool.limits.capacity
    }

    #[inline]
    pub(crate) const fn max_sg_elements(&self) -> u32 {
        self.pool.limits.max_sg_elements
    }

    pub(crate) const fn array_room(&self) -> usize {
        self.pool.array_room
    }

    /// An array of this processor.
    #[inline(always)]
    pub(crate) fn array(&self) -> Option<NonNull<MdlArray>> {
        let raised;
        let at = match self.at {
            Some(at) => at,
            None => {
                raised = AtDispatch::enter(false);
                &raised
            }
        };
        let idle = self.pool.idle.get(at.processor())?;
        let mut found = idle.arrays.take(1, self.pool.keep.arrays, at);
        let array = match found.pop() {
            Some(array) => array,
            None => self.pool.allocate_array()?,
        };
        Some(array.cast())
    }

    pub(crate) fn copy(&self, length: u32) -> Option<NonNull<Copy>> {
        self.pool.allocate_copy(length)
    }
}
