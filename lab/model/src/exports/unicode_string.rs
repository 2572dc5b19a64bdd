//! `ntoskrnl.exe` and `ndis.sys`: counted strings, and other small routines of the runtime library.

use std::{ffi::c_void, ptr};

use ::ndis::sys::{self, GUID, NTSTATUS, UNICODE_STRING};

use super::kernel_pool::{allocate_pool, free_pool};
use crate::{guard, thread};

/// STRING, of bytes.
#[repr(C)]
pub struct STRING {
    length: u16,
    most: u16,
    buffer: *mut u8,
}

/// STATUS_BUFFER_TOO_SMALL, STATUS_BUFFER_OVERFLOW and STATUS_INVALID_PARAMETER.
const TOO_SMALL: NTSTATUS = 0xC000_0023_u32 as i32;
const OVERFLOW: NTSTATUS = 0x8000_0005_u32 as i32;
const INVALID: NTSTATUS = 0xC000_000D_u32 as i32;

/// The characters of a counted string.
///
/// # Safety
/// `string` points to one.
unsafe fn units<'a>(string: *const UNICODE_STRING) -> &'a [u16] {
    // SAFETY: as the caller vouches; an empty string may have no buffer.
    unsafe {
        let length = usize::from((*string).Length) / 2;
        match length {
            0 => &[],
            _ => {
                guard::check_access((*string).Buffer.cast(), length * 2, false);
                std::slice::from_raw_parts((*string).Buffer, length)
            }
        }
    }
}

/// The bytes of a counted string.
///
/// # Safety
/// `string` points to one.
unsafe fn bytes<'a>(string: *const STRING) -> &'a [u8] {
    // SAFETY: as the caller vouches; an empty string may have no buffer.
    unsafe {
        match (*string).length {
            0 => &[],
            length => std::slice::from_raw_parts((*string).buffer, length.into()),
        }
    }
}

fn folded(units: &[u16], folds: bool) -> Vec<u16> {
    let fold = |unit: &u16| match u8::try_from(*unit) {
        Ok(byte) if folds => byte.to_ascii_uppercase().into(),
        _ => *unit,
    };
    units.iter().map(fold).collect()
}

unsafe extern "efiapi" fn RtlCompareUnicodeString(
    one: *const UNICODE_STRING,
    other: *const UNICODE_STRING,
    folds: u8,
) -> i32 {
    // SAFETY: the caller passes two strings.
    let (one, other) = unsafe {
        (
            folded(units(one), folds != 0),
            folded(units(other), folds != 0),
        )
    };
    one.cmp(&other) as i32
}

unsafe extern "efiapi" fn RtlEqualUnicodeString(
    one: *const UNICODE_STRING,
    other: *const UNICODE_STRING,
    folds: u8,
) -> u8 {
    // SAFETY: as for this routine.
    unsafe { (RtlCompareUnicodeString(one, other, folds) == 0).into() }
}

unsafe extern "efiapi" fn NdisEqualUnicodeString(
    one: *const UNICODE_STRING,
    other: *const UNICODE_STRING,
    folds: u8,
) -> u8 {
    // SAFETY: as for this routine.
    unsafe { (RtlCompareUnicodeString(one, other, folds) == 0).into() }
}

unsafe extern "efiapi" fn RtlPrefixUnicodeString(
    prefix: *const UNICODE_STRING,
    all: *const UNICODE_STRING,
    folds: u8,
) -> u8 {
    // SAFETY: the caller passes two strings.
    let (prefix, all) = unsafe {
        (
            folded(units(prefix), folds != 0),
            folded(units(all), folds != 0),
        )
    };
    all.starts_with(&prefix).into()
}

/// Writes `text` behind the first `at` characters of a string, as far as there is room. Returns whether
/// all of it has.
///
/// # Safety
/// `to` points to a string.
unsafe fn put(to: *mut UNICODE_STRING, at: usize, text: &[u16]) -> bool {
    // SAFETY: as the caller vouches.
    unsafe {
        let room = (usize::from((*to).MaximumLength) / 2).saturating_sub(at);
        let count = room.min(text.len());
        let start = (*to).Buffer.wrapping_add(at);
        guard::check_access(start.cast(), count * 2, true);
        ptr::copy(text.as_ptr(), start, count);
        (*to).Length = ((at + count) * 2) as u16;
        if count < room {
            start.add(count).write(0);
        }
        count == text.len()
    }
}

unsafe extern "efiapi" fn RtlCopyUnicodeString(
    to: *mut UNICODE_STRING,
    from: *const UNICODE_STRING,
) {
    // SAFETY: the caller passes a string, and another or null.
    unsafe {
        let text = if from.is_null() { &[] } else { units(from) };
        put(to, 0, text);
    }
}

/// Appends `text` if there is room for all of it.
///
/// # Safety
/// `to` points to a string.
unsafe fn append(to: *mut UNICODE_STRING, text: &[u16]) -> NTSTATUS {
    // SAFETY: as the caller vouches.
    unsafe {
        let at = usize::from((*to).Length) / 2;
        if (at + text.len()) * 2 > usize::from((*to).MaximumLength) {
            return TOO_SMALL;
        }
        put(to, at, text);
    }
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn RtlAppendUnicodeStringToString(
    to: *mut UNICODE_STRING,
    from: *const UNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: the caller passes two strings.
    unsafe { append(to, units(from)) }
}

unsafe extern "efiapi" fn RtlAppendUnicodeToString(
    to: *mut UNICODE_STRING,
    from: *const u16,
) -> NTSTATUS {
    // SAFETY: the caller passes a string, and text that ends with a zero, or null.
    unsafe {
        let mut length = 0;
        while !from.is_null() && *from.add(length) != 0 {
            length += 1;
        }
        match length {
            0 => sys::STATUS_SUCCESS,
            _ => append(to, std::slice::from_raw_parts(from, length)),
        }
    }
}

unsafe extern "efiapi" fn RtlInitAnsiString(to: *mut STRING, from: *mut u8) {
    // SAFETY: the caller passes a place, and text that ends with a zero, or null.
    unsafe {
        let mut length = 0_u16;
        while !from.is_null() && *from.add(length.into()) != 0 {
            length += 1;
        }
        *to = STRING {
            length,
            most: if from.is_null() { 0 } else { length + 1 },
            buffer: from,
        };
    }
}
use RtlInitAnsiString as RtlInitString;
use RtlInitAnsiString as NdisInitAnsiString;

/// The tag of strings that the system allocates.
const TAG: u32 = u32::from_le_bytes(*b"Strg");

/// A buffer for a string of `length` bytes and a zero, new if `allocates`.
///
/// # Safety
/// `buffer` has room for `most` bytes.
unsafe fn buffer(
    buffer: *mut u8,
    most: u16,
    length: usize,
    allocates: bool,
) -> Result<*mut u8, i32> {
    if !allocates {
        return match usize::from(most) < length {
            true => Err(OVERFLOW),
            false => Ok(buffer),
        };
    }
    let world = thread::world();
    let made = allocate_pool(&mut world.state(), length + 2, TAG, false, "RtlXxxString");
    match made.is_null() {
        true => Err(sys::NDIS_STATUS_RESOURCES),
        false => Ok(made.cast()),
    }
}

unsafe extern "efiapi" fn RtlAnsiStringToUnicodeString(
    to: *mut UNICODE_STRING,
    from: *const STRING,
    allocates: u8,
) -> NTSTATUS {
    // SAFETY: the caller passes two strings.
    unsafe {
        let text: Vec<u16> = bytes(from).iter().map(|byte| u16::from(*byte)).collect();
        let length = text.len() * 2;
        let place = buffer(
            (*to).Buffer.cast(),
            (*to).MaximumLength,
            length,
            allocates != 0,
        );
        let place = match place {
            Ok(place) => place,
            Err(status) => return status,
        };
        if allocates != 0 {
            (*to).Buffer = place.cast();
            (*to).MaximumLength = length as u16 + 2;
        }
        put(to, 0, &text);
    }
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn NdisAnsiStringToUnicodeString(
    to: *mut UNICODE_STRING,
    from: *const STRING,
) -> NTSTATUS {
    // SAFETY: as for this routine.
    unsafe { RtlAnsiStringToUnicodeString(to, from, 0) }
}

unsafe extern "efiapi" fn RtlUnicodeStringToAnsiString(
    to: *mut STRING,
    from: *const UNICODE_STRING,
    allocates: u8,
) -> NTSTATUS {
    // SAFETY: the caller passes two strings.
    unsafe {
        let text: Vec<u8> = units(from)
            .iter()
            .map(|unit| u8::try_from(*unit).unwrap_or(b'?'))
            .collect();
        let place = buffer((*to).buffer, (*to).most, text.len() + 1, allocates != 0);
        let place = match place {
            Ok(place) => place,
            Err(status) => return status,
        };
        if allocates != 0 {
            ((*to).buffer, (*to).most) = (place, text.len() as u16 + 1);
        }
        guard::check_access(place, text.len() + 1, true);
        ptr::copy(text.as_ptr(), place, text.len());
        place.add(text.len()).write(0);
        (*to).length = text.len() as u16;
    }
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn NdisUnicodeStringToAnsiString(
    to: *mut STRING,
    from: *const UNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: as for this routine.
    unsafe { RtlUnicodeStringToAnsiString(to, from, 0) }
}

unsafe extern "efiapi" fn RtlFreeUnicodeString(string: *mut UNICODE_STRING) {
    // SAFETY: the caller passes a string of the system's.
    unsafe {
        if !(*string).Buffer.is_null() {
            free_pool((*string).Buffer.cast(), None, "RtlFreeUnicodeString");
        }
        (*string).Buffer = ptr::null_mut();
    }
}

unsafe extern "efiapi" fn RtlFreeAnsiString(string: *mut STRING) {
    // SAFETY: the caller passes a string of the system's.
    unsafe {
        if !(*string).buffer.is_null() {
            free_pool((*string).buffer.cast(), None, "RtlFreeAnsiString");
        }
        (*string).buffer = ptr::null_mut();
    }
}

unsafe extern "efiapi" fn RtlUnicodeStringToInteger(
    string: *const UNICODE_STRING,
    base: u32,
    value: *mut u32,
) -> NTSTATUS {
    // SAFETY: the caller passes a string and a place.
    unsafe {
        let text = String::from_utf16_lossy(units(string));
        let text = text.trim();
        let (text, base) = match (text.strip_prefix("0x"), base) {
            (Some(digits), 0 | 16) => (digits, 16),
            (_, 0) => (text, 10),
            (_, base @ (2 | 8 | 10 | 16)) => (text, base),
            _ => return INVALID,
        };
        let digits = text.find(|one: char| !one.is_digit(base));
        let digits = &text[..digits.unwrap_or(text.len())];
        *value = u32::from_str_radix(digits, base).unwrap_or(0);
    }
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn RtlIntegerToUnicodeString(
    value: u32,
    base: u32,
    to: *mut UNICODE_STRING,
) -> NTSTATUS {
    let text = match base {
        0 | 10 => value.to_string(),
        16 => format!("{value:X}"),
        8 => format!("{value:o}"),
        2 => format!("{value:b}"),
        _ => return INVALID,
    };
    let text: Vec<u16> = text.encode_utf16().collect();
    // SAFETY: the caller passes a string.
    match unsafe { put(to, 0, &text) } {
        true => sys::STATUS_SUCCESS,
        false => OVERFLOW,
    }
}

unsafe extern "efiapi" fn RtlGUIDFromString(
    string: *const UNICODE_STRING,
    guid: *mut GUID,
) -> NTSTATUS {
    // SAFETY: the caller passes a string and a place.
    let text = unsafe { String::from_utf16_lossy(units(string)) };
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    if text.len() != 38 || digits.len() != 32 {
        return INVALID;
    }
    let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap_or(0);
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    // SAFETY: as above; a GUID is 16 bytes.
    unsafe { guid.cast::<[u8; 16]>().write(order.map(byte)) };
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn RtlStringFromGUID(
    guid: *const GUID,
    to: *mut UNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: the caller passes a GUID of 16 bytes, and a place for a string.
    unsafe {
        let raw = guid.cast::<[u8; 16]>().read();
        let hex = |order: &[usize]| -> String {
            order.iter().map(|at| format!("{:02X}", raw[*at])).collect()
        };
        let text = format!(
            "{{{}-{}-{}-{}-{}}}",
            hex(&[3, 2, 1, 0]),
            hex(&[5, 4]),
            hex(&[7, 6]),
            hex(&[8, 9]),
            hex(&[10, 11, 12, 13, 14, 15])
        );
        let text: Vec<u16> = text.encode_utf16().collect();
        let length = text.len() * 2;
        let place = match buffer(ptr::null_mut(), 0, length, true) {
            Ok(place) => place,
            Err(status) => return status,
        };
        *to = UNICODE_STRING {
            Length: 0,
            MaximumLength: length as u16 + 2,
            Buffer: place.cast(),
        };
        put(to, 0, &text);
    }
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn RtlEqualString(
    one: *const STRING,
    other: *const STRING,
    folds: u8,
) -> u8 {
    // SAFETY: the caller passes two strings.
    let (one, other) = unsafe { (bytes(one), bytes(other)) };
    let same = match folds {
        0 => one == other,
        _ => one.eq_ignore_ascii_case(other),
    };
    same.into()
}

unsafe extern "efiapi" fn RtlUpcaseUnicodeChar(unit: u16) -> u16 {
    folded(&[unit], true)[0]
}

unsafe extern "efiapi" fn RtlCompareMemory(
    one: *const c_void,
    other: *const c_void,
    length: usize,
) -> usize {
    guard::check_access(one.cast(), length, false);
    guard::check_access(other.cast(), length, false);
    // SAFETY: the caller passes `length` bytes each.
    let (one, other) = unsafe {
        (
            std::slice::from_raw_parts(one.cast::<u8>(), length),
            std::slice::from_raw_parts(other.cast::<u8>(), length),
        )
    };
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

super::exports! {
    RtlCompareUnicodeString
    RtlEqualUnicodeString
    NdisEqualUnicodeString
    RtlPrefixUnicodeString
    RtlCopyUnicodeString
    RtlAppendUnicodeStringToString
    RtlAppendUnicodeToString
    RtlInitAnsiString
    RtlInitString
    NdisInitAnsiString
    RtlAnsiStringToUnicodeString
    NdisAnsiStringToUnicodeString
    RtlUnicodeStringToAnsiString
    NdisUnicodeStringToAnsiString
    RtlFreeUnicodeString
    RtlFreeAnsiString
    RtlUnicodeStringToInteger
    RtlIntegerToUnicodeString
    RtlGUIDFromString
    RtlStringFromGUID
    RtlEqualString
    RtlUpcaseUnicodeChar
    RtlCompareMemory
}
