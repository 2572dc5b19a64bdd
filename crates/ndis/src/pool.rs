//! Memory from the non-paged pool: tagged, cache aligned, and always fallible.

use core::{
    ffi::c_void,
    marker::PhantomData,
    ops::Deref,
    ptr::{self, NonNull},
};

use crate::{pool_tag::Tag, status::Status, sys};

/// The alignment of values in the pool. The pool itself guarantees no more than 16: the
/// documentation of POOL_FLAG_CACHE_ALIGNED warns that correctness must not depend on it.
const CACHE_LINE: usize = 64;

/// The start of a block of the pool, stored right before its values.
type Start = *mut c_void;

/// Room for `count` values of `T` at the beginning of a cache line, uninitialized. It is freed with
/// [`free`]. IRQL ≤ DISPATCH_LEVEL.
pub(crate) fn allocate<T>(tag: Tag, count: usize) -> Result<NonNull<T>, Status> {
    const { assert!(align_of::<T>() <= CACHE_LINE && size_of::<T>() > 0) };
    let bytes = size_of::<T>()
        .checked_mul(count)
        .and_then(|bytes| bytes.checked_add(CACHE_LINE))
        .ok_or(Status::RESOURCES)?;
    // SAFETY: ExAllocatePool2 has no precondition beyond IRQL ≤ DISPATCH_LEVEL, at which all of
    // this crate runs, and a size above zero.
    let block = unsafe { sys::ExAllocatePool2(sys::POOL_FLAG_NON_PAGED, bytes, tag.value()) };
    let block = NonNull::new(block).ok_or(Status::RESOURCES)?;
    let before = CACHE_LINE.wrapping_sub(block.addr().get() & const { CACHE_LINE - 1 });
    // SAFETY: `before` is at most a cache line, by which the block is longer than the values; and
    // as the pool aligns blocks to 16 bytes, it is at least 16, in which there is room for `Start`.
    unsafe {
        let values = block.byte_add(before);
        values.cast::<Start>().sub(1).write(block.as_ptr());
        Ok(values.cast())
    }
}

/// Frees memory of [`allocate`]. IRQL ≤ DISPATCH_LEVEL.
///
/// # Safety
/// `values` was allocated under `tag`, and is not used any more.
unsafe fn free<T>(tag: Tag, values: NonNull<T>) {
    // SAFETY: `values` is from `allocate` and unused, by this function's contract; `allocate`
    // stored the start of the block in front of it.
    unsafe { sys::ExFreePoolWithTag(values.cast::<Start>().sub(1).read(), tag.value()) };
}

/// Allocates `length` bytes (at least one), uninitialized, at no particular alignment. They are
/// freed with [`free_bytes`]. IRQL ≤ DISPATCH_LEVEL.
pub fn allocate_bytes(tag: Tag, length: usize) -> Result<NonNull<u8>, Status> {
    let flags = sys::POOL_FLAG_NON_PAGED | sys::POOL_FLAG_UNINITIALIZED;
    // SAFETY: as in `allocate`.
    let memory = unsafe { sys::ExAllocatePool2(flags, length.max(1), tag.value()) };
    NonNull::new(memory.cast()).ok_or(Status::RESOURCES)
}

/// Frees memory of [`allocate_bytes`]. IRQL ≤ DISPATCH_LEVEL.
///
/// # Safety
/// `memory` was allocated under `tag`, and is not used any more.
pub unsafe fn free_bytes(tag: Tag, memory: NonNull<u8>) {
    // SAFETY: `memory` was allocated under `tag` and is unused, by this function's contract.
    unsafe { sys::ExFreePoolWithTag(memory.as_ptr().cast(), tag.value()) };
}

/// One value in the non-paged pool.
pub struct PoolBox<T> {
    value: NonNull<T>,
    tag: Tag,
    owns: PhantomData<T>,
}

// SAFETY: a PoolBox is the only owner of its value, so it is as mobile as the value.
unsafe impl<T: Send> Send for PoolBox<T> {}
// SAFETY: a shared PoolBox provides access to `&T` only.
unsafe impl<T: Sync> Sync for PoolBox<T> {}

impl<T> PoolBox<T> {
    /// Moves `value` into the pool. IRQL ≤ DISPATCH_LEVEL.
    ///
    /// # Errors
    /// [`Status::RESOURCES`] where there is no memory; `value` is dropped then.
    pub fn try_new(tag: Tag, value: T) -> Result<Self, Status> {
        let memory = allocate::<T>(tag, 1)?;
        // SAFETY: `allocate` returned unshared memory for one `T`, aligned for it.
        unsafe { memory.write(value) };
        Ok(Self {
            value: memory,
            tag,
            owns: PhantomData,
        })
    }

    /// Releases the value to the owner of the pointer, for example as an NDIS context handle.
    #[must_use]
    pub fn into_raw(self) -> NonNull<T> {
        let value = self.value;
        core::mem::forget(self);
        value
    }

    /// Takes back the value that [`into_raw`](Self::into_raw) released.
    ///
    /// # Safety
    /// `value` comes from `into_raw` of a box with the same tag, and is not used any more.
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
        // SAFETY: the box owns an initialized `T` from `try_new` until it is dropped.
        unsafe { self.value.as_ref() }
    }
}

impl<T> Drop for PoolBox<T> {
    fn drop(&mut self) {
        // SAFETY: the box owns the value, drops it once, and frees the memory that `allocate` gave
        // for it under the same tag.
        unsafe {
            ptr::drop_in_place(self.value.as_ptr());
            free(self.tag, self.value);
        }
    }
}

/// A value with another owner that outlives all its users, for example the driver's context as the
/// filter modules see it.
pub struct DriverRef<T>(NonNull<T>);

// SAFETY: a DriverRef provides access to `&T` only.
unsafe impl<T: Sync> Send for DriverRef<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for DriverRef<T> {}

impl<T> Clone for DriverRef<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for DriverRef<T> {}

impl<T> DriverRef<T> {
    /// # Safety
    /// `value` is alive, and changed through shared references alone, as long as this is used.
    pub const unsafe fn new(value: NonNull<T>) -> Self {
        Self(value)
    }
}

impl<T> Deref for DriverRef<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the value is alive and changed through shared references alone, by the contract
        // of `new`.
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

// SAFETY: a PoolSlice is the only owner of its values, so it is as mobile as they are.
unsafe impl<T: Send> Send for PoolSlice<T> {}
// SAFETY: a shared PoolSlice provides access to `&T` only.
unsafe impl<T: Sync> Sync for PoolSlice<T> {}

impl<T> PoolSlice<T> {
    /// Allocates `length` values (at least one), each created by `make` from its index. IRQL ≤
    /// DISPATCH_LEVEL.
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
        // SAFETY: `try_new` initialized `length` values that live until the slice is dropped.
        unsafe { core::slice::from_raw_parts(self.values.as_ptr(), self.length) }
    }
}

impl<T> Drop for PoolSlice<T> {
    fn drop(&mut self) {
        let values = ptr::slice_from_raw_parts_mut(self.values.as_ptr(), self.length);
        // SAFETY: the slice owns its values, drops them once, and frees the memory that `allocate`
        // gave for them under the same tag.
        unsafe {
            ptr::drop_in_place(values);
            free(self.tag, self.values);
        }
    }
}
