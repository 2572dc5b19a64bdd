//! The cursors that write numbers to bytes and read them back.

use crate::Invalid;

/// Fills bytes from the front. A value without room is an error, never cut off.
pub struct Writer<'a> {
    rest: &'a mut [u8],
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut [u8]) -> Self {
        Self { rest: out }
    }

    pub(crate) fn u16(&mut self, value: u16) -> Result<(), Invalid> {
        self.put(value.to_le_bytes())
    }

    pub(crate) fn u32(&mut self, value: u32) -> Result<(), Invalid> {
        self.put(value.to_le_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> Result<(), Invalid> {
        self.put(value.to_le_bytes())
    }

    fn put<const N: usize>(&mut self, bytes: [u8; N]) -> Result<(), Invalid> {
        let (place, rest) = core::mem::take(&mut self.rest)
            .split_first_chunk_mut()
            .ok_or(Invalid::BufferTooSmall)?;
        *place = bytes;
        self.rest = rest;
        Ok(())
    }
}

/// Takes bytes from the front. A missing byte is an error, never zero.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Invalid> {
        self.take().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Invalid> {
        self.take().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Invalid> {
        self.take().map(u64::from_le_bytes)
    }

    /// A word of flags, of which only those in `known` may be set.
    pub(crate) fn flags(&mut self, known: u32) -> Result<u32, Invalid> {
        match self.u32()? {
            flags if flags & !known == 0 => Ok(flags),
            _ => Err(Invalid::Reserved),
        }
    }

    /// The bytes not taken yet.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Invalid> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Invalid::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }
}
