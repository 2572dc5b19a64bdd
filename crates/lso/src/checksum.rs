//! The Internet checksum (RFC 1071): a sum of 16-bit words in ones' complement.

/// The sum of some bytes, to which more can be added in their order.
///
/// Words are summed in the machine's byte order. Ones' complement allows this: a sum of swapped
/// words is the swapped sum (RFC 1071, section 2, part B). It also allows words of 64 bits instead
/// of 16 (part C).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    words: u64,
    /// Whether an odd number of bytes was added so far, so that the next one is the lower half of a
    /// word.
    odd: bool,
}

impl Sum {
    /// The sum of `bytes`.
    #[must_use]
    #[inline]
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            words: sum_words(bytes),
            odd: !bytes.len().is_multiple_of(2),
        }
    }

    /// Adds the bytes that follow those summed so far.
    #[inline]
    pub fn add(&mut self, bytes: &[u8]) {
        let more = Self::of(bytes);
        let turn = if self.odd { u8::BITS } else { 0 };
        self.words = plus(self.words, more.words.rotate_left(turn));
        self.odd ^= more.odd;
    }

    /// Adds one word: of a header, or a sum of bytes that start at an even offset. Adding the
    /// complement of a word that is in the sum removes it.
    #[must_use]
    #[inline]
    pub fn and_word(mut self, word: u16) -> Self {
        let word = u16::from_ne_bytes(word.to_be_bytes());
        self.words = plus(self.words, word.into());
        self
    }

    /// Adds two words.
    #[must_use]
    #[inline]
    pub(crate) fn and_words(mut self, words: u32) -> Self {
        let words = u32::from_ne_bytes(words.to_be_bytes());
        self.words = plus(self.words, words.into());
        self
    }

    /// Adds another sum, of bytes that start at an even place.
    #[must_use]
    #[inline]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.words = plus(self.words, other.words);
        self
    }

    /// The sum in 16 bits: the value of a checksum field that a NIC completes.
    #[must_use]
    #[inline]
    pub(crate) fn folded(self) -> u16 {
        u16::from_be_bytes(fold(self.words).to_ne_bytes())
    }

    /// The content of a checksum field: the complement.
    #[must_use]
    #[inline]
    pub(crate) fn checksum(self) -> u16 {
        !self.folded()
    }
}

/// Adds in ones' complement, with end-around carry.
#[inline]
fn plus(sum: u64, word: u64) -> u64 {
    let (sum, carry) = sum.overflowing_add(word);
    sum.wrapping_add(carry.into())
}

#[inline]
fn sum_words(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let sum = words
        .iter()
        .fold(0, |sum, word| plus(sum, u64::from_ne_bytes(*word)));
    // The remaining bytes are the beginning of a word whose rest is 0.
    let (pair, rest) = rest
        .split_first_chunk()
        .map_or((0, rest), |(pair, rest)| (u32::from_ne_bytes(*pair), rest));
    let (word, rest) = rest
        .split_first_chunk()
        .map_or((0, rest), |(word, rest)| (u16::from_ne_bytes(*word), rest));
    let last = rest
        .first()
        .map_or(0, |byte| u16::from_ne_bytes([*byte, 0]));
    plus(
        sum,
        u64::from(pair)
            .wrapping_add(word.into())
            .wrapping_add(last.into()),
    )
}

/// Brings a sum into 16 bits; only a sum of nothing but zeros becomes 0.
#[inline]
fn fold(sum: u64) -> u16 {
    // Added to itself with its halves exchanged, the upper half becomes their sum with its carry.
    let sum = (sum.wrapping_add(sum.rotate_left(32)) >> 32) as u32;
    (sum.wrapping_add(sum.rotate_left(16)) >> 16) as u16
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
