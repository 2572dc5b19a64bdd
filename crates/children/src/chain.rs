//! The MDL chain of a packet: trimmed to the packet, because many drivers follow it to its
//! end and ignore the packet's length.
//!
//! Each buffer of the parent in the packet is described by a partial MDL of our own. Only the end of
//! the parent's own chain, where it ends with the parent, is used as it is. `Next` of the parent's
//! MDLs is never written to: a clone of the parent may share them.

use core::ptr::{self, NonNull};

use ndis::{BufferError, MdlRun, PayloadCursor};

use crate::{
    child_pool::MdlSource,
    extra::Extra,
    mdl_array::{Copy, MdlArray},
    packet::{AREA, BACKFILL, Notes, Packet},
};

/// Makes the NET_BUFFER a packet of `header_length` bytes of header as written, and the next
/// `payload_length` bytes at `payload`, which are referenced: see the module.
///
/// # Errors
/// [`BufferError`]; [`Packet::release`] undoes what was done until then.
///
/// # Safety
/// `this` is a packet that is owned by the caller, and released.
// Part of the loop over the children: it costs as much as a call would.
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
        let mut run = begin(this, header_length, payload_length);
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

/// The same with a short frame on the stack.
///
/// # Errors
/// As for [`set_payload`].
///
/// # Safety
/// As for [`set_payload`].
#[inline(never)]
pub(crate) unsafe fn set_payload_apart(
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
    // SAFETY: as this function's contract.
    unsafe {
        let run = begin(this, header_length, payload_length);
        Chain::new(this, run).extend(payload, payload_length, is_last, source)
    }
}

/// Begins the chain of a packet of that length, with its header.
///
/// # Safety
/// As for [`set_payload`].
#[inline(always)]
unsafe fn begin(this: *mut Packet, header_length: u32, payload_length: u32) -> MdlRun {
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
        MdlRun::new(header, (*this).mdls, AREA)
    }
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
    #[inline(always)]
    unsafe fn extend(
        mut self,
        payload: &mut PayloadCursor<'_>,
        length: u32,
        is_last: bool,
        source: &MdlSource<'_>,
    ) -> Result<(), BufferError> {
        // SAFETY: the packet and the chain's last MDL are owned, by this function's contract.
        unsafe {
            let mut left = length;
            if is_last {
                left = self.extend_to_end(payload, length, source)?;
            }
            if left > 0 {
                self.extend_further(payload, left, source)?;
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

    /// Appends of the last `length` bytes of the parent those that it can without an array: the end of
    /// the parent's own chain, if that ends with them, after the bytes that are in the MDL that they
    /// begin in. Returns the number of bytes that are left.
    ///
    /// # Safety
    /// As for [`extend`](Self::extend).
    #[inline(never)]
    unsafe fn extend_to_end(
        &mut self,
        payload: &mut PayloadCursor<'_>,
        length: u32,
        source: &MdlSource<'_>,
    ) -> Result<u32, BufferError> {
        // SAFETY: as this function's contract.
        unsafe {
            let rest = self.rest(source);
            let begun = payload.left_in_begun_mdl();
            // Of several MDLs, none may be the last that the chain may have.
            if begun >= length || rest <= 1 {
                return Ok(length);
            }
            let left = length.wrapping_sub(begun);
            let undone = payload.take_partials(begun, rest, &mut self.run)?;
            if undone == 0 {
                payload.skip_empty()?;
                if let Some(tail) = payload.take_tail(left, self.rest(source)) {
                    (*self.run.last()).Next = tail;
                    return Ok(0);
                }
            }
            Ok(left.wrapping_add(undone))
        }
    }

    /// Appends the next `length` bytes by MDLs of our own, in an array where they have no room in
    /// the packet.
    ///
    /// # Safety
    /// As for [`extend`](Self::extend).
    #[inline(never)]
    unsafe fn extend_further(
        &mut self,
        payload: &mut PayloadCursor<'_>,
        length: u32,
        source: &MdlSource<'_>,
    ) -> Result<(), BufferError> {
        let (mut left, mut copy) = (length, None);
        // SAFETY: as this function's contract.
        unsafe {
            loop {
                let rest = self.rest(source);
                left = payload.take_partials(left, rest, &mut self.run)?;
                if left == 0 {
                    return Ok(());
                }
                if self.rest(source) <= 1 {
                    let made = match copy {
                        Some(made) => made,
                        None => *copy.insert(self.copy(left, source)?),
                    };
                    if self.append(made, payload, left)? {
                        return Ok(());
                    }
                }
                self.move_to_array(source)?;
            }
        }
    }

    /// Continues in an array, which has room for all MDLs of a packet.
    ///
    /// # Safety
    /// As for [`extend`](Self::extend).
    #[inline(always)]
    unsafe fn move_to_array(&mut self, source: &MdlSource<'_>) -> Result<(), BufferError> {
        if !self.array.is_null() {
            return Err(BufferError::NoMemory);
        }
        let array = source.array().ok_or(BufferError::NoMemory)?;
        // SAFETY: the packet and the array are owned, by this function's contract.
        unsafe {
            (*self.packet).extras.push(array.cast());
            (*self.packet).used = self.run.to_prepare();
            (*self.packet).notes.add(Notes::RELEASE);
        }
        self.elements = self.elements.saturating_add(self.run.count());
        self.array = array.as_ptr();
        let place = MdlArray::mdls(self.array);
        self.run = MdlRun::new(self.run.last(), place, source.array_room());
        Ok(())
    }

    /// Memory for a copy of `length` bytes, which is released with the packet.
    ///
    /// # Safety
    /// As for [`extend`](Self::extend).
    #[inline(always)]
    unsafe fn copy(
        &self,
        length: u32,
        source: &MdlSource<'_>,
    ) -> Result<NonNull<Copy>, BufferError> {
        let copy = source.copy(length).ok_or(BufferError::NoMemory)?;
        // SAFETY: the packet and the copy are owned (invariant 2).
        unsafe {
            (*self.packet).extras.push(copy.cast());
            (*self.packet).notes.add(Notes::RELEASE);
        }
        Ok(copy)
    }

    /// Appends the next `length` bytes at `payload`, copied to `copy`. Returns whether there was room
    /// for an MDL; nothing is changed if not.
    ///
    /// # Safety
    /// As for [`extend`](Self::extend); the copy has room for the bytes.
    #[cold]
    #[inline(never)]
    unsafe fn append(
        &mut self,
        copy: NonNull<Copy>,
        payload: &mut PayloadCursor<'_>,
        length: u32,
    ) -> Result<bool, BufferError> {
        // SAFETY: the packet and the copy are owned (invariant 2); the copy has room for `length`
        // bytes, by this function's contract, and stays until it is released with the packet.
        unsafe {
            let bytes = Copy::bytes(copy.as_ptr());
            if !self.run.push_non_paged(bytes, length) {
                return Ok(false);
            }
            payload.copy(bytes, length)?;
        }
        Ok(true)
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
