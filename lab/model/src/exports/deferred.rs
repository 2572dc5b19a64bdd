//! `ndis.sys`: work items and timers.

use std::{ffi::c_void, ptr, time::Duration};

use ::ndis::sys::{self, BOOLEAN, NDIS_HANDLE, NDIS_STATUS};

use crate::{
    handles::DEVICE,
    memory::Block,
    rules::{Finding, Rule},
    state::State,
    thread,
    world::deferred::{Context, Set, Timer, TimerRoutine, Work, WorkItem, WorkRoutine},
};

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisAllocateIoWorkItem(owner: NDIS_HANDLE) -> NDIS_HANDLE {
    let routine = "NdisAllocateIoWorkItem";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    // The device's handle will do as well.
    if owner.addr() != DEVICE {
        thread::require_module_or_driver(owner, routine);
    }
    let mut state = world.state();
    allocate_item(&mut state, routine)
}

/// A new work item; null where memory fails.
pub(super) fn allocate_item(state: &mut State, routine: &str) -> *mut c_void {
    if !state.may_allocate(routine) {
        return ptr::null_mut();
    }
    let memory = Block::new(16, 16);
    let (address, item) = (memory.address(), memory.start().cast());
    let made = WorkItem {
        _memory: Some(memory),
        queued: None,
    };
    state.kernel.deferred.items.insert(address, made);
    item
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisQueueIoWorkItem(
    item: NDIS_HANDLE,
    work: WorkRoutine,
    context: *mut c_void,
) {
    let routine = "NdisQueueIoWorkItem";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    queue_item(item.addr(), Work::Ndis(work, Context(context)), routine);
}

/// Queues a work item.
pub(super) fn queue_item(at: usize, work: Work, routine: &str) {
    let world = thread::world();
    let mut state = world.state();
    match state.kernel.deferred.items.get_mut(&at) {
        Some(item) if item.queued.is_none() => item.queued = Some(work),
        Some(_) => {
            let found = Finding::new(Rule::Once, "it is queued already");
            state.finding(routine, found.on("kernel/system-worker-threads"));
        }
        None => state.violation(Rule::Memory, routine, "of no work item"),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFreeIoWorkItem(item: NDIS_HANDLE) {
    let routine = "NdisFreeIoWorkItem";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    free_item(item.addr(), routine);
}

/// Frees a work item, which is not queued.
pub(super) fn free_item(at: usize, routine: &str) {
    let world = thread::world();
    let mut state = world.state();
    match state.kernel.deferred.items.remove(&at) {
        Some(item) if item.queued.is_some() => {
            let found = Finding::new(Rule::Memory, "it is queued");
            state.finding(routine, found.on("ddi/wdm/nf-wdm-iofreeworkitem"));
        }
        Some(_) => {}
        None => state.violation(Rule::Memory, routine, "of no work item"),
    }
}

/// NDIS_TIMER_CHARACTERISTICS.
#[repr(C)]
pub struct NDIS_TIMER_CHARACTERISTICS {
    header: sys::NDIS_OBJECT_HEADER,
    tag: u32,
    function: Option<TimerRoutine>,
    context: *mut c_void,
}

/// NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS.
const TIMER_TYPE: u8 = 0x97;

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisAllocateTimerObject(
    owner: NDIS_HANDLE,
    characteristics: *const NDIS_TIMER_CHARACTERISTICS,
    timer: *mut NDIS_HANDLE,
) -> NDIS_STATUS {
    let routine = "NdisAllocateTimerObject";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    thread::require_module_or_driver(owner, routine);
    let world = thread::world();
    let mut state = world.state();
    // SAFETY: the caller passes characteristics of the size in their header.
    let (header, tag, function, context) = unsafe {
        let all = &*characteristics;
        (all.header, all.tag, all.function, all.context)
    };
    state.check_tag(tag, routine);
    let size = size_of::<NDIS_TIMER_CHARACTERISTICS>() as u16;
    let (TIMER_TYPE, 1, Some(function)) = (header.Type, header.Revision, function) else {
        return sys::NDIS_STATUS_BAD_CHARACTERISTICS;
    };
    if header.Size < size {
        return sys::NDIS_STATUS_BAD_CHARACTERISTICS;
    }
    if !state.may_allocate(routine) {
        return sys::NDIS_STATUS_RESOURCES;
    }
    let memory = Block::new(16, 16);
    // SAFETY: the caller passes a place for the handle.
    unsafe { *timer = memory.start().cast() };
    let address = memory.address();
    let made = Timer {
        _memory: memory,
        routine: function,
        default: Context(context),
        set: None,
    };
    state.kernel.deferred.timers.insert(address, made);
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisSetTimerObject(
    timer: NDIS_HANDLE,
    due: i64,
    period: u32,
    context: *mut c_void,
) -> BOOLEAN {
    let routine = "NdisSetTimerObject";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let now = world.clock.now();
    let mut state = world.state();
    let Some(timer) = state.kernel.deferred.timers.get_mut(&timer.addr()) else {
        state.violation(Rule::Memory, routine, "of no timer");
        return 0;
    };
    // In units of 100 ns; what is not relative has passed, by a clock that begins with the machine.
    let wait = Duration::from_nanos(due.min(0).unsigned_abs().saturating_mul(100));
    let context = match context.is_null() {
        true => timer.default,
        false => Context(context),
    };
    let set = Set {
        due: now.saturating_add(wait),
        period: Duration::from_millis(period.into()),
        context,
    };
    timer.set.replace(set).is_some().into()
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisCancelTimerObject(timer: NDIS_HANDLE) -> BOOLEAN {
    let routine = "NdisCancelTimerObject";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let set = {
        let mut state = world.state();
        let Some(timer) = state.kernel.deferred.timers.get_mut(&timer.addr()) else {
            state.violation(Rule::Memory, routine, "of no timer");
            return 0;
        };
        timer.set.take()
    };
    if set.is_some_and(|set| !set.period.is_zero()) {
        thread::require_irql_at_most(sys::PASSIVE_LEVEL, routine);
    }
    set.is_some().into()
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFreeTimerObject(timer: NDIS_HANDLE) {
    let routine = "NdisFreeTimerObject";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    match state.kernel.deferred.timers.remove(&timer.addr()) {
        Some(timer) if timer.set.is_some() => {
            let found = Finding::new(Rule::Memory, "it is set");
            state.finding(routine, found.on("devtest/automatic-checks"));
        }
        Some(_) => {}
        None => state.violation(Rule::Memory, routine, "of no timer"),
    }
}

super::exports! {
    NdisAllocateIoWorkItem
    NdisQueueIoWorkItem
    NdisFreeIoWorkItem
    NdisAllocateTimerObject
    NdisSetTimerObject
    NdisCancelTimerObject
    NdisFreeTimerObject
}
