//! Reading the first bytes of a frame, with the reason where they don't suffice.

use super::MAX_HEADER;
use crate::Refusal;
use crate::wire::{Field, get_u8, get_u16};

/// The first contiguous bytes of a frame.
///
/// A field is asked for by the position of its header in the frame and its own in
/// that header. Nothing past [`MAX_HEADER`] can be read, so a parser that goes
/// forward with every read comes to an end.
#[derive(Clone, Copy)]
pub(super) struct Front<'a> {
    bytes: &'a [u8],
}

impl<'a> Front<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn u8(self, header: usize, at: usize) -> Result<u8, Refusal> {
        let byte = self.bytes(header, at..at.saturating_add(1))?;
        get_u8(byte, 0).ok_or(Refusal::HeaderNotContiguous)
    }

    pub(super) fn u16(self, header: usize, field: Field) -> Result<u16, Refusal> {
        let bytes = self.bytes(header, field)?;
        get_u16(bytes, 0..2).ok_or(Refusal::HeaderNotContiguous)
    }

    /// The bytes of a field, or of a whole header.
    pub(super) fn bytes(self, header: usize, field: Field) -> Result<&'a [u8], Refusal> {
        let start = header.saturating_add(field.start);
        let end = header.saturating_add(field.end);
        if end > MAX_HEADER {
            return Err(Refusal::HeaderTooLong);
        }
        self.bytes
            .get(start..end)
            .ok_or(Refusal::HeaderNotContiguous)
    }
}
