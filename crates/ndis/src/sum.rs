//! The ones' complement sum of memory that others may be writing to.

use core::ptr;

/// Words that are added side by side, each to a sum of its own: one sum would have to wait for
/// itself.
const LANES: usize = 4;
const WORD: usize = size_of::<u64>();

/// A ones' complement sum of words in the machine's byte order. The words are of 64 bits, which
/// comes to the same as 16 (RFC 1071, section 2, C).
#[derive(Clone, Copy, Default)]
pub(crate) struct OnesSum(u64);

impl OnesSum {
    fn plus(self, word: u64) -> Self {
        let (sum, carry) = self.0.overflowing_add(word);
        Self(sum.wrapping_add(carry.into()))
    }

    /// Adds `piece`, a sum of bytes that begin at place `at` of what is summed.
    pub(crate) fn add(&mut self, piece: Self, at: usize) {
        // From an odd place on, every byte is the other half of a word (RFC 1071, section 2, B).
        let turn = if at.is_multiple_of(2) { 0 } else { u8::BITS };
        *self = self.plus(piece.0.rotate_left(turn));
    }

    /// The sum as a 16-bit number in network byte order; only a sum of nothing but zeros is 0.
    pub(crate) fn in_network_order(self) -> u16 {
        let sum = (self.0 >> 32).wrapping_add(self.0 & 0xFFFF_FFFF);
        let sum = (sum >> 16).wrapping_add(sum & 0xFFFF);
        let sum = (sum >> 16).wrapping_add(sum & 0xFFFF);
        let sum = (sum >> 16).wrapping_add(sum & 0xFFFF);
        u16::from_be(sum as u16)
    }

    /// The sum of the `length` bytes from `start` on.
    ///
    /// They are read as what they are: memory that a guest or a program may write to meanwhile. So
    /// there is never a reference to them, each is read exactly once, and what comes of a write at
    /// the same time is a wrong checksum in the packet of him who did it, and nothing else.
    ///
    /// # Safety
    /// The bytes stay mapped meanwhile.
    pub(crate) unsafe fn of(start: *const u8, length: usize) -> Self {
        let unaligned = start.align_offset(WORD).min(length);
        let aligned = length.wrapping_sub(unaligned);
        let rest = aligned % WORD;
        let mut sum = Self::default();
        // SAFETY: three neighbours, together as long as the caller says; the second begins where a
        // word is aligned and is whole words.
        unsafe {
            sum.add(Self::of_bytes(start, unaligned), 0);
            let words = start.add(unaligned);
            let words_length = aligned.wrapping_sub(rest);
            let last = words.add(words_length);
            sum.add(Self::of_words(words.cast(), words_length / WORD), unaligned);
            sum.add(Self::of_bytes(last, rest), unaligned);
        }
        sum
    }

    /// # Safety
    /// As for [`of`](Self::of).
    unsafe fn of_bytes(start: *const u8, length: usize) -> Self {
        let mut sum = 0_u64;
        for at in 0..length {
            // SAFETY: as the caller vouches.
            let byte = unsafe { ptr::read_volatile(start.add(at)) };
            let word = if at.is_multiple_of(2) {
                [byte, 0]
            } else {
                [0, byte]
            };
            sum = sum.wrapping_add(u16::from_ne_bytes(word).into());
        }
        Self(sum)
    }

    /// # Safety
    /// As for [`of`](Self::of), of `count` words; `start` is aligned.
    unsafe fn of_words(start: *const u64, count: usize) -> Self {
        let mut lanes = [0_u64; LANES];
        let mut carries = 0_u64;
        let mut add = |lane: &mut u64, place: usize| {
            // SAFETY: as the caller vouches; the places are below `count`.
            let word = unsafe { ptr::read_volatile(start.add(place)) };
            let (sum, carry) = lane.overflowing_add(word);
            *lane = sum;
            carries = carries.wrapping_add(carry.into());
        };
        let [a, b, c, d] = &mut lanes;
        let whole = count.wrapping_sub(count % LANES);
        for place in (0..whole).step_by(LANES) {
            add(a, place);
            add(b, place.wrapping_add(1));
            add(c, place.wrapping_add(2));
            add(d, place.wrapping_add(3));
        }
        for place in whole..count {
            add(a, place);
        }
        lanes.into_iter().fold(Self(carries), Self::plus)
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]
mod tests {
    extern crate std;

    use std::{vec, vec::Vec};

    use super::OnesSum;

    /// Word by word, as RFC 1071 defines it.
    fn by_definition(bytes: &[u8]) -> u16 {
        let words = bytes.chunks(2).map(|word| match *word {
            [high, low] => u32::from(u16::from_be_bytes([high, low])),
            [high] => u32::from(u16::from_be_bytes([high, 0])),
            _ => 0,
        });
        let mut sum: u32 = words.sum();
        while sum > 0xFFFF {
            sum = (sum >> 16) + (sum & 0xFFFF);
        }
        u16::try_from(sum).expect("16 bits")
    }

    fn sum(bytes: &[u8]) -> OnesSum {
        // SAFETY: a slice is mapped.
        unsafe { OnesSum::of(bytes.as_ptr(), bytes.len()) }
    }

    /// All bits in all places: a generator of Lehmer's kind.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x1234_5678_9ABC_DEF1_u64;
        let next = |_| {
            state = state.wrapping_mul(0xDA94_2042_E4DD_58B5);
            state.to_be_bytes()[0]
        };
        (0..length).map(next).collect()
    }

    #[test]
    fn every_length_at_every_alignment() {
        let bytes = noise(if cfg!(miri) { 45 } else { 200 });
        for start in if cfg!(miri) { 6..10 } else { 0..16 } {
            for end in start..bytes.len() {
                let piece = &bytes[start..end];
                assert_eq!(sum(piece).in_network_order(), by_definition(piece));
            }
        }
    }

    #[test]
    fn pieces_of_odd_length_are_one_sum() {
        let most = if cfg!(miri) { 6 } else { 60 };
        let bytes = noise(2 * most);
        for first in 0..most {
            for second in first..most {
                let mut all = OnesSum::default();
                let pieces = [(0, first), (first, second), (second, 2 * most)];
                for (start, end) in pieces {
                    all.add(sum(&bytes[start..end]), start);
                }
                assert_eq!(all.in_network_order(), by_definition(&bytes));
            }
        }
    }

    #[test]
    fn carries_are_kept() {
        let most = if cfg!(miri) { 70 } else { 9000 };
        for length in [1, 7, 8, 64, most] {
            let ones = vec![0xFF; length];
            assert_eq!(sum(&ones).in_network_order(), by_definition(&ones));
            assert_eq!(sum(&vec![0; length]).in_network_order(), 0);
        }
    }
}
