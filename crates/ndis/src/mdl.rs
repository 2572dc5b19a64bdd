//! Memory descriptor lists: reading a packet's first bytes, and walking its payload.
//!
//! The inline functions of `wdm.h` that have no export are written out here under the names of
//! what they do: [`system_address`], [`prepare_for_reuse`], [`initialize`].

use core::{
    mem::MaybeUninit,
    ptr::{self, NonNull},
};

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
    /// There is no memory for a copy now.
    NoMemory,
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

    /// Copies the packet's first bytes, as many as it has and `into` takes, from however many MDLs
    /// they lie in, and returns them. In a tunnelled packet only the outer headers are sure to be
    /// in the first MDL (Windows driver documentation, "Supporting NVGRE in Large Send Offload
    /// (LSO)").
    ///
    /// # Errors
    /// [`BufferError`] where the NET_BUFFER is inconsistent or cannot be mapped.
    pub fn copy_front_gathered<'a>(&self, into: &'a mut [u8]) -> Result<&'a [u8], BufferError> {
        let most = u32::try_from(into.len()).unwrap_or(u32::MAX);
        let length = most.min(self.data_length());
        let front = into.get_mut(..length as usize).unwrap_or_default();
        // SAFETY: `front` is `length` bytes long and this thread's own.
        unsafe { self.payload(0)?.copy(front.as_mut_ptr(), length)? };
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

/// Most bytes that [`PayloadCursor::read`] lends at once: a segment of the usual MTU in one piece.
/// It is an even number.
const READ_AT_ONCE: u32 = 1536;

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

    /// Moves to the next MDL that has bytes from the cursor on, and says how many.
    pub(crate) fn skip_empty(&mut self) -> Result<u32, BufferError> {
        loop {
            let left = self.left_in_mdl()?;
            if left > 0 {
                return Ok(left);
            }
            self.next_mdl();
        }
    }

    /// Copies the next `length` bytes to `into`, and moves behind them.
    ///
    /// # Errors
    /// [`BufferError`] where the chain ends before or an MDL cannot be mapped.
    ///
    /// # Safety
    /// `into` has room for `length` bytes, which are nobody else's.
    pub(crate) unsafe fn copy(&mut self, into: *mut u8, length: u32) -> Result<(), BufferError> {
        let (mut into, mut left) = (into, length);
        while left > 0 {
            let part = self.skip_empty()?.min(left);
            // SAFETY: `skip_empty` found the current MDL to be one of the owned chain; the pages
            // of a packet being sent are locked or non-paged.
            let address = unsafe { system_address(self.mdl) };
            if address.is_null() {
                return Err(BufferError::NotMapped);
            }
            // SAFETY: `part` bytes from the cursor on lie within the MDL, which is mapped at
            // `address`, and the caller vouches for `into`, of which `left` bytes are left.
            unsafe {
                let from = address.add(self.offset as usize);
                ptr::copy_nonoverlapping(from, into, part as usize);
                into = into.add(part as usize);
            }
            self.offset = self.offset.saturating_add(part);
            left = left.saturating_sub(part);
        }
        Ok(())
    }

    /// Lends the next `length` bytes to `visit`, piece by piece and without moving. However they
    /// lie in memory, every piece but the last is equally long, and that length is even.
    ///
    /// What is lent is a copy in a small buffer on the stack. The memory behind the MDLs may be a
    /// guest's, which may go on writing to it, and a `&[u8]` promises that nobody does. The copy
    /// costs a checksum of 1,448 bytes a third more than reading in place would, and leaves the
    /// checksum plain safe code on a slice; that is what volatile or atomic reads would not.
    ///
    /// # Errors
    /// [`BufferError`] where the chain ends before or an MDL cannot be mapped. `visit` may have
    /// seen some of the bytes then.
    // Not inlined: the buffer is to be off the stack again when the caller sends.
    #[inline(never)]
    pub fn read(&self, length: u32, visit: &mut impl FnMut(&[u8])) -> Result<(), BufferError> {
        let mut cursor = Self {
            mdl: self.mdl,
            offset: self.offset,
            of: self.of,
        };
        let mut piece = MaybeUninit::<[u8; READ_AT_ONCE as usize]>::uninit();
        let mut left = length;
        while left > 0 {
            let part = left.min(READ_AT_ONCE);
            // SAFETY: `piece` is at least `part` bytes long and this thread's own, and `copy` has
            // written that many when it succeeds.
            let bytes = unsafe {
                cursor.copy(piece.as_mut_ptr().cast(), part)?;
                core::slice::from_raw_parts(piece.as_ptr().cast(), part as usize)
            };
            visit(bytes);
            left = left.saturating_sub(part);
        }
        Ok(())
    }

    /// Makes `piece` describe what the current MDL has from the cursor on, `length` bytes at most,
    /// as a chain of its own, and moves behind it. Returns how many bytes these are.
    ///
    /// # Errors
    /// [`BufferError::Malformed`] where the chain ends before.
    ///
    /// # Safety
    /// `piece` has room for an MDL of that many bytes, at most `length`, and nobody else uses it.
    pub(crate) unsafe fn take_piece(
        &mut self,
        length: u32,
        piece: *mut sys::MDL,
    ) -> Result<u32, BufferError> {
        let part = self.skip_empty()?.min(length);
        // SAFETY: `skip_empty` found the current MDL to be one of the owned chain, with at least
        // `part` bytes from the cursor on; the caller vouches for `piece`.
        unsafe {
            initialize(piece, ptr::null_mut(), 0, part);
            let start = virtual_address(self.mdl).wrapping_add(self.offset as usize);
            sys::IoBuildPartialMdl(self.mdl, piece, start.cast(), part);
        }
        self.offset = self.offset.saturating_add(part);
        Ok(part)
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
