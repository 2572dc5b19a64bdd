//! The C library's memory routines, as `ntoskrnl.exe` exports them. They go by their names only to
//! an image that asks for them: this process has its own.

use std::{ffi::c_void, ptr};

use crate::{guard, race};

/// The driver accesses `length` bytes at `start`.
fn accessed(start: *const u8, length: usize, writes: bool) {
    guard::check_access(start, length, writes);
    race::access_by_routine(start.addr(), length, writes);
}

/// The driver copies `length` bytes.
fn check_copy(to: *const c_void, from: *const c_void, length: usize) {
    accessed(from.cast(), length, false);
    accessed(to.cast(), length, true);
}

unsafe extern "efiapi" fn memcpy(
    to: *mut c_void,
    from: *const c_void,
    length: usize,
) -> *mut c_void {
    check_copy(to, from, length);
    // SAFETY: the caller passes `length` bytes each, apart from each other.
    unsafe { ptr::copy_nonoverlapping(from.cast::<u8>(), to.cast::<u8>(), length) };
    to
}

unsafe extern "efiapi" fn memmove(
    to: *mut c_void,
    from: *const c_void,
    length: usize,
) -> *mut c_void {
    check_copy(to, from, length);
    // SAFETY: the caller passes `length` bytes each.
    unsafe { ptr::copy(from.cast::<u8>(), to.cast::<u8>(), length) };
    to
}

unsafe extern "efiapi" fn memset(to: *mut c_void, value: i32, length: usize) -> *mut c_void {
    accessed(to.cast(), length, true);
    // SAFETY: the caller passes `length` bytes.
    unsafe { ptr::write_bytes(to.cast::<u8>(), value as u8, length) };
    to
}

unsafe extern "efiapi" fn memcmp(left: *const c_void, right: *const c_void, length: usize) -> i32 {
    accessed(left.cast(), length, false);
    accessed(right.cast(), length, false);
    // SAFETY: the caller passes `length` bytes each.
    let (left, right) = unsafe {
        (
            std::slice::from_raw_parts(left.cast::<u8>(), length),
            std::slice::from_raw_parts(right.cast::<u8>(), length),
        )
    };
    left.cmp(right) as i32
}

super::exports! {
    memcpy
    memmove
    memset
    memcmp
}
