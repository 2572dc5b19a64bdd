//! Guard pages: each block of the model's memory on pages of its own, inaccessible while the driver
//! does not own it and once it is freed, with an inaccessible page behind it. A driver that touches
//! what it must not is stopped at that instruction, and the fault is named.
//!
//! It works on images that were built for nothing of the kind, and on the filter linked natively.
//! It is a choice of the process, made before its first block: by [`turn_on`], or by `MODEL_GUARD`
//! in the environment.

#[cfg(unix)]
mod fault;
#[cfg(unix)]
mod pages;

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// The exit code of a process whose driver faulted.
pub const EXIT: i32 = 86;

/// Called with the description of a fault, before the process ends.
pub type OnFault = fn(&str);

/// Where a block lies in its pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edge {
    /// At their end: the first byte behind the block faults.
    End,
    /// At their start: the last byte before the block faults.
    Start,
}

/// The process's choice.
struct Choice {
    edge: Edge,
    on_fault: OnFault,
}

static CHOICE: OnceLock<Option<Choice>> = OnceLock::new();
static ARMED: AtomicBool = AtomicBool::new(false);

/// Turns guard pages on for this process, for blocks that are made from now on.
///
/// # Panics
/// If the choice has been made already, or this system has no guard pages.
pub fn turn_on(edge: Edge, on_fault: OnFault) {
    let made = CHOICE.set(Some(Choice { edge, on_fault })).is_ok();
    assert!(made, "the model has been used without guard pages");
    arm();
}

/// The choice; made by the environment where the program made none.
fn choice() -> Option<&'static Choice> {
    let choice = CHOICE.get_or_init(|| {
        let edge = match std::env::var("MODEL_GUARD").ok()?.as_str() {
            "start" => Edge::Start,
            _ => Edge::End,
        };
        let on_fault = |found: &str| {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "{found}");
        };
        Some(Choice { edge, on_fault })
    });
    let choice = choice.as_ref()?;
    arm();
    Some(choice)
}

/// Whether guard pages are on.
pub(crate) fn is_on() -> bool {
    choice().is_some()
}

/// Installs the handler of faults, once.
fn arm() {
    if !ARMED.swap(true, Ordering::SeqCst) {
        #[cfg(unix)]
        fault::install();
        #[cfg(not(unix))]
        panic!("this system has no guard pages");
    }
}

/// A block as the guard knows it.
#[cfg_attr(
    not(unix),
    expect(dead_code, reason = "there are guard pages on Unix alone")
)]
struct Guarded {
    start: usize,
    size: usize,
    pages: Range<usize>,
    /// Why the driver must not touch it; none where it may.
    closed: Option<&'static str>,
    /// Whether its pages are accessible: closed ones are too, once the model itself has used them.
    accessible: bool,
}

impl Guarded {
    /// Makes its pages accessible or not, unless they are that already.
    fn set_accessible(&mut self, accessible: bool) {
        if self.accessible == accessible {
            return;
        }
        self.accessible = accessible;
        #[cfg(unix)]
        pages::protect(&self.pages, accessible);
    }
}

/// All blocks, live and freed, by the address of their first page.
static BLOCKS: Mutex<BTreeMap<usize, Guarded>> = Mutex::new(BTreeMap::new());
/// The driver's image, if it is one.
static IMAGE: Mutex<Range<usize>> = Mutex::new(0..0);
static HAS_IMAGE: AtomicBool = AtomicBool::new(false);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The driver is an image, mapped at `range`: faults are named by their RVA, and the model's own
/// accesses are not the driver's.
pub fn set_image(range: Range<usize>) {
    HAS_IMAGE.store(!range.is_empty(), Ordering::Relaxed);
    *lock(&IMAGE) = range;
}

/// Whether the driver is an image.
pub(crate) fn has_image() -> bool {
    HAS_IMAGE.load(Ordering::Relaxed)
}

/// Where the driver's image is; empty where the driver is linked natively.
pub(crate) fn image() -> Range<usize> {
    lock(&IMAGE).clone()
}

/// `size` zeroed bytes at a multiple of `align`, on pages of their own; `None` where guard pages
/// are off, or used up by other blocks.
pub(crate) fn allocate(size: usize, align: usize) -> Option<*mut u8> {
    let choice = choice()?;
    #[cfg(unix)]
    return pages::allocate(size, align, choice.edge);
    #[cfg(not(unix))]
    {
        let _ = (size, align, choice.edge, choice.on_fault);
        None
    }
}

/// Frees a block. Returns whether it was one of [`allocate`]'s.
pub(crate) fn free(start: *const u8) -> bool {
    if choice().is_none() {
        return false;
    }
    let freed = with_block(start, |block| {
        (block.closed, block.accessible) = (Some("freed"), false);
        #[cfg(unix)]
        pages::discard(&block.pages);
    });
    freed.is_some()
}

/// Makes the block at `start` inaccessible, because of `why`.
pub(crate) fn close(start: *const u8, why: &'static str) {
    set(start, Some(why));
}

/// Makes the block at `start` accessible again.
pub(crate) fn open(start: *const u8) {
    set(start, None);
}

fn set(start: *const u8, closed: Option<&'static str>) {
    if choice().is_none() {
        return;
    }
    let _ = with_block(start, |block| {
        block.closed = closed;
        block.set_accessible(closed.is_none());
    });
}

/// Applies `body` to the block that `address` lies in, or just behind.
fn with_block<T>(address: *const u8, body: impl FnOnce(&mut Guarded) -> T) -> Option<T> {
    let address = address.addr();
    let mut blocks = lock(&BLOCKS);
    let (_, block) = blocks.range_mut(..=address).next_back()?;
    block.pages.contains(&address).then(|| body(block))
}

/// Describes a write outside of the block at `start` but within its pages, which no page guards.
pub(crate) fn written_outside(start: *const u8) -> Option<String> {
    choice()?;
    #[cfg(unix)]
    {
        let (block, pages, size) = with_block(start, |block| {
            (block.start, block.pages.clone(), block.size)
        })?;
        pages::written_outside(block, size, &pages)
    }
    #[cfg(not(unix))]
    {
        let _ = start;
        None
    }
}

/// Checks an access that a routine of the model makes for the driver, of `length` bytes at `start`.
pub(crate) fn check_access(start: *const u8, length: usize, writes: bool) {
    if choice().is_none() || length == 0 {
        return;
    }
    #[cfg(unix)]
    fault::check_access(start.addr(), length, writes);
    #[cfg(not(unix))]
    let _ = (start, length, writes);
}
