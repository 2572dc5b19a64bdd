//! NDIS's pools of NBLs and of NET_BUFFERs, and blocks of the kernel's.

use core::ptr::{self, NonNull};

use ndis::{ModuleHandle, Status, Tag, allocate_bytes, driver::header, free_bytes};
use ndis_sys as sys;

/// The NDIS pool that the children's NBLs come from.
pub(crate) struct NblPool {
    pool: sys::NDIS_HANDLE,
    context_size: u16,
}

// SAFETY: NDIS synchronises access to its pools.
unsafe impl Send for NblPool {}
// SAFETY: as above.
unsafe impl Sync for NblPool {}

impl NblPool {
    pub(crate) fn try_new(module: ModuleHandle, context_size: usize) -> Result<Self, Status> {
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
            PoolTag: Tag::CHILD.value(),
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

    pub(crate) fn allocate(&self) -> Option<NonNull<sys::NET_BUFFER_LIST>> {
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

    /// # Safety
    /// `nbl` is from [`allocate`](Self::allocate) and owned by the caller.
    pub(crate) unsafe fn free(&self, nbl: NonNull<sys::NET_BUFFER_LIST>) {
        // SAFETY: `nbl` is from this pool and owned here (invariant 2).
        unsafe { sys::NdisFreeNetBufferList(nbl.as_ptr()) };
    }
}

impl Drop for NblPool {
    fn drop(&mut self) {
        // SAFETY: ChildPool's drop freed all NBLs of the pool before its fields are dropped
        // (invariant 9).
        unsafe { sys::NdisFreeNetBufferListPool(self.pool) };
    }
}

/// The NDIS pool that the NET_BUFFERs of further packets come from.
pub(crate) struct NetBufferPool {
    pool: sys::NDIS_HANDLE,
}

// SAFETY: NDIS synchronises access to its pools.
unsafe impl Send for NetBufferPool {}
// SAFETY: as above.
unsafe impl Sync for NetBufferPool {}

impl NetBufferPool {
    pub(crate) fn try_new(module: ModuleHandle) -> Result<Self, Status> {
        let parameters = sys::NET_BUFFER_POOL_PARAMETERS {
            Header: header(
                sys::NDIS_OBJECT_TYPE_DEFAULT,
                sys::NET_BUFFER_POOL_PARAMETERS_REVISION_1,
                sys::NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1,
            ),
            PoolTag: Tag::CHILD.value(),
            DataSize: 0,
        };
        // SAFETY: `module` is the handle of a filter module that is attached, and the parameters
        // are read during the call only.
        let pool = unsafe { sys::NdisAllocateNetBufferPool(module.raw(), &raw const parameters) };
        if pool.is_null() {
            return Err(Status::RESOURCES);
        }
        Ok(Self { pool })
    }

    pub(crate) fn allocate(&self) -> Option<NonNull<sys::NET_BUFFER>> {
        // SAFETY: a null MDL chain goes with offset and length 0.
        NonNull::new(unsafe { sys::NdisAllocateNetBuffer(self.pool, ptr::null_mut(), 0, 0) })
    }

    /// # Safety
    /// `net_buffer` is from [`allocate`](Self::allocate) and owned by the caller.
    pub(crate) unsafe fn free(&self, net_buffer: *mut sys::NET_BUFFER) {
        // SAFETY: `net_buffer` is from this pool and owned here (invariant 2).
        unsafe { sys::NdisFreeNetBuffer(net_buffer) };
    }
}

impl Drop for NetBufferPool {
    fn drop(&mut self) {
        // SAFETY: ChildPool's drop freed all NET_BUFFERs of the pool before its fields are dropped
        // (invariant 9).
        unsafe { sys::NdisFreeNetBufferPool(self.pool) };
    }
}

/// A block of `bytes` bytes that begins with a `T`, uninitialized. The pool aligns it to 16 bytes.
pub(crate) fn allocate_block<T>(tag: Tag, bytes: usize) -> Option<NonNull<T>> {
    const { assert!(align_of::<T>() <= 16) };
    allocate_bytes(tag, bytes).ok().map(NonNull::cast)
}

/// # Safety
/// `block` is from [`allocate_block`] under `tag`, and is not used any more.
pub(crate) unsafe fn free_block<T>(tag: Tag, block: NonNull<T>) {
    // SAFETY: by this function's contract.
    unsafe { free_bytes(tag, block.cast()) };
}
