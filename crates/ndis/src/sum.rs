//! The ones' complement sum of memory that a guest or a program may be writing to.

use core::ptr;

/// A ones' complement sum of words in the machine's byte order. The words have 64 bits, which is
/// equivalent to 16 (RFC 1071, section 2, C).
#[derive(Clone, Copy, Default)]
pub(crate) struct OnesSum(u64);

impl OnesSum {
    fn plus(self, word: u64) -> Self {
        let (sum, carry) = self.0.overflowing_add(word);
        Self(sum.wrapping_add(carry.into()))
    }

    /// The same bytes, each in the other half of its word (RFC 1071, section 2, B).
    fn turned(self) -> Self {
        Self(self.0.rotate_left(u8::BITS))
    }

    /// Adds `piece`, a sum of bytes that begin at offset `at` of the summed data.
    pub(crate) fn add(&mut self, piece: Self, at: usize) {
        let in_place = at.is_multiple_of(2);
        *self = self.plus(if in_place { piece } else { piece.turned() }.0);
    }

    /// The sum as a 16-bit number in network byte order; only a sum of nothing but zeros is 0.
    pub(crate) fn in_network_order(self) -> u16 {
        // Added to itself with its halves exchanged, the upper half becomes their sum with its carry.
        let sum = (self.0.wrapping_add(self.0.rotate_left(32)) >> 32) as u32;
        let sum = sum.wrapping_add(sum.rotate_left(16)) >> 16;
        u16::from_be(sum as u16)
    }

    /// The sum of the `length` bytes from `start` on.
    ///
    /// A guest or a program may write to this memory meanwhile. No reference to it is therefore
    /// created, and each byte is read exactly once; a concurrent write has no effect other than a
    /// wrong checksum in the writer's own packet.
    ///
    /// # Safety
    /// The bytes stay mapped meanwhile.
    #[inline]
    pub(crate) unsafe fn of(start: *const u8, length: usize) -> Self {
        let mut rest = Rest {
            start,
            length,
            sum: Self::default(),
        };
        // SAFETY: the bytes stay mapped, by this function's contract. Each read aligns the address
        // for the next wider one, or there are too few bytes left for that.
        unsafe {
            rest.read_if_at::<u8>();
            rest.read_if_at::<u16>();
            rest.read_if_at::<u32>();
            rest.read_if_at::<u64>();
            #[cfg(target_arch = "x86_64")]
            vectors::read(&mut rest);
            #[cfg(not(target_arch = "x86_64"))]
            while rest.length >= 2 * size_of::<u64>() {
                rest.read_if_long::<u64>();
            }
            rest.read_if_long::<u64>();
            rest.read_if_long::<u32>();
            rest.read_if_long::<u16>();
            rest.read_if_long::<u8>();
        }
        // Words were those that addresses make.
        if start.addr().is_multiple_of(2) {
            rest.sum
        } else {
            rest.sum.turned()
        }
    }
}

/// The bytes still to be read, and the sum of those read. The parity of a byte's address determines
/// which half of a word it is.
struct Rest {
    start: *const u8,
    length: usize,
    sum: OnesSum,
}

impl Rest {
    /// Reads a `T` if that brings the address to a multiple of twice its size.
    ///
    /// # Safety
    /// As for [`OnesSum::of`], and `start` is aligned for a `T`, or the length is below its size.
    unsafe fn read_if_at<T: Word>(&mut self) {
        if self.start.addr() & size_of::<T>() != 0 {
            // SAFETY: the bytes stay mapped and `start` is aligned, by this function's contract.
            unsafe { self.read_if_long::<T>() };
        }
    }

    /// Reads a `T` if so many bytes are left.
    ///
    /// # Safety
    /// As for [`read_if_at`](Self::read_if_at).
    unsafe fn read_if_long<T: Word>(&mut self) {
        if self.length >= size_of::<T>() {
            // SAFETY: the bytes stay mapped and `start` is aligned, by this function's contract; a
            // whole `T` is left.
            let word = unsafe { ptr::read_volatile(self.start.cast::<T>()) };
            self.sum = self.sum.plus(word.at(self.start.addr()));
            self.skip(size_of::<T>());
        }
    }

    /// `length` bytes were read; so many there are.
    fn skip(&mut self, length: usize) {
        self.start = self.start.wrapping_add(length);
        self.length = self.length.wrapping_sub(length);
    }
}

/// The unit of a single read.
trait Word: Copy {
    /// Its part in the sum when it is read at an address.
    fn at(self, address: usize) -> u64;
}

impl Word for u8 {
    fn at(self, address: usize) -> u64 {
        let word = if address.is_multiple_of(2) {
            [self, 0]
        } else {
            [0, self]
        };
        u16::from_ne_bytes(word).into()
    }
}

impl Word for u16 {
    fn at(self, _: usize) -> u64 {
        self.into()
    }
}

impl Word for u32 {
    fn at(self, _: usize) -> u64 {
        self.into()
    }
}

impl Word for u64 {
    fn at(self, _: usize) -> u64 {
        self
    }
}

/// Reads 16 bytes at once, with no carries: with 64-bit additions each needs another instruction
/// for the carry, which waits for the one before.
#[cfg(target_arch = "x86_64")]
mod vectors {
    use core::{
        arch::x86_64::{
            __m128i, _mm_add_epi64, _mm_cvtsi128_si64, _mm_setzero_si128, _mm_slli_epi64,
            _mm_srli_epi64, _mm_sub_epi64, _mm_unpackhi_epi64,
        },
        ptr,
    };

    use super::Rest;

    const VECTOR: usize = size_of::<__m128i>();

    /// Reads all whole vectors.
    ///
    /// # Safety
    /// As for [`OnesSum::of`](super::OnesSum::of), and `rest.start` is aligned for a vector, or the
    /// length is below its size.
    #[target_feature(enable = "sse2")]
    pub(super) unsafe fn read(rest: &mut Rest) {
        // Two keep the adders busy, and need no register that Windows has a function save.
        let mut sums = [Sums::new(), Sums::new()];
        // SAFETY: the bytes stay mapped and `start` is aligned for a vector, by this function's
        // contract, and so many vectors are left.
        unsafe {
            while rest.length >= 8 * VECTOR {
                take::<8>(rest, &mut sums);
            }
            if rest.length >= 4 * VECTOR {
                take::<4>(rest, &mut sums);
            }
            if rest.length >= 2 * VECTOR {
                take::<2>(rest, &mut sums);
            }
            if rest.length >= VECTOR {
                take::<1>(rest, &mut sums);
            }
        }
        let [even, odd] = sums;
        rest.sum = rest.sum.plus(even.and(odd).total());
    }

    /// Adds the next vectors to the sums in turn.
    ///
    /// # Safety
    /// As for [`read`], and `COUNT` vectors are left.
    #[target_feature(enable = "sse2")]
    unsafe fn take<const COUNT: usize>(rest: &mut Rest, [even, odd]: &mut [Sums; 2]) {
        let start = rest.start.cast::<__m128i>();
        for place in 0..COUNT {
            // SAFETY: `COUNT` aligned vectors are left and mapped, by this function's contract.
            let vector = unsafe { ptr::read_volatile(start.add(place)) };
            let sums = if place % 2 == 0 {
                &mut *even
            } else {
                &mut *odd
            };
            sums.add(vector);
        }
        rest.skip(size_of::<[__m128i; COUNT]>());
    }

    /// The sum of pairs of 64-bit words, modulo the carries out of them; and the sum of their upper
    /// halves, which cannot overflow before 2^32 of them. The two together determine the sum of the
    /// lower halves, which is as small.
    struct Sums {
        words: __m128i,
        upper: __m128i,
    }

    impl Sums {
        #[target_feature(enable = "sse2")]
        fn new() -> Self {
            let zero = _mm_setzero_si128();
            Self {
                words: zero,
                upper: zero,
            }
        }

        #[target_feature(enable = "sse2")]
        fn add(&mut self, words: __m128i) {
            self.words = _mm_add_epi64(self.words, words);
            self.upper = _mm_add_epi64(self.upper, _mm_srli_epi64::<32>(words));
        }

        #[target_feature(enable = "sse2")]
        fn and(self, other: Self) -> Self {
            Self {
                words: _mm_add_epi64(self.words, other.words),
                upper: _mm_add_epi64(self.upper, other.upper),
            }
        }

        /// The sum of all, less than 2^64.
        #[target_feature(enable = "sse2")]
        fn total(self) -> u64 {
            let lower = _mm_sub_epi64(self.words, _mm_slli_epi64::<32>(self.upper));
            let sums = _mm_add_epi64(lower, self.upper);
            let sum = _mm_add_epi64(sums, _mm_unpackhi_epi64(sums, sums));
            _mm_cvtsi128_si64(sum).cast_unsigned()
        }
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
        let bytes = noise(if cfg!(miri) { 100 } else { 200 });
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
