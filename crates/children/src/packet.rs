//! The parts of one packet beside its NET_BUFFER: the header, and the MDLs of its chain.
//!
//! The first packet of a child is in the child's context area. A child of many packets has the
//! others as [`Extra`] blocks of the pool.

use core::{
    mem::offset_of,
    ptr::{self, NonNull},
};

use ndis::{BufferError, MdlRun, PayloadCursor, mdl};
use ndis_sys as sys;

use crate::{
    child_pool::MdlSource,
    idle_list::Link,
    mdl_array::{Copy, MdlArray},
};

/// Bytes before a child's header that a lower driver may retreat into without an allocation.
pub const BACKFILL: u32 = 64;
/// Longest header in bytes that a child can carry.
pub const HEADER_CAPACITY: u32 = 256;

const PAGE: usize = sys::PAGE_SIZE as usize;

/// Bytes of header area, and of the MDLs in the packet itself: those of three MDLs for 64 KiB.
const AREA: usize = (BACKFILL + HEADER_CAPACITY) as usize;

/// The kind of an [`Extra`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum ExtraKind {
    /// A [`Packet`] of its own, with a NET_BUFFER.
    Packet,
    /// An [`MdlArray`].
    MdlArray,
    /// A [`Copy`] of payload.
    Copy,
}

/// The beginning of a block of memory that a child uses beside its own: each can be in a list.
#[repr(C)]
pub(crate) struct Extra {
    pub(crate) link: Link,
    pub(crate) kind: ExtraKind,
    /// Bytes of the copy, if it is one; MDLs in use of an array.
    pub(crate) used: u32,
}

impl Extra {
    pub(crate) const fn new(kind: ExtraKind, used: u32) -> Self {
        Self {
            link: Link {
                next: ptr::null_mut(),
            },
            kind,
            used,
        }
    }
}

/// A list of extras, linked by their [`Link`]s.
pub(crate) struct Extras(*mut Extra);

impl Extras {
    pub(crate) const NONE: Self = Self(ptr::null_mut());

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_null()
    }

    /// # Safety
    /// The extra is owned by the caller.
    pub(crate) unsafe fn push(&mut self, extra: NonNull<Extra>) {
        // SAFETY: the extra is owned here, by this function's contract.
        unsafe { (*extra.as_ptr()).link.next = self.0.cast() };
        self.0 = extra.as_ptr();
    }

    pub(crate) fn pop(&mut self) -> Option<NonNull<Extra>> {
        let first = NonNull::new(self.0)?;
        // SAFETY: the list owns its extras.
        self.0 = unsafe { (*first.as_ptr()).link.next }.cast();
        Some(first)
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
    mdls: *mut sys::MDL,
    /// MDLs there that a lower driver may have mapped.
    used: u32,
    /// There is something to release: such MDLs, extras, or further packets of the child.
    pub(crate) needs_release: bool,
    /// What the chain needs beside these: an array of MDLs, a copy.
    extras: Extras,
    header_mdl: sys::MDL,
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

    /// Makes the NET_BUFFER a packet of `header_length` bytes of header as written, and the next
    /// `payload_length` bytes at `payload`, which are referenced: see [`Chain`].
    ///
    /// # Errors
    /// [`BufferError`]; [`release`](Self::release) undoes what was done until then.
    ///
    /// # Safety
    /// `this` is a packet that is owned by the caller, and released.
    // Out of line, so that the loop over the payload's MDLs stays in registers.
    #[inline(never)]
    pub(crate) unsafe fn set_payload(
        this: *mut Self,
        header_length: u32,
        payload: &mut PayloadCursor<'_>,
        payload_length: u32,
        is_last: bool,
        source: &MdlSource<'_>,
    ) -> Result<(), BufferError> {
        if payload_length > source.capacity() {
            return Err(BufferError::Malformed);
        }
        // SAFETY: `this` and its NET_BUFFER are owned by the caller, by this function's contract.
        unsafe {
            let header = &raw mut (*this).header_mdl;
            (*header).ByteCount = BACKFILL.wrapping_add(header_length);
            let packet = (*this).net_buffer;
            (*packet).MdlChain = header;
            (*packet).CurrentMdl = header;
            (*packet).DataOffset = BACKFILL;
            (*packet).CurrentMdlOffset = BACKFILL;
            (*packet).DataLength = header_length.wrapping_add(payload_length);
            let mut run = MdlRun::new(header, (*this).mdls, AREA);
            let mut left = payload_length;
            if !is_last {
                let most = source.max_sg_elements().wrapping_sub(1);
                left = payload.take_partials(left, most, &mut run)?;
            }
            if left > 0 {
                return Chain::new(this, run).extend(payload, left, is_last, source);
            }
            if run.to_prepare() > 0 {
                Self::note_used(this, run.to_prepare());
            }
        }
        Ok(())
    }

    /// # Safety
    /// `this` is a packet that is owned by the caller.
    #[cold]
    unsafe fn note_used(this: *mut Self, used: u32) {
        // SAFETY: the packet is owned, by this function's contract.
        unsafe {
            (*this).used = used;
            (*this).needs_release = true;
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
            (*this).needs_release = false;
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

/// An MDL chain that is being built: trimmed to the packet, because many drivers follow it to its
/// end and ignore the packet's length.
///
/// Each buffer of the parent in the packet is described by a partial MDL of our own. Only the end of
/// the parent's own chain, where it ends with the parent, is used as it is. `Next` of the parent's
/// MDLs is never written to: a clone of the parent may share them.
struct Chain {
    packet: *mut Packet,
    run: MdlRun,
    /// The array that the run is in; null if it is in the packet.
    array: *mut MdlArray,
    /// MDLs in the chain, those of the run not counted.
    elements: u32,
}

impl Chain {
    /// A chain of the header, and the MDLs of `run`, which is in `packet`.
    const fn new(packet: *mut Packet, run: MdlRun) -> Self {
        Self {
            packet,
            run,
            array: ptr::null_mut(),
            elements: 1,
        }
    }

    /// Appends the next `length` bytes at `payload`, and advances past them. What would exceed the
    /// number of elements that is set is copied.
    ///
    /// # Safety
    /// The packet and the chain's last MDL are owned by the caller.
    #[inline(never)]
    unsafe fn extend(
        mut self,
        payload: &mut PayloadCursor<'_>,
        length: u32,
        is_last: bool,
        source: &MdlSource<'_>,
    ) -> Result<(), BufferError> {
        // SAFETY: the packet and the chain's last MDL are owned, by this function's contract.
        unsafe {
            if is_last {
                self.extend_to_end(payload, length, source)?;
            } else {
                self.extend_further(payload, length, source)?;
            }
            self.finish();
        }
        Ok(())
    }

    /// The number of MDLs that the chain may still have.
    fn rest(&self, source: &MdlSource<'_>) -> u32 {
        let elements = self.elements.saturating_add(self.run.count());
        source.max_sg_elements().saturating_sub(elements)
    }

    /// Appends the last `length` bytes of the parent: the end of its own chain, if that ends with
    /// them, after what is in the MDL that they begin in.
    ///
    /// # Safety
    /// As for [`extend`](Self::extend).
    unsafe fn extend_to_end(
        &mut self,
        payload: &mut PayloadCursor<'_>,
        length: u32,
        source: &MdlSource<'_>,
    ) -> Result<(), BufferError> {
        // SAFETY: as this function's contract.
        unsafe {
            let rest = self.rest(source);
            let begun = if payload.is_at_start() {
                0
            } else {
                payload.left_in_mdl()
            };
            // Of several MDLs, none may be the last that the chain may have.
            if begun >= length || rest <= 1 {
                return self.extend_further(payload, length, source);
            }
            let left = length.wrapping_sub(begun);
            let undone = payload.take_partials(begun, rest, &mut self.run)?;
            if undone == 0 {
                payload.skip_empty()?;
                if let Some(tail) = payload.take_tail(left, self.rest(source)) {
                    (*self.run.last()).Next = tail;
                    return Ok(());
                }
            }
            self.extend_further(payload, left.wrapping_add(undone), source)
        }
    }

    /// Appends the next `length` bytes by MDLs of our own, in an array where they have no room in
    /// the packet.
    ///
    /// # Safety
    /// As for [`extend`](Self::extend).
    unsafe fn extend_further(
        &mut self,
        payload: &mut PayloadCursor<'_>,
        length: u32,
        source: &MdlSource<'_>,
    ) -> Result<(), BufferError> {
        let mut left = length;
        // SAFETY: as this function's contract.
        unsafe {
            loop {
                let rest = self.rest(source);
                left = payload.take_partials(left, rest, &mut self.run)?;
                if left == 0 {
                    return Ok(());
                }
                if self.rest(source) <= 1 {
                    return self.copy(payload, left, source);
                }
                self.move_to_array(source)?;
            }
        }
    }

    /// Continues in an array, which has room for all MDLs of a packet.
    ///
    /// # Safety
    /// As for [`extend`](Self::extend).
    unsafe fn move_to_array(&mut self, source: &MdlSource<'_>) -> Result<(), BufferError> {
        if !self.array.is_null() {
            return Err(BufferError::NoMemory);
        }
        let array = source.array().ok_or(BufferError::NoMemory)?;
        // SAFETY: the packet and the array are owned, by this function's contract.
        unsafe {
            (*self.packet).extras.push(array.cast());
            (*self.packet).used = self.run.to_prepare();
            (*self.packet).needs_release = true;
        }
        self.elements = self.elements.saturating_add(self.run.count());
        self.array = array.as_ptr();
        let place = MdlArray::mdls(self.array);
        self.run = MdlRun::new(self.run.last(), place, source.array_room());
        Ok(())
    }

    /// Appends a copy of the next `length` bytes at `payload`.
    ///
    /// # Safety
    /// As for [`extend`](Self::extend).
    #[cold]
    #[inline(never)]
    unsafe fn copy(
        &mut self,
        payload: &mut PayloadCursor<'_>,
        length: u32,
        source: &MdlSource<'_>,
    ) -> Result<(), BufferError> {
        let copy = source.copy(length).ok_or(BufferError::NoMemory)?;
        // SAFETY: the packet and the copy are owned, by this function's contract; the copy has room
        // for `length` bytes, and stays until it is released with the packet.
        unsafe {
            (*self.packet).extras.push(copy.cast());
            (*self.packet).needs_release = true;
            let bytes = Copy::bytes(copy.as_ptr());
            payload.copy(bytes, length)?;
            if !self.run.push_non_paged(bytes, length) {
                self.move_to_array(source)?;
                if !self.run.push_non_paged(bytes, length) {
                    return Err(BufferError::NoMemory);
                }
            }
        }
        Ok(())
    }

    /// Notes the MDLs that have to be prepared for reuse.
    ///
    /// # Safety
    /// As for [`extend`](Self::extend).
    #[inline]
    unsafe fn finish(&self) {
        let used = self.run.to_prepare();
        // SAFETY: the packet is owned, by this function's contract, and so is its array.
        unsafe {
            if !self.array.is_null() {
                (*self.array.cast::<Extra>()).used = used;
            } else if used > 0 {
                Packet::note_used(self.packet, used);
            }
        }
    }
}
