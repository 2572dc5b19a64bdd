//! The MDL chain of a packet: trimmed to the packet, because many drivers follow it to its
//! end and ignore the packet's length.
//!
//! Each buffer of the parent in the packet is described by a partial MDL of our own. Only the end of
//! the parent's own chain, where it ends with the parent, is used as it is. `Next` of the parent's
//! MDLs is never written to: a clone of the parent may share them.

use core::ptr;

use ndis::{BufferError, PayloadCursor, mdl};
use ndis_sys as sys;

use crate::{
    child_pool::MdlSource,
    extra::Extra,
    mdl_array::{Copy, MdlArray},
    packet::{AREA, BACKFILL, Packet, next},
};

/// Makes the NET_BUFFER a packet of `header_length` bytes of header as written, and the next
/// `payload_length` bytes at `payload`, which are referenced: see the module.
///
/// # Errors
/// [`BufferError`]; [`Packet::release`] undoes what was done until then.
///
/// # Safety
/// `this` is a packet that is owned by the caller, and released.
#[inline]
pub(crate) unsafe fn set_payload(
    this: *mut Packet,
    header_length: u32,
    payload: &mut PayloadCursor<'_>,
    payload_length: u32,
    is_last: bool,
    source: &MdlSource<'_>,
) -> Result<(), BufferError> {
    // SAFETY: `this` and its NET_BUFFER are owned by the caller, by this function's contract.
    unsafe {
        let header = &raw mut (*this).header_mdl;
        (*header).Next = ptr::null_mut();
        (*header).ByteCount = BACKFILL.wrapping_add(header_length);
        let mut chain = Chain {
            packet: this,
            last: header,
            place: (*this).mdls,
            end: (*this).mdls.wrapping_byte_add(AREA).addr(),
            used: &raw mut (*this).used,
            elements: 1,
        };
        chain.extend(payload, payload_length, is_last, source)?;
        let packet = (*this).net_buffer;
        (*packet).MdlChain = header;
        (*packet).CurrentMdl = header;
        (*packet).DataOffset = BACKFILL;
        (*packet).CurrentMdlOffset = BACKFILL;
        (*packet).DataLength = header_length.wrapping_add(payload_length);
    }
    Ok(())
}

/// A chain that is being built: see the module.
struct Chain {
    packet: *mut Packet,
    last: *mut sys::MDL,
    /// The place for the next MDL, and the address where there is no more room.
    place: *mut sys::MDL,
    end: usize,
    /// The count of MDLs at that place.
    used: *mut u32,
    /// MDLs in the chain.
    elements: u32,
}

impl Chain {
    /// Appends the next `length` bytes at `payload`, and advances past them. What would exceed the
    /// number of elements that is set is copied.
    ///
    /// # Safety
    /// The packet and the chain's last MDL are owned by the caller.
    #[inline]
    unsafe fn extend(
        &mut self,
        payload: &mut PayloadCursor<'_>,
        length: u32,
        is_last: bool,
        source: &MdlSource<'_>,
    ) -> Result<(), BufferError> {
        if length > source.capacity() {
            return Err(BufferError::Malformed);
        }
        let (mut left, mut try_tail) = (length, is_last);
        while left > 0 {
            let available = payload.skip_empty()?;
            let rest = source.max_sg_elements().saturating_sub(self.elements);
            if try_tail && payload.is_at_start() {
                try_tail = false;
                if let Some(tail) = payload.take_tail(left, rest) {
                    // SAFETY: the chain's last MDL is owned, by this function's contract.
                    unsafe { (*self.last).Next = tail };
                    return Ok(());
                }
            }
            if rest <= 1 && available < left {
                // SAFETY: as this function's contract.
                return unsafe { self.copy(payload, left, source) };
            }
            let part = available.min(left);
            // SAFETY: `make_room` provides the memory, and `part` bytes are in the current MDL.
            unsafe {
                self.make_room(payload.mdl_size(part), source)?;
                payload.take_partial(part, self.place);
                self.link();
            }
            left = left.wrapping_sub(part);
        }
        Ok(())
    }

    /// Appends the MDL at `place`, which is initialized.
    ///
    /// # Safety
    /// As for [`extend`](Self::extend).
    #[inline]
    unsafe fn link(&mut self) {
        // SAFETY: the chain's MDLs and the count are owned, by this function's contract.
        unsafe {
            (*self.last).Next = self.place;
            *self.used = (*self.used).wrapping_add(1);
            self.last = self.place;
            self.place = next(self.place);
        }
        self.elements = self.elements.wrapping_add(1);
    }

    /// Makes room for an MDL of `bytes`, if need be in an array, which has room for all MDLs of a
    /// packet.
    ///
    /// # Safety
    /// As for [`extend`](Self::extend).
    #[inline]
    unsafe fn make_room(
        &mut self,
        bytes: usize,
        source: &MdlSource<'_>,
    ) -> Result<(), BufferError> {
        if self.place.addr().saturating_add(bytes) <= self.end {
            return Ok(());
        }
        // SAFETY: as this function's contract.
        unsafe { self.move_to_array(source) }
    }

    /// # Safety
    /// As for [`extend`](Self::extend).
    #[cold]
    #[inline(never)]
    unsafe fn move_to_array(&mut self, source: &MdlSource<'_>) -> Result<(), BufferError> {
        let array = source.array().ok_or(BufferError::NoMemory)?;
        // SAFETY: the packet and the array are owned, by this function's contract.
        unsafe {
            (*self.packet).extras.push(array.cast());
            self.place = MdlArray::mdls(array.as_ptr());
            self.end = self.place.addr().saturating_add(source.array_room());
            self.used = &raw mut (*array.as_ptr().cast::<Extra>()).used;
        }
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
            let bytes = Copy::bytes(copy.as_ptr());
            payload.copy(bytes, length)?;
            self.make_room(mdl::size_for(bytes, length), source)?;
            mdl::initialize(self.place, bytes, length);
            sys::MmBuildMdlForNonPagedPool(self.place);
            self.link();
        }
        Ok(())
    }
}
