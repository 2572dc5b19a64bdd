//! The page that the kernel shares with programs, KUSER_SHARED_DATA. Drivers read the time there, for
//! which wdm.h has no routines; the loader leads their code to this page.
#![expect(unsafe_code, reason = "writes to memory that a driver reads")]

use std::{ptr, sync::OnceLock, time::Duration};

use crate::memory::Block;

/// Where the kernel has the page, and how long it is.
pub const ADDRESS: u64 = 0xFFFF_F780_0000_0000;
/// Bytes of the page.
pub const SIZE: usize = 4096;

/// The units of 100 ns from 1601 to the start of the model.
pub(crate) const START: i64 = 133_900_000_000_000_000;
/// The units of 100 ns between two ticks.
pub(crate) const TICK: u32 = 156_250;

/// Where the page has the interrupt time, the system time and the tick count.
const INTERRUPT_TIME: usize = 0x8;
const SYSTEM_TIME: usize = 0x14;
const TICKS: usize = 0x320;

/// The page, which exists once it is asked for.
static PAGE: OnceLock<usize> = OnceLock::new();

/// Where the model has the page.
#[must_use]
pub fn start() -> *mut u8 {
    let address = PAGE.get_or_init(|| {
        let block = Block::new(SIZE, SIZE);
        let address = block.start().expose_provenance();
        std::mem::forget(block);
        address
    });
    ptr::with_exposed_provenance_mut(*address)
}

/// `time` in units of 100 ns.
pub(crate) fn units(time: Duration) -> i64 {
    (time.as_nanos() / 100) as i64
}

/// The model's clock shows `now`.
pub(crate) fn set_time(now: Duration) {
    if PAGE.get().is_none() {
        return;
    }
    let now = units(now);
    let write = |at: usize, value: i64| {
        let place = start().wrapping_add(at).cast::<i64>();
        // SAFETY: the page is never freed; the kernel, too, writes to it while drivers read.
        unsafe { place.write_unaligned(value) };
    };
    write(INTERRUPT_TIME, now);
    write(SYSTEM_TIME, START + now);
    write(TICKS, now / i64::from(TICK));
}
