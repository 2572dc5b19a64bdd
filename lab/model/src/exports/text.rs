//! `ntoskrnl.exe`: counted strings, assertions, and the compiler's own routines.

use std::ffi::{CStr, c_char, c_void};

use ::ndis::sys::UNICODE_STRING;

use crate::{rules::Rule, thread};

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn RtlInitUnicodeString(to: *mut UNICODE_STRING, from: *const u16) {
    // SAFETY: the caller passes a place, and null or text that ends with a zero.
    unsafe {
        let mut units = 0_u16;
        if !from.is_null() {
            while units < u16::MAX / 2 - 1 && *from.add(units.into()) != 0 {
                units += 1;
            }
        }
        *to = UNICODE_STRING {
            Length: units * 2,
            MaximumLength: if from.is_null() { 0 } else { units * 2 + 2 },
            Buffer: from.cast_mut(),
        };
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn RtlAssert(
    assertion: *const c_void,
    file: *const c_void,
    line: u32,
    _message: *const c_char,
) {
    // SAFETY: the caller passes text that ends with a zero.
    let (assertion, file) = unsafe {
        let text = |text: *const c_void| CStr::from_ptr(text.cast()).to_string_lossy().into_owned();
        (text(assertion), text(file))
    };
    let file = file.rsplit(['/', '\\']).next().unwrap_or_default();
    let found = format!("{assertion} does not hold, in {file} line {line}");
    thread::world().violation(Rule::Assertion, "driver", found);
}

/// The compiler's probe of large stack frames. It changes no register; all of the stack is there.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "efiapi" fn __chkstk() {
    core::arch::naked_asm!("ret")
}

#[cfg(not(target_arch = "x86_64"))]
unsafe extern "efiapi" fn __chkstk() {}

super::exports! {
    RtlInitUnicodeString
    RtlAssert
    __chkstk
}
