//! Memory: pools that count requests.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ffi::c_void,
    sync::atomic::{AtomicU64, Ordering},
};

use ::ndis::sys::EX_RUNDOWN_REF_CACHE_AWARE;

/// Calls of routines that allocate or free, by all threads.
static POOL_CALLS: AtomicU64 = AtomicU64::new(0);

/// Calls of routines that allocate or free, so far.
pub(crate) fn pool_calls() -> u64 {
    POOL_CALLS.load(Ordering::Relaxed)
}

/// Bytes before each allocation, where its size is kept, and its alignment. Processors fetch cache
/// lines in pairs: two blocks in one pair would slow the processors that write to them, by chance.
const HEAD: usize = 128;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(HEAD + size, HEAD).expect("a size that the filter asks for")
}

/// Returns zeroed memory.
#[unsafe(no_mangle)]
fn nullndis_allocate(size: usize) -> *mut c_void {
    POOL_CALLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the layout is longer than nothing; the size fits in the head.
    unsafe {
        let memory = alloc_zeroed(layout(size));
        assert!(!memory.is_null(), "out of memory");
        memory.cast::<usize>().write(size);
        memory.add(HEAD).cast()
    }
}

/// # Safety
/// `memory` is of [`nullndis_allocate`], and is not in use any more.
#[unsafe(no_mangle)]
unsafe fn nullndis_free(memory: *mut c_void) {
    POOL_CALLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: as the caller vouches.
    unsafe {
        let memory = memory.cast::<u8>().sub(HEAD);
        dealloc(memory, layout(memory.cast::<usize>().read()));
    }
}

/// There is memory for any number of NBLs.
#[unsafe(no_mangle)]
fn nullndis_may_allocate_nbl() -> bool {
    true
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn ExAllocateCacheAwareRundownProtection(
    _pool: i32,
    _tag: u32,
) -> *mut EX_RUNDOWN_REF_CACHE_AWARE {
    nullndis_allocate(1).cast()
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn ExFreeCacheAwareRundownProtection(
    reference: *mut EX_RUNDOWN_REF_CACHE_AWARE,
) {
    // SAFETY: as the caller vouches.
    unsafe { nullndis_free(reference.cast()) };
}

nullndis::routines! {
    ExAllocateCacheAwareRundownProtection
    ExFreeCacheAwareRundownProtection
}
