//! Entries of the System event log, which are kept whether an event session is enabled or not.

use core::ptr::NonNull;

use crate::{status::Status, sys};

/// The driver as a source of entries in the System event log.
#[derive(Clone, Copy)]
pub struct ErrorLog(NonNull<sys::DRIVER_OBJECT>);

// SAFETY: the system synchronizes all access to the driver object, and only its address is used.
unsafe impl Send for ErrorLog {}
// SAFETY: as above.
unsafe impl Sync for ErrorLog {}

/// Bytes of an entry: the most that the system takes.
const ENTRY: usize = sys::ERROR_LOG_MAXIMUM_SIZE as usize;

/// An entry with room for its strings.
#[repr(C)]
struct Entry {
    packet: sys::IO_ERROR_LOG_PACKET,
    strings: [u16; STRINGS],
}

const STRINGS: usize = (ENTRY - size_of::<sys::IO_ERROR_LOG_PACKET>()) / size_of::<u16>();
const _: () = assert!(size_of::<Entry>() == ENTRY);

/// An insertion string of a message.
#[derive(Clone, Copy)]
pub enum Insertion<'a> {
    /// UTF-16, cut where the entry has no more room.
    Text(&'a [u16]),
    /// A decimal number.
    Number(u32),
}

impl ErrorLog {
    /// # Safety
    /// `driver` is this driver's object, and its unload has not returned as long as this is used.
    pub const unsafe fn new(driver: NonNull<sys::DRIVER_OBJECT>) -> Self {
        Self(driver)
    }

    /// Writes the entry with the message `code`. The message has `status`, in hexadecimal, as `%2`,
    /// and `more` from `%3` on. Without memory nothing is written. IRQL ≤ DISPATCH_LEVEL.
    pub fn write(self, code: u32, status: Status, more: &[Insertion<'_>]) {
        // SAFETY: the driver object is alive, by the contract of `new`.
        let entry = unsafe {
            sys::IoAllocateErrorLogEntry(self.0.as_ptr().cast(), sys::ERROR_LOG_MAXIMUM_SIZE)
        };
        let Some(entry) = NonNull::new(entry.cast::<Entry>()) else {
            return;
        };
        // SAFETY: the entry is new, as long as an `Entry` and aligned as pool memory is; zeros are
        // a value of it. Writing gives it back to the system.
        unsafe {
            entry.write_bytes(0, 1);
            (*entry.as_ptr()).fill(code, status, more);
            sys::IoWriteErrorLogEntry(entry.as_ptr().cast());
        }
    }
}

impl Entry {
    fn fill(&mut self, code: u32, status: Status, more: &[Insertion<'_>]) {
        self.packet.ErrorCode = code.cast_signed();
        self.packet.FinalStatus = status.0;
        #[expect(clippy::cast_possible_truncation, reason = "it is 48")]
        {
            self.packet.StringOffset = size_of::<sys::IO_ERROR_LOG_PACKET>() as u16;
        }
        let mut room = self.strings.iter_mut();
        let mut digits = [0; 10];
        let mut count = u16::from(append(&mut room, hexadecimal(status, &mut digits)));
        for one in more {
            let text = match *one {
                Insertion::Text(text) => text,
                Insertion::Number(number) => decimal(number, &mut digits),
            };
            count = count.saturating_add(append(&mut room, text).into());
        }
        self.packet.NumberOfStrings = count;
    }
}

/// Appends `text`, or as much of it as has room, and the NUL that is there already. Returns whether
/// there is room for the NUL.
fn append(room: &mut core::slice::IterMut<'_, u16>, text: &[u16]) -> bool {
    let most = room.len().saturating_sub(1);
    for unit in text.iter().take(most) {
        if let Some(place) = room.next() {
            *place = *unit;
        }
    }
    room.next().is_some()
}

/// `0x` and eight digits.
fn hexadecimal(status: Status, digits: &mut [u16; 10]) -> &[u16] {
    *digits = [b'0'.into(); 10];
    let mut rest = status.0.cast_unsigned();
    for place in digits.iter_mut().skip(2).rev() {
        *place =
            char::from_digit(rest & 0xF, 16).map_or(0, |digit| digit.to_ascii_uppercase() as u16);
        rest >>= 4;
    }
    if let Some(x) = digits.get_mut(1) {
        *x = b'x'.into();
    }
    digits
}

fn decimal(number: u32, digits: &mut [u16; 10]) -> &[u16] {
    let mut rest = number;
    let mut first = digits.len();
    for (index, place) in digits.iter_mut().enumerate().rev() {
        *place = char::from_digit(rest % 10, 10).map_or(0, |digit| digit as u16);
        rest /= 10;
        first = index;
        if rest == 0 {
            break;
        }
    }
    digits.get(first..).unwrap_or_default()
}
