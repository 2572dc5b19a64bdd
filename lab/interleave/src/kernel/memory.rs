//! Memory, which is checked for leaks at the end of a case. Freed memory stays out of use,
//! overwritten, until then.

use std::{
    alloc::{Layout, alloc},
    cell::RefCell,
    collections::HashMap,
    ffi::c_void,
    ptr,
};

use crate::world;

/// Before each allocation. It keeps the allocation cache aligned.
#[repr(align(64))]
struct Head {
    size: usize,
    is_free: bool,
}

#[derive(Default)]
struct Ledger {
    /// Everything that was allocated in this run of the case.
    used: Vec<*mut Head>,
    /// Memory of earlier runs, by its size. It is kept: thousands of runs follow.
    spare: HashMap<usize, Vec<*mut Head>>,
}

thread_local! {
    static LEDGER: RefCell<Ledger> = RefCell::default();
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size_of::<Head>() + size, align_of::<Head>()).expect("a size")
}

/// Returns zeroed memory.
#[unsafe(no_mangle)]
pub(super) fn nullndis_allocate(size: usize) -> *mut c_void {
    LEDGER.with_borrow_mut(|ledger| {
        let spare = ledger.spare.get_mut(&size).and_then(Vec::pop);
        // SAFETY: the layout is longer than nothing, and begins with a head.
        unsafe {
            let head = spare.unwrap_or_else(|| alloc(layout(size)).cast::<Head>());
            assert!(!head.is_null(), "out of memory");
            let is_free = false;
            head.write(Head { size, is_free });
            ledger.used.push(head);
            let memory = head.add(1);
            ptr::write_bytes(memory.cast::<u8>(), 0, size);
            memory.cast()
        }
    })
}

/// The first bytes of freed memory, and their number.
const GONE: u8 = 0xDE;
const MOST_GONE: usize = 2048;

/// # Safety
/// `memory` is of [`nullndis_allocate`].
#[unsafe(no_mangle)]
pub(super) unsafe fn nullndis_free(memory: *mut c_void) {
    // SAFETY: as the caller vouches, and the memory stays until the case ends.
    unsafe {
        let head = memory.cast::<Head>().sub(1);
        if (*head).is_free {
            world::wrong("freed twice");
        }
        (*head).is_free = true;
        ptr::write_bytes(memory.cast::<u8>(), GONE, (*head).size.min(MOST_GONE));
    }
}

/// Notes where `memory` is used that was freed.
///
/// # Safety
/// `memory` is of [`nullndis_allocate`].
pub(super) unsafe fn check(memory: *const c_void) {
    // SAFETY: as the caller vouches, and the memory stays until the case ends.
    if unsafe { (*memory.cast::<Head>().sub(1)).is_free } {
        world::wrong("used after it was freed");
    }
}

/// Counts down a [limit](limit_nbls), where there is one.
#[unsafe(no_mangle)]
fn nullndis_may_allocate_nbl() -> bool {
    world::with(|world| match &mut world.nbls_left {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        left => left.is_none(),
    })
}

/// From now on the driver can allocate `count` NBLs and no more.
pub fn limit_nbls(count: usize) {
    world::with(|world| world.nbls_left = Some(count));
}

/// Ends the case's use of memory. Returns the number of allocations that were not freed.
pub(crate) fn leaked() -> usize {
    LEDGER.with_borrow_mut(|ledger| {
        let mut leaked = 0;
        for head in ledger.used.drain(..) {
            // SAFETY: it stays allocated.
            let (size, is_free) = unsafe { ((*head).size, (*head).is_free) };
            leaked += usize::from(!is_free);
            ledger.spare.entry(size).or_default().push(head);
        }
        leaked
    })
}
