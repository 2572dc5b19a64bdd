//! Memory that a packet needs beside its own: an array of MDLs for a payload in many buffers, and
//! a copy of payload for a NIC that accepts few.

use ndis_sys as sys;

use crate::extra::Extra;

/// Maximum number of MDLs of one packet, the header's included. Bytes that would exceed it are copied:
/// buffers below 1 KiB with the maxima of today's NICs.
pub const MAX_SG_ELEMENTS: u32 = 64;
/// Minimum number of MDLs: the header, and one for all of the payload.
pub(crate) const MIN_SG_ELEMENTS: u32 = 2;

const PFN: usize = size_of::<sys::PFN_NUMBER>();

/// Room for all MDLs of one packet's payload. They are one after the other; the `Size` of each gives
/// its length.
#[repr(C, align(16))]
pub(crate) struct MdlArray {
    extra: Extra,
}

impl MdlArray {
    /// Bytes of room for `most` MDLs that describe `capacity` bytes together.
    ///
    /// An MDL of n bytes has ⌈n / 4096⌉ + 1 page frame numbers at most: two for itself, and those
    /// of its whole pages, of which all MDLs together have no more than `capacity` bytes have.
    pub(crate) const fn room(most: u32, capacity: u32) -> usize {
        let each = size_of::<sys::MDL>().saturating_add(2_usize.saturating_mul(PFN));
        let pages = (capacity / sys::PAGE_SIZE) as usize;
        (most as usize)
            .saturating_mul(each)
            .saturating_add(pages.saturating_mul(PFN))
    }

    /// The place of the first MDL.
    pub(crate) const fn mdls(this: *mut Self) -> *mut sys::MDL {
        this.wrapping_add(1).cast()
    }
}

/// Bytes of non-paged pool that an array has, for the MDLs of any packet of `capacity` bytes.
pub const fn mdl_array_bytes(capacity: u32) -> usize {
    let most = MAX_SG_ELEMENTS.saturating_sub(1);
    size_of::<MdlArray>().saturating_add(MdlArray::room(most, capacity))
}

/// A copy of payload. It is allocated for each packet that needs one and freed with it: the
/// allocation costs little beside the copy.
#[repr(C, align(16))]
pub(crate) struct Copy {
    extra: Extra,
}

impl Copy {
    /// Bytes of memory for a copy of `length` bytes.
    pub(crate) const fn size(length: u32) -> usize {
        size_of::<Self>().saturating_add(length as usize)
    }

    /// The place of the first byte.
    pub(crate) const fn bytes(this: *mut Self) -> *mut u8 {
        this.wrapping_add(1).cast()
    }
}
