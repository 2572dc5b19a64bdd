//! IPv6 and its extension headers (RFC 8200).

use super::Field;

pub(crate) const VERSION_CLASS: usize = 0;
pub(crate) const PAYLOAD_LENGTH: Field = 4..6;
pub(crate) const NEXT_HEADER: usize = 6;
pub(crate) const ADDRESSES: Field = 8..40;
pub(crate) const LENGTH: usize = 40;

#[inline]
pub(crate) fn version(version_class: u8) -> u8 {
    version_class >> 4
}

/// The layout that hop-by-hop options, routing and destination options share.
pub(crate) mod extension {
    pub(crate) const NEXT_HEADER: usize = 0;
    pub(crate) const UNITS: usize = 1;
    pub(crate) const OPTIONS: usize = 2;

    /// Bytes of extension header: eight, and eight more a unit.
    #[inline]
    pub(crate) fn length(units: u8) -> usize {
        usize::from(units).saturating_add(1).saturating_mul(8)
    }
}

/// Types of options, RFC 8200 section 4.2 and RFC 2675.
pub(crate) mod option {
    /// A single byte of padding, the only option without a length.
    pub(crate) const PAD1: u8 = 0x00;
    /// The jumbo payload option.
    pub(crate) const JUMBO: u8 = 0xC2;
}
