//! Memory descriptor lists: reading a packet's first bytes, and walking its payload.
//!
//! The inline functions of `wdm.h` that have no export are written out here, each named after its
//! effect: [`system_address`], [`prepare_for_reuse`], [`initialize`].

use core::{
    mem::offset_of,
    ptr::{self, NonNull},
};

use checksum::Sum;

use crate::{nbl::NetBuffer, sys};

/// The bits of an address that lie within a page.
const PAGE_MASK: usize = 0xFFF;
const _: () = assert!(PAGE_MASK + 1 == sys::PAGE_SIZE as usize);

/// Bytes of an MDL for `length` bytes from `base` on: its header and the numbers of the pages that
/// they touch. (ADDRESS_AND_SIZE_TO_SPAN_PAGES)
#[inline]
pub fn size_for(base: *const u8, length: u32) -> usize {
    let in_page = base.addr() & PAGE_MASK;
    // Cannot overflow: both are below 2^33, and so is the result.
    let pages = in_page
        .wrapping_add(length as usize)
        .wrapping_add(PAGE_MASK)
        >> sys::PAGE_SHIFT;
    size_of::<sys::MDL>().wrapping_add(pages.wrapping_mul(size_of::<sys::PFN_NUMBER>()))
}

/// Flags of an MDL whose bytes are mapped at MappedSystemVa.
const MAPPED: u16 = sys::MDL_MAPPED_TO_SYSTEM_VA | sys::MDL_SOURCE_IS_NONPAGED_POOL;

/// The address at which the kernel can read the bytes that `mdl` describes, or null if they cannot
/// be mapped now. The mapping lives as long as the MDL's owner keeps it.
/// (MmGetSystemAddressForMdlSafe)
///
/// # Safety
/// `mdl` points to a live MDL whose pages are locked or non-paged, and that this code may use.
unsafe fn system_address(mdl: *mut sys::MDL) -> *mut u8 {
    // SAFETY: `mdl` is a live MDL whose pages are locked or non-paged, by this function's contract.
    unsafe {
        if (*mdl).MdlFlags & MAPPED != 0 {
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

const _: () = assert!(
    offset_of!(sys::MDL, Size).is_multiple_of(align_of::<u32>())
        && offset_of!(sys::MDL, MdlFlags).wrapping_sub(offset_of!(sys::MDL, Size))
            == size_of::<i16>()
);

/// Bytes of an MDL as its `Size` expresses them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a child's capacity bounds the length of what an MDL describes so that its size fits"
)]
const fn mdl_size(bytes: usize) -> i16 {
    bytes as i16
}

/// Writes an MDL's header for `length` bytes at `base`. (MmInitializeMdl)
///
/// # Safety
/// `mdl` points to memory of [`size_for`] these bytes, which is not used elsewhere.
pub unsafe fn initialize(mdl: *mut sys::MDL, base: *mut u8, length: u32) {
    let page_offset = base.addr() & PAGE_MASK;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the offset in a page is below 4096"
    )]
    // SAFETY: there is room for the MDL and its page frame numbers, by this function's contract.
    unsafe {
        (*mdl).Next = ptr::null_mut();
        (*mdl).Size = mdl_size(size_for(base, length));
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
        if length == 0 {
            // An empty MDL cannot be mapped.
            return Ok(&[]);
        }
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
    #[inline(never)]
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
            // SAFETY: as above.
            at: unsafe { virtual_address(mdl.as_ptr()) }.wrapping_add(offset as usize),
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
    /// The [`virtual_address`] of the cursor's byte.
    at: *mut u8,
    /// Bytes of `mdl` from the cursor on.
    left: u32,
    of: core::marker::PhantomData<&'nb NetBuffer<'nb>>,
}

/// MDLs of ours, one after the other in memory, at the end of a chain.
pub struct MdlRun {
    /// The chain's last MDL.
    last: *mut sys::MDL,
    /// The place for the next MDL.
    place: *mut sys::MDL,
    /// The address where there is no more room.
    end: usize,
    /// MDLs that were built here.
    count: u32,
    /// A lower driver may map one of them: it has no mapping from its source.
    may_be_mapped: bool,
}

impl MdlRun {
    /// A run without MDLs in `bytes` bytes at `place`, for the chain that ends with `last`.
    #[inline]
    pub fn new(last: *mut sys::MDL, place: *mut sys::MDL, bytes: usize) -> Self {
        Self {
            last,
            place,
            end: place.addr().wrapping_add(bytes),
            count: 0,
            may_be_mapped: false,
        }
    }

    /// The chain's last MDL.
    #[inline]
    pub const fn last(&self) -> *mut sys::MDL {
        self.last
    }

    /// The number of MDLs that were built here.
    #[inline]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The number of MDLs from the first one on for which [`prepare_for_reuse`] is to be called:
    /// none if no lower driver has a reason to map any. A partial MDL of a mapped source inherits
    /// the mapping, which MmGetSystemAddressForMdlSafe then returns.
    #[inline]
    pub const fn to_prepare(&self) -> u32 {
        if self.may_be_mapped { self.count } else { 0 }
    }

    /// Extends the chain by an MDL of `length` bytes of non-paged memory at `bytes`, if there is
    /// room for it.
    ///
    /// # Safety
    /// The memory of the run and the last MDL of its chain are not used elsewhere.
    pub unsafe fn push_non_paged(&mut self, bytes: *mut u8, length: u32) -> bool {
        let size = size_for(bytes, length);
        let next = self.place.wrapping_byte_add(size);
        if next.addr() > self.end {
            return false;
        }
        // SAFETY: there is room for the MDL at `place`, and it and the chain's last MDL are not used
        // elsewhere, by this function's contract.
        unsafe {
            initialize(self.place, bytes, length);
            sys::MmBuildMdlForNonPagedPool(self.place);
            (*self.last).Next = self.place;
        }
        (self.last, self.place) = (self.place, next);
        self.count = self.count.wrapping_add(1);
        true
    }
}

/// Sets `flag`. Out of line, so that the flag takes no register of the loop that seldom sets it.
#[cold]
#[inline(never)]
fn note(flag: &mut bool) {
    *flag = true;
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
                (self.mdl, self.left) = next;
                self.begin_mdl();
                self.move_in_mdl(beyond);
                return Ok(());
            }
            beyond = beyond.wrapping_sub(next.1);
        }
    }

    /// Moves to the first byte of the current MDL, which has `left` bytes.
    #[inline]
    fn begin_mdl(&mut self) {
        // SAFETY: the chain is owned for `'nb`, and `mdl` is one of it.
        self.at = unsafe { virtual_address(self.mdl.as_ptr()) };
    }

    /// Moves on by `length` of the bytes that are `left`.
    #[inline]
    fn move_in_mdl(&mut self, length: u32) {
        self.at = self.at.wrapping_add(length as usize);
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
            self.begin_mdl();
        }
        Ok(self.left)
    }

    /// The address at which the kernel can read the current MDL's bytes from the cursor on.
    #[inline]
    fn address(&self) -> Result<*const u8, BufferError> {
        // SAFETY: the current MDL is one of the owned chain; the pages of a packet being sent are
        // locked or non-paged. The cursor is as far from its beginning at both addresses.
        unsafe {
            let start = system_address(self.mdl.as_ptr());
            if start.is_null() {
                return Err(BufferError::NotMapped);
            }
            let before = self
                .at
                .addr()
                .wrapping_sub(virtual_address(self.mdl.as_ptr()).addr());
            Ok(start.add(before))
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

    /// Whether the cursor is at the first byte of its MDL.
    #[inline]
    fn is_at_start(&self) -> bool {
        // SAFETY: the chain is owned for `'nb`, and `mdl` is one of it.
        self.at == unsafe { virtual_address(self.mdl.as_ptr()) }
    }

    /// Bytes of the current MDL from the cursor on; 0 if it is at the first, so that an MDL has not
    /// been begun.
    #[inline]
    pub fn left_in_begun_mdl(&self) -> u32 {
        if self.is_at_start() { 0 } else { self.left }
    }

    /// Extends the chain of `run` by partial MDLs of the next `length` bytes, and advances past what
    /// they describe. Returns the number of bytes that are left because there is no more room, or
    /// because they need more than `most` MDLs; the last of these would have to describe them all.
    ///
    /// # Errors
    /// [`BufferError::Malformed`] where the parent's chain ends before; the run is then unchanged,
    /// and what its chain has after it is unspecified.
    ///
    /// # Safety
    /// The memory of `run` and the last MDL of its chain are not used elsewhere.
    // On copies of the fields, and in one width, so that the loop stays in registers.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "lengths of 32 bits, in 64")]
    pub unsafe fn take_partials(
        &mut self,
        length: u32,
        most: u32,
        run: &mut MdlRun,
    ) -> Result<u32, BufferError> {
        let (mut mdl, mut at, mut available) = (self.mdl, self.at, self.left as usize);
        let (mut left, mut rest) = (length as usize, most);
        let (mut last, mut place, mut may_be_mapped) = (run.last, run.place, false);
        while left > 0 {
            while available == 0 {
                let next = Self::next_mdl(mdl)?;
                (mdl, available) = (next.0, next.1 as usize);
                // SAFETY: the chain is owned for `'nb`, and `mdl` is one of it.
                at = unsafe { virtual_address(mdl.as_ptr()) };
            }
            let part = available.min(left);
            if rest <= 1 && (rest == 0 || part < left) {
                break;
            }
            let bytes = size_for(at, part as u32);
            if place.addr().wrapping_add(bytes) > run.end {
                break;
            }
            // SAFETY: the current MDL is one of the owned chain, and has `part` bytes at `at`.
            // There is room for a partial MDL of them at `place`, which is not used elsewhere, as is
            // the chain's last MDL, by this function's contract.
            unsafe {
                (*last).Next = place;
                // IoBuildPartialMdl reads the target's size and flags: neighbors, written at once. The
                // size is the lower half, as on every system that has NDIS.
                (&raw mut (*place).Size).cast::<u32>().write(bytes as u32);
                sys::IoBuildPartialMdl(mdl.as_ptr(), place, at.cast(), part as u32);
                if (*place).MdlFlags & MAPPED == 0 {
                    note(&mut may_be_mapped);
                }
                last = place;
                // From the MDL: to keep it elsewhere over the call would cost as much.
                place = place.wrapping_byte_add(usize::from((*place).Size.cast_unsigned()));
            }
            rest = rest.wrapping_sub(1);
            at = at.wrapping_add(part);
            available = available.wrapping_sub(part);
            left = left.wrapping_sub(part);
        }
        // SAFETY: as above.
        unsafe { (*last).Next = ptr::null_mut() };
        (self.mdl, self.at, self.left) = (mdl, at, available as u32);
        run.count = run.count.wrapping_add(most.wrapping_sub(rest));
        (run.last, run.place) = (last, place);
        run.may_be_mapped |= may_be_mapped;
        Ok(left as u32)
    }

    /// Returns the parent's own MDLs from the cursor on, if they hold exactly the next `length`
    /// bytes in at most `most` MDLs, none of them empty, and advances past them. `None` if they do
    /// not, or if the cursor is inside an MDL.
    pub fn take_tail(&mut self, length: u32, most: u32) -> Option<*mut sys::MDL> {
        if !self.is_at_start() {
            return None;
        }
        let first = self.mdl;
        let (mut mdl, mut bytes, mut left, mut count) = (first, self.left, length, 1_u32);
        // SAFETY: the chain is owned for `'nb`, and `mdl` is one of it.
        while let Some(next) = NonNull::new(unsafe { (*mdl.as_ptr()).Next }) {
            if bytes == 0 || bytes >= left || count >= most {
                return None;
            }
            left = left.wrapping_sub(bytes);
            count = count.wrapping_add(1);
            mdl = next;
            // SAFETY: as above.
            bytes = unsafe { (*mdl.as_ptr()).ByteCount };
        }
        if bytes != left {
            return None;
        }
        (self.mdl, self.left) = (mdl, bytes);
        self.begin_mdl();
        self.move_in_mdl(bytes);
        Some(first.as_ptr())
    }
}
