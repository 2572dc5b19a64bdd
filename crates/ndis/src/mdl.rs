//! Memory descriptor lists: reading a packet's first bytes, and walking its payload.
//!
//! The inline functions of `wdm.h` that have no export are written out here under the names of
//! what they do: [`system_address`], [`prepare_for_reuse`], [`initialize`].

use core::ptr::{self, NonNull};

use crate::{nbl::NetBuffer, sys};

/// The bits of an address that lie within a page.
const PAGE_MASK: usize = 0xFFF;
const _: () = assert!(PAGE_MASK + 1 == sys::PAGE_SIZE as usize);

/// Pages that `length` bytes can touch when they start anywhere in a page.
#[must_use]
pub(crate) const fn worst_case_pages(length: u32) -> u32 {
    length.div_ceil(sys::PAGE_SIZE).saturating_add(1)
}

/// Bytes of page frame numbers behind an MDL that describes up to `capacity` bytes.
#[must_use]
pub(crate) const fn page_array_size(capacity: u32) -> usize {
    (worst_case_pages(capacity) as usize).saturating_mul(size_of::<sys::PFN_NUMBER>())
}

/// Address at which the kernel can read what `mdl` describes, or null where it cannot be mapped
/// now. The mapping lives as long as the MDL's owner keeps it. (MmGetSystemAddressForMdlSafe)
///
/// # Safety
/// `mdl` points to a live MDL whose pages are locked or non-paged, and that this code may use.
unsafe fn system_address(mdl: *mut sys::MDL) -> *mut u8 {
    let mapped = sys::MDL_MAPPED_TO_SYSTEM_VA | sys::MDL_SOURCE_IS_NONPAGED_POOL;
    // SAFETY: the caller vouches for the MDL.
    unsafe {
        if (*mdl).MdlFlags & mapped != 0 {
            return (*mdl).MappedSystemVa.cast();
        }
        sys::MmMapLockedPagesSpecifyCache(
            mdl,
            sys::KernelMode,
            sys::MmCached,
            ptr::null_mut(),
            0,
            sys::NormalPagePriority | sys::MdlMappingNoExecute,
        )
        .cast()
    }
}

/// First byte of what `mdl` describes, as the address that IoBuildPartialMdl takes; it may not be
/// mapped. (MmGetMdlVirtualAddress)
///
/// # Safety
/// `mdl` points to a live MDL.
unsafe fn virtual_address(mdl: *mut sys::MDL) -> *mut u8 {
    // SAFETY: the caller vouches for the MDL; no memory is touched at the address itself.
    unsafe {
        (*mdl)
            .StartVa
            .cast::<u8>()
            .wrapping_add((*mdl).ByteOffset as usize)
    }
}

/// Writes an MDL's header for `length` bytes at `base`, with room for the pages of `capacity`
/// bytes at the worst place in a page. (MmInitializeMdl)
///
/// # Safety
/// `mdl` is followed by [`worst_case_pages`] of `capacity` page frame numbers in its allocation.
pub(crate) unsafe fn initialize(mdl: *mut sys::MDL, base: *mut u8, length: u32, capacity: u32) {
    let bytes = size_of::<sys::MDL>().saturating_add(page_array_size(capacity));
    let page_offset = base.addr() & PAGE_MASK;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "the offset is below 4096, and ChildPool bounds the capacity so that the size fits"
    )]
    // SAFETY: the caller vouches for the memory.
    unsafe {
        (*mdl).Next = ptr::null_mut();
        (*mdl).Size = bytes as i16;
        (*mdl).MdlFlags = 0;
        (*mdl).StartVa = base.wrapping_sub(page_offset).cast();
        (*mdl).ByteOffset = page_offset as u32;
        (*mdl).ByteCount = length;
    }
}

/// Undoes what a lower driver's mapping left on a partial MDL, before its pages go back to their
/// owner. (MmPrepareMdlForReuse)
///
/// # Safety
/// `mdl` points to an MDL of ours that nobody else uses.
pub(crate) unsafe fn prepare_for_reuse(mdl: *mut sys::MDL) {
    // SAFETY: the caller vouches for the MDL; the flag says that it is mapped at MappedSystemVa.
    unsafe {
        if (*mdl).MdlFlags & sys::MDL_PARTIAL_HAS_BEEN_MAPPED != 0 {
            sys::MmUnmapLockedPages((*mdl).MappedSystemVa, mdl);
        }
    }
}

/// Why a packet's bytes could not be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BufferError {
    /// The MDL chain is shorter than the NET_BUFFER says, or its offsets lie outside of it.
    Malformed,
    /// The kernel has no address space for a mapping now.
    NotMapped,
}

impl NetBuffer<'_> {
    /// Copies the packet's first bytes, as many as its first MDL holds and `into` takes, and
    /// returns them. All headers of a large send are there (Windows driver documentation,
    /// "Offloading the Segmentation of Large TCP Packets").
    ///
    /// A copy, because a guest may still be able to write to the memory behind the MDL: what was
    /// checked must be what is used.
    ///
    /// # Errors
    /// [`BufferError`] where the NET_BUFFER is inconsistent or cannot be mapped.
    pub fn copy_front<'a>(&self, into: &'a mut [u8]) -> Result<&'a [u8], BufferError> {
        let raw = self.raw.as_ptr();
        // SAFETY: the NET_BUFFER and its MDLs belong to an NBL that is owned meanwhile.
        let (mdl, offset, data_length) = unsafe {
            (
                (*raw).CurrentMdl,
                (*raw).CurrentMdlOffset,
                (*raw).DataLength,
            )
        };
        let mdl = NonNull::new(mdl).ok_or(BufferError::Malformed)?.as_ptr();
        // SAFETY: as above.
        let in_mdl = unsafe { (*mdl).ByteCount }
            .checked_sub(offset)
            .ok_or(BufferError::Malformed)?;
        let length = into.len().min(in_mdl.min(data_length) as usize);
        // SAFETY: the pages of a packet being sent are locked or non-paged.
        let address = unsafe { system_address(mdl) };
        if address.is_null() {
            return Err(BufferError::NotMapped);
        }
        let front = into.get_mut(..length).unwrap_or_default();
        // SAFETY: `offset + length` bytes lie within the MDL, which is mapped at `address`, and
        // `front` is this thread's own memory.
        unsafe {
            ptr::copy_nonoverlapping(address.add(offset as usize), front.as_mut_ptr(), length)
        };
        Ok(front)
    }

    /// A cursor at byte `skip` of the packet.
    ///
    /// # Errors
    /// [`BufferError::Malformed`] where the packet is shorter than that.
    pub fn payload(&self, skip: u32) -> Result<PayloadCursor<'_>, BufferError> {
        let raw = self.raw.as_ptr();
        // SAFETY: the NET_BUFFER belongs to an NBL that is owned meanwhile.
        let (mdl, offset) = unsafe { ((*raw).CurrentMdl, (*raw).CurrentMdlOffset) };
        let mut cursor = PayloadCursor {
            mdl,
            offset,
            of: core::marker::PhantomData,
        };
        cursor.advance(skip)?;
        Ok(cursor)
    }
}

/// A place in a packet's MDL chain. It reads the chain and never changes it.
pub struct PayloadCursor<'nb> {
    mdl: *mut sys::MDL,
    /// Bytes of `mdl` that lie before the cursor.
    offset: u32,
    of: core::marker::PhantomData<&'nb NetBuffer<'nb>>,
}

impl PayloadCursor<'_> {
    /// Bytes of the current MDL from the cursor on.
    fn left_in_mdl(&self) -> Result<u32, BufferError> {
        let mdl = NonNull::new(self.mdl).ok_or(BufferError::Malformed)?;
        // SAFETY: the chain is owned for `'nb`, and `mdl` is one of it.
        unsafe { (*mdl.as_ptr()).ByteCount }
            .checked_sub(self.offset)
            .ok_or(BufferError::Malformed)
    }

    /// Moves `length` bytes on. Stops at the end of an MDL rather than at the start of the next.
    fn advance(&mut self, length: u32) -> Result<(), BufferError> {
        let mut length = length;
        loop {
            let left = self.left_in_mdl()?;
            if length <= left {
                self.offset = self.offset.saturating_add(length);
                return Ok(());
            }
            length = length.saturating_sub(left);
            self.next_mdl();
        }
    }

    fn next_mdl(&mut self) {
        // SAFETY: called after `left_in_mdl` found the current MDL to be one of the owned chain.
        self.mdl = unsafe { (*self.mdl).Next };
        self.offset = 0;
    }

    /// Hands out the next `length` bytes (at least one) as an MDL chain that starts exactly there,
    /// and moves behind them. The chain may go on past `length`; a DataLength bounds it.
    ///
    /// An MDL that starts here is lent as it is. One that does not is described by `partial`: so
    /// every MDL of the packet is lent to one window only, the one that has its first byte.
    ///
    /// # Errors
    /// [`BufferError::Malformed`] where the chain ends before.
    ///
    /// # Safety
    /// `partial` was set up by [`initialize`] with a capacity of at least `length`, and nobody
    /// else uses it.
    pub(crate) unsafe fn take(
        &mut self,
        length: u32,
        partial: *mut sys::MDL,
    ) -> Result<*mut sys::MDL, BufferError> {
        while self.left_in_mdl()? == 0 {
            self.next_mdl();
        }
        if self.offset == 0 {
            let first = self.mdl;
            self.advance(length)?;
            return Ok(first);
        }
        let left = self.left_in_mdl()?;
        let (source, offset) = (self.mdl, self.offset);
        self.advance(length)?;
        // SAFETY: `source` is an MDL of the owned chain and has `left` bytes from `offset` on;
        // the caller vouches for `partial`.
        unsafe {
            let start = virtual_address(source).wrapping_add(offset as usize);
            sys::IoBuildPartialMdl(source, partial, start.cast(), length.min(left));
            (*partial).Next = if length > left {
                (*source).Next
            } else {
                ptr::null_mut()
            };
        }
        Ok(partial)
    }
}
