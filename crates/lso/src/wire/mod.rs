//! Field positions: one module for each protocol, one name for each field.
//!
//! A multi-byte field is a range, a single byte a position, both counted from the first byte of
//! their own header. All are in network byte order, and both reading and writing return `None` if
//! the bytes end too early.

use core::ops::Range;

pub(crate) mod ethernet;
pub(crate) mod ipv4;
pub(crate) mod ipv6;
pub(crate) mod tcp;
pub(crate) mod tunnel;
pub(crate) mod udp;

/// A field of more than one byte.
pub(crate) type Field = Range<usize>;

/// Values of the IPv4 protocol and IPv6 next header fields (IANA, "Assigned
/// Internet Protocol Numbers").
pub(crate) mod protocol {
    pub(crate) const HOP_BY_HOP: u8 = 0;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const ROUTING: u8 = 43;
    pub(crate) const FRAGMENT: u8 = 44;
    pub(crate) const GRE: u8 = 47;
    pub(crate) const ESP: u8 = 50;
    pub(crate) const AH: u8 = 51;
    pub(crate) const DESTINATION_OPTIONS: u8 = 60;
}

#[inline]
pub(crate) fn get_u8(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

#[inline]
pub(crate) fn get_u16(bytes: &[u8], field: Field) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(field)?.try_into().ok()?))
}

#[inline]
pub(crate) fn get_u32(bytes: &[u8], field: Field) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(field)?.try_into().ok()?))
}

#[inline]
pub(crate) fn put_u8(bytes: &mut [u8], at: usize, value: u8) -> Option<()> {
    *bytes.get_mut(at)? = value;
    Some(())
}

#[inline]
pub(crate) fn put_u16(bytes: &mut [u8], field: Field, value: u16) -> Option<()> {
    let field: &mut [u8; 2] = bytes.get_mut(field)?.try_into().ok()?;
    *field = value.to_be_bytes();
    Some(())
}

#[inline]
pub(crate) fn put_u32(bytes: &mut [u8], field: Field, value: u32) -> Option<()> {
    let field: &mut [u8; 4] = bytes.get_mut(field)?.try_into().ok()?;
    *field = value.to_be_bytes();
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_big_endian() {
        let mut bytes = [0; 7];
        assert_eq!(put_u16(&mut bytes, 1..3, 0x0102), Some(()));
        assert_eq!(put_u32(&mut bytes, 3..7, 0x0304_0506), Some(()));
        assert_eq!(put_u8(&mut bytes, 0, 0xFF), Some(()));
        assert_eq!(bytes, [0xFF, 1, 2, 3, 4, 5, 6]);
        assert_eq!(get_u8(&bytes, 0), Some(0xFF));
        assert_eq!(get_u16(&bytes, 1..3), Some(0x0102));
        assert_eq!(get_u32(&bytes, 3..7), Some(0x0304_0506));
    }

    #[test]
    fn a_field_past_the_end_is_none() {
        let mut bytes = [7; 4];
        assert_eq!(get_u8(&bytes, 4), None);
        assert_eq!(get_u16(&bytes, 3..5), None);
        assert_eq!(get_u32(&bytes, 1..5), None);
        assert_eq!(put_u8(&mut bytes, 4, 0), None);
        assert_eq!(put_u16(&mut bytes, 3..5, 0), None);
        assert_eq!(put_u32(&mut bytes, 1..5, 0), None);
        assert_eq!(bytes, [7; 4]);
    }

    #[test]
    fn a_field_of_another_width_is_none() {
        let mut bytes = [7; 8];
        assert_eq!(get_u16(&bytes, 0..4), None);
        assert_eq!(put_u32(&mut bytes, 0..2, 0), None);
        assert_eq!(bytes, [7; 8]);
    }
}
