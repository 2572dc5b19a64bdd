//! The panic handler. No input reaches it: the crates below deny code that could panic, and the
//! image checks look for remaining panics.

use core::panic::PanicInfo;

use ndis_sys as sys;

/// The bug check code of a panic in this driver: `MSLP`. Its parameters are the line, the column,
/// and the address and length of the file's name.
const PANIC: u32 = u32::from_be_bytes(*b"MSLP");

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    #[cfg(feature = "checked")]
    crate::checked::print_panic(info);
    let (line, column, file) = info.location().map_or((0, 0, ""), |place| {
        (place.line(), place.column(), place.file())
    });
    // SAFETY: KeBugCheckEx may be called anywhere and does not return.
    unsafe {
        sys::KeBugCheckEx(
            PANIC,
            line as usize,
            column as usize,
            file.as_ptr().addr(),
            file.len(),
        )
    }
}
