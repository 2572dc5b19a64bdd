//! The IPv4 identification, which counts the segments on the wire.

/// The range in which the IPv4 identification counts before it wraps.
///
/// The Windows driver documentation gives both: 15 bits in "Offloading the Segmentation of Large
/// TCP Packets", 16 in "Combining Types of Task Offloads". It must match the NIC's behavior inside
/// a child, or identifiers repeat where one child ends and the next begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IpIdWidth {
    /// 0x7FFE, 0x7FFF, 0x0000. The top bit stays as the parent had it.
    Bits15,
    /// 0xFFFE, 0xFFFF, 0x0000.
    #[default]
    Bits16,
}

impl IpIdWidth {
    /// The identification `segments` wire segments after the one with `base`.
    ///
    /// Advancing twice is equal to advancing once by the sum, so that two stages are equivalent to
    /// one. With 15 bits a `base` above 0x7FFF is outside the documented range. Its top bit is
    /// kept, so that the first child has the parent's own header; both a NIC that keeps the bit and
    /// one that clears it then send the same packets as they would for the parent.
    #[must_use]
    pub fn advance(self, base: u16, segments: u32) -> u16 {
        Identification::new(self, base).after(segments)
    }
}

/// A parent's identification, to count from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identification {
    base: u16,
    /// The bits that count, as a mask.
    counted: u16,
    /// The others, as they stay.
    kept: u16,
}

impl Identification {
    pub(crate) fn new(width: IpIdWidth, base: u16) -> Self {
        let counted = match width {
            IpIdWidth::Bits15 => 0x7FFF,
            IpIdWidth::Bits16 => 0xFFFF,
        };
        Self {
            base,
            counted,
            kept: base & !counted,
        }
    }

    /// The identification `segments` wire segments later.
    #[inline]
    pub(crate) fn after(self, segments: u32) -> u16 {
        let [_, _, high, low] = segments.to_be_bytes();
        let sum = self.base.wrapping_add(u16::from_be_bytes([high, low]));
        self.kept | (sum & self.counted)
    }
}

#[cfg(test)]
mod tests {
    use super::IpIdWidth::{Bits15, Bits16};

    #[test]
    fn sixteen_bits_wrap_past_ffff() {
        let ids = [0, 1, 2, 3].map(|n| Bits16.advance(0xFFFE, n));
        assert_eq!(ids, [0xFFFE, 0xFFFF, 0x0000, 0x0001]);
        assert_eq!(Bits16.advance(0x7FFF, 1), 0x8000);
    }

    #[test]
    fn fifteen_bits_wrap_past_7fff() {
        let ids = [0, 1, 2, 3].map(|n| Bits15.advance(0x7FFE, n));
        assert_eq!(ids, [0x7FFE, 0x7FFF, 0x0000, 0x0001]);
    }

    #[test]
    fn fifteen_bits_keep_the_top_bit() {
        let ids = [0, 1, 2].map(|n| Bits15.advance(0xFFFE, n));
        assert_eq!(ids, [0xFFFE, 0xFFFF, 0x8000]);
    }

    #[test]
    fn counts_past_the_width_wrap_more_than_once() {
        assert_eq!(Bits16.advance(5, 0x0003_0001), 6);
        assert_eq!(Bits15.advance(5, 0x0001_8001), 6);
        assert_eq!(Bits16.advance(1, u32::MAX), 0);
    }
}
