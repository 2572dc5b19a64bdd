//! The processor's own block, which the register gs leads to: code of wdm.h reads the current thread and
//! processor there.
#![expect(
    unsafe_code,
    reason = "sets a register, and memory that a driver reads"
)]

use std::cell::Cell;

use crate::{guard, memory::Block};

/// Where the block has itself, the current thread, and the processor's number, twice.
const SELF: [usize; 2] = [0x18, 0x30];
const THREAD: usize = 0x188;
const NUMBER: [usize; 2] = [0x184, 0x1A4];
/// Bytes of it, and where in it the model has what stands for the thread.
const SIZE: usize = 4096;
const THREAD_OBJECT: usize = 2048;

thread_local! {
    /// This thread's block; 0 until it has one.
    static BLOCK: Cell<usize> = const { Cell::new(0) };
}

/// This thread is on `processor`. Images only use the block.
pub(crate) fn set(processor: u32) {
    if !guard::has_image() {
        return;
    }
    if BLOCK.get() == 0 {
        make();
    }
    for place in NUMBER {
        write(place, processor);
    }
}

fn write<T>(at: usize, value: T) {
    let place = std::ptr::with_exposed_provenance_mut::<u8>(BLOCK.get() + at);
    // SAFETY: within the block, which is never freed.
    unsafe { place.cast::<T>().write_unaligned(value) };
}

/// Makes this thread's block.
fn make() {
    let block = Block::new(SIZE, SIZE);
    let address = block.start().expose_provenance();
    // A thread of the driver's may outlive all else.
    std::mem::forget(block);
    BLOCK.set(address);
    for place in SELF {
        write(place, address);
    }
    write(THREAD, address + THREAD_OBJECT);
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    {
        const ARCH_SET_GS: i32 = 0x1001;
        // SAFETY: nothing else in this process uses the register.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, address) };
    }
}
