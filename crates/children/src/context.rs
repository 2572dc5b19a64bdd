//! The context area of a child's NBL, and the fields of NBLs that are used for children.

use core::ptr::{self, NonNull};

use ndis_sys as sys;

use crate::{
    extra::{Extra, Extras},
    packet::{Notes, Packet},
};

pub(crate) type RawNbl = NonNull<sys::NET_BUFFER_LIST>;

/// The layout of a child's NBL context area.
#[repr(C, align(16))]
pub(crate) struct Context {
    /// The NBL that it is a child of, while it is. NDIS has a field for that, ParentNetBufferList,
    /// which is for clones made by NdisAllocateCloneNetBufferList and null in every other NBL
    /// (Windows driver documentation, NET_BUFFER_LIST).
    pub(crate) parent: *mut sys::NET_BUFFER_LIST,
    /// The owner CPU, in whose lists the child is when it is idle.
    pub(crate) owner_cpu: u32,
    /// The packets beside the first, as extras.
    pub(crate) more: Extras,
    pub(crate) packet: Packet,
}

const _: () = assert!(size_of::<Context>().is_multiple_of(16));

/// The start of the context area of one of our NBLs. (NET_BUFFER_LIST_CONTEXT_DATA_START)
///
/// # Safety
/// `nbl` is a live NBL that a `ChildPool` allocated.
pub(crate) unsafe fn context(nbl: RawNbl) -> *mut Context {
    // SAFETY: the pool requested a context area of at least a `Context` from NDIS; NDIS aligns it
    // to 16 bytes and stores in `Offset` where the used part starts.
    unsafe {
        let area = (*nbl.as_ptr()).Context;
        let offset = usize::from((*area).Offset);
        area.add(1).cast::<u8>().add(offset).cast()
    }
}

impl Context {
    /// Sets up the context area of a new child.
    ///
    /// # Safety
    /// `this` is the context area of `nbl`, a new NBL, and as long as a `Context`.
    pub(crate) unsafe fn initialize(this: *mut Self, nbl: RawNbl, owner_cpu: u32) {
        // SAFETY: `this` is a context area of sufficient size, by this function's contract.
        unsafe {
            (*this).parent = ptr::null_mut();
            (*this).owner_cpu = owner_cpu;
            (&raw mut (*this).more).write(Extras::NONE);
            Packet::initialize(&raw mut (*this).packet, (*nbl.as_ptr()).FirstNetBuffer);
        }
    }

    /// Adds a packet to the child.
    ///
    /// # Safety
    /// `this` is the context area of a child that is owned by the caller, as is the packet.
    pub(crate) unsafe fn add(this: *mut Self, packet: NonNull<Extra>) {
        // SAFETY: the child and the packet are owned, by this function's contract.
        unsafe {
            (*this).more.push(packet);
            (*this).packet.notes.add(Notes::RELEASE);
        }
    }

    /// Undoes what lower drivers left on the MDLs of the payload, before its pages go back to their
    /// owner, and moves what the child has beside its own to `extras`. Returns whether it is its
    /// parent's first child.
    ///
    /// # Safety
    /// `this` is the context area of a child that is owned by the caller.
    #[inline]
    pub(crate) unsafe fn release(this: *mut Self, extras: &mut Extras) -> bool {
        // SAFETY: the child is owned by the caller (invariant 2), by this function's contract.
        unsafe {
            let notes = (*this).packet.notes;
            if notes == Notes::NONE {
                return false;
            }
            (*this).packet.notes = Notes::NONE;
            if notes.contains(Notes::RELEASE) {
                Self::release_parts(this, extras);
            }
            notes.contains(Notes::FIRST)
        }
    }

    /// # Safety
    /// As for [`release`](Self::release).
    #[inline(never)]
    unsafe fn release_parts(this: *mut Self, extras: &mut Extras) {
        // SAFETY: the child is owned by the caller, by this function's contract, and with it its
        // packets.
        unsafe {
            Packet::release(&raw mut (*this).packet, extras);
            (*(*this).packet.net_buffer).Next = ptr::null_mut();
            while let Some(packet) = (*this).more.pop() {
                Packet::release(packet.as_ptr().cast(), extras);
                extras.push(packet);
            }
        }
    }
}

/// Whether WFP has an object for `child`: NDIS has cloned it from the parent's, or a callout in a
/// lower driver has created one. It lives in a slot that no driver may write to, and is released
/// when the NBL is freed; such a child therefore cannot be used again.
///
/// # Safety
/// `child` is a child that is owned here.
#[inline]
pub(crate) unsafe fn has_wfp_context(child: RawNbl) -> bool {
    // SAFETY: `child` is a live child that is owned here, by this function's contract.
    unsafe { !(&(*child.as_ptr()).NetBufferListInfo)[sys::WfpNetBufferListInfo].is_null() }
}

/// Whether the miniport is requested to report the transmit time of `nbl`.
///
/// # Safety
/// `nbl` is live, and its flags do not change during the call.
#[inline]
pub(crate) unsafe fn requests_timestamp(nbl: *mut sys::NET_BUFFER_LIST) -> bool {
    // SAFETY: `nbl` is live and its flags do not change, by this function's contract.
    unsafe { (*nbl).NblFlags & sys::NDIS_NBL_FLAGS_CAPTURE_TIMESTAMP_ON_TRANSMIT != 0 }
}

/// The number of children that a waiting parent still misses. It is kept in Scratch, which belongs
/// to the NBL's owner. ChildRefCount belongs to the overlying driver, which may have clones of the
/// same NBL elsewhere, as a virtual switch that floods has, and decrement it meanwhile.
///
/// # Safety
/// `parent` is an NBL that is owned here.
#[inline]
pub(crate) unsafe fn children_left(parent: *mut sys::NET_BUFFER_LIST) -> *mut usize {
    // SAFETY: `parent` is a live NBL that is owned here, by this function's contract; nothing is
    // read.
    unsafe { (&raw mut (*parent).Scratch).cast() }
}
