//! `ndis.sys`: clones of NBLs, and context space in NBLs.

use std::ptr;

use ::ndis::sys::{self, MDL, NDIS_HANDLE, NDIS_STATUS, NET_BUFFER, NET_BUFFER_LIST};

use super::{ndis::NdisFreeNetBufferList, net_buffer::fill};
use crate::{
    above::new_nbl,
    guard,
    mdl::{self, Clone},
    memory::Block,
    miniport::NDIS_FLAGS,
    rules::{Finding, Rule},
    state::{Known, NblParts, Origin, Owner},
    thread,
};

/// The number of bytes of context space, and of the space before it, are multiples of this.
const CONTEXT_ALIGN: u16 = size_of::<usize>() as u16;

unsafe extern "efiapi" fn NdisAllocateNetBufferListContext(
    nbl: *mut NET_BUFFER_LIST,
    size: u16,
    backfill: u16,
    tag: u32,
) -> NDIS_STATUS {
    let routine = "NdisAllocateNetBufferListContext";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    guard::check_access(nbl.cast(), size_of::<NET_BUFFER_LIST>(), true);
    let world = thread::world();
    let mut state = world.state();
    state.check_tag(tag, routine);
    if !size.is_multiple_of(CONTEXT_ALIGN) || !backfill.is_multiple_of(CONTEXT_ALIGN) {
        let found = format!("{size} bytes and {backfill} before them");
        state.violation(Rule::PoolTags, routine, found);
        return sys::NDIS_STATUS_FAILURE;
    }
    // SAFETY: the caller passes a live NBL, whose contexts are live.
    unsafe {
        let context = (*nbl).Context;
        if !context.is_null() && (*context).Offset >= size {
            (*context).Offset -= size;
            return sys::NDIS_STATUS_SUCCESS;
        }
        if !state.may_allocate(routine) {
            return sys::NDIS_STATUS_RESOURCES;
        }
        let head = size_of::<sys::NET_BUFFER_LIST_CONTEXT>();
        let block = Block::new(head + usize::from(size) + usize::from(backfill), 16);
        let area = block.start().cast::<sys::NET_BUFFER_LIST_CONTEXT>();
        (*area).Next = context;
        (*area).Size = size + backfill;
        (*area).Offset = backfill;
        (*nbl).Context = area;
        state.nbls.contexts.insert(block.address(), block);
    }
    sys::NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn NdisFreeNetBufferListContext(nbl: *mut NET_BUFFER_LIST, size: u16) {
    let routine = "NdisFreeNetBufferListContext";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    guard::check_access(nbl.cast(), size_of::<NET_BUFFER_LIST>(), true);
    let world = thread::world();
    let mut state = world.state();
    // SAFETY: the caller passes a live NBL, whose contexts are live.
    unsafe {
        let context = (*nbl).Context;
        if context.is_null() || (*context).Offset.saturating_add(size) > (*context).Size {
            return state.violation(Rule::Memory, routine, "of more than is allocated");
        }
        (*context).Offset += size;
        if (*context).Offset == (*context).Size
            && let Some(block) = state.nbls.contexts.remove(&context.addr())
        {
            (*nbl).Context = (*context).Next;
            drop(block);
        }
    }
}

/// NDIS_CLONE_FLAGS_USE_ORIGINAL_MDLS.
const ORIGINAL_MDLS: u32 = 2;

unsafe extern "efiapi" fn NdisAllocateCloneNetBufferList(
    original: *mut NET_BUFFER_LIST,
    nbl_pool: NDIS_HANDLE,
    net_buffer_pool: NDIS_HANDLE,
    flags: u32,
) -> *mut NET_BUFFER_LIST {
    let routine = "NdisAllocateCloneNetBufferList";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    guard::check_access(original.cast(), size_of::<NET_BUFFER_LIST>(), false);
    let world = thread::world();
    let mut state = world.state();
    for pool in [nbl_pool, net_buffer_pool] {
        if !pool.is_null() && !state.nbls.pools.contains_key(&pool.addr()) {
            state.violation(Rule::PoolTags, routine, "the pool does not exist");
            return ptr::null_mut();
        }
    }
    if !state.may_allocate(routine) {
        return ptr::null_mut();
    }
    let mut clone = Clone {
        flags,
        ..Clone::default()
    };
    let nbl = new_nbl();
    let raw = nbl.start().cast::<NET_BUFFER_LIST>();
    // SAFETY: the caller passes a live NBL with live NET_BUFFERs; the blocks are new and as long as
    // the structures.
    unsafe {
        let mut place: *mut *mut NET_BUFFER = &raw mut (*raw).FirstNetBuffer;
        let mut packet = (*original).FirstNetBuffer;
        while !packet.is_null() {
            guard::check_access(packet.cast(), size_of::<NET_BUFFER>(), false);
            let block = Block::new(size_of::<NET_BUFFER>(), 16);
            let made = block.start().cast::<NET_BUFFER>();
            clone.net_buffers.push(block);
            let length = (*packet).DataLength as usize;
            if flags & ORIGINAL_MDLS != 0 {
                let (offset, chain) = ((*packet).CurrentMdlOffset, (*packet).CurrentMdl);
                fill(made, chain, offset, length);
            } else {
                let chain: *mut MDL = match mdl::clone_chain(&mut state, packet, &mut clone) {
                    Ok(chain) => chain,
                    Err(found) => {
                        state.violation(Rule::Chain, routine, found);
                        return ptr::null_mut();
                    }
                };
                fill(made, chain, 0, length);
            }
            (*made).NdisPoolHandle = net_buffer_pool;
            *place = made;
            place = &raw mut (*made).Next;
            packet = (*packet).Next;
        }
        (*raw).NdisPoolHandle = nbl_pool;
        (*raw).NblFlags = NDIS_FLAGS;
    }
    let number = state.nbls.next;
    state.nbls.next += 1;
    if let Some(pool) = state.nbls.pools.get_mut(&nbl_pool.addr()) {
        pool.live += 1;
    }
    let address = nbl.address();
    state.nbls.memory.insert(address, nbl);
    state.nbls.clones.insert(address, clone);
    let parts = NblParts {
        net_buffer: None,
        _buffer: None,
        _context: Block::new(1, 1),
    };
    state.nbls.parts.insert(address, parts);
    let known = Known {
        owner: Owner::Filter,
        origin: Origin::Pool(nbl_pool.addr()),
        name: format!("clone NBL {number}"),
    };
    state.nbls.known.insert(address, known);
    raw
}

unsafe extern "efiapi" fn NdisFreeCloneNetBufferList(nbl: *mut NET_BUFFER_LIST, flags: u32) {
    let routine = "NdisFreeCloneNetBufferList";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    let clone = {
        let world = thread::world();
        let mut state = world.state();
        let clone = state.nbls.clones.remove(&nbl.addr());
        let Some(clone) = clone else {
            return state.violation(Rule::OneOwner, routine, "of no clone");
        };
        if clone.flags != flags {
            let found = format!("flags {flags:#x}, allocated with {:#x}", clone.flags);
            state.finding(routine, Finding::new(Rule::Structures, found));
        }
        for mdl in &clone.mdls {
            state.mdls.partials.remove(&mdl.address());
        }
        clone
    };
    // SAFETY: the NBL is live, and the rules for its owner are those of all NBLs.
    unsafe { NdisFreeNetBufferList(nbl) };
    drop(clone);
}

/// The slots that NdisCopyReceiveNetBufferListInfo copies: all that describe a received packet.
unsafe extern "efiapi" fn NdisCopyReceiveNetBufferListInfo(
    to: *mut NET_BUFFER_LIST,
    from: *const NET_BUFFER_LIST,
) {
    thread::ndis_call(sys::DISPATCH_LEVEL, "NdisCopyReceiveNetBufferListInfo");
    guard::check_access(to.cast(), size_of::<NET_BUFFER_LIST>(), true);
    guard::check_access(from.cast(), size_of::<NET_BUFFER_LIST>(), false);
    // SAFETY: the caller owns both NBLs.
    unsafe {
        for slot in 0..(*from).NetBufferListInfo.len() {
            if slot != sys::WfpNetBufferListInfo {
                (&mut (*to).NetBufferListInfo)[slot] = (&(*from).NetBufferListInfo)[slot];
            }
        }
    }
}

unsafe extern "efiapi" fn NdisGetPoolFromNetBufferList(nbl: *const NET_BUFFER_LIST) -> NDIS_HANDLE {
    guard::check_access(nbl.cast(), size_of::<NET_BUFFER_LIST>(), false);
    // SAFETY: the caller passes a live NBL.
    unsafe { (*nbl).NdisPoolHandle }
}

unsafe extern "efiapi" fn NdisGetPoolFromNetBuffer(packet: *const NET_BUFFER) -> NDIS_HANDLE {
    guard::check_access(packet.cast(), size_of::<NET_BUFFER>(), false);
    // SAFETY: the caller passes a live NET_BUFFER.
    unsafe { (*packet).NdisPoolHandle }
}

unsafe extern "efiapi" fn NdisGetNetBufferListProtocolId(nbl: *const NET_BUFFER_LIST) -> u8 {
    guard::check_access(nbl.cast(), size_of::<NET_BUFFER_LIST>(), false);
    // SAFETY: the caller passes a live NBL.
    unsafe { (&(*nbl).NetBufferListInfo)[sys::NetBufferListProtocolId].addr() as u8 }
}

super::exports! {
    NdisAllocateNetBufferListContext
    NdisFreeNetBufferListContext
    NdisAllocateCloneNetBufferList
    NdisFreeCloneNetBufferList
    NdisCopyReceiveNetBufferListInfo
    NdisGetPoolFromNetBufferList
    NdisGetPoolFromNetBuffer
    NdisGetNetBufferListProtocolId
}
