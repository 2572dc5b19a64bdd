//! The pages: one range of addresses that is never used twice, so that memory once freed stays
//! inaccessible to the end.
#![expect(unsafe_code, reason = "maps and protects pages")]

use std::{
    ops::Range,
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{BLOCKS, Edge, Guarded, lock};

pub(super) const PAGE: usize = 4096;
/// Most blocks at a time. Each takes two of the mappings that the system lets a process have, 65,530
/// as it comes (`vm.max_map_count`).
const MOST_BLOCKS: usize = 20_000;
/// Addresses set aside, of which memory is used only where blocks live.
const RESERVED: usize = 1 << 40;
/// The byte that fills a block's pages outside of the block.
const SLACK: u8 = 0xA5;

static START: OnceLock<usize> = OnceLock::new();
static NEXT: AtomicUsize = AtomicUsize::new(0);
static BLOCKS_NOW: AtomicUsize = AtomicUsize::new(0);

/// The flags of the mapping.
const FLAGS: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;

/// Sets the addresses aside.
fn reserve() -> usize {
    // SAFETY: a new mapping, at an address that the system chooses.
    let start = unsafe { libc::mmap(ptr::null_mut(), RESERVED, libc::PROT_NONE, FLAGS, -1, 0) };
    assert!(start != libc::MAP_FAILED, "addresses for guard pages");
    start.expose_provenance()
}

/// See [`super::allocate`]. `None` where there are as many blocks as there can be.
pub(super) fn allocate(size: usize, align: usize, edge: Edge) -> Option<*mut u8> {
    if BLOCKS_NOW.fetch_add(1, Ordering::Relaxed) >= MOST_BLOCKS {
        BLOCKS_NOW.fetch_sub(1, Ordering::Relaxed);
        return None;
    }
    let size = size.max(1);
    let length = size.next_multiple_of(PAGE);
    let offset = NEXT.fetch_add(length + PAGE, Ordering::Relaxed);
    assert!(
        offset + length + 2 * PAGE < RESERVED,
        "addresses for guard pages are used up"
    );
    // The first page of all guards the first block.
    let first = *START.get_or_init(reserve) + PAGE + offset;
    let pages = first..first + length;
    protect(&pages, true);
    let start = match edge {
        Edge::Start => first,
        Edge::End => (first + length - size) & !(align.max(8) - 1),
    };
    let base: *mut u8 = ptr::with_exposed_provenance_mut(first);
    // SAFETY: the pages are new, and both ranges are within them.
    unsafe {
        ptr::write_bytes(base, SLACK, start - first);
        let behind = start + size - first;
        ptr::write_bytes(base.add(behind), SLACK, length - behind);
    }
    let block = Guarded {
        start,
        size,
        pages,
        closed: None,
        accessible: true,
    };
    lock(&BLOCKS).insert(first, block);
    Some(ptr::with_exposed_provenance_mut(start))
}

/// Makes pages accessible or not.
pub(super) fn protect(pages: &Range<usize>, accessible: bool) {
    let protection = if accessible {
        libc::PROT_READ | libc::PROT_WRITE
    } else {
        libc::PROT_NONE
    };
    // SAFETY: the pages are within the range set aside; who may use them is the guard's to say.
    let result = unsafe {
        let start = ptr::with_exposed_provenance_mut(pages.start);
        libc::mprotect(start, pages.len(), protection)
    };
    assert!(
        result == 0,
        "pages can be protected; raise vm.max_map_count if there are too many"
    );
}

/// Gives the memory behind pages back to the system; the addresses stay taken. A new mapping, unlike
/// the old one, is one with its neighbors.
pub(super) fn discard(pages: &Range<usize>) {
    BLOCKS_NOW.fetch_sub(1, Ordering::Relaxed);
    // SAFETY: as in `protect`; nobody uses the contents any more.
    let start = unsafe {
        let start = ptr::with_exposed_provenance_mut(pages.start);
        libc::mmap(
            start,
            pages.len(),
            libc::PROT_NONE,
            FLAGS | libc::MAP_FIXED,
            -1,
            0,
        )
    };
    assert!(start != libc::MAP_FAILED, "freed pages can be given back");
}

/// See [`super::written_outside`].
pub(super) fn written_outside(start: usize, size: usize, pages: &Range<usize>) -> Option<String> {
    let bytes = |range: Range<usize>| {
        let start = ptr::with_exposed_provenance::<u8>(range.start);
        // SAFETY: within the block's pages, which are accessible while it lives.
        unsafe { std::slice::from_raw_parts(start, range.len()) }
    };
    let before = bytes(pages.start..start);
    if let Some(at) = before.iter().rposition(|byte| *byte != SLACK) {
        let distance = before.len() - at;
        return Some(format!(
            "written {distance} bytes before a block of {size} bytes"
        ));
    }
    let behind = bytes(start + size..pages.end);
    let at = behind.iter().position(|byte| *byte != SLACK)?;
    Some(format!(
        "written {at} bytes behind the end of a block of {size} bytes"
    ))
}
