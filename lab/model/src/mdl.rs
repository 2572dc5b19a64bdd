//! MDLs: the overlying driver's buffers, the kernel's MDL routines, and reading a packet.
#![expect(unsafe_code, reason = "MDLs are C structures with a trailing array")]

use std::{ffi::c_void, ptr};

use ndis::sys;

use crate::{
    memory::Block,
    rules::Rule,
    state::{Partial, State},
};

const PAGE: usize = sys::PAGE_SIZE as usize;
const HEADER: usize = size_of::<sys::MDL>();

/// How the pages behind an MDL are held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Backing {
    /// Non-paged pool: always mapped.
    #[default]
    NonPagedPool,
    /// Locked pages without a mapping, as a guest's memory often is: a reader must map them.
    LockedPages,
}

/// An MDL with its buffer, owned by the overlying driver.
#[derive(Debug)]
pub(crate) struct Buffer {
    mdl: Block,
    pages: Memory,
}

/// The pages of a [`Buffer`].
#[derive(Debug)]
enum Memory {
    /// The buffer's own.
    Own(Block),
    /// Memory of another owner, who keeps it for as long as this value exists.
    Lent { start: usize, size: usize },
    /// The pages were returned to their owner.
    Gone,
}

/// Pages that `length` bytes from `address` touch.
fn pages_of(address: usize, length: usize) -> usize {
    ((address & (PAGE - 1)) + length).div_ceil(PAGE)
}

/// The page frame number that the model gives to the page at `address`.
fn pfn(address: usize) -> usize {
    address / PAGE
}

/// # Safety
/// `mdl` is followed by as many page frame numbers as its range has pages.
unsafe fn write_pfns(mdl: *mut sys::MDL) {
    // SAFETY: as the caller vouches.
    unsafe {
        let start = (*mdl).StartVa.addr();
        let count = pages_of((*mdl).ByteOffset as usize, (*mdl).ByteCount as usize);
        let array = mdl.add(1).cast::<usize>();
        for page in 0..count {
            array.add(page).write(pfn(start) + page);
        }
    }
}

/// An MDL that describes `length` bytes from `data` on.
fn mdl_over(data: *mut u8, length: usize, backing: Backing) -> Block {
    let offset = data.addr() & (PAGE - 1);
    let spanned = pages_of(offset, length);
    let mdl = Block::new(HEADER + spanned * 8, 16);
    let raw = mdl.start().cast::<sys::MDL>();
    // SAFETY: the block is new and large enough for the MDL and its page frame numbers.
    unsafe {
        (*raw).Size = (HEADER + spanned * 8) as i16;
        (*raw).StartVa = data.wrapping_sub(offset).cast();
        (*raw).ByteOffset = offset as u32;
        (*raw).ByteCount = length as u32;
        match backing {
            Backing::NonPagedPool => {
                (*raw).MdlFlags = sys::MDL_SOURCE_IS_NONPAGED_POOL;
                (*raw).MappedSystemVa = data.cast();
            }
            Backing::LockedPages => (*raw).MdlFlags = sys::MDL_PAGES_LOCKED,
        }
        write_pfns(raw);
    }
    mdl
}

/// A new MDL that describes `length` bytes from `data` on, and no pages yet.
pub(crate) fn describe(data: *mut u8, length: usize) -> Block {
    let mdl = mdl_over(data, length, Backing::NonPagedPool);
    let raw = mdl.start().cast::<sys::MDL>();
    // SAFETY: the MDL is new.
    unsafe { ((*raw).MdlFlags, (*raw).MappedSystemVa) = (0, ptr::null_mut()) };
    mdl
}

/// What NDIS allocated for a clone of an NBL.
#[derive(Default)]
pub(crate) struct Clone {
    pub(crate) flags: u32,
    pub(crate) net_buffers: Vec<Block>,
    pub(crate) mdls: Vec<Block>,
}

/// Makes a chain of partial MDLs over the data of `packet`, which belong to `clone`.
///
/// # Errors
/// A description of the fault in the packet's chain.
///
/// # Safety
/// `packet` and its chain are live.
pub(crate) unsafe fn clone_chain(
    state: &mut State,
    packet: *const sys::NET_BUFFER,
    clone: &mut Clone,
) -> Result<*mut sys::MDL, String> {
    // SAFETY: as the caller vouches; the partial MDLs are new and large enough.
    unsafe {
        let mut chain = ptr::null_mut();
        let mut place: *mut *mut sys::MDL = &raw mut chain;
        let (mut mdl, mut skip) = ((*packet).CurrentMdl, (*packet).CurrentMdlOffset);
        let mut left = (*packet).DataLength;
        while left > 0 {
            if mdl.is_null() {
                return Err(format!("the MDL chain ends {left} bytes before DataLength"));
            }
            let length = left.min((*mdl).ByteCount.saturating_sub(skip));
            if length > 0 {
                let start = virtual_address(mdl).add(skip as usize);
                let block = describe(start, length as usize);
                let partial = block.start().cast::<sys::MDL>();
                build_partial(state, mdl, partial, start.cast(), length);
                clone.mdls.push(block);
                *place = partial;
                place = &raw mut (*partial).Next;
            }
            (left, skip, mdl) = (left - length, 0, (*mdl).Next);
        }
        Ok(chain)
    }
}

/// Where the driver finds the bytes of `mdl`, which is mapped if it was not; null where no memory for
/// a mapping is granted.
///
/// # Safety
/// `mdl` points to a live MDL.
pub(crate) unsafe fn address_for_driver(state: &mut State, mdl: *mut sys::MDL) -> *mut u8 {
    let mapped = sys::MDL_MAPPED_TO_SYSTEM_VA | sys::MDL_SOURCE_IS_NONPAGED_POOL;
    // SAFETY: as the caller vouches.
    unsafe {
        if (*mdl).MdlFlags & mapped == 0 && !state.kernel.memory.grant() {
            return ptr::null_mut();
        }
        system_address(state, mdl)
    }
}

impl Buffer {
    /// A buffer that holds `bytes`, starting `offset` bytes into a page.
    pub(crate) fn new(bytes: &[u8], offset: usize, backing: Backing) -> Self {
        let offset = offset % PAGE;
        let pages = Block::new((offset + bytes.len()).max(1).next_multiple_of(PAGE), PAGE);
        // SAFETY: the block is new and large enough for the bytes.
        let data = unsafe {
            let data = pages.start().add(offset);
            ptr::copy_nonoverlapping(bytes.as_ptr(), data, bytes.len());
            data
        };
        Self {
            mdl: mdl_over(data, bytes.len(), backing),
            pages: Memory::Own(pages),
        }
    }

    /// A buffer over `length` bytes from `data` on.
    ///
    /// # Safety
    /// They are there until [`forget_bytes`](Self::forget_bytes), or as long as the buffer.
    pub(crate) unsafe fn over(data: *mut u8, length: usize, backing: Backing) -> Self {
        let size = (data.addr() & (PAGE - 1)) + length;
        let start = data.expose_provenance() & !(PAGE - 1);
        Self {
            mdl: mdl_over(data, length, backing),
            pages: Memory::Lent { start, size },
        }
    }

    /// Returns the pages to their owner; the MDL stays.
    pub(crate) fn forget_bytes(&mut self) {
        self.pages = Memory::Gone;
    }

    /// Applies `change` to the memory of the MDL and its pages, where that is the model's.
    pub(crate) fn guarded(&self, change: impl Fn(*const u8)) {
        change(self.mdl.start());
        if let Memory::Own(pages) = &self.pages {
            change(pages.start());
        }
    }

    pub(crate) fn mdl(&self) -> *mut sys::MDL {
        self.mdl.start().cast()
    }

    /// Links this buffer's MDL before `next`'s.
    pub(crate) fn link(&self, next: &Self) {
        // SAFETY: the MDL is this buffer's own.
        unsafe { (*self.mdl()).Next = next.mdl() };
    }

    /// The MDL's fields now, apart from those that a mapping changes.
    pub(crate) fn look(&self) -> MdlLook {
        // SAFETY: the MDL is this buffer's own.
        unsafe { MdlLook::of(self.mdl()) }
    }

    /// The bytes in the buffer now.
    pub(crate) fn bytes(&self) -> &[u8] {
        let look = self.look();
        let (offset, length) = (look.byte_offset as usize, look.byte_count as usize);
        let (start, size): (*const u8, usize) = match &self.pages {
            Memory::Own(block) => (block.start(), block.size()),
            Memory::Lent { start, size } => (ptr::with_exposed_provenance(*start), *size),
            Memory::Gone => return &[],
        };
        let offset = offset.min(size);
        let length = length.min(size - offset);
        // SAFETY: within the pages, which live as long as `self`, or as `over` was promised. Reads
        // start at the data, which was written before.
        unsafe { std::slice::from_raw_parts(start.add(offset), length) }
    }
}

/// The fields of an MDL that only its owner may change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MdlLook {
    next: usize,
    size: i16,
    start: usize,
    byte_offset: u32,
    byte_count: u32,
}

impl MdlLook {
    /// # Safety
    /// `mdl` points to a live MDL.
    pub(crate) unsafe fn of(mdl: *const sys::MDL) -> Self {
        // SAFETY: as the caller vouches.
        unsafe {
            Self {
                next: (*mdl).Next.addr(),
                size: (*mdl).Size,
                start: (*mdl).StartVa.addr(),
                byte_offset: (*mdl).ByteOffset,
                byte_count: (*mdl).ByteCount,
            }
        }
    }
}

/// First byte that `mdl` describes.
///
/// # Safety
/// `mdl` points to a live MDL.
unsafe fn virtual_address(mdl: *const sys::MDL) -> *mut u8 {
    // SAFETY: as the caller vouches.
    unsafe {
        (*mdl)
            .StartVa
            .cast::<u8>()
            .wrapping_add((*mdl).ByteOffset as usize)
    }
}

/// Flags of MDLs that describe pages.
const HAS_PAGES: u16 = sys::MDL_PAGES_LOCKED
    | sys::MDL_SOURCE_IS_NONPAGED_POOL
    | sys::MDL_PARTIAL
    | sys::MDL_MAPPED_TO_SYSTEM_VA;

/// IoBuildPartialMdl.
///
/// # Safety
/// Both point to live MDLs, as the routine's caller promises.
pub(crate) unsafe fn build_partial(
    state: &mut State,
    source: *mut sys::MDL,
    target: *mut sys::MDL,
    start: *mut c_void,
    length: u32,
) {
    // SAFETY: as the caller vouches.
    let (from, count) = unsafe { (virtual_address(source).addr(), (*source).ByteCount as usize) };
    let offset = start.addr().wrapping_sub(from);
    let subject = format!("partial MDL at {:#x}", target.addr());
    if offset > count || length as usize > count - offset {
        let found = format!("{length} bytes at {offset} of a source of {count} bytes");
        return state.violation(Rule::PartialMdl, subject, found);
    }
    // SAFETY: as the caller vouches.
    if unsafe { (*source).MdlFlags } & HAS_PAGES == 0 {
        let found = "of a source whose pages are neither locked nor non-paged pool";
        state.violation(Rule::PartialMdl, subject.clone(), found);
    }
    // Zero means all that is left.
    let length = if length == 0 {
        (count - offset) as u32
    } else {
        length
    };
    let pages = pages_of(start.addr(), length as usize);
    // SAFETY: as the caller vouches.
    let room = unsafe { (*target).Size } as usize;
    if room < HEADER + pages * 8 {
        let found = format!("{room} bytes for a header and {pages} page frame numbers");
        return state.violation(Rule::PartialMdl, subject, found);
    }
    // SAFETY: as the caller vouches; the array has room for `pages` numbers.
    unsafe {
        if (*target).MdlFlags & sys::MDL_PARTIAL_HAS_BEEN_MAPPED != 0 {
            state.violation(Rule::PartialMdl, subject, "still mapped from its last use");
        }
        let inherited = sys::MDL_SOURCE_IS_NONPAGED_POOL | sys::MDL_MAPPED_TO_SYSTEM_VA;
        let page_offset = start.addr() & (PAGE - 1);
        (*target).MdlFlags = sys::MDL_PARTIAL | (*source).MdlFlags & inherited;
        (*target).StartVa = start.cast::<u8>().wrapping_sub(page_offset).cast();
        (*target).ByteOffset = page_offset as u32;
        (*target).ByteCount = length;
        (*target).MappedSystemVa = if (*source).MdlFlags & inherited == 0 {
            ptr::null_mut()
        } else {
            (*source)
                .MappedSystemVa
                .cast::<u8>()
                .wrapping_add(offset)
                .cast()
        };
        write_pfns(target);
    }
    let source = source.addr();
    state
        .mdls
        .partials
        .insert(target.addr(), Partial { source });
}

/// MmBuildMdlForNonPagedPool.
///
/// # Safety
/// `mdl` points to an initialized MDL with room for its page frame numbers.
pub(crate) unsafe fn build_nonpaged(state: &mut State, mdl: *mut sys::MDL) {
    // SAFETY: as the caller vouches.
    unsafe {
        let pages = pages_of((*mdl).ByteOffset as usize, (*mdl).ByteCount as usize);
        let room = (*mdl).Size as usize;
        if room < HEADER + pages * 8 {
            let subject = format!("MDL at {:#x}", mdl.addr());
            let found = format!("{room} bytes for a header and {pages} page frame numbers");
            return state.violation(Rule::PartialMdl, subject, found);
        }
        (*mdl).MdlFlags |= sys::MDL_SOURCE_IS_NONPAGED_POOL;
        (*mdl).MappedSystemVa = virtual_address(mdl).cast();
        write_pfns(mdl);
    }
    // If it was a partial MDL before, it no longer is.
    state.mdls.partials.remove(&mdl.addr());
}

/// MmMapLockedPagesSpecifyCache: maps the pages where they are. Fails where memory shall fail.
///
/// # Safety
/// `mdl` points to a live MDL.
pub(crate) unsafe fn map(state: &mut State, mdl: *mut sys::MDL) -> *mut c_void {
    // SAFETY: as the caller vouches.
    unsafe {
        let flags = (*mdl).MdlFlags;
        let subject = format!("MDL at {:#x}", mdl.addr());
        if flags & (sys::MDL_MAPPED_TO_SYSTEM_VA | sys::MDL_SOURCE_IS_NONPAGED_POOL) != 0 {
            state.violation(Rule::Mappings, subject, "mapped although it has a mapping");
            return (*mdl).MappedSystemVa;
        }
        if flags & (sys::MDL_PAGES_LOCKED | sys::MDL_PARTIAL) == 0 {
            let found = "mapped although its pages are not locked";
            state.violation(Rule::Mappings, subject, found);
        }
        (*mdl).MdlFlags |= sys::MDL_MAPPED_TO_SYSTEM_VA;
        if flags & sys::MDL_PARTIAL != 0 {
            (*mdl).MdlFlags |= sys::MDL_PARTIAL_HAS_BEEN_MAPPED;
        }
        (*mdl).MappedSystemVa = virtual_address(mdl).cast();
        state
            .mdls
            .mapped
            .insert(mdl.addr(), (*mdl).MappedSystemVa.addr());
        (*mdl).MappedSystemVa
    }
}

/// MmUnmapLockedPages.
///
/// # Safety
/// `mdl` points to a live MDL.
pub(crate) unsafe fn unmap(state: &mut State, address: *mut c_void, mdl: *mut sys::MDL) {
    if state.mdls.mapped.remove(&mdl.addr()) != Some(address.addr()) {
        let subject = format!("MDL at {:#x}", mdl.addr());
        state.violation(
            Rule::Mappings,
            subject,
            "unmapped although it is not mapped there",
        );
    }
    // SAFETY: as the caller vouches.
    unsafe {
        (*mdl).MdlFlags &= !(sys::MDL_MAPPED_TO_SYSTEM_VA | sys::MDL_PARTIAL_HAS_BEEN_MAPPED);
        (*mdl).MappedSystemVa = ptr::null_mut();
    }
}

/// One MDL of a packet as the miniport sees it: the MDL and the part of it in the packet.
pub(crate) struct Window {
    pub(crate) mdl: *mut sys::MDL,
    /// Where that part is mapped.
    pub(crate) address: *const u8,
    pub(crate) length: usize,
}

/// A NET_BUFFER as the miniport reads it: its bytes, and the MDLs that they came from.
pub(crate) struct Read {
    /// The first of them, as many as were requested.
    pub(crate) bytes: Vec<u8>,
    pub(crate) windows: Vec<Window>,
    /// Bytes in the packet.
    pub(crate) length: usize,
}

/// Reads the packet of `net_buffer`, at most `most` bytes of it, and maps unmapped MDLs as a
/// miniport would.
///
/// # Errors
/// A description of the fault in the chain.
///
/// # Safety
/// `net_buffer` points to a live NET_BUFFER with a live MDL chain.
pub(crate) unsafe fn read(
    state: &mut State,
    net_buffer: *const sys::NET_BUFFER,
    most: usize,
) -> Result<Read, String> {
    // SAFETY: as the caller vouches.
    let (mut mdl, mut offset, mut left) = unsafe {
        (
            (*net_buffer).CurrentMdl,
            (*net_buffer).CurrentMdlOffset as usize,
            (*net_buffer).DataLength as usize,
        )
    };
    let whole = left;
    let mut bytes = Vec::with_capacity(left.min(most));
    let mut windows = Vec::new();
    while left > 0 {
        if mdl.is_null() {
            return Err(format!("the MDL chain ends {left} bytes before DataLength"));
        }
        // SAFETY: the chain is live; the address is mapped for ByteCount bytes.
        unsafe {
            let count = (*mdl).ByteCount as usize;
            if offset > count {
                return Err(format!("offset {offset} in an MDL of {count} bytes"));
            }
            check_pfns(state, mdl);
            let length = left.min(count - offset);
            if length > 0 {
                let address: *const u8 = system_address(state, mdl).add(offset);
                let copied = length.min(most - bytes.len());
                bytes.extend_from_slice(std::slice::from_raw_parts(address, copied));
                windows.push(Window {
                    mdl,
                    address,
                    length,
                });
            }
            left -= length;
            offset = 0;
            mdl = (*mdl).Next;
        }
    }
    Ok(Read {
        bytes,
        windows,
        length: whole,
    })
}

/// MmGetSystemAddressForMdlSafe.
///
/// # Safety
/// `mdl` points to a live MDL.
unsafe fn system_address(state: &mut State, mdl: *mut sys::MDL) -> *mut u8 {
    let mapped = sys::MDL_MAPPED_TO_SYSTEM_VA | sys::MDL_SOURCE_IS_NONPAGED_POOL;
    // SAFETY: as the caller vouches.
    unsafe {
        if (*mdl).MdlFlags & mapped != 0 {
            (*mdl).MappedSystemVa.cast()
        } else {
            map(state, mdl).cast()
        }
    }
}

/// Checks an MDL's page frame numbers against the pages that its addresses describe: a NIC's DMA
/// uses the numbers alone.
///
/// # Safety
/// `mdl` points to a live MDL.
unsafe fn check_pfns(state: &mut State, mdl: *const sys::MDL) {
    // SAFETY: as the caller vouches; the array is not read past Size.
    let right = unsafe {
        let pages = pages_of((*mdl).ByteOffset as usize, (*mdl).ByteCount as usize);
        let first = pfn((*mdl).StartVa.addr());
        let array = mdl.add(1).cast::<usize>();
        (*mdl).Size as usize >= HEADER + pages * 8
            && (0..pages).all(|page| *array.add(page) == first + page)
    };
    if !right {
        let subject = format!("MDL at {:#x}", mdl.addr());
        state.violation(
            Rule::PartialMdl,
            subject,
            "page frame numbers do not fit its range",
        );
    }
}
