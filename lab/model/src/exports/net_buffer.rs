//! `ndis.sys`: NBLs of a driver's pools, and NET_BUFFERs that it adds to them.

use std::ptr;

use ::ndis::sys::{
    self, MDL, NDIS_HANDLE, NET_BUFFER, NET_BUFFER_LIST, NET_BUFFER_POOL_PARAMETERS,
};

use crate::{
    above::new_nbl,
    guard,
    mdl::{Backing, Buffer},
    memory::{Block, UNINITIALISED},
    miniport::NDIS_FLAGS,
    rules::{Finding, Level, Rule},
    state::{Allocates, Known, NblParts, NblPool, Origin, Owner},
    thread,
};

const PAGE: usize = sys::PAGE_SIZE as usize;
/// Bytes by which the context areas of two NBLs differ in their place in a page: all places that
/// are a multiple of 16 come, in 256 NBLs.
const CONTEXT_STEP: usize = 0x550;

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisAllocateNetBufferAndNetBufferList(
    pool: NDIS_HANDLE,
    context_size: u16,
    context_backfill: u16,
    mdl_chain: *mut MDL,
    data_offset: u32,
    data_length: usize,
) -> *mut NET_BUFFER_LIST {
    let routine = "NdisAllocateNetBufferAndNetBufferList";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    if mdl_chain.is_null() && (data_offset != 0 || data_length != 0) {
        let found = "without an MDL, data offset and length have to be 0";
        thread::world().violation(Rule::Chain, routine, found.into());
        return ptr::null_mut();
    }
    let allocates = Allocates::NetBuffer;
    let nbl = allocate(
        pool,
        context_size,
        context_backfill,
        Some(allocates),
        routine,
    );
    // SAFETY: the NBL is new, and has a NET_BUFFER.
    unsafe {
        if !nbl.is_null() {
            fill((*nbl).FirstNetBuffer, mdl_chain, data_offset, data_length);
        }
    }
    nbl
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisAllocateNetBufferList(
    pool: NDIS_HANDLE,
    context_size: u16,
    context_backfill: u16,
) -> *mut NET_BUFFER_LIST {
    let routine = "NdisAllocateNetBufferList";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    allocate(pool, context_size, context_backfill, None, routine)
}

/// Describes a chain in a NET_BUFFER.
///
/// # Safety
/// `packet` is live.
pub(super) unsafe fn fill(
    packet: *mut NET_BUFFER,
    mdl_chain: *mut MDL,
    offset: u32,
    length: usize,
) {
    // SAFETY: as the caller vouches.
    unsafe {
        (*packet).MdlChain = mdl_chain;
        (*packet).CurrentMdl = mdl_chain;
        (*packet).DataOffset = offset;
        (*packet).CurrentMdlOffset = offset;
        (*packet).DataLength = length as u32;
    }
}

/// Allocates an NBL with what its pool is for, which has to be `wanted` where `routine` needs that.
fn allocate(
    pool: NDIS_HANDLE,
    context_size: u16,
    context_backfill: u16,
    wanted: Option<Allocates>,
    routine: &str,
) -> *mut NET_BUFFER_LIST {
    let world = thread::world();
    let mut state = world.state();
    if !state.may_allocate(routine) {
        return ptr::null_mut();
    }
    let number = state.nbls.next;
    let Some(known_pool) = state.nbls.pools.get_mut(&pool.addr()) else {
        state.violation(Rule::PoolTags, routine, "the pool does not exist");
        return ptr::null_mut();
    };
    let (allocates, prepared) = (known_pool.allocates, known_pool.context_size);
    let fits = match wanted {
        Some(wanted) => wanted == allocates,
        None => !matches!(allocates, Allocates::NetBuffersAlone(_)),
    };
    if !fits {
        let found = format!("of a pool of {allocates:?}");
        state.violation(Rule::PoolTags, routine, found);
        return ptr::null_mut();
    }
    if ![context_size, context_backfill]
        .iter()
        .all(|size| size.is_multiple_of(16))
    {
        let found = "a context whose length is no multiple of 16";
        state.violation(Rule::PoolTags, routine, found);
        return ptr::null_mut();
    }
    known_pool.live += 1;
    state.nbls.next += 1;
    if context_size > prepared {
        let found = "a context that the pool was not made for";
        state.finding(routine, Finding::at(Level::Product, Rule::PoolTags, found));
    }
    let size = usize::from(context_size) + usize::from(context_backfill);
    let head = size_of::<sys::NET_BUFFER_LIST_CONTEXT>();
    // Anywhere in a page, as NDIS's pool has it; guard pages leave no choice.
    let in_page = match guard::is_on() {
        true => 0,
        false => (number as usize * CONTEXT_STEP) % PAGE,
    };
    let (nbl, context) = (
        new_nbl(),
        Block::new(in_page + head + size, if in_page == 0 { 16 } else { PAGE }),
    );
    let net_buffer = (allocates != Allocates::Nbl).then(|| Block::new(size_of::<NET_BUFFER>(), 16));
    let buffer = match allocates {
        Allocates::Data(size) => {
            let data = vec![UNINITIALISED; size as usize];
            Some(Buffer::new(&data, 0, Backing::NonPagedPool))
        }
        _ => None,
    };
    let raw = nbl.start().cast::<NET_BUFFER_LIST>();
    // SAFETY: the blocks are new and as long as the structures.
    unsafe {
        let area = context.start().add(in_page);
        let area = area.cast::<sys::NET_BUFFER_LIST_CONTEXT>();
        (*area).Size = size as u16;
        (*area).Offset = context_backfill;
        if let Some(net_buffer) = &net_buffer {
            (*raw).FirstNetBuffer = net_buffer.start().cast();
            let chain = buffer.as_ref().map_or(ptr::null_mut(), Buffer::mdl);
            fill((*raw).FirstNetBuffer, chain, 0, 0);
        }
        (*raw).Context = area;
        (*raw).NdisPoolHandle = pool;
        (*raw).NblFlags = NDIS_FLAGS;
    }
    let address = nbl.address();
    state.nbls.memory.insert(address, nbl);
    let parts = NblParts {
        net_buffer,
        _buffer: buffer,
        _context: context,
    };
    state.nbls.parts.insert(address, parts);
    state.nbls.known.insert(
        address,
        Known {
            owner: Owner::Filter,
            origin: Origin::Pool(pool.addr()),
            name: format!("child NBL {number}"),
        },
    );
    raw
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisAllocateNetBufferPool(
    owner: NDIS_HANDLE,
    parameters: *const NET_BUFFER_POOL_PARAMETERS,
) -> NDIS_HANDLE {
    let routine = "NdisAllocateNetBufferPool";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    // The handle is optional.
    if !owner.is_null() {
        thread::require_module_or_driver(owner, routine);
    }
    let world = thread::world();
    let mut state = world.state();
    // SAFETY: the caller passes parameters of the size in their header.
    let parameters = unsafe { *parameters };
    state.check_tag(parameters.PoolTag, routine);
    let header = parameters.Header;
    let legal = header.Type == sys::NDIS_OBJECT_TYPE_DEFAULT
        && (1..=2).contains(&header.Revision)
        && header.Size >= sys::NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1;
    if !legal {
        let found = "parameters that NDIS does not take";
        state.violation(Rule::PoolTags, routine, found);
        return ptr::null_mut();
    }
    if !state.may_allocate(routine) {
        return ptr::null_mut();
    }
    let memory = Block::new(16, 16);
    let pool = memory.start().cast();
    let made = NblPool {
        allocates: Allocates::NetBuffersAlone(parameters.DataSize),
        context_size: 0,
        live: 0,
        owner: owner.addr(),
        memory,
    };
    state.nbls.pools.insert(made.memory.address(), made);
    pool
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFreeNetBufferPool(pool: NDIS_HANDLE) {
    super::ndis::free_pool(pool, true, "NdisFreeNetBufferPool");
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisAllocateNetBuffer(
    pool: NDIS_HANDLE,
    mdl_chain: *mut MDL,
    data_offset: u32,
    data_length: usize,
) -> *mut NET_BUFFER {
    let (packet, _) = allocate_alone(pool, "NdisAllocateNetBuffer");
    if !packet.is_null() {
        // SAFETY: the NET_BUFFER is new.
        unsafe { fill(packet, mdl_chain, data_offset, data_length) };
    }
    packet
}

unsafe extern "efiapi" fn NdisAllocateNetBufferMdlAndData(pool: NDIS_HANDLE) -> *mut NET_BUFFER {
    let routine = "NdisAllocateNetBufferMdlAndData";
    let (packet, size) = allocate_alone(pool, routine);
    let world = thread::world();
    let mut state = world.state();
    if packet.is_null() {
        return packet;
    }
    if size == 0 {
        let found = "of a pool whose NET_BUFFERs have no data";
        state.violation(Rule::PoolTags, routine, found);
        return packet;
    }
    let data = vec![UNINITIALISED; size as usize];
    let buffer = Buffer::new(&data, 0, Backing::NonPagedPool);
    // SAFETY: the NET_BUFFER is new.
    unsafe { fill(packet, buffer.mdl(), 0, 0) };
    state.nbls.net_buffer_data.insert(packet.addr(), buffer);
    packet
}

/// Allocates a NET_BUFFER for `routine`. Returns it, and the bytes of data that belong to one.
fn allocate_alone(pool: NDIS_HANDLE, routine: &str) -> (*mut NET_BUFFER, u32) {
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    let none = (ptr::null_mut(), 0);
    let world = thread::world();
    let mut state = world.state();
    if !state.may_allocate(routine) {
        return none;
    }
    let Some(known) = state.nbls.pools.get_mut(&pool.addr()) else {
        state.violation(Rule::PoolTags, routine, "the pool does not exist");
        return none;
    };
    let Allocates::NetBuffersAlone(size) = known.allocates else {
        let found = format!("of a pool of {:?}", known.allocates);
        state.violation(Rule::PoolTags, routine, found);
        return none;
    };
    known.live += 1;
    let block = Block::new(size_of::<NET_BUFFER>(), 16);
    let packet = block.start().cast::<NET_BUFFER>();
    // SAFETY: the block is new and as long as the structure.
    unsafe { (*packet).NdisPoolHandle = pool };
    let made = (block, pool.addr());
    state.nbls.net_buffers.insert(made.0.address(), made);
    (packet, size)
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFreeNetBuffer(packet: *mut NET_BUFFER) {
    thread::ndis_call(sys::DISPATCH_LEVEL, "NdisFreeNetBuffer");
    let world = thread::world();
    let mut state = world.state();
    let Some((_, pool)) = state.nbls.net_buffers.remove(&packet.addr()) else {
        let found = "freed although it is not allocated";
        return state.violation(Rule::OneOwner, "NET_BUFFER", found);
    };
    state.nbls.net_buffer_data.remove(&packet.addr());
    if let Some(pool) = state.nbls.pools.get_mut(&pool) {
        pool.live -= 1;
    }
}

super::exports! {
    NdisAllocateNetBufferAndNetBufferList
    NdisAllocateNetBufferList
    NdisAllocateNetBufferPool
    NdisFreeNetBufferPool
    NdisAllocateNetBuffer
    NdisAllocateNetBufferMdlAndData
    NdisFreeNetBuffer
}
