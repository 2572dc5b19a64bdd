//! The parts of which NDIS's structures are made: the header of an object, and counted strings.

use crate::sys;

/// The header of an NDIS object of our own making.
pub const fn header(kind: u8, revision: u8, size: u16) -> sys::NDIS_OBJECT_HEADER {
    sys::NDIS_OBJECT_HEADER {
        Type: kind,
        Revision: revision,
        Size: size,
    }
}

/// A UNICODE_STRING over UTF-16 text that lives as long as the driver; text longer than a
/// UNICODE_STRING can hold is cut. A terminating NUL, which NDIS requires in the names of devices
/// and of registry values, is not counted.
pub const fn unicode_string(text: &'static [u16]) -> sys::UNICODE_STRING {
    let counted = match text {
        [counted @ .., 0] => counted,
        all => all,
    };
    sys::UNICODE_STRING {
        Length: bytes_of(counted),
        MaximumLength: bytes_of(text),
        Buffer: text.as_ptr().cast_mut(),
    }
}

/// The length of `text` in bytes, limited to what 16 bits can count.
const fn bytes_of(text: &[u16]) -> u16 {
    const MAX: usize = u16::MAX as usize / 2;
    let units = if text.len() < MAX { text.len() } else { MAX };
    #[expect(clippy::cast_possible_truncation, reason = "at most MAX, twice")]
    let bytes = units.saturating_mul(2) as u16;
    bytes
}
