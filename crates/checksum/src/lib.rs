//! The Internet checksum (RFC 1071): a sum of 16-bit words in ones' complement.
//!
//! [`Sum::of`] is for headers, [`Sum::of_volatile`] for payload that stays in foreign memory. Of a
//! packet that the filter cuts, `filter/src/split.rs` decides who computes the checksum, and
//! `lso/src/template/packet.rs` writes it.
#![no_std]
#![expect(
    unsafe_code,
    reason = "payload is read through raw pointers, because others may write to it"
)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::cast_lossless,
    clippy::cast_possible_wrap
)]

mod volatile;

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
    #[inline]
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            words: sum_words(bytes),
            odd: !bytes.len().is_multiple_of(2),
        }
    }

    /// The sum of the `length` bytes from `start` on, to which a guest or a program may be writing:
    /// each byte is read exactly once.
    ///
    /// # Safety
    /// The bytes stay mapped meanwhile.
    #[inline]
    pub unsafe fn of_volatile(start: *const u8, length: usize) -> Self {
        Self {
            // SAFETY: the bytes stay mapped, by this function's contract.
            words: unsafe { volatile::sum(start, length) },
            odd: !length.is_multiple_of(2),
        }
    }

    /// Adds the bytes that follow those summed so far.
    #[inline]
    pub fn add(&mut self, bytes: &[u8]) {
        self.append(Self::of(bytes));
    }

    /// Adds a sum of the bytes that follow those summed so far.
    #[inline]
    pub fn append(&mut self, more: Self) {
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
    pub fn and_words(mut self, words: u32) -> Self {
        let words = u32::from_ne_bytes(words.to_be_bytes());
        self.words = plus(self.words, words.into());
        self
    }

    /// Adds another sum, of bytes that start at an even place.
    #[must_use]
    #[inline]
    pub fn and(mut self, other: Self) -> Self {
        self.words = plus(self.words, other.words);
        self
    }

    /// The sum in 16 bits: the value of a checksum field that a NIC completes.
    #[inline]
    pub fn folded(self) -> u16 {
        u16::from_be_bytes(fold(self.words).to_ne_bytes())
    }

    /// The content of a checksum field: the complement.
    #[inline]
    pub fn checksum(self) -> u16 {
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
#[expect(clippy::indexing_slicing, reason = "a panic is a failed test")]
mod tests;
