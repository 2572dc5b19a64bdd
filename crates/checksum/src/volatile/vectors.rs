//! Reads 16 bytes at once, with no carries: with 64-bit additions each needs another instruction
//! for the carry, which waits for the one before.

use core::{
    arch::x86_64::{
        __m128i, _mm_add_epi64, _mm_cvtsi128_si64, _mm_setzero_si128, _mm_slli_epi64,
        _mm_srli_epi64, _mm_sub_epi64, _mm_unpackhi_epi64,
    },
    ptr,
};

use super::Rest;
use crate::plus;

const VECTOR: usize = size_of::<__m128i>();

/// Reads all whole vectors.
///
/// # Safety
/// As for [`sum`](super::sum), and `rest.start` is aligned for a vector, or the
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
    rest.sum = plus(rest.sum, even.and(odd).total());
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
