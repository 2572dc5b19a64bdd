//! Reading the first bytes of a frame, with the reason where they don't suffice.

use super::MAX_HEADER;
use crate::Refusal;
use crate::wire::{Field, get_u8};

/// The first contiguous bytes of a frame, at most [`MAX_HEADER`] of them.
///
/// A field is read by the position of its header in the frame and its own in that header. Bytes
/// past [`MAX_HEADER`] cannot be read, so a parser that goes forward with every read comes to an
/// end.
#[derive(Clone, Copy)]
pub(super) struct Front<'a> {
    bytes: &'a [u8],
}

impl<'a> Front<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: bytes.get(..MAX_HEADER).unwrap_or(bytes),
        }
    }

    #[inline]
    pub(super) fn u8(self, header: usize, at: usize) -> Result<u8, Refusal> {
        let at = header.wrapping_add(at);
        get_u8(self.bytes, at).ok_or_else(|| reason(at))
    }

    #[inline]
    pub(super) fn u16(self, header: usize, field: Field) -> Result<u16, Refusal> {
        let bytes = self.fixed(header.wrapping_add(field.start))?;
        Ok(u16::from_be_bytes(*bytes))
    }

    /// The fixed part of a header: bounds are checked once for all its fields.
    #[inline]
    pub(super) fn fixed<const N: usize>(self, header: usize) -> Result<&'a [u8; N], Refusal> {
        self.bytes
            .get(header..)
            .and_then(<[u8]>::first_chunk)
            .ok_or_else(|| reason(header.wrapping_add(N).saturating_sub(1)))
    }

    /// The bytes of a field, or of a whole header.
    #[inline]
    pub(super) fn bytes(self, header: usize, field: Field) -> Result<&'a [u8], Refusal> {
        // A header begins after the bytes that were read before: no sum wraps.
        let end = header.wrapping_add(field.end);
        self.bytes
            .get(header.wrapping_add(field.start)..end)
            .ok_or_else(|| reason(end.saturating_sub(1)))
    }
}

/// The reason for which the byte at `position` is missing.
#[cold]
fn reason(position: usize) -> Refusal {
    if position >= MAX_HEADER {
        Refusal::HeaderTooLong
    } else {
        Refusal::HeaderNotContiguous
    }
}
