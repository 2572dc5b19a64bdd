//! The sum of memory that a guest or a program may be writing to.

#[cfg(target_arch = "x86_64")]
mod vectors;

use core::ptr;

use crate::plus;

/// The sum of the `length` bytes from `start` on, in words of the machine's byte order.
///
/// A guest or a program may write to this memory meanwhile. No reference to it is therefore
/// created, and each byte is read exactly once; a concurrent write has no effect other than a
/// wrong checksum in the writer's own packet.
///
/// # Safety
/// The bytes stay mapped meanwhile.
#[inline]
pub(crate) unsafe fn sum(start: *const u8, length: usize) -> u64 {
    let mut rest = Rest {
        start,
        length,
        sum: 0,
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
    // Words were those that addresses make. From an odd address on, each byte is in the other half
    // of its word (RFC 1071, section 2, B).
    if start.addr().is_multiple_of(2) {
        rest.sum
    } else {
        rest.sum.rotate_left(u8::BITS)
    }
}

/// The bytes still to be read, and the sum of those read. The parity of a byte's address determines
/// which half of a word it is.
struct Rest {
    start: *const u8,
    length: usize,
    sum: u64,
}

impl Rest {
    /// Reads a `T` if that brings the address to a multiple of twice its size.
    ///
    /// # Safety
    /// As for [`sum`], and `start` is aligned for a `T`, or the length is below its size.
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
            self.sum = plus(self.sum, word.at(self.start.addr()));
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
