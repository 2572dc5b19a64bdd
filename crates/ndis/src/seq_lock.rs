//! A value that is read often, on every processor, and written seldom: a sequence lock.
//!
//! There are two copies of the value. The sequence number selects the current one; a writer writes
//! the other one and then increments the number. A reader that finds the number unchanged after it
//! copied the value has a consistent copy. It never waits for a writer, and copies again only where
//! a write was completed meanwhile.

use core::{
    cell::UnsafeCell,
    mem::MaybeUninit,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence},
};

/// A value that may be copied word by word.
///
/// # Safety
/// The type has no padding, its size is a multiple of 8 and its alignment at least 8 bytes, and
/// every bit pattern is a value of it.
pub unsafe trait Words: Copy {}

/// See the module.
pub struct SeqLock<T> {
    sequence: AtomicUsize,
    copies: UnsafeCell<[T; 2]>,
}

// SAFETY: the copies are accessed by atomic operations only.
unsafe impl<T: Words + Send> Sync for SeqLock<T> {}

impl<T: Words> SeqLock<T> {
    const WORDS: usize = size_of::<T>() / size_of::<u64>();

    /// A lock around `value`.
    pub const fn new(value: T) -> Self {
        const {
            assert!(
                size_of::<T>().is_multiple_of(size_of::<u64>())
                    && align_of::<T>() >= align_of::<u64>()
            );
        }
        Self {
            sequence: AtomicUsize::new(0),
            copies: UnsafeCell::new([value; 2]),
        }
    }

    /// Word `at` of the copy that is current under `sequence`.
    ///
    /// # Safety
    /// `at` is below [`WORDS`](Self::WORDS).
    #[inline]
    unsafe fn word(&self, sequence: usize, at: usize) -> &AtomicU64 {
        // SAFETY: there are two copies of `WORDS` words each, aligned for them; all accesses to
        // them are atomic.
        unsafe {
            let copy = self.copies.get().cast::<T>().add(sequence & 1);
            AtomicU64::from_ptr(copy.cast::<u64>().add(at))
        }
    }

    /// A consistent copy of the value. Any IRQL.
    #[inline]
    pub fn load(&self) -> T {
        let mut value = MaybeUninit::<T>::uninit();
        loop {
            let sequence = self.sequence.load(Ordering::Acquire);
            for at in 0..Self::WORDS {
                // SAFETY: `at` is below `WORDS`, the number of words of `value`.
                unsafe {
                    let word = self.word(sequence, at).load(Ordering::Relaxed);
                    value.as_mut_ptr().cast::<u64>().add(at).write(word);
                }
            }
            // With the writer's: where a word is of a later write, so is the sequence number.
            fence(Ordering::Acquire);
            if self.sequence.load(Ordering::Relaxed) == sequence {
                // SAFETY: all words are written; any bits are a value.
                return unsafe { value.assume_init() };
            }
        }
    }

    /// Replaces the value. Writers must be serialized; otherwise a reader may see a mixture of two
    /// values.
    pub fn store(&self, value: T) {
        let next = self.sequence.load(Ordering::Relaxed).wrapping_add(1);
        fence(Ordering::Release);
        let from = (&raw const value).cast::<u64>();
        for at in 0..Self::WORDS {
            // SAFETY: `at` is below `WORDS`, the number of words of `value`, which has no padding.
            unsafe {
                self.word(next, at)
                    .store(from.add(at).read(), Ordering::Relaxed)
            };
        }
        self.sequence.store(next, Ordering::Release);
    }
}
