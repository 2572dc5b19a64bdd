//! TCP (RFC 9293).

use super::Field;

pub(crate) const SEQUENCE: Field = 4..8;
/// The word in which data offset and flags are.
pub(crate) const OFFSET_FLAGS: Field = 12..14;
pub(crate) const DATA_OFFSET: usize = 12;
pub(crate) const FLAGS: usize = 13;
pub(crate) const CHECKSUM: Field = 16..18;
pub(crate) const MIN_LENGTH: usize = 20;

pub(crate) mod flag {
    pub(crate) const FIN: u8 = 0x01;
    pub(crate) const SYN: u8 = 0x02;
    pub(crate) const RST: u8 = 0x04;
    pub(crate) const PSH: u8 = 0x08;
    pub(crate) const URG: u8 = 0x20;
    /// Congestion window reduced, RFC 3168.
    pub(crate) const CWR: u8 = 0x80;
}

/// Bytes of header, options included: at most 60.
#[inline]
pub(crate) fn length(data_offset: u8) -> usize {
    usize::from((data_offset & 0xF0) >> 2)
}
