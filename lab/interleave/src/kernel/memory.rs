//! Memory, which is checked for leaks at the end of a case. Freed memory stays out of use,
//! overwritten, until then.

use std::{
    alloc::{Layout, alloc},
    cell::RefCell,
    collections::HashMap,
    ffi::c_void,
    ptr,
};

use ndis::sys::{
    self, MDL, NDIS_HANDLE, NET_BUFFER, NET_BUFFER_LIST, NET_BUFFER_LIST_CONTEXT,
    NET_BUFFER_LIST_POOL_PARAMETERS, NET_BUFFER_POOL_PARAMETERS,
};

use crate::world;

/// Before each allocation. It keeps the allocation cache aligned.
#[repr(align(64))]
struct Head {
    size: usize,
    is_free: bool,
}

#[derive(Default)]
struct Ledger {
    /// Everything that was allocated in this run of the case.
    used: Vec<*mut Head>,
    /// Memory of earlier runs, by its size. It is kept: thousands of runs follow.
    spare: HashMap<usize, Vec<*mut Head>>,
}

thread_local! {
    static LEDGER: RefCell<Ledger> = RefCell::default();
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size_of::<Head>() + size, align_of::<Head>()).expect("a size")
}

/// Zeroed memory.
pub(super) fn allocate(size: usize) -> *mut c_void {
    LEDGER.with_borrow_mut(|ledger| {
        let spare = ledger.spare.get_mut(&size).and_then(Vec::pop);
        // SAFETY: the layout is longer than nothing, and begins with a head.
        unsafe {
            let head = spare.unwrap_or_else(|| alloc(layout(size)).cast::<Head>());
            assert!(!head.is_null(), "out of memory");
            let is_free = false;
            head.write(Head { size, is_free });
            ledger.used.push(head);
            let memory = head.add(1);
            ptr::write_bytes(memory.cast::<u8>(), 0, size);
            memory.cast()
        }
    })
}

/// The first bytes of freed memory, and their number.
const GONE: u8 = 0xDE;
const MOST_GONE: usize = 2048;

/// # Safety
/// `memory` is of [`allocate`].
pub(super) unsafe fn free(memory: *mut c_void) {
    // SAFETY: as the caller vouches, and the memory stays until the case ends.
    unsafe {
        let head = memory.cast::<Head>().sub(1);
        if (*head).is_free {
            world::wrong("freed twice");
        }
        (*head).is_free = true;
        ptr::write_bytes(memory.cast::<u8>(), GONE, (*head).size.min(MOST_GONE));
    }
}

/// Notes where `memory` is used that was freed.
///
/// # Safety
/// `memory` is of [`allocate`].
pub(super) unsafe fn check(memory: *const c_void) {
    // SAFETY: as the caller vouches, and the memory stays until the case ends.
    if unsafe { (*memory.cast::<Head>().sub(1)).is_free } {
        world::wrong("used after it was freed");
    }
}

/// From now on the driver can allocate `count` NBLs and no more.
pub fn limit_nbls(count: usize) {
    world::with(|world| world.nbls_left = Some(count));
}

/// Ends the case's use of memory. Returns the number of allocations that were not freed.
#[must_use]
pub(crate) fn leaked() -> usize {
    LEDGER.with_borrow_mut(|ledger| {
        let mut leaked = 0;
        for head in ledger.used.drain(..) {
            // SAFETY: it stays allocated.
            let (size, is_free) = unsafe { ((*head).size, (*head).is_free) };
            leaked += usize::from(!is_free);
            ledger.spare.entry(size).or_default().push(head);
        }
        leaked
    })
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn ExAllocatePool2(_flags: u64, size: usize, _tag: u32) -> *mut c_void {
    allocate(size)
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn ExFreePoolWithTag(memory: *mut c_void, _tag: u32) {
    // SAFETY: as the caller vouches.
    unsafe { free(memory) };
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisAllocateNetBufferListPool(
    _module: NDIS_HANDLE,
    _parameters: *const NET_BUFFER_LIST_POOL_PARAMETERS,
) -> NDIS_HANDLE {
    allocate(1)
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFreeNetBufferListPool(pool: NDIS_HANDLE) {
    // SAFETY: as the caller vouches.
    unsafe { free(pool) };
}

/// One allocation holds the list, its packet and its context, as in NDIS.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisAllocateNetBufferAndNetBufferList(
    pool: NDIS_HANDLE,
    context_size: u16,
    _context_backfill: u16,
    _mdl_chain: *mut MDL,
    _data_offset: u32,
    _data_length: usize,
) -> *mut NET_BUFFER_LIST {
    let refused = world::with(|world| match &mut world.nbls_left {
        Some(0) => true,
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    });
    if refused {
        return ptr::null_mut();
    }
    let size = size_of::<NET_BUFFER_LIST>()
        + size_of::<NET_BUFFER>()
        + size_of::<NET_BUFFER_LIST_CONTEXT>()
        + usize::from(context_size);
    let nbl = allocate(size).cast::<NET_BUFFER_LIST>();
    // SAFETY: the memory has room for all of them; zeros are an empty list and an empty packet.
    unsafe {
        let packet = nbl.add(1).cast::<NET_BUFFER>();
        let context = packet.add(1).cast::<NET_BUFFER_LIST_CONTEXT>();
        (*context).Size = context_size;
        (*nbl).FirstNetBuffer = packet;
        (*nbl).Context = context;
        (*nbl).NdisPoolHandle = pool;
    }
    nbl
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFreeNetBufferList(nbl: *mut NET_BUFFER_LIST) {
    // SAFETY: as the caller vouches.
    unsafe { free(nbl.cast()) };
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisAllocateNetBufferPool(
    _module: NDIS_HANDLE,
    _parameters: *const NET_BUFFER_POOL_PARAMETERS,
) -> NDIS_HANDLE {
    allocate(1)
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFreeNetBufferPool(pool: NDIS_HANDLE) {
    // SAFETY: as the caller vouches.
    unsafe { free(pool) };
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisAllocateNetBuffer(
    _pool: NDIS_HANDLE,
    _mdl_chain: *mut MDL,
    _data_offset: u32,
    _data_length: usize,
) -> *mut NET_BUFFER {
    allocate(size_of::<NET_BUFFER>()).cast()
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFreeNetBuffer(packet: *mut NET_BUFFER) {
    // SAFETY: as the caller vouches.
    unsafe { free(packet.cast()) };
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn MmBuildMdlForNonPagedPool(mdl: *mut MDL) {
    // SAFETY: the caller passes an MDL; page frame numbers are not read here.
    unsafe {
        (*mdl).MdlFlags |= sys::MDL_SOURCE_IS_NONPAGED_POOL;
        (*mdl).MappedSystemVa = (*mdl).StartVa.wrapping_byte_add((*mdl).ByteOffset as usize);
    }
}
