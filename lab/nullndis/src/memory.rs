//! Memory: NBLs, NET_BUFFERs and their pools, MDLs, and the driver object's extension.

use std::{cell::Cell, ffi::c_void, ptr};

use ndis::sys::{
    self, MDL, NDIS_HANDLE, NET_BUFFER, NET_BUFFER_LIST, NET_BUFFER_LIST_CONTEXT,
    NET_BUFFER_LIST_POOL_PARAMETERS, NET_BUFFER_POOL_PARAMETERS,
};

use crate::hooks::{allocate, free, may_allocate_nbl};

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
    if !may_allocate_nbl() {
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

thread_local! {
    /// The extension of the one driver object; the key is of no account.
    static EXTENSION: Cell<*mut c_void> = const { Cell::new(ptr::null_mut()) };
}

/// Frees the extension of the driver object, as the system does with the object.
///
/// # Safety
///
/// The driver is unloaded.
pub(crate) unsafe fn free_extension() {
    // SAFETY: of IoAllocateDriverObjectExtension, and not in use by this function's contract.
    unsafe { free(EXTENSION.replace(ptr::null_mut())) };
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn IoAllocateDriverObjectExtension(
    _driver: *mut sys::DRIVER_OBJECT,
    _key: *mut c_void,
    size: u32,
    extension: *mut *mut c_void,
) -> sys::NTSTATUS {
    let memory = allocate(size as usize);
    EXTENSION.set(memory);
    // SAFETY: the caller passes a place for the pointer.
    unsafe { *extension = memory };
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn IoGetDriverObjectExtension(
    _driver: *mut sys::DRIVER_OBJECT,
    _key: *mut c_void,
) -> *mut c_void {
    EXTENSION.get()
}

crate::routines! {
    ExAllocatePool2
    ExFreePoolWithTag
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
