//! Rules 13, 14, 21, 28 and 29, broken by calls that a driver might make of the kernel's routines.

use std::{ffi::c_void, ptr};

use model::Rule;
use ndis::sys::{self, MDL};
use scenarios::Machine;

use crate::{Run, assert_breaks, machine};

pub(crate) const TAG: u32 = u32::from_le_bytes(*b"Test");

/// `calls` run as driver code, right or wrong, beside the filter.
#[track_caller]
pub(crate) fn assert_calls_break(rule: Rule, subject: &str, calls: impl Fn(Run, &Machine)) {
    assert_breaks(rule, subject, |run| {
        let machine = machine();
        machine.world.inside(|| calls(run, &machine));
        machine.stop()
    });
}

/// Two pages, and an MDL with room for some page frame numbers.
struct Buffer {
    pages: Box<[u64; 2048]>,
    mdl: Box<Described>,
}

#[repr(C)]
struct Described {
    mdl: MDL,
    numbers: [usize; 4],
}

impl Buffer {
    /// The first `length` bytes, described by an MDL with room for `room` page frame numbers.
    fn new(length: u32, room: i16) -> Self {
        let mut pages = Box::new([0; 2048]);
        let start = pages.as_mut_ptr();
        let mdl = MDL {
            Next: ptr::null_mut(),
            Size: 48 + 8 * room,
            MdlFlags: sys::MDL_PAGES_LOCKED,
            Process: ptr::null_mut(),
            MappedSystemVa: ptr::null_mut(),
            StartVa: start.map_addr(|at| at & !0xFFF).cast(),
            ByteCount: length,
            ByteOffset: (start.addr() & 0xFFF) as u32,
        };
        let mdl = Box::new(Described {
            mdl,
            numbers: [0; 4],
        });
        Self { pages, mdl }
    }

    fn mdl(&mut self) -> *mut MDL {
        (&raw mut *self.mdl).cast()
    }

    fn at(&mut self, offset: usize) -> *mut c_void {
        self.pages.as_mut_ptr().wrapping_byte_add(offset).cast()
    }
}

/// Builds a partial MDL of `length` bytes at `offset` of a buffer of 8,000 bytes.
fn build_partial(offset: usize, length: u32, room: i16) {
    let (mut source, mut target) = (Buffer::new(8_000, 4), Buffer::new(0, room));
    let start = source.at(offset);
    // SAFETY: two MDLs that live during the call; the model writes no more page frame numbers than
    // Size has room for.
    unsafe { sys::IoBuildPartialMdl(source.mdl(), target.mdl(), start, length) };
}

#[test]
fn a_partial_mdl_lies_within_its_source() {
    for (offset, length) in [(100, 7_901), (8_001, 1), (usize::MAX, 10)] {
        assert_calls_break(Rule::PartialMdl, "partial MDL at 0x", |run, _| match run {
            Run::Right => build_partial(100, 7_900, 4),
            Run::Wrong => build_partial(offset, length, 4),
        });
    }
}

#[test]
fn a_partial_mdl_has_room_for_its_pages() {
    assert_calls_break(Rule::PartialMdl, "partial MDL at 0x", |run, _| {
        build_partial(0, 8_000, if run == Run::Right { 3 } else { 1 });
    });
}

#[test]
fn an_mdl_of_pool_memory_has_room_for_its_pages() {
    assert_calls_break(Rule::PartialMdl, "MDL at 0x", |run, _| {
        let mut buffer = Buffer::new(8_000, if run == Run::Right { 3 } else { 1 });
        // SAFETY: an MDL that lives during the call.
        unsafe { sys::MmBuildMdlForNonPagedPool(buffer.mdl()) };
    });
}

/// Maps an MDL as a driver should.
fn map(mdl: *mut MDL) -> *mut c_void {
    let priority = sys::NormalPagePriority | sys::MdlMappingNoExecute;
    let none = ptr::null_mut();
    // SAFETY: the caller's MDL lives.
    unsafe { sys::MmMapLockedPagesSpecifyCache(mdl, 0, sys::MmCached, none, 0, priority) }
}

fn unmap(address: *mut c_void, mdl: *mut MDL) {
    // SAFETY: the caller's MDL lives.
    unsafe { sys::MmUnmapLockedPages(address, mdl) };
}

#[test]
fn a_mapped_partial_mdl_is_prepared_before_it_is_used_again() {
    assert_calls_break(Rule::PartialMdl, "partial MDL at 0x", |run, _| {
        let (mut source, mut target) = (Buffer::new(8_000, 4), Buffer::new(0, 4));
        let start = source.at(10);
        let mut build = |target: *mut MDL| {
            // SAFETY: two MDLs that live during the call.
            unsafe { sys::IoBuildPartialMdl(source.mdl(), target, start, 100) };
        };
        build(target.mdl());
        let address = map(target.mdl());
        if run == Run::Right {
            unmap(address, target.mdl());
        }
        build(target.mdl());
    });
}

#[test]
fn an_mdl_is_mapped_once() {
    assert_calls_break(Rule::Mappings, "MDL at 0x", |run, _| {
        let mut buffer = Buffer::new(100, 4);
        let address = map(buffer.mdl());
        if run == Run::Wrong {
            map(buffer.mdl());
        }
        unmap(address, buffer.mdl());
    });
}

#[test]
fn an_mdl_is_unmapped_once() {
    assert_calls_break(Rule::Mappings, "MDL at 0x", |run, _| {
        let mut buffer = Buffer::new(100, 4);
        let address = map(buffer.mdl());
        unmap(address, buffer.mdl());
        if run == Run::Wrong {
            unmap(address, buffer.mdl());
        }
    });
}

#[test]
fn no_mapping_is_left_at_the_end() {
    assert_calls_break(Rule::Mappings, "MDL at 0x", |run, _| {
        let mut buffer = Buffer::new(100, 4);
        let address = map(buffer.mdl());
        if run == Run::Right {
            unmap(address, buffer.mdl());
        }
    });
}

#[test]
fn mappings_are_not_executable_and_stop_no_machine() {
    let good = (0, sys::NormalPagePriority | sys::MdlMappingNoExecute);
    for bad in [(1, good.1), (0, sys::NormalPagePriority)] {
        assert_calls_break(Rule::Mappings, "MmMapLockedPages", |run, _| {
            let mut buffer = Buffer::new(100, 4);
            let (stop, priority) = if run == Run::Right { good } else { bad };
            let (mdl, none) = (buffer.mdl(), ptr::null_mut());
            // SAFETY: the MDL lives until it is unmapped.
            let address = unsafe {
                sys::MmMapLockedPagesSpecifyCache(mdl, 0, sys::MmCached, none, stop, priority)
            };
            unmap(address, mdl);
        });
    }
}

fn allocate(flags: u64, size: usize, tag: u32) -> *mut c_void {
    // SAFETY: no precondition.
    unsafe { sys::ExAllocatePool2(flags, size, tag) }
}

fn free(memory: *mut c_void, tag: u32) {
    // SAFETY: the model looks the address up.
    unsafe { sys::ExFreePoolWithTag(memory, tag) };
}

#[test]
fn an_allocation_has_a_tag_and_a_size_and_is_not_paged() {
    let good = (sys::POOL_FLAG_NON_PAGED, 100, TAG);
    for bad in [
        (sys::POOL_FLAG_NON_PAGED, 100, 0),
        (sys::POOL_FLAG_PAGED, 100, TAG),
        (sys::POOL_FLAG_NON_PAGED, 0, TAG),
    ] {
        assert_calls_break(Rule::PoolTags, "ExAllocatePool2", |run, _| {
            let (flags, size, tag) = if run == Run::Right { good } else { bad };
            free(allocate(flags, size, tag), tag);
        });
    }
}

#[test]
fn memory_is_freed_under_its_tag() {
    assert_calls_break(Rule::PoolTags, "ExFreePoolWithTag", |run, _| {
        let memory = allocate(sys::POOL_FLAG_NON_PAGED, 100, TAG);
        free(memory, if run == Run::Right { TAG } else { TAG + 1 });
    });
}

#[test]
fn memory_is_freed_once() {
    assert_calls_break(Rule::PoolTags, "ExFreePoolWithTag", |run, _| {
        let memory = allocate(sys::POOL_FLAG_NON_PAGED, 100, TAG);
        free(memory, TAG);
        if run == Run::Wrong {
            free(memory, TAG);
        }
    });
}

#[test]
fn no_memory_is_left_at_the_end() {
    assert_calls_break(Rule::NothingLeft, "pool", |run, _| {
        let memory = allocate(sys::POOL_FLAG_NON_PAGED, 100, TAG);
        if run == Run::Right {
            free(memory, TAG);
        }
    });
}

#[test]
fn a_warm_driver_allocates_nothing() {
    assert_calls_break(Rule::SteadyState, "ExAllocatePool2", |run, machine| {
        if run == Run::Wrong {
            machine.world.warmed_up();
        }
        free(allocate(sys::POOL_FLAG_NON_PAGED, 100, TAG), TAG);
    });
}

#[test]
fn the_irql_goes_back_to_where_it_was_raised_from() {
    assert_calls_break(Rule::Irql, "KeLowerIrql", |run, _| {
        // SAFETY: called at PASSIVE_LEVEL.
        unsafe {
            let before = sys::KfRaiseIrql(sys::DISPATCH_LEVEL);
            if run == Run::Wrong {
                sys::KeLowerIrql(sys::APC_LEVEL);
            }
            sys::KeLowerIrql(before);
        }
    });
}
