//! `ndis.sys`: the data of NET_BUFFERs.

use std::{ffi::c_void, ptr};

use ::ndis::sys::{self, BOOLEAN, MDL, NDIS_STATUS, NET_BUFFER, NET_BUFFER_LIST};

use crate::{
    guard,
    mdl::{self, Backing, Buffer},
    rules::{Finding, Level, Rule},
    state::State,
    thread,
};

/// NET_BUFFER_ALLOCATE_MDL and NET_BUFFER_FREE_MDL.
type AllocateMdl = unsafe extern "efiapi" fn(size: *mut u32) -> *mut MDL;
type FreeMdl = unsafe extern "efiapi" fn(mdl: *mut MDL);

/// Checks that `routine` may be called, and may use `packet`.
fn begin(packet: *const NET_BUFFER, routine: &str) {
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    guard::check_access(packet.cast(), size_of::<NET_BUFFER>(), false);
}

/// The NET_BUFFERs of an NBL.
///
/// # Safety
/// `nbl` is a live NBL.
unsafe fn packets(nbl: *const NET_BUFFER_LIST, routine: &str) -> Vec<*mut NET_BUFFER> {
    guard::check_access(nbl.cast(), size_of::<NET_BUFFER_LIST>(), false);
    let mut all = Vec::new();
    // SAFETY: as the caller vouches.
    unsafe {
        let mut packet = (*nbl).FirstNetBuffer;
        while !packet.is_null() {
            begin(packet, routine);
            all.push(packet);
            packet = (*packet).Next;
        }
    }
    all
}

/// The bytes of the chain from `mdl` on, `skip` bytes behind its beginning, each part with its
/// length; MDLs are mapped. Stops where memory for a mapping is not granted.
///
/// # Safety
/// The chain is live.
unsafe fn parts(
    state: &mut State,
    mut mdl: *mut MDL,
    skip: usize,
) -> Result<Vec<(*mut u8, usize)>, NDIS_STATUS> {
    let (mut all, mut skip) = (Vec::new(), skip);
    while !mdl.is_null() {
        // SAFETY: as the caller vouches.
        unsafe {
            guard::check_access(mdl.cast(), size_of::<MDL>(), false);
            let count = (*mdl).ByteCount as usize;
            if skip < count {
                let start = mdl::address_for_driver(state, mdl);
                if start.is_null() {
                    return Err(sys::NDIS_STATUS_RESOURCES);
                }
                all.push((start.add(skip), count - skip));
            }
            skip = skip.saturating_sub(count);
            mdl = (*mdl).Next;
        }
    }
    Ok(all)
}

unsafe extern "efiapi" fn NdisGetDataBuffer(
    packet: *mut NET_BUFFER,
    needed: u32,
    storage: *mut c_void,
    multiple: u32,
    offset: u32,
) -> *mut c_void {
    let routine = "NdisGetDataBuffer";
    begin(packet, routine);
    let world = thread::world();
    let mut state = world.state();
    if !multiple.is_power_of_two() || offset >= multiple {
        let found = format!("alignment {multiple} with offset {offset}");
        state.violation(Rule::Structures, routine, found);
        return ptr::null_mut();
    }
    let needed = needed as usize;
    // SAFETY: the caller passes a live NET_BUFFER.
    let parts = unsafe {
        if needed > (*packet).DataLength as usize {
            return ptr::null_mut();
        }
        let skip = (*packet).CurrentMdlOffset as usize;
        parts(&mut state, (*packet).CurrentMdl, skip)
    };
    let Ok(parts) = parts else {
        return ptr::null_mut();
    };
    let is_aligned = |start: *mut u8| start.addr() as u32 % multiple == offset;
    if let Some((start, _)) = parts
        .first()
        .filter(|(start, length)| *length >= needed && is_aligned(*start))
    {
        return start.cast();
    }
    let room: usize = parts.iter().map(|(_, length)| length).sum();
    if room < needed {
        let found = format!("DataLength exceeds the {room} bytes of the MDL chain");
        state.violation(Rule::Chain, routine, found);
        return ptr::null_mut();
    }
    if storage.is_null() {
        return ptr::null_mut();
    }
    guard::check_access(storage.cast(), needed, true);
    let mut copied = 0;
    for (start, length) in parts {
        let length = length.min(needed - copied);
        // SAFETY: the part is mapped; the caller passes as much storage as it needs.
        unsafe { ptr::copy(start, storage.cast::<u8>().add(copied), length) };
        copied += length;
    }
    storage
}

unsafe extern "efiapi" fn NdisCopyFromNetBufferToNetBuffer(
    to: *mut NET_BUFFER,
    to_offset: u32,
    wanted: u32,
    from: *const NET_BUFFER,
    from_offset: u32,
    copied: *mut u32,
) -> NDIS_STATUS {
    let routine = "NdisCopyFromNetBufferToNetBuffer";
    begin(to, routine);
    begin(from, routine);
    let world = thread::world();
    let mut state = world.state();
    let mut ranges = |packet: *const NET_BUFFER, offset: u32| {
        // SAFETY: the caller passes two live NET_BUFFERs.
        unsafe {
            let skip = (*packet).CurrentMdlOffset as usize + offset as usize;
            parts(&mut state, (*packet).CurrentMdl, skip)
        }
    };
    let (to_parts, from_parts) = match (ranges(to, to_offset), ranges(from, from_offset)) {
        (Ok(to_parts), Ok(from_parts)) => (to_parts, from_parts),
        (Err(status), _) | (_, Err(status)) => return status,
    };
    // SAFETY: as above.
    let length = unsafe { (*from).DataLength }.saturating_sub(from_offset);
    let mut left = wanted.min(length) as usize;
    let (mut to_parts, mut from_parts) = (to_parts.into_iter(), from_parts.into_iter());
    let (mut to, mut from) = (to_parts.next(), from_parts.next());
    let mut done = 0;
    while let (Some((target, room)), Some((source, have)), 1..) = (to, from, left) {
        let step = room.min(have).min(left);
        guard::check_access(target, step, true);
        // SAFETY: both parts are mapped and as long as that.
        unsafe {
            ptr::copy(source, target, step);
            to = (room > step)
                .then(|| (target.add(step), room - step))
                .or_else(|| to_parts.next());
            from = (have > step)
                .then(|| (source.add(step), have - step))
                .or_else(|| from_parts.next());
        }
        (left, done) = (left - step, done + step);
    }
    // SAFETY: the caller passes a place for the number.
    unsafe { *copied = done as u32 };
    sys::NDIS_STATUS_SUCCESS
}

/// Sets CurrentMdl and CurrentMdlOffset by DataOffset.
///
/// # Safety
/// `packet` and its chain are live.
unsafe fn adjust(packet: *mut NET_BUFFER, routine: &str) {
    // SAFETY: as the caller vouches.
    unsafe {
        let (mut mdl, mut offset) = ((*packet).MdlChain, (*packet).DataOffset);
        while !mdl.is_null() && offset >= (*mdl).ByteCount && !(*mdl).Next.is_null() {
            offset -= (*mdl).ByteCount;
            mdl = (*mdl).Next;
        }
        if !mdl.is_null() && offset > (*mdl).ByteCount {
            let found = "DataOffset lies behind the MDL chain";
            thread::world().violation(Rule::Chain, routine, found.into());
        }
        ((*packet).CurrentMdl, (*packet).CurrentMdlOffset) = (mdl, offset);
    }
}

unsafe extern "efiapi" fn NdisAdjustNetBufferCurrentMdl(packet: *mut NET_BUFFER) {
    begin(packet, "NdisAdjustNetBufferCurrentMdl");
    // SAFETY: the caller passes a live NET_BUFFER.
    unsafe { adjust(packet, "NdisAdjustNetBufferCurrentMdl") };
}

unsafe extern "efiapi" fn NdisRetreatNetBufferDataStart(
    packet: *mut NET_BUFFER,
    delta: u32,
    backfill: u32,
    allocate: Option<AllocateMdl>,
) -> NDIS_STATUS {
    begin(packet, "NdisRetreatNetBufferDataStart");
    // SAFETY: the caller passes a live NET_BUFFER.
    unsafe { retreat(packet, delta, backfill, allocate) }
}

/// # Safety
/// `packet` and its chain are live.
unsafe fn retreat(
    packet: *mut NET_BUFFER,
    delta: u32,
    backfill: u32,
    allocate: Option<AllocateMdl>,
) -> NDIS_STATUS {
    let routine = "NdisRetreatNetBufferDataStart";
    let world = thread::world();
    // SAFETY: as the caller vouches; a new MDL is the driver's or NDIS's, and live.
    unsafe {
        let missing = delta.saturating_sub((*packet).DataOffset);
        if missing > 0 {
            let mut size = missing + backfill;
            let (mdl, buffer) = match allocate {
                Some(allocate) => (allocate(&raw mut size), None),
                None => {
                    if !world.state().may_allocate(routine) {
                        return sys::NDIS_STATUS_RESOURCES;
                    }
                    let bytes = vec![crate::memory::UNINITIALISED; size as usize];
                    let buffer = Buffer::new(&bytes, 0, Backing::NonPagedPool);
                    (buffer.mdl(), Some(buffer))
                }
            };
            if mdl.is_null() {
                return sys::NDIS_STATUS_RESOURCES;
            }
            let size = size.min((*mdl).ByteCount);
            if size < missing {
                let found = format!("NetAllocateMdl gives {size} bytes where {missing} are needed");
                let finding = Finding::new(Rule::Chain, found);
                world.finding(
                    routine,
                    finding.on("ddi/nblapi/nc-nblapi-net_buffer_allocate_mdl"),
                );
                return sys::NDIS_STATUS_FAILURE;
            }
            world.state().mdls.retreated.insert(mdl.addr(), buffer);
            (*mdl).Next = (*packet).MdlChain;
            (*packet).MdlChain = mdl;
            (*packet).DataOffset = (*mdl).ByteCount - missing;
        } else {
            (*packet).DataOffset -= delta;
        }
        (*packet).DataLength += delta;
        adjust(packet, routine);
    }
    sys::NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn NdisAdvanceNetBufferDataStart(
    packet: *mut NET_BUFFER,
    delta: u32,
    frees: BOOLEAN,
    free: Option<FreeMdl>,
) {
    begin(packet, "NdisAdvanceNetBufferDataStart");
    // SAFETY: the caller passes a live NET_BUFFER.
    unsafe { advance(packet, delta, frees != 0, free) };
}

/// # Safety
/// `packet` and its chain are live.
unsafe fn advance(packet: *mut NET_BUFFER, delta: u32, frees: bool, free: Option<FreeMdl>) {
    let routine = "NdisAdvanceNetBufferDataStart";
    let world = thread::world();
    // SAFETY: as the caller vouches.
    unsafe {
        let length = (*packet).DataLength;
        if delta > length {
            let found = format!("by {delta} bytes of {length}");
            return world.violation(Rule::Chain, routine, found);
        }
        (*packet).DataLength -= delta;
        (*packet).DataOffset += delta;
        adjust(packet, routine);
        while frees && (*packet).MdlChain != (*packet).CurrentMdl {
            let unused = (*packet).MdlChain;
            let made = world.state().mdls.retreated.remove(&unused.addr());
            let Some(made) = made else {
                let found = "frees an MDL that no retreat has allocated";
                return world.violation(Rule::OneOwner, routine, found.into());
            };
            (*packet).MdlChain = (*unused).Next;
            (*packet).DataOffset -= (*unused).ByteCount;
            match (made, free) {
                (Some(buffer), None) => drop(buffer),
                (None, Some(free)) => free(unused),
                (Some(_), Some(_)) => {
                    let found = "NetFreeMdl is given for an MDL that NDIS has allocated";
                    world.violation(Rule::Memory, routine, found.into());
                }
                (None, None) => {
                    let found = "without NetFreeMdl for an MDL of the driver's NetAllocateMdl";
                    world.violation(Rule::Memory, routine, found.into());
                }
            }
        }
    }
}

unsafe extern "efiapi" fn NdisRetreatNetBufferListDataStart(
    nbl: *mut NET_BUFFER_LIST,
    delta: u32,
    backfill: u32,
    allocate: Option<AllocateMdl>,
    free: Option<FreeMdl>,
) -> NDIS_STATUS {
    // SAFETY: the caller passes a live NBL.
    unsafe {
        let all = packets(nbl, "NdisRetreatNetBufferListDataStart");
        for (index, packet) in all.iter().enumerate() {
            let status = retreat(*packet, delta, backfill, allocate);
            if status != sys::NDIS_STATUS_SUCCESS {
                for done in &all[..index] {
                    advance(*done, delta, true, free);
                }
                return status;
            }
        }
    }
    sys::NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn NdisAdvanceNetBufferListDataStart(
    nbl: *mut NET_BUFFER_LIST,
    delta: u32,
    frees: BOOLEAN,
    free: Option<FreeMdl>,
) {
    // SAFETY: the caller passes a live NBL.
    unsafe {
        for packet in packets(nbl, "NdisAdvanceNetBufferListDataStart") {
            advance(packet, delta, frees != 0, free);
        }
    }
}

unsafe extern "efiapi" fn NdisQueryNetBufferPhysicalCount(packet: *mut NET_BUFFER) -> u32 {
    begin(packet, "NdisQueryNetBufferPhysicalCount");
    let page = u64::from(sys::PAGE_SIZE);
    let mut pages = 0;
    // SAFETY: the caller passes a live NET_BUFFER.
    unsafe {
        let (mut mdl, mut skip) = ((*packet).CurrentMdl, (*packet).CurrentMdlOffset);
        let mut left = (*packet).DataLength;
        while left > 0 && !mdl.is_null() {
            let length = left.min((*mdl).ByteCount.saturating_sub(skip));
            let first = u64::from((*mdl).ByteOffset + skip) % page;
            pages += (first + u64::from(length)).div_ceil(page) as u32;
            (left, skip, mdl) = (left - length, 0, (*mdl).Next);
        }
    }
    pages
}

impl State {
    /// The driver is gone: NDIS has no MDL of a retreat any more.
    pub(crate) fn check_retreats_gone(&mut self) {
        let left = std::mem::take(&mut self.mdls.retreated);
        // Those of the driver's own are the driver's to count.
        for _ in left.values().flatten() {
            let found = "an MDL of NDIS was never freed by an advance";
            let subject = "NdisRetreatNetBufferDataStart";
            self.finding(
                subject,
                Finding::at(Level::Contract, Rule::NothingLeft, found),
            );
        }
    }
}

super::exports! {
    NdisGetDataBuffer
    NdisCopyFromNetBufferToNetBuffer
    NdisAdjustNetBufferCurrentMdl
    NdisRetreatNetBufferDataStart
    NdisAdvanceNetBufferDataStart
    NdisRetreatNetBufferListDataStart
    NdisAdvanceNetBufferListDataStart
    NdisQueryNetBufferPhysicalCount
}
