//! Memory descriptor lists: reading a packet's first bytes, and walking its payload.
//!
//! The inline functions of `wdm.h` that have no export are written out here, each named after its
//! effect: [`system_address`], [`prepare_for_reuse`], [`initialize`].

use core::ptr::{self, NonNull};

use checksum::Sum;

use crate::{nbl::NetBuffer, sys};

/// The bits of an address that lie within a page.
const PAGE_MASK: usize = 0xFFF;
const _: () = assert!(PAGE_MASK + 1 == sys::PAGE_SIZE as usize);

/// Pages that `length` bytes can touch when they start anywhere in a page.
#[must_use]
pub(crate) const fn worst_case_pages(length: u32) -> u32 {
    length.div_ceil(sys::PAGE_SIZE).saturating_add(1)
}

/// Bytes of the page frame numbers after an MDL that describes up to `capacity` bytes.
#[must_use]
pub const fn page_array_size(capacity: u32) -> usize {
    (worst_case_pages(capacity) as usize).saturating_mul(size_of::<sys::PFN_NUMBER>())
}

/// The address at which the kernel can read the bytes that `mdl` describes, or null if they cannot
/// be mapped now. The mapping lives as long as the MDL's owner keeps it.
/// (MmGetSystemAddressForMdlSafe)
///
/// # Safety
/// `mdl` points to a live MDL whose pages are locked or non-paged, and that this code may use.
unsafe fn system_address(mdl: *mut sys::MDL) -> *mut u8 {
    let mapped = sys::MDL_MAPPED_TO_SYSTEM_VA | sys::MDL_SOURCE_IS_NONPAGED_POOL;
    // SAFETY: `mdl` is a live MDL whose pages are locked or non-paged, by this function's contract.
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

/// The first byte that `mdl` describes, as the address that IoBuildPartialMdl takes; it may not be
/// mapped. (MmGetMdlVirtualAddress)
///
/// # Safety
/// `mdl` points to a live MDL.
unsafe fn virtual_address(mdl: *mut sys::MDL) -> *mut u8 {
    // SAFETY: `mdl` is a live MDL, by this function's contract; the memory at the address itself is
    // not touched.
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
pub unsafe fn initialize(mdl: *mut sys::MDL, base: *mut u8, length: u32, capacity: u32) {
    let bytes = size_of::<sys::MDL>().saturating_add(page_array_size(capacity));
    let page_offset = base.addr() & PAGE_MASK;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "the offset is below 4096, and ChildPool bounds the capacity so that the size fits"
    )]
    // SAFETY: `mdl` is followed by room for the page frame numbers, by this function's contract.
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
/// `mdl` points to an MDL of ours that is not used elsewhere.
pub unsafe fn prepare_for_reuse(mdl: *mut sys::MDL) {
    // SAFETY: `mdl` is an unshared MDL of ours, by this function's contract; the flag means that it
    // is mapped at MappedSystemVa.
    unsafe {
        if (*mdl).MdlFlags & sys::MDL_PARTIAL_HAS_BEEN_MAPPED != 0 {
            sys::MmUnmapLockedPages((*mdl).MappedSystemVa, mdl);
        }
    }
}

/// The reason for which a packet's bytes are not accessible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BufferError {
    /// The MDL chain is shorter than the NET_BUFFER's DataLength, or its offsets lie outside of it.
    Malformed,
    /// The kernel has no address space for a mapping now.
    NotMapped,
    /// There is no memory for a copy now.
    NoMemory,
}

/// Copies `length` bytes, each read once: a guest or a program may write to them meanwhile, and
/// bytes that are validated afterwards must not be read from there again.
///
/// # Safety
/// `length` bytes are mapped at `from`, and `length` bytes at `into` belong to this code only.
unsafe fn read_once(from: *const u8, into: *mut u8, length: usize) {
    /// The content of a register, at any address.
    #[derive(Clone, Copy)]
    #[repr(C, packed)]
    struct Word(u64);
    const WORD: usize = size_of::<Word>();

    let words = length / WORD;
    // SAFETY: `length` bytes are mapped at `from` and owned at `into`, by this function's contract;
    // words and bytes together are `length` bytes.
    unsafe {
        for at in 0..words {
            let word = ptr::read_volatile(from.cast::<Word>().add(at));
            into.cast::<Word>().add(at).write(word);
        }
        for at in words.saturating_mul(WORD)..length {
            into.add(at).write(ptr::read_volatile(from.add(at)));
        }
    }
}

impl NetBuffer<'_> {
    /// Copies the packet's first bytes, as many as its first MDL holds and `into` has room for, and
    /// returns them. All headers of a large send are there (Windows driver documentation,
    /// "Offloading the Segmentation of Large TCP Packets").
    ///
    /// The bytes are copied because a guest may still be able to write to the memory behind the
    /// MDL: the validated bytes must be the ones used.
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
        unsafe { read_once(address.add(offset as usize), front.as_mut_ptr(), length) };
        Ok(front)
    }

    /// Copies the packet's first bytes, as many as it has and `into` has room for, from all MDLs
    /// that hold them, and returns them. In a tunnelled packet only the outer headers are sure to
    /// be in the first MDL (Windows driver documentation, "Supporting NVGRE in Large Send Offload
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
        // SAFETY: the NET_BUFFER and its MDLs belong to an NBL that is owned meanwhile.
        let (mdl, offset, length) = unsafe {
            let mdl = NonNull::new((*raw).CurrentMdl).ok_or(BufferError::Malformed)?;
            (mdl, (*raw).CurrentMdlOffset, (*mdl.as_ptr()).ByteCount)
        };
        let mut cursor = PayloadCursor {
            mdl,
            offset,
            left: length.checked_sub(offset).ok_or(BufferError::Malformed)?,
            of: core::marker::PhantomData,
        };
        cursor.advance(skip)?;
        Ok(cursor)
    }
}

/// A place in a packet's MDL chain. It reads the chain and never changes it.
pub struct PayloadCursor<'nb> {
    mdl: NonNull<sys::MDL>,
    /// Bytes of `mdl` that lie before the cursor.
    offset: u32,
    /// Bytes of `mdl` from the cursor on.
    left: u32,
    of: core::marker::PhantomData<&'nb NetBuffer<'nb>>,
}

impl PayloadCursor<'_> {
    /// Moves `length` bytes on. Stops at the end of an MDL rather than at the start of the next.
    #[inline]
    fn advance(&mut self, length: u32) -> Result<(), BufferError> {
        if length <= self.left {
            self.move_in_mdl(length);
            return Ok(());
        }
        // The cursor's fields are not updated in the loop: a write for each MDL would double its
        // cost.
        let mut mdl = self.mdl;
        let mut beyond = length.wrapping_sub(self.left);
        loop {
            let next = Self::next_mdl(mdl)?;
            mdl = next.0;
            if beyond <= next.1 {
                (self.mdl, self.offset) = (mdl, beyond);
                self.left = next.1.wrapping_sub(beyond);
                return Ok(());
            }
            beyond = beyond.wrapping_sub(next.1);
        }
    }

    /// Moves on by `length` of the bytes that are `left`.
    #[inline]
    fn move_in_mdl(&mut self, length: u32) {
        self.offset = self.offset.wrapping_add(length);
        self.left = self.left.wrapping_sub(length);
    }

    /// The MDL after `mdl`, which is one of the chain, and its length in bytes.
    #[inline]
    fn next_mdl(mdl: NonNull<sys::MDL>) -> Result<(NonNull<sys::MDL>, u32), BufferError> {
        // SAFETY: the chain is owned for `'nb`, and `mdl` is one of it.
        unsafe {
            let next = NonNull::new((*mdl.as_ptr()).Next).ok_or(BufferError::Malformed)?;
            Ok((next, (*next.as_ptr()).ByteCount))
        }
    }

    /// Moves to the next MDL that has bytes from the cursor on, and returns how many it has.
    #[inline]
    pub fn skip_empty(&mut self) -> Result<u32, BufferError> {
        while self.left == 0 {
            (self.mdl, self.left) = Self::next_mdl(self.mdl)?;
            self.offset = 0;
        }
        Ok(self.left)
    }

    /// The address at which the kernel can read the current MDL's bytes from the cursor on.
    ///
    /// # Errors
    /// [`BufferError::NotMapped`].
    #[inline]
    fn address(&self) -> Result<*const u8, BufferError> {
        // SAFETY: the current MDL is one of the owned chain; the pages of a packet being sent are
        // locked or non-paged. `offset` bytes of it lie before the cursor.
        unsafe {
            let start = system_address(self.mdl.as_ptr());
            if start.is_null() {
                return Err(BufferError::NotMapped);
            }
            Ok(start.add(self.offset as usize))
        }
    }

    /// Copies the next `length` bytes to `into`, and advances past them.
    ///
    /// # Errors
    /// [`BufferError`] where the chain ends before or an MDL cannot be mapped.
    ///
    /// # Safety
    /// `into` has room for `length` bytes that are not used elsewhere.
    pub unsafe fn copy(&mut self, into: *mut u8, length: u32) -> Result<(), BufferError> {
        let (mut into, mut left) = (into, length);
        while left > 0 {
            let part = self.skip_empty()?.min(left);
            let from = self.address()?;
            // SAFETY: `part` bytes from the cursor on lie within the MDL, which is mapped; `into`
            // has room for the `left` bytes, by this function's contract.
            unsafe {
                read_once(from, into, part as usize);
                into = into.add(part as usize);
            }
            self.move_in_mdl(part);
            left = left.saturating_sub(part);
        }
        Ok(())
    }

    /// The sum of the next `length` bytes. The cursor does not move.
    ///
    /// # Errors
    /// [`BufferError`] where the chain ends before or an MDL cannot be mapped.
    pub fn sum(&self, length: u32) -> Result<Sum, BufferError> {
        let mut cursor = Self { ..*self };
        let (mut sum, mut left) = (Sum::default(), length);
        while left > 0 {
            let part = cursor.skip_empty()?.min(left);
            let from = cursor.address()?;
            // SAFETY: `part` bytes from the cursor on lie within the MDL, which is mapped.
            sum.append(unsafe { Sum::of_volatile(from, part as usize) });
            cursor.move_in_mdl(part);
            left = left.saturating_sub(part);
        }
        Ok(sum)
    }

    /// Makes `piece` describe the rest of the current MDL from the cursor on, `length` bytes at
    /// most, as a chain of its own, and advances past it. Returns the number of bytes described.
    ///
    /// # Errors
    /// [`BufferError::Malformed`] where the chain ends before.
    ///
    /// # Safety
    /// `piece` has room for an MDL of that many bytes, at most `length`, and is not used elsewhere.
    pub unsafe fn take_piece(
        &mut self,
        length: u32,
        piece: *mut sys::MDL,
    ) -> Result<u32, BufferError> {
        let part = self.skip_empty()?.min(length);
        // SAFETY: the current MDL is one of the owned chain and has `part` bytes from the cursor
        // on; `piece` has room for them and is unshared, by this function's contract.
        unsafe {
            initialize(piece, ptr::null_mut(), 0, part);
            self.build_partial(piece, part);
        }
        self.move_in_mdl(part);
        Ok(part)
    }

    /// Makes `partial` describe the next `length` bytes, which lie in the current MDL.
    ///
    /// # Safety
    /// They do, and `partial` was set up by [`initialize`] with at least that capacity and is not
    /// used elsewhere.
    unsafe fn build_partial(&self, partial: *mut sys::MDL, length: u32) {
        let source = self.mdl.as_ptr();
        // SAFETY: `partial` has the capacity and the bytes lie in the current MDL, by this
        // function's contract; the source is an MDL of the owned chain.
        unsafe {
            let start = virtual_address(source).wrapping_add(self.offset as usize);
            sys::IoBuildPartialMdl(source, partial, start.cast(), length);
        }
    }

    /// Returns the next `length` bytes (at least one) as an MDL chain that starts exactly there,
    /// and advances past them. The chain may continue past `length`; a DataLength bounds it.
    ///
    /// An MDL that starts at the cursor is used unchanged. One that starts earlier is described by
    /// `partial`: every MDL of the packet is thus in the chain of one window only, the one that has
    /// its first byte.
    ///
    /// # Errors
    /// [`BufferError::Malformed`] where the chain ends before.
    ///
    /// # Safety
    /// `partial` was set up by [`initialize`] with a capacity of at least `length`, and is not used
    /// elsewhere.
    #[inline]
    pub unsafe fn take(
        &mut self,
        length: u32,
        partial: *mut sys::MDL,
    ) -> Result<*mut sys::MDL, BufferError> {
        let left = self.skip_empty()?;
        let source = self.mdl.as_ptr();
        if self.offset == 0 {
            self.advance(length)?;
            return Ok(source);
        }
        // SAFETY: the source is an MDL of the owned chain and has `left` bytes from the cursor on;
        // `partial` has the capacity and is unshared, by this function's contract.
        unsafe {
            self.build_partial(partial, length.min(left));
            (*partial).Next = if length > left {
                (*source).Next
            } else {
                ptr::null_mut()
            };
        }
        self.advance(length)?;
        Ok(partial)
    }
}
