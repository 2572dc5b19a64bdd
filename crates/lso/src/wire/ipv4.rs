//! IPv4 (RFC 791).

use super::Field;

pub(crate) const VERSION_IHL: usize = 0;
pub(crate) const TOTAL_LENGTH: Field = 2..4;
pub(crate) const IDENTIFICATION: Field = 4..6;
pub(crate) const FRAGMENT: Field = 6..8;
pub(crate) const PROTOCOL: usize = 9;
pub(crate) const CHECKSUM: Field = 10..12;
pub(crate) const ADDRESSES: Field = 12..20;
pub(crate) const MIN_LENGTH: usize = 20;

/// More-fragments and the fragment offset: any of these bits makes a fragment.
pub(crate) const FRAGMENT_MASK: u16 = 0x3FFF;

#[inline]
pub(crate) fn version(version_ihl: u8) -> u8 {
    version_ihl >> 4
}

/// Bytes of header, options included: at most 60.
#[inline]
pub(crate) fn length(version_ihl: u8) -> usize {
    usize::from((version_ihl & 0x0F) << 2)
}
