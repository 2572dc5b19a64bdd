//! The MDL chain of a packet: trimmed to the packet, because many drivers follow it to its
//! end and ignore the packet's length.
//!
//! Each buffer of the parent in the packet is described by a partial MDL of our own. Only the end of
//! the parent's own chain, where it ends with the parent, is used as it is. `Next` of the parent's
//! MDLs is never written to: a clone of the parent may share them.

use core::ptr;

use ndis::{BufferError, MdlRun, PayloadCursor};

use crate::{
    child_pool::MdlSource,
    extra::Extra,
    mdl_array::{Copy, MdlArray},
    packet::{AREA, BACKFILL, Packet},
};

/// Makes the NET_BUFFER a packet of `header_length` bytes of header as written, and the next
/// `payload_length` bytes at `payload`, which are referenced: see the module.
///
/// # Errors
/// [`BufferError`]; [`Packet::release`] undoes what was done until then.
///
/// # Safety
/// `this` is a packet that is owned by the caller, and released.
// Out of line, so that the loop over the payload's MDLs stays in registers.
#[inline(always)]
pub(crate) unsafe fn set_payload(
    this: *mut Packet,
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
        // The parent's own MDLs can be the end of its last packet, if that goes beyond the current one.
        if !is_last || payload.left_in_begun_mdl() >= payload_length {
            let most = source.max_sg_elements().wrapping_sub(1);
            left = payload.take_partials(left, most, &mut run)?;
        }
        if left > 0 {
            return Chain::new(this, run).extend(payload, left, is_last, source);
        }
        if run.to_prepare() > 0 {
            Packet::note_used(this, run.to_prepare());
        }
    }
    Ok(())
}

/// A chain that is being built: see the module.
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
            let begun = payload.left_in_begun_mdl();
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
