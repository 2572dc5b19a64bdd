//! `ntoskrnl.exe`: the C library's routines for strings, and printing.

use std::ffi::{CStr, c_char, c_void};
use std::io::Write;

use ::ndis::sys::STATUS_SUCCESS;

use crate::guard;

/// The text at `text`, without the zero at its end, at most `most` characters of it.
///
/// # Safety
/// `text` ends with a zero, or is `most` characters long.
unsafe fn text<'a, T: Copy + PartialEq + Default>(text: *const T, most: usize) -> &'a [T] {
    let mut length = 0;
    // SAFETY: as the caller vouches.
    unsafe {
        while length < most && *text.add(length) != T::default() {
            length += 1;
        }
        std::slice::from_raw_parts(text, length)
    }
}

const ALL: usize = usize::MAX;

/// -1, 0 or 1, as the routines that compare return.
fn sign(order: std::cmp::Ordering) -> i32 {
    order as i32
}

/// Compares in any case: that of ASCII alone.
fn folded<T: Copy + Into<u32>>(text: &[T]) -> impl Iterator<Item = u32> {
    text.iter().map(|one| match (*one).into() {
        upper @ 0x41..=0x5A => upper + 0x20,
        other => other,
    })
}

unsafe extern "efiapi" fn strlen(one: *const u8) -> usize {
    // SAFETY: the caller passes text that ends with a zero.
    unsafe { text(one, ALL).len() }
}

unsafe extern "efiapi" fn strnlen(one: *const u8, most: usize) -> usize {
    // SAFETY: as above, or as long as the limit.
    unsafe { text(one, most).len() }
}

unsafe extern "efiapi" fn wcslen(one: *const u16) -> usize {
    // SAFETY: as above.
    unsafe { text(one, ALL).len() }
}

unsafe extern "efiapi" fn wcsnlen(one: *const u16, most: usize) -> usize {
    // SAFETY: as above.
    unsafe { text(one, most).len() }
}

unsafe extern "efiapi" fn strcmp(one: *const u8, other: *const u8) -> i32 {
    // SAFETY: as above.
    unsafe { sign(text(one, ALL).cmp(text(other, ALL))) }
}

unsafe extern "efiapi" fn strncmp(one: *const u8, other: *const u8, most: usize) -> i32 {
    // SAFETY: as above.
    unsafe { sign(text(one, most).cmp(text(other, most))) }
}

unsafe extern "efiapi" fn _stricmp(one: *const u8, other: *const u8) -> i32 {
    // SAFETY: as above.
    unsafe { sign(folded(text(one, ALL)).cmp(folded(text(other, ALL)))) }
}

unsafe extern "efiapi" fn _strnicmp(one: *const u8, other: *const u8, most: usize) -> i32 {
    // SAFETY: as above.
    unsafe { sign(folded(text(one, most)).cmp(folded(text(other, most)))) }
}

unsafe extern "efiapi" fn wcscmp(one: *const u16, other: *const u16) -> i32 {
    // SAFETY: as above.
    unsafe { sign(text(one, ALL).cmp(text(other, ALL))) }
}

unsafe extern "efiapi" fn wcsncmp(one: *const u16, other: *const u16, most: usize) -> i32 {
    // SAFETY: as above.
    unsafe { sign(text(one, most).cmp(text(other, most))) }
}

unsafe extern "efiapi" fn _wcsicmp(one: *const u16, other: *const u16) -> i32 {
    // SAFETY: as above.
    unsafe { sign(folded(text(one, ALL)).cmp(folded(text(other, ALL)))) }
}

unsafe extern "efiapi" fn _wcsnicmp(one: *const u16, other: *const u16, most: usize) -> i32 {
    // SAFETY: as above.
    unsafe { sign(folded(text(one, most)).cmp(folded(text(other, most)))) }
}

/// Where `wanted` begins in `all`.
fn find<T: PartialEq>(all: &[T], wanted: &[T]) -> Option<usize> {
    if wanted.is_empty() {
        return Some(0);
    }
    all.windows(wanted.len()).position(|part| part == wanted)
}

unsafe extern "efiapi" fn strstr(all: *const u8, wanted: *const u8) -> *const u8 {
    // SAFETY: as above.
    let at = unsafe { find(text(all, ALL), text(wanted, ALL)) };
    at.map_or(std::ptr::null(), |at| all.wrapping_add(at))
}

unsafe extern "efiapi" fn wcsstr(all: *const u16, wanted: *const u16) -> *const u16 {
    // SAFETY: as above.
    let at = unsafe { find(text(all, ALL), text(wanted, ALL)) };
    at.map_or(std::ptr::null(), |at| all.wrapping_add(at))
}

/// The place of `wanted` in text that ends with a zero, which is found too.
///
/// # Safety
/// `all` ends with a zero.
unsafe fn character<T: Copy + PartialEq + Default>(
    all: *const T,
    wanted: T,
    last: bool,
) -> *const T {
    // SAFETY: as the caller vouches; the zero belongs to it.
    let all = unsafe { std::slice::from_raw_parts(all, text(all, ALL).len() + 1) };
    let is = |one: &T| *one == wanted;
    let at = if last {
        all.iter().rposition(is)
    } else {
        all.iter().position(is)
    };
    at.map_or(std::ptr::null(), |at| &raw const all[at])
}

unsafe extern "efiapi" fn strchr(all: *const u8, wanted: i32) -> *const u8 {
    // SAFETY: as above.
    unsafe { character(all, wanted as u8, false) }
}

unsafe extern "efiapi" fn strrchr(all: *const u8, wanted: i32) -> *const u8 {
    // SAFETY: as above.
    unsafe { character(all, wanted as u8, true) }
}

unsafe extern "efiapi" fn wcschr(all: *const u16, wanted: u16) -> *const u16 {
    // SAFETY: as above.
    unsafe { character(all, wanted, false) }
}

unsafe extern "efiapi" fn wcsrchr(all: *const u16, wanted: u16) -> *const u16 {
    // SAFETY: as above.
    unsafe { character(all, wanted, true) }
}

/// Copies text with its zero.
///
/// # Safety
/// `from` ends with a zero, and there is room for it at `to`.
unsafe fn copy<T: Copy + PartialEq + Default>(to: *mut T, from: *const T) -> *mut T {
    // SAFETY: as the caller vouches.
    unsafe {
        let length = text(from, ALL).len() + 1;
        guard::check_access(to.cast(), length * size_of::<T>(), true);
        std::ptr::copy(from, to, length);
    }
    to
}

unsafe extern "efiapi" fn strcpy(to: *mut u8, from: *const u8) -> *mut u8 {
    // SAFETY: as above.
    unsafe { copy(to, from) }
}

unsafe extern "efiapi" fn wcscpy(to: *mut u16, from: *const u16) -> *mut u16 {
    // SAFETY: as above.
    unsafe { copy(to, from) }
}

unsafe extern "efiapi" fn strcat(to: *mut u8, from: *const u8) -> *mut u8 {
    // SAFETY: as above.
    unsafe { copy(to.add(text(to, ALL).len()), from) };
    to
}

unsafe extern "efiapi" fn wcscat(to: *mut u16, from: *const u16) -> *mut u16 {
    // SAFETY: as above.
    unsafe { copy(to.add(text(to, ALL).len()), from) };
    to
}

/// Copies `most` characters, with zeros behind a shorter text.
///
/// # Safety
/// `from` ends with a zero or is `most` characters long, and there is room for them at `to`.
unsafe fn copy_most<T: Copy + PartialEq + Default>(
    to: *mut T,
    from: *const T,
    most: usize,
) -> *mut T {
    guard::check_access(to.cast(), most * size_of::<T>(), true);
    // SAFETY: as the caller vouches.
    unsafe {
        let from = text(from, most);
        for at in 0..most {
            to.add(at).write(from.get(at).copied().unwrap_or_default());
        }
    }
    to
}

unsafe extern "efiapi" fn strncpy(to: *mut u8, from: *const u8, most: usize) -> *mut u8 {
    // SAFETY: as above.
    unsafe { copy_most(to, from, most) }
}

unsafe extern "efiapi" fn wcsncpy(to: *mut u16, from: *const u16, most: usize) -> *mut u16 {
    // SAFETY: as above.
    unsafe { copy_most(to, from, most) }
}

unsafe extern "efiapi" fn toupper(one: i32) -> i32 {
    u8::try_from(one).map_or(one, |byte| byte.to_ascii_uppercase().into())
}

unsafe extern "efiapi" fn tolower(one: i32) -> i32 {
    u8::try_from(one).map_or(one, |byte| byte.to_ascii_lowercase().into())
}

unsafe extern "efiapi" fn towupper(one: u16) -> u16 {
    u8::try_from(one).map_or(one, |byte| byte.to_ascii_uppercase().into())
}

unsafe extern "efiapi" fn towlower(one: u16) -> u16 {
    u8::try_from(one).map_or(one, |byte| byte.to_ascii_lowercase().into())
}

/// Prints a message for a debugger: the format as it is, since the arguments may be anything.
///
/// # Safety
/// `format` ends with a zero.
unsafe fn print(format: *const c_char) -> i32 {
    // SAFETY: as the caller vouches.
    let line = unsafe { CStr::from_ptr(format) }.to_string_lossy();
    let _ = writeln!(std::io::stderr(), "DbgPrint: {}", line.trim_end());
    STATUS_SUCCESS
}

/// Variadic in C.
unsafe extern "efiapi" fn DbgPrintEx(_component: u32, _level: u32, format: *const c_char) -> i32 {
    // SAFETY: as above.
    unsafe { print(format) }
}

unsafe extern "efiapi" fn vDbgPrintEx(
    _component: u32,
    _level: u32,
    format: *const c_char,
    _arguments: *const c_void,
) -> i32 {
    // SAFETY: as above.
    unsafe { print(format) }
}

unsafe extern "efiapi" fn vDbgPrintExWithPrefix(
    _prefix: *const c_char,
    _component: u32,
    _level: u32,
    format: *const c_char,
    _arguments: *const c_void,
) -> i32 {
    // SAFETY: as above.
    unsafe { print(format) }
}

super::exports! {
    strlen
    strnlen
    wcslen
    wcsnlen
    strcmp
    strncmp
    _stricmp
    _strnicmp
    wcscmp
    wcsncmp
    _wcsicmp
    _wcsnicmp
    strstr
    wcsstr
    strchr
    strrchr
    wcschr
    wcsrchr
    strcpy
    wcscpy
    strcat
    wcscat
    strncpy
    wcsncpy
    toupper
    tolower
    towupper
    towlower
    DbgPrintEx
    vDbgPrintEx
    vDbgPrintExWithPrefix
}
