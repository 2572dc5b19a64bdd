//! NBLs made by hand, for tests of the types around the kernel's objects without the filter.

use std::ptr::{self, NonNull};

use model::Backing;
use ndis::{Nbl, sys};

const PAGE: usize = sys::PAGE_SIZE as usize;

/// A value that others point to as well: a box that makes no claim to be the only way to it.
struct Shared<T: ?Sized>(NonNull<T>);

impl<T: ?Sized> Shared<T> {
    fn new(value: Box<T>) -> Self {
        Self(NonNull::from(Box::leak(value)))
    }
}

impl<T: ?Sized> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: it was a box, and is freed once.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// One MDL with its page frame numbers, and the pages that it describes.
struct Buffer {
    mdl: Shared<[u64]>,
    _pages: Shared<[u8]>,
}

/// An NBL with one packet, and all that it consists of.
pub struct RawPacket {
    nbl: Shared<sys::NET_BUFFER_LIST>,
    packet: Shared<sys::NET_BUFFER>,
    buffers: Vec<Buffer>,
}

impl RawPacket {
    /// A packet of the bytes in `buffers` behind the first `skip` bytes, which are in the first of
    /// them. Each buffer starts at the offset in a page that its number gives.
    ///
    /// # Panics
    /// If `buffers` are shorter than `skip`.
    #[must_use]
    pub fn new(buffers: &[(usize, &[u8])], skip: u32, backing: Backing) -> Self {
        let whole: usize = buffers.iter().map(|(_, bytes)| bytes.len()).sum();
        let buffers: Vec<_> = buffers
            .iter()
            .map(|(offset, bytes)| Buffer::new(*offset, bytes, backing))
            .collect();
        for pair in buffers.windows(2) {
            // SAFETY: both are MDLs of this packet.
            unsafe { (*pair[0].mdl()).Next = pair[1].mdl() };
        }
        // SAFETY: numbers and pointers may all be zero.
        let (mut nbl, mut packet) = unsafe {
            (
                Box::new(std::mem::zeroed::<sys::NET_BUFFER_LIST>()),
                Box::new(std::mem::zeroed::<sys::NET_BUFFER>()),
            )
        };
        packet.DataLength = u32::try_from(whole).expect("a packet") - skip;
        packet.MdlChain = buffers.first().map_or(ptr::null_mut(), Buffer::mdl);
        packet.CurrentMdl = packet.MdlChain;
        packet.DataOffset = skip;
        packet.CurrentMdlOffset = skip;
        let packet = Shared::new(packet);
        nbl.FirstNetBuffer = packet.0.as_ptr();
        Self {
            nbl: Shared::new(nbl),
            packet,
            buffers,
        }
    }

    /// The NBL, to be given up before this is dropped.
    pub fn nbl(&mut self) -> Nbl {
        // SAFETY: a live NBL; the test ensures that nothing else uses it.
        unsafe { Nbl::from_raw(self.nbl.0) }
    }

    /// Writes slot `slot`.
    pub fn set_slot(&mut self, slot: usize, value: usize) {
        // SAFETY: the NBL is this one's own.
        unsafe {
            (*self.nbl.0.as_ptr()).NetBufferListInfo[slot] = ptr::without_provenance_mut(value);
        }
    }

    /// Says that the packet is `more` bytes longer than it is.
    pub fn lengthen(&mut self, more: u32) {
        // SAFETY: the packet is this one's own.
        unsafe { (*self.packet.0.as_ptr()).DataLength += more };
    }

    /// Unmaps the mapped pages, as the owner who locked them does in the end. To be called inside
    /// of a model.
    pub fn unmap(&mut self) {
        for mdl in self.buffers.iter().map(Buffer::mdl) {
            // SAFETY: the MDL is this packet's own.
            unsafe {
                if (*mdl).MdlFlags & sys::MDL_MAPPED_TO_SYSTEM_VA != 0 {
                    sys::MmUnmapLockedPages((*mdl).MappedSystemVa, mdl);
                }
            }
        }
    }
}

impl Buffer {
    fn new(offset: usize, bytes: &[u8], backing: Backing) -> Self {
        let offset = offset % PAGE;
        let memory = Shared::new(vec![0xEE; bytes.len() + 2 * PAGE].into_boxed_slice());
        let first = memory.0.as_ptr().cast::<u8>();
        let start = first.addr().next_multiple_of(PAGE) - first.addr() + offset;
        let data = first.wrapping_add(start);
        let pages = (offset + bytes.len()).div_ceil(PAGE);
        let words = vec![0; size_of::<sys::MDL>() / 8 + pages];
        let made = Self {
            mdl: Shared::new(words.into_boxed_slice()),
            _pages: memory,
        };
        let mdl = made.mdl();
        // SAFETY: the memory is new, aligned, and long enough: an MDL with its page frame numbers,
        // which are not read, and a page more than the bytes at their offset need.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), data, bytes.len());
            let size = size_of::<sys::MDL>() + 8 * pages;
            (*mdl).Size = i16::try_from(size).expect("a small buffer");
            (*mdl).StartVa = data.wrapping_sub(offset).cast();
            (*mdl).ByteOffset = u32::try_from(offset).expect("within a page");
            (*mdl).ByteCount = u32::try_from(bytes.len()).expect("a small buffer");
            match backing {
                Backing::NonPagedPool => {
                    (*mdl).MdlFlags = sys::MDL_SOURCE_IS_NONPAGED_POOL;
                    (*mdl).MappedSystemVa = data.cast();
                }
                Backing::LockedPages => (*mdl).MdlFlags = sys::MDL_PAGES_LOCKED,
            }
        }
        made
    }

    fn mdl(&self) -> *mut sys::MDL {
        self.mdl.0.as_ptr().cast()
    }
}
