//! `ntoskrnl.exe`: pool memory, and lookaside lists of it.

use std::{ffi::c_void, ptr};

use ::ndis::sys;

use crate::{
    memory::Block,
    objects::Kind,
    race,
    rules::{Finding, Level, Rule},
    state::State,
    thread,
};

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn ExAllocatePool2(flags: u64, size: usize, tag: u32) -> *mut c_void {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, "ExAllocatePool2");
    let world = thread::world();
    let mut state = world.state();
    state.check_tag(tag, "ExAllocatePool2");
    if size == 0 {
        state.violation(Rule::PoolTags, "ExAllocatePool2", "no size");
    }
    if flags & sys::POOL_FLAG_NON_PAGED == 0 {
        let found = "not from non-paged pool";
        let paged = flags & sys::POOL_FLAG_PAGED != 0 && thread::irql() < sys::DISPATCH_LEVEL;
        let level = if paged {
            Level::Product
        } else {
            Level::Contract
        };
        state.finding("ExAllocatePool2", Finding::at(level, Rule::PoolTags, found));
    }
    let stale = flags & sys::POOL_FLAG_UNINITIALIZED != 0;
    // POOL_FLAG_CACHE_ALIGNED or not: special pool, and a machine short of memory, promise no more.
    allocate_pool(&mut state, size, tag, stale, "ExAllocatePool2")
}

unsafe extern "efiapi" fn ExAllocatePool3(
    flags: u64,
    size: usize,
    tag: u32,
    _parameters: *const c_void,
    _count: u32,
) -> *mut c_void {
    // SAFETY: the routine takes no pointer.
    unsafe { ExAllocatePool2(flags, size, tag) }
}

/// POOL_TYPE: the bit of paged pool, that of pool that may not be executed, and that of zeroed memory.
const PAGED: u32 = 1;
const NO_EXECUTE: u32 = 512;
const ZEROED: u32 = 1024;

/// Allocates pool memory of a POOL_TYPE for `routine`.
fn allocate_typed(kind: u32, size: usize, tag: Option<u32>, routine: &str) -> *mut c_void {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    match tag {
        Some(tag) => state.check_tag(tag, routine),
        None => {
            let found = "memory without a tag of the driver's";
            state.finding(routine, Finding::at(Level::Advice, Rule::PoolTags, found));
        }
    }
    if size == 0 {
        state.violation(Rule::PoolTags, routine, "no size");
    }
    let paged = kind & PAGED != 0;
    if paged && thread::irql() >= sys::DISPATCH_LEVEL {
        let found = "paged pool at DISPATCH_LEVEL";
        state.violation(Rule::PoolTags, routine, found);
    }
    if !paged && kind & NO_EXECUTE == 0 {
        let found = "executable pool";
        let finding = Finding::new(Rule::PoolTags, found).on("devtest/code-integrity-checking");
        state.finding(routine, finding);
    }
    // Without a tag of its own, memory has that of the system.
    let tag = tag.unwrap_or(NO_TAG);
    allocate_pool(&mut state, size, tag, kind & ZEROED == 0, routine)
}

/// The tag of memory that was allocated without one: "None".
const NO_TAG: u32 = u32::from_le_bytes(*b"None");

unsafe extern "efiapi" fn ExAllocatePoolWithTag(kind: u32, size: usize, tag: u32) -> *mut c_void {
    allocate_typed(kind, size, Some(tag), "ExAllocatePoolWithTag")
}

unsafe extern "efiapi" fn ExAllocatePoolWithTagPriority(
    kind: u32,
    size: usize,
    tag: u32,
    _priority: i32,
) -> *mut c_void {
    allocate_typed(kind, size, Some(tag), "ExAllocatePoolWithTagPriority")
}

unsafe extern "efiapi" fn ExAllocatePool(kind: u32, size: usize) -> *mut c_void {
    allocate_typed(kind, size, None, "ExAllocatePool")
}

/// Allocates pool memory, `stale` or of zeros, for `routine`.
pub(super) fn allocate_pool(
    state: &mut State,
    size: usize,
    tag: u32,
    stale: bool,
    routine: &str,
) -> *mut c_void {
    if !state.may_allocate(routine) {
        return ptr::null_mut();
    }
    let block = Block::of_pool(size);
    if stale {
        // SAFETY: the block is that long.
        unsafe { ptr::write_bytes(block.start(), crate::memory::UNINITIALISED, size) };
    }
    race::allocated(block.address()..block.address() + block.size());
    let (start, address) = (block.start().cast(), block.address());
    state.kernel.memory.pool.insert(address, (block, tag));
    start
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn ExFreePoolWithTag(memory: *mut c_void, tag: u32) {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, "ExFreePoolWithTag");
    free_pool(memory, Some(tag), "ExFreePoolWithTag");
}

unsafe extern "efiapi" fn ExFreePool(memory: *mut c_void) {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, "ExFreePool");
    free_pool(memory, None, "ExFreePool");
}

unsafe extern "efiapi" fn ExFreePool2(
    memory: *mut c_void,
    tag: u32,
    _parameters: *const c_void,
    _count: u32,
) {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, "ExFreePool2");
    free_pool(memory, Some(tag), "ExFreePool2");
}

/// Frees pool memory, under `tag` where `routine` takes one.
pub(super) fn free_pool(memory: *mut c_void, tag: Option<u32>, routine: &str) {
    let world = thread::world();
    let mut state = world.state();
    let Some((block, allocated)) = state.kernel.memory.pool.remove(&memory.addr()) else {
        return state.violation(Rule::PoolTags, routine, "memory that is not allocated");
    };
    match tag {
        None => {}
        // Memory with a tag may be freed by ExFreePool, which is ExFreePoolWithTag with 0 (Windows
        // driver documentation, ExAllocatePool2).
        Some(0) => {
            let found = format!("no tag for memory with tag {allocated:#x}");
            state.finding(routine, Finding::at(Level::Advice, Rule::PoolTags, found));
        }
        Some(tag) if tag != allocated => {
            let found = format!("tag {tag:#x} for memory with tag {allocated:#x}");
            state.violation(Rule::PoolTags, routine, found);
        }
        Some(_) => {}
    }
    if let Some(found) = block.written_outside() {
        state.violation(Rule::Memory, routine, found);
    }
    let range = block.address()..block.address() + block.size();
    race::freed(range.clone());
    state.forget_locks(&block);
    state.forget_events(&block);
    state.forget_own_oids(&block);
    state.forget_objects(range.clone());
    state.forget_deferred(range, Rule::Memory, "in memory that is freed");
}

/// GENERAL_LOOKASIDE, as far as the routines that wdm.h inlines use it. Its depth is zero, so that no
/// entry is kept: each is allocated and freed.
#[repr(C)]
pub struct LOOKASIDE {
    list: [u64; 2],
    depth: u16,
    most: u16,
    allocates: u32,
    allocate_misses: u32,
    frees: u32,
    free_misses: u32,
    kind: u32,
    tag: u32,
    size: u32,
    allocate: *const c_void,
    free: *const c_void,
}

/// ALLOCATE_FUNCTION and FREE_FUNCTION, and the same of a LOOKASIDE_LIST_EX, which get the list too.
type Allocate = unsafe extern "efiapi" fn(u32, usize, u32, *mut LOOKASIDE) -> *mut c_void;
type Free = unsafe extern "efiapi" fn(*mut c_void, *mut LOOKASIDE);

/// A lookaside list's own allocation.
unsafe extern "efiapi" fn allocate_entry(
    kind: u32,
    size: usize,
    tag: u32,
    _list: *mut LOOKASIDE,
) -> *mut c_void {
    let world = thread::world();
    let stale = kind & ZEROED == 0;
    allocate_pool(&mut world.state(), size, tag, stale, "lookaside list")
}

/// A lookaside list's own end of an entry.
unsafe extern "efiapi" fn free_entry(entry: *mut c_void, _list: *mut LOOKASIDE) {
    free_pool(entry, None, "lookaside list");
}

/// Initializes a lookaside list for `routine`.
///
/// # Safety
/// `list` is a place for one.
unsafe fn initialize(
    list: *mut LOOKASIDE,
    functions: (*const c_void, *const c_void),
    kind: u32,
    size: usize,
    tag: u32,
    routine: &str,
) {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    state.check_tag(tag, routine);
    if !list.addr().is_multiple_of(16) {
        let found = format!("the list at {:#x} is not aligned to 16 bytes", list.addr());
        state.violation(Rule::Memory, routine, found);
    }
    if thread::is_on_stack(list.addr()) {
        state.violation(Rule::Memory, routine, "the list is on a stack");
    }
    let or = |function: *const c_void, own: *const c_void| match function.is_null() {
        true => own,
        false => function,
    };
    // SAFETY: the caller vouches for the place.
    unsafe {
        *list = LOOKASIDE {
            list: [0; 2],
            depth: 0,
            most: 256,
            allocates: 0,
            allocate_misses: 0,
            frees: 0,
            free_misses: 0,
            kind,
            tag,
            size: size as u32,
            allocate: or(functions.0, allocate_entry as *const c_void),
            free: or(functions.1, free_entry as *const c_void),
        };
    }
    state.kernel.objects.insert_at(list.addr(), Kind::Lookaside);
}

unsafe extern "efiapi" fn ExInitializeNPagedLookasideList(
    list: *mut LOOKASIDE,
    allocate: *const c_void,
    free: *const c_void,
    flags: u32,
    size: usize,
    tag: u32,
    _depth: u16,
) {
    let routine = "ExInitializeNPagedLookasideList";
    let kind = flags & NO_EXECUTE;
    // SAFETY: the caller passes a place for a list.
    unsafe { initialize(list, (allocate, free), kind, size, tag, routine) };
}

unsafe extern "efiapi" fn ExInitializePagedLookasideList(
    list: *mut LOOKASIDE,
    allocate: *const c_void,
    free: *const c_void,
    _flags: u32,
    size: usize,
    tag: u32,
    _depth: u16,
) {
    let routine = "ExInitializePagedLookasideList";
    // SAFETY: the caller passes a place for a list.
    unsafe { initialize(list, (allocate, free), PAGED, size, tag, routine) };
}

unsafe extern "efiapi" fn NdisInitializeNPagedLookasideList(
    list: *mut LOOKASIDE,
    allocate: *const c_void,
    free: *const c_void,
    _flags: u32,
    size: usize,
    tag: u32,
    _depth: u16,
) {
    let routine = "NdisInitializeNPagedLookasideList";
    // SAFETY: the caller passes a place for a list.
    unsafe { initialize(list, (allocate, free), NO_EXECUTE, size, tag, routine) };
}

unsafe extern "efiapi" fn ExInitializeLookasideListEx(
    list: *mut LOOKASIDE,
    allocate: *const c_void,
    free: *const c_void,
    kind: u32,
    _flags: u32,
    size: usize,
    tag: u32,
    _depth: u16,
) -> i32 {
    let routine = "ExInitializeLookasideListEx";
    // SAFETY: the caller passes a place for a list.
    unsafe { initialize(list, (allocate, free), kind, size, tag, routine) };
    sys::STATUS_SUCCESS
}

fn delete(list: *mut LOOKASIDE, routine: &str) {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    world
        .state()
        .free_object(list.addr(), Kind::Lookaside, routine);
}

unsafe extern "efiapi" fn ExDeleteNPagedLookasideList(list: *mut LOOKASIDE) {
    delete(list, "ExDeleteNPagedLookasideList");
}

unsafe extern "efiapi" fn ExDeletePagedLookasideList(list: *mut LOOKASIDE) {
    delete(list, "ExDeletePagedLookasideList");
}

unsafe extern "efiapi" fn NdisDeleteNPagedLookasideList(list: *mut LOOKASIDE) {
    delete(list, "NdisDeleteNPagedLookasideList");
}

unsafe extern "efiapi" fn ExDeleteLookasideListEx(list: *mut LOOKASIDE) {
    delete(list, "ExDeleteLookasideListEx");
}

unsafe extern "efiapi" fn ExFlushLookasideListEx(list: *mut LOOKASIDE) {
    let routine = "ExFlushLookasideListEx";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    world
        .state()
        .require_object(list.addr(), Kind::Lookaside, routine);
}

/// The newest headers import what older ones inline.
unsafe extern "efiapi" fn ExAllocateFromLookasideListEx(list: *mut LOOKASIDE) -> *mut c_void {
    let routine = "ExAllocateFromLookasideListEx";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let exists = world
        .state()
        .require_object(list.addr(), Kind::Lookaside, routine);
    if !exists {
        return ptr::null_mut();
    }
    // SAFETY: the list is initialized, with functions of these types.
    unsafe {
        let allocate = std::mem::transmute::<*const c_void, Allocate>((*list).allocate);
        allocate((*list).kind, (*list).size as usize, (*list).tag, list)
    }
}

unsafe extern "efiapi" fn ExFreeToLookasideListEx(list: *mut LOOKASIDE, entry: *mut c_void) {
    let routine = "ExFreeToLookasideListEx";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let exists = world
        .state()
        .require_object(list.addr(), Kind::Lookaside, routine);
    if exists {
        // SAFETY: the list is initialized, with functions of these types.
        unsafe {
            let free = std::mem::transmute::<*const c_void, Free>((*list).free);
            free(entry, list);
        }
    }
}

unsafe extern "efiapi" fn ExAllocateFromNPagedLookasideList(list: *mut LOOKASIDE) -> *mut c_void {
    // SAFETY: the caller passes a list.
    unsafe { ExAllocateFromLookasideListEx(list) }
}

unsafe extern "efiapi" fn ExFreeToNPagedLookasideList(list: *mut LOOKASIDE, entry: *mut c_void) {
    // SAFETY: the caller passes a list, and an entry of it.
    unsafe { ExFreeToLookasideListEx(list, entry) };
}

super::exports! {
    ExAllocatePool2
    ExAllocatePool3
    ExAllocatePoolWithTag
    ExAllocatePoolWithTagPriority
    ExAllocatePool
    ExFreePoolWithTag
    ExFreePool
    ExFreePool2
    ExInitializeNPagedLookasideList
    ExInitializePagedLookasideList
    ExInitializeLookasideListEx
    NdisInitializeNPagedLookasideList
    ExDeleteNPagedLookasideList
    ExDeletePagedLookasideList
    ExDeleteLookasideListEx
    NdisDeleteNPagedLookasideList
    ExFlushLookasideListEx
    ExAllocateFromLookasideListEx
    ExFreeToLookasideListEx
    ExAllocateFromNPagedLookasideList
    ExFreeToNPagedLookasideList
}
