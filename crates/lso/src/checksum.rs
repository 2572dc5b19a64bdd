//! The Internet checksum (RFC 1071): a sum of 16-bit words in ones' complement.

/// The sum of some bytes, to which more can be added in their order.
///
/// Words are summed as the machine reads them. Ones' complement does not mind:
/// a sum of swapped words is the swapped sum (RFC 1071, section 2, part B).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Below 2^48, for nothing longer than 4 GiB is summed.
    words: u64,
    /// Whether the bytes so far are of odd number, so that the next one is the
    /// lower half of a word.
    odd: bool,
}

impl Sum {
    /// The sum of `bytes`.
    #[must_use]
    #[inline]
    pub fn of(bytes: &[u8]) -> Self {
        let mut sum = Self::default();
        sum.add(bytes);
        sum
    }

    /// Adds the bytes that follow those summed so far.
    #[inline]
    pub fn add(&mut self, bytes: &[u8]) {
        let words = fold(sum_words(bytes));
        let words = if self.odd { words.swap_bytes() } else { words };
        self.words = self.words.wrapping_add(u64::from(words));
        self.odd ^= bytes.len() % 2 == 1;
    }

    /// Adds one word: of a header, or a sum of bytes that start at an even place.
    #[must_use]
    #[inline]
    pub fn and_word(mut self, word: u16) -> Self {
        let word = u16::from_ne_bytes(word.to_be_bytes());
        self.words = self.words.wrapping_add(u64::from(word));
        self
    }

    /// Adds another sum, of bytes that start at an even place.
    #[must_use]
    #[inline]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.words = self.words.wrapping_add(other.words);
        self
    }

    /// The sum in 16 bits: what a checksum field holds for a NIC to go on from.
    #[must_use]
    #[inline]
    pub(crate) fn folded(self) -> u16 {
        u16::from_be_bytes(fold(self.words).to_ne_bytes())
    }

    /// What a checksum field holds: the complement.
    #[must_use]
    #[inline]
    pub(crate) fn checksum(self) -> u16 {
        !self.folded()
    }
}

#[inline]
fn sum_words(bytes: &[u8]) -> u64 {
    let mut sum = 0_u64;
    // Two at a time: 2^16 is 1 in ones' complement, so the upper one counts alike.
    let (pairs, rest) = bytes.as_chunks::<4>();
    for pair in pairs {
        sum = sum.wrapping_add(u64::from(u32::from_ne_bytes(*pair)));
    }
    let (words, last) = rest.as_chunks::<2>();
    for word in words {
        sum = sum.wrapping_add(u64::from(u16::from_ne_bytes(*word)));
    }
    if let [byte] = *last {
        sum = sum.wrapping_add(u64::from(u16::from_ne_bytes([byte, 0])));
    }
    sum
}

/// Brings a sum into 16 bits; only a sum of nothing but zeros becomes 0. Folding twice leaves no
/// carry: the first fold has at most one, and then the rest is not all ones.
#[inline]
fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32).wrapping_add(sum & 0xFFFF_FFFF);
    let sum = (sum >> 32).wrapping_add(sum & 0xFFFF_FFFF);
    let sum = (sum >> 16).wrapping_add(sum & 0xFFFF);
    let sum = (sum >> 16).wrapping_add(sum & 0xFFFF);
    sum as u16
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "a panic is a failed test, and nothing is cut off that counts"
)]
mod tests {
    use super::Sum;

    #[test]
    fn the_example_of_rfc_1071() {
        let sum = Sum::of(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.folded(), 0xddf2);
        assert_eq!(sum.checksum(), 0x220d);
    }

    #[test]
    fn an_ipv4_header_with_its_checksum_sums_up_to_all_ones() {
        let header = [
            0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8,
            0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7,
        ];
        assert_eq!(Sum::of(&header).folded(), 0xFFFF);
    }

    #[test]
    fn an_odd_byte_is_the_upper_half_of_a_word() {
        assert_eq!(Sum::of(&[0x12]).folded(), 0x1200);
        assert_eq!(Sum::of(&[0x12, 0x34, 0x56]).folded(), 0x6834);
    }

    #[test]
    fn the_longest_carries_are_folded() {
        assert_eq!(Sum::of(&[0xFF; 65_535]).folded(), 0xFF00);
        assert_eq!(Sum::of(&[0xFF; 65_536]).folded(), 0xFFFF);
        assert_eq!(Sum::of(&[0; 64]).folded(), 0);
    }

    #[test]
    fn any_sum_is_folded_to_the_last_carry() {
        for sum in [
            1,
            0xFFFF,
            0x1_0000,
            0x1_FFFE,
            0xFFFF_FFFF,
            0x1_FFFF_FFFE,
            u64::MAX,
        ] {
            let expected = (sum - 1) % 0xFFFF + 1;
            assert_eq!(u64::from(super::fold(sum)), expected, "{sum:#x}");
        }
        assert_eq!(super::fold(0), 0);
    }

    /// As plainly as can be, from the definition.
    fn by_definition(bytes: &[u8]) -> u16 {
        let mut sum = 0_u32;
        for word in bytes.chunks(2) {
            let low = word.get(1).copied().unwrap_or(0);
            sum += u32::from(u16::from_be_bytes([word[0], low]));
            sum = (sum & 0xFFFF) + (sum >> 16);
        }
        sum as u16
    }

    #[test]
    fn any_pieces_make_the_same_sum() {
        let bytes: [u8; 2000] = core::array::from_fn(|n| ((n * 7919) >> 3) as u8);
        for length in (0..130).chain([1447, 1448, 1999, 2000]) {
            let whole = &bytes[..length];
            let expected = by_definition(whole);
            assert_eq!(Sum::of(whole).folded(), expected, "{length} bytes");
            for piece in [1, 2, 3, 7, 31, 32, 33] {
                let mut sum = Sum::default();
                whole.chunks(piece).for_each(|piece| sum.add(piece));
                assert_eq!(sum.folded(), expected, "{length} bytes by {piece}");
            }
        }
    }
}
