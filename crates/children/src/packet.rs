//! The parts of one packet beside its NET_BUFFER: the header, and the MDLs of its chain.
//!
//! The first packet of a child is in the child's context area. A child of many packets has the
//! others as [`Extra`] blocks of the pool.

use core::{mem::offset_of, ptr};

use ndis::mdl;
use ndis_sys as sys;

use crate::{
    extra::{Extra, ExtraKind, Extras},
    mdl_array::MdlArray,
};

/// Bytes before a child's header that a lower driver may retreat into without an allocation.
pub const BACKFILL: u32 = 64;
/// Longest header in bytes that a child can carry.
pub const HEADER_CAPACITY: u32 = 256;

const PAGE: usize = sys::PAGE_SIZE as usize;

/// Bytes of header area, and of the MDLs in the packet itself: those of three MDLs for 64 KiB.
pub(crate) const AREA: usize = (BACKFILL + HEADER_CAPACITY) as usize;

/// Work for the time when a packet comes back: a set, which is empty for most, so that one look is
/// enough for them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Notes(u8);

impl Notes {
    /// Nothing.
    pub(crate) const NONE: Self = Self(0);
    /// There is something to release: MDLs that a lower driver may have mapped, extras, or further
    /// packets of the child.
    pub(crate) const RELEASE: Self = Self(1);
    /// It is in its parent's first child, whose transmit timestamp is the parent's.
    pub(crate) const FIRST: Self = Self(2);

    /// Adds those of `more`.
    pub(crate) const fn add(&mut self, more: Self) {
        self.0 |= more.0;
    }

    /// Whether all of `other` are among these.
    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// See the module.
#[repr(C, align(16))]
pub(crate) struct Packet {
    extra: Extra,
    pub(crate) net_buffer: *mut sys::NET_BUFFER,
    /// [`BACKFILL`] and [`HEADER_CAPACITY`] bytes in one page.
    header: *mut u8,
    /// Room for MDLs in the other area.
    pub(crate) mdls: *mut sys::MDL,
    /// MDLs there that a lower driver may have mapped.
    pub(crate) used: u32,
    /// Work for the time when it comes back.
    pub(crate) notes: Notes,
    /// What the chain needs beside these: an array of MDLs, a copy.
    pub(crate) extras: Extras,
    pub(crate) header_mdl: sys::MDL,
    header_page: sys::PFN_NUMBER,
    /// The header area is the one that no page boundary crosses: some drivers take the first element
    /// of a packet's scatter-gather list for all of its headers. Two areas that are side by side
    /// cannot both be crossed.
    areas: [[u8; AREA]; 2],
}

const _: () = assert!(offset_of!(Packet, extra) == 0 && offset_of!(Extra, link) == 0);
const _: () = assert!(2 * AREA <= PAGE && PAGE.is_power_of_two());
const _: () = {
    let behind = offset_of!(Packet, header_mdl).checked_add(size_of::<sys::MDL>());
    assert!(matches!(behind, Some(behind) if behind == offset_of!(Packet, header_page)));
};
const _: () = assert!(offset_of!(Packet, areas).is_multiple_of(align_of::<sys::MDL>()));

impl Packet {
    /// Sets up a new packet with `net_buffer`.
    ///
    /// # Safety
    /// `this` is memory for a packet that is not used elsewhere, and stays where it is.
    pub(crate) unsafe fn initialize(this: *mut Self, net_buffer: *mut sys::NET_BUFFER) {
        // SAFETY: `this` is unshared memory for a packet, by this function's contract, and non-paged
        // as all pools here are. The header MDL is followed by room for the number of one page.
        unsafe {
            ptr::write_bytes(this, 0, 1);
            (*this).extra.kind = ExtraKind::Packet;
            (*this).net_buffer = net_buffer;
            let areas = (&raw mut (*this).areas).cast::<u8>();
            let second = areas.add(AREA);
            let in_page = areas.addr() & const { PAGE - 1 };
            let crosses = in_page.saturating_add(AREA) > PAGE;
            let (header, mdls) = if crosses {
                (second, areas)
            } else {
                (areas, second)
            };
            (*this).header = header;
            (*this).mdls = mdls.cast();
            let header_mdl = &raw mut (*this).header_mdl;
            mdl::initialize(header_mdl, header, BACKFILL.wrapping_add(HEADER_CAPACITY));
            sys::MmBuildMdlForNonPagedPool(header_mdl);
        }
    }

    /// The place of the header, whose first byte is behind the backfill.
    ///
    /// # Safety
    /// `this` is a packet that is owned by the caller.
    #[inline]
    pub(crate) unsafe fn header(this: *mut Self) -> *mut [u8; HEADER_CAPACITY as usize] {
        // SAFETY: `this` is owned, by this function's contract; the area has room for both.
        unsafe { (*this).header.add(BACKFILL as usize).cast() }
    }

    /// # Safety
    /// `this` is a packet that is owned by the caller.
    #[cold]
    pub(crate) unsafe fn note_used(this: *mut Self, used: u32) {
        // SAFETY: the packet is owned, by this function's contract.
        unsafe {
            (*this).used = used;
            (*this).notes.add(Notes::RELEASE);
        }
    }

    /// Undoes what lower drivers left on the MDLs of the payload, before its pages go back to their
    /// owner, and moves what the chain has beside its own to `extras`.
    ///
    /// # Safety
    /// `this` is a packet that is owned by the caller.
    pub(crate) unsafe fn release(this: *mut Self, extras: &mut Extras) {
        // SAFETY: `this` is owned by the caller, by this function's contract, and with it its
        // extras; `used` MDLs are in its area.
        unsafe {
            prepare_for_reuse((*this).mdls, (*this).used);
            (*this).used = 0;
            (*this).notes = Notes::NONE;
            while let Some(extra) = (*this).extras.pop() {
                if (*extra.as_ptr()).kind == ExtraKind::MdlArray {
                    let array = extra.as_ptr().cast();
                    prepare_for_reuse(MdlArray::mdls(array), (*extra.as_ptr()).used);
                    (*extra.as_ptr()).used = 0;
                }
                extras.push(extra);
            }
        }
    }
}

/// Undoes what lower drivers left on `count` MDLs that are one after the other in memory.
///
/// # Safety
/// They are partial MDLs of ours, or of a copy, which are not used elsewhere.
#[inline]
unsafe fn prepare_for_reuse(first: *mut sys::MDL, count: u32) {
    let mut place = first;
    for _ in 0..count {
        // SAFETY: the MDLs are there and unshared, by this function's contract.
        unsafe {
            mdl::prepare_for_reuse(place);
            place = next(place);
        }
    }
}

/// The place right behind `mdl`.
///
/// # Safety
/// `mdl` is an initialized MDL.
unsafe fn next(mdl: *mut sys::MDL) -> *mut sys::MDL {
    // SAFETY: `mdl` is initialized, by this function's contract. Its size is positive.
    unsafe { mdl.wrapping_byte_add(usize::from((*mdl).Size.unsigned_abs())) }
}
