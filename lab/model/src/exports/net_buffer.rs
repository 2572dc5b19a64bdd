//! `ndis.sys`: NET_BUFFERs that a driver adds to its NBLs.

use std::ptr;

use ::ndis::sys::{self, MDL, NDIS_HANDLE, NET_BUFFER, NET_BUFFER_POOL_PARAMETERS};

use crate::{memory::Block, rules::Rule, state::NblPool, thread};

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
        && header.Revision == sys::NET_BUFFER_POOL_PARAMETERS_REVISION_1
        && header.Size == sys::NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1
        && parameters.DataSize == 0;
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
    // SAFETY: as the caller vouches.
    unsafe { super::ndis::NdisFreeNetBufferListPool(pool) };
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisAllocateNetBuffer(
    pool: NDIS_HANDLE,
    mdl_chain: *mut MDL,
    data_offset: u32,
    data_length: usize,
) -> *mut NET_BUFFER {
    let routine = "NdisAllocateNetBuffer";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    if !state.may_allocate(routine) {
        return ptr::null_mut();
    }
    let Some(known) = state.nbls.pools.get_mut(&pool.addr()) else {
        state.violation(Rule::PoolTags, routine, "the pool does not exist");
        return ptr::null_mut();
    };
    known.live += 1;
    let block = Block::new(size_of::<NET_BUFFER>(), 16);
    let packet = block.start().cast::<NET_BUFFER>();
    // SAFETY: the block is new and as long as the structure.
    unsafe {
        (*packet).MdlChain = mdl_chain;
        (*packet).CurrentMdl = mdl_chain;
        (*packet).DataOffset = data_offset;
        (*packet).CurrentMdlOffset = data_offset;
        (*packet).DataLength = data_length as u32;
        (*packet).NdisPoolHandle = pool;
    }
    let made = (block, pool.addr());
    state.nbls.net_buffers.insert(made.0.address(), made);
    packet
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
    if let Some(pool) = state.nbls.pools.get_mut(&pool) {
        pool.live -= 1;
    }
}

super::exports! {
    NdisAllocateNetBufferPool
    NdisFreeNetBufferPool
    NdisAllocateNetBuffer
    NdisFreeNetBuffer
}
