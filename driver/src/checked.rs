//! The checked build's output to a kernel debugger. It is for debugging only; the image that is
//! installed has none of this, because formatting can panic and the crates export symbols.

use core::panic::PanicInfo;

use wdk_alloc::WdkAllocator;

/// Leaves no code: neither the driver nor `wdk::println!` allocates from the heap.
#[global_allocator]
static ALLOCATOR: WdkAllocator = WdkAllocator;

/// Prints that the driver loads. IRQL PASSIVE_LEVEL.
pub(crate) fn print_load() {
    wdk::println!("mslso {} loads, checked build", env!("CARGO_PKG_VERSION"));
}

/// Prints the message and the place of a panic. At most DIRQL.
pub(crate) fn print_panic(info: &PanicInfo<'_>) {
    wdk::println!("mslso: {info}");
}
