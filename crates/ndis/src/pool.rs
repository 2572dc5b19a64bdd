//! Memory from the non-paged pool: tagged, cache aligned, and always fallible.

use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::{self, NonNull},
};

use crate::{status::Status, sys};

/// Four readable letters by which `poolmon` and Driver Verifier tell who owns an allocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag(u32);

impl Tag {
    /// A tag from its letters in the order in which tools show them.
    #[must_use]
    pub const fn new(letters: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(letters))
    }

    /// The value that pool routines take.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }
}

/// Largest alignment that the pool promises for a cache aligned allocation.
pub(crate) const CACHE_LINE: usize = 64;

/// Room for `count` values of `T`, uninitialised. IRQL ≤ DISPATCH_LEVEL.
fn allocate<T>(tag: Tag, count: usize) -> Result<NonNull<T>, Status> {
    const { assert!(align_of::<T>() <= CACHE_LINE && size_of::<T>() > 0) };
    let bytes = size_of::<T>().checked_mul(count).ok_or(Status::RESOURCES)?;
    let flags = sys::POOL_FLAG_NON_PAGED | sys::POOL_FLAG_CACHE_ALIGNED;
    // SAFETY: ExAllocatePool2 has no precondition beyond IRQL ≤ DISPATCH_LEVEL, where all of this
    // crate runs, and a size above zero: `T` is not zero sized and callers ask for at least one.
    let memory = unsafe { sys::ExAllocatePool2(flags, bytes, tag.value()) };
    NonNull::new(memory.cast()).ok_or(Status::RESOURCES)
}

/// Room for `length` bytes (at least one), uninitialised, at no particular alignment. It is freed
/// with [`free_bytes`]. IRQL ≤ DISPATCH_LEVEL.
pub(crate) fn allocate_bytes(tag: Tag, length: usize) -> Result<NonNull<u8>, Status> {
    let flags = sys::POOL_FLAG_NON_PAGED | sys::POOL_FLAG_UNINITIALIZED;
    // SAFETY: as in `allocate`.
    let memory = unsafe { sys::ExAllocatePool2(flags, length.max(1), tag.value()) };
    NonNull::new(memory.cast()).ok_or(Status::RESOURCES)
}

/// Frees memory of [`allocate_bytes`]. IRQL ≤ DISPATCH_LEVEL.
///
/// # Safety
/// `memory` was allocated under `tag`, and nobody uses it any more.
pub(crate) unsafe fn free_bytes(tag: Tag, memory: NonNull<u8>) {
    // SAFETY: as the caller vouches.
    unsafe { sys::ExFreePoolWithTag(memory.as_ptr().cast(), tag.value()) };
}

/// One value in the non-paged pool.
pub struct PoolBox<T> {
    value: NonNull<T>,
    tag: Tag,
    owns: PhantomData<T>,
}

// SAFETY: a PoolBox owns its value alone, so it may go wherever the value may.
unsafe impl<T: Send> Send for PoolBox<T> {}
// SAFETY: a shared PoolBox gives out nothing but `&T`.
unsafe impl<T: Sync> Sync for PoolBox<T> {}

impl<T> PoolBox<T> {
    /// Moves `value` into the pool. IRQL ≤ DISPATCH_LEVEL.
    ///
    /// # Errors
    /// [`Status::RESOURCES`] where there is no memory; `value` is dropped then.
    pub fn try_new(tag: Tag, value: T) -> Result<Self, Status> {
        let memory = allocate::<T>(tag, 1)?;
        // SAFETY: `allocate` returned memory for one `T`, aligned for it, that nobody else has.
        unsafe { memory.write(value) };
        Ok(Self {
            value: memory,
            tag,
            owns: PhantomData,
        })
    }

    /// Gives the value to whoever keeps the pointer, for example as an NDIS context handle.
    #[must_use]
    pub fn into_raw(self) -> NonNull<T> {
        let value = self.value;
        core::mem::forget(self);
        value
    }

    /// Takes back what [`into_raw`](Self::into_raw) gave away.
    ///
    /// # Safety
    /// `value` comes from `into_raw` of a box with the same tag, and nobody uses it any more.
    #[must_use]
    pub unsafe fn from_raw(tag: Tag, value: NonNull<T>) -> Self {
        Self {
            value,
            tag,
            owns: PhantomData,
        }
    }
}

impl<T> Deref for PoolBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the box owns an initialised `T` from `try_new` until it is dropped.
        unsafe { self.value.as_ref() }
    }
}

impl<T> Drop for PoolBox<T> {
    fn drop(&mut self) {
        // SAFETY: the box owns the value, drops it once, and frees the memory that
        // `ExAllocatePool2` gave for it under the same tag.
        unsafe {
            ptr::drop_in_place(self.value.as_ptr());
            sys::ExFreePoolWithTag(self.value.as_ptr().cast(), self.tag.value());
        }
    }
}

/// A value that somebody else owns and that outlives all its users, for example the driver's
/// context as the filter modules see it.
pub struct Lent<T>(NonNull<T>);

// SAFETY: a Lent gives out nothing but `&T`.
unsafe impl<T: Sync> Send for Lent<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Lent<T> {}

impl<T> Clone for Lent<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Lent<T> {}

impl<T> Lent<T> {
    /// # Safety
    /// `value` is alive, and changed through shared references alone, as long as this is used.
    #[must_use]
    pub const unsafe fn new(value: NonNull<T>) -> Self {
        Self(value)
    }
}

impl<T> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: as the caller of `new` vouches.
        unsafe { self.0.as_ref() }
    }
}

/// A fixed number of values in one block of the non-paged pool.
pub struct PoolSlice<T> {
    values: NonNull<T>,
    length: usize,
    tag: Tag,
    owns: PhantomData<T>,
}

// SAFETY: a PoolSlice owns its values alone, so it may go wherever they may.
unsafe impl<T: Send> Send for PoolSlice<T> {}
// SAFETY: a shared PoolSlice gives out nothing but `&T`.
unsafe impl<T: Sync> Sync for PoolSlice<T> {}

impl<T> PoolSlice<T> {
    /// `length` values (at least one), each made by `make` from its index. IRQL ≤ DISPATCH_LEVEL.
    ///
    /// # Errors
    /// [`Status::RESOURCES`] where there is no memory.
    pub fn try_new(
        tag: Tag,
        length: usize,
        mut make: impl FnMut(usize) -> T,
    ) -> Result<Self, Status> {
        let length = length.max(1);
        let values = allocate::<T>(tag, length)?;
        for index in 0..length {
            // SAFETY: the block has room for `length` values and `index` is below that.
            unsafe { values.add(index).write(make(index)) };
        }
        Ok(Self {
            values,
            length,
            tag,
            owns: PhantomData,
        })
    }
}

impl<T> Deref for PoolSlice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `try_new` initialised `length` values that live until the slice is dropped.
        unsafe { core::slice::from_raw_parts(self.values.as_ptr(), self.length) }
    }
}

impl<T> Drop for PoolSlice<T> {
    fn drop(&mut self) {
        let values = ptr::slice_from_raw_parts_mut(self.values.as_ptr(), self.length);
        // SAFETY: the slice owns its values, drops them once, and frees the memory that
        // `ExAllocatePool2` gave for them under the same tag.
        unsafe {
            ptr::drop_in_place(values);
            sys::ExFreePoolWithTag(self.values.as_ptr().cast(), self.tag.value());
        }
    }
}
