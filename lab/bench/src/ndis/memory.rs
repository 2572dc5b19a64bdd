//! Memory: pools that count requests.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ffi::c_void,
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};

use ::ndis::sys::{
    self, EX_RUNDOWN_REF_CACHE_AWARE, MDL, NDIS_HANDLE, NET_BUFFER, NET_BUFFER_LIST,
    NET_BUFFER_LIST_CONTEXT, NET_BUFFER_LIST_POOL_PARAMETERS, NET_BUFFER_POOL_PARAMETERS,
};

/// Calls of routines that allocate or free, by all threads.
static POOL_CALLS: AtomicU64 = AtomicU64::new(0);

/// Calls of routines that allocate or free, so far.
pub(crate) fn pool_calls() -> u64 {
    POOL_CALLS.load(Ordering::Relaxed)
}

/// Bytes before each allocation, where its size is kept. It keeps the allocation cache aligned.
const HEAD: usize = 64;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(HEAD + size, HEAD).expect("a size that the filter asks for")
}

/// Zeroed memory.
fn allocate(size: usize) -> *mut c_void {
    POOL_CALLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the layout is longer than nothing; the size fits in the head.
    unsafe {
        let memory = alloc_zeroed(layout(size));
        assert!(!memory.is_null(), "out of memory");
        memory.cast::<usize>().write(size);
        memory.add(HEAD).cast()
    }
}

/// # Safety
/// `memory` is of [`allocate`], and is not in use any more.
unsafe fn free(memory: *mut c_void) {
    POOL_CALLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: as the caller vouches.
    unsafe {
        let memory = memory.cast::<u8>().sub(HEAD);
        dealloc(memory, layout(memory.cast::<usize>().read()));
    }
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
unsafe extern "efiapi" fn ExAllocateCacheAwareRundownProtection(
    _pool: i32,
    _tag: u32,
) -> *mut EX_RUNDOWN_REF_CACHE_AWARE {
    allocate(1).cast()
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn ExFreeCacheAwareRundownProtection(
    reference: *mut EX_RUNDOWN_REF_CACHE_AWARE,
) {
    // SAFETY: as the caller vouches.
    unsafe { free(reference.cast()) };
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
    // SAFETY: the caller passes an MDL with room for its page frame numbers.
    unsafe {
        let (start, offset) = ((*mdl).StartVa, (*mdl).ByteOffset as usize);
        (*mdl).MdlFlags |= sys::MDL_SOURCE_IS_NONPAGED_POOL;
        (*mdl).MappedSystemVa = start.wrapping_byte_add(offset);
        let pages = (offset + (*mdl).ByteCount as usize).div_ceil(sys::PAGE_SIZE as usize);
        let numbers = mdl.add(1).cast::<sys::PFN_NUMBER>();
        for page in 0..pages {
            *numbers.add(page) = (start.addr() >> sys::PAGE_SHIFT) + page;
        }
    }
}

/// The key is of no account: there is one driver, with one extension.
static EXTENSION: std::sync::atomic::AtomicPtr<c_void> =
    std::sync::atomic::AtomicPtr::new(ptr::null_mut());

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn IoAllocateDriverObjectExtension(
    _driver: *mut sys::DRIVER_OBJECT,
    _key: *mut c_void,
    size: u32,
    extension: *mut *mut c_void,
) -> sys::NTSTATUS {
    let memory = allocate(size as usize);
    EXTENSION.store(memory, Ordering::Relaxed);
    // SAFETY: the caller passes a place for the pointer.
    unsafe { *extension = memory };
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn IoGetDriverObjectExtension(
    _driver: *mut sys::DRIVER_OBJECT,
    _key: *mut c_void,
) -> *mut c_void {
    EXTENSION.load(Ordering::Relaxed)
}

super::routines! {
    ExAllocatePool2
    ExFreePoolWithTag
    ExAllocateCacheAwareRundownProtection
    ExFreeCacheAwareRundownProtection
    NdisAllocateNetBufferListPool
    NdisFreeNetBufferListPool
    NdisAllocateNetBufferAndNetBufferList
    NdisFreeNetBufferList
    NdisAllocateNetBufferPool
    NdisFreeNetBufferPool
    NdisAllocateNetBuffer
    NdisFreeNetBuffer
    MmBuildMdlForNonPagedPool
    IoAllocateDriverObjectExtension
    IoGetDriverObjectExtension
}
