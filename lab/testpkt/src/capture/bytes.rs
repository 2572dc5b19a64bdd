//! The bytes of a capture file, in order, with their offset.

use std::io::{self, Read};

use super::Fault;

/// Most bytes of one packet: beyond the largest large send, and a bound on what a damaged length
/// can make the reader hold.
pub(super) const MOST: usize = 64 << 20;

/// A reader that counts.
pub(super) struct Bytes<R> {
    inner: R,
    /// Bytes taken so far.
    pub(super) offset: u64,
}

impl<R: Read> Bytes<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, offset: 0 }
    }

    /// At most `length` bytes; fewer only where the file ends.
    pub(super) fn up_to(&mut self, length: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        let read = (&mut self.inner)
            .take(length as u64)
            .read_to_end(&mut bytes);
        self.offset += bytes.len() as u64;
        match read {
            Ok(_) => Ok(bytes),
            // Compressed data that ends too soon: the next read has none, and fails.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !bytes.is_empty() => {
                Ok(bytes)
            }
            Err(error) => Err(Fault::Read {
                offset: self.offset,
                error,
            }),
        }
    }

    /// `length` bytes of what starts at the byte `start`.
    pub(super) fn exactly(&mut self, length: usize, start: u64) -> Result<Vec<u8>, Fault> {
        if length > MOST {
            let reason = format!("{length} bytes in one block");
            let offset = start;
            return Err(Fault::Corrupt { offset, reason });
        }
        let bytes = self.up_to(length)?;
        match bytes.len() == length {
            true => Ok(bytes),
            false => Err(Fault::Truncated { offset: start }),
        }
    }

    /// Leaves out `length` bytes of what starts at the byte `start`.
    pub(super) fn skip(&mut self, length: usize, start: u64) -> Result<(), Fault> {
        let mut left = length;
        while left > 0 {
            left -= self.exactly(left.min(64 << 10), start)?.len();
        }
        Ok(())
    }
}

/// The byte order of a file, or of a section of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

impl Order {
    /// The number at `at`; 0 where there is none.
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> u16 {
        let word = word(bytes, at);
        match self {
            Self::Big => u16::from_be_bytes(word),
            Self::Little => u16::from_le_bytes(word),
        }
    }

    /// The number at `at`; 0 where there is none.
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let word = word(bytes, at);
        match self {
            Self::Big => u32::from_be_bytes(word),
            Self::Little => u32::from_le_bytes(word),
        }
    }

    /// The number at `at`; 0 where there is none.
    pub(super) fn i64(self, bytes: &[u8], at: usize) -> i64 {
        let word = word(bytes, at);
        match self {
            Self::Big => i64::from_be_bytes(word),
            Self::Little => i64::from_le_bytes(word),
        }
    }
}

/// The bytes of a number at `at`; zeros where there is none.
fn word<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
    word.copied().unwrap_or([0; N])
}
