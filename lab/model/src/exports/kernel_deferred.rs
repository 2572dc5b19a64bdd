//! `ntoskrnl.exe`: DPCs, timers and work items.

use std::{ffi::c_void, ptr, time::Duration};

use ::ndis::sys::{self, BOOLEAN};

use super::{deferred, time};
use crate::{
    race,
    rules::{Finding, Rule},
    thread,
    world::deferred::{
        Context, Dpc, DpcRoutine, ExRoutine, IoRoutine, IoRoutineEx, KernelTimer, Work, WorkItem,
    },
};

/// KDPC and KTIMER, whose contents are the kernel's.
#[repr(C)]
pub struct KDPC([u64; 8]);
#[repr(C)]
pub struct KTIMER([u64; 8]);

fn unknown(routine: &str, what: &str) {
    let found = format!("of a {what} that was not initialized, or whose memory was freed");
    thread::world().violation(Rule::Memory, routine, found);
}

unsafe extern "efiapi" fn KeInitializeDpc(
    dpc: *mut KDPC,
    routine: DpcRoutine,
    context: *mut c_void,
) {
    let world = thread::world();
    let made = Dpc {
        routine,
        context: Context(context),
        queued: None,
    };
    let at = dpc.expose_provenance();
    let before = world.state().kernel.deferred.dpcs.insert(at, made);
    if before.is_some_and(|dpc| dpc.queued.is_some()) {
        let found = "initialized while it is queued";
        world.violation(Rule::Memory, "KeInitializeDpc", found.into());
    }
}

unsafe extern "efiapi" fn KeInsertQueueDpc(
    dpc: *mut KDPC,
    first: *mut c_void,
    second: *mut c_void,
) -> BOOLEAN {
    race::release(dpc.addr());
    let world = thread::world();
    let queued = world
        .state()
        .kernel
        .deferred
        .queue_dpc(dpc.addr(), [Context(first), Context(second)]);
    if queued.is_none() {
        unknown("KeInsertQueueDpc", "DPC");
    }
    queued.unwrap_or_default().into()
}

unsafe extern "efiapi" fn KeRemoveQueueDpc(dpc: *mut KDPC) -> BOOLEAN {
    let world = thread::world();
    let mut state = world.state();
    let Some(dpc) = state.kernel.deferred.dpcs.get_mut(&dpc.addr()) else {
        drop(state);
        unknown("KeRemoveQueueDpc", "DPC");
        return 0;
    };
    dpc.queued.take().is_some().into()
}

unsafe extern "efiapi" fn KeFlushQueuedDpcs() {
    thread::require_irql_at_most(sys::APC_LEVEL, "KeFlushQueuedDpcs");
    thread::world().run_dpcs();
}

/// Where a DPC runs, and when, is the kernel's choice in any case.
unsafe extern "efiapi" fn choose_dpc(_dpc: *mut KDPC, _choice: usize) -> i32 {
    sys::STATUS_SUCCESS
}
use choose_dpc as KeSetImportanceDpc;
use choose_dpc as KeSetTargetProcessorDpc;
use choose_dpc as KeSetTargetProcessorDpcEx;

unsafe extern "efiapi" fn KeInitializeTimerEx(timer: *mut KTIMER, kind: i32) {
    let world = thread::world();
    let mut state = world.state();
    let at = timer.addr();
    let before = state
        .kernel
        .deferred
        .kernel_timers
        .insert(at, KernelTimer::default());
    if before.is_some_and(|timer| timer.set.is_some()) {
        let found = "initialized while it is set";
        state.violation(Rule::Memory, "KeInitializeTimerEx", found);
    }
    // A timer can be waited for like an event.
    if let Err(found) = state.kernel.events.initialize(at, kind, false) {
        state.violation(Rule::Events, "KeInitializeTimerEx", found);
    }
}

unsafe extern "efiapi" fn KeInitializeTimer(timer: *mut KTIMER) {
    // SAFETY: as for this routine.
    unsafe { KeInitializeTimerEx(timer, sys::NotificationEvent) };
}

unsafe extern "efiapi" fn KeSetTimerEx(
    timer: *mut KTIMER,
    due: i64,
    period: i32,
    dpc: *mut KDPC,
) -> BOOLEAN {
    let routine = "KeSetTimerEx";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    race::release(dpc.addr());
    let world = thread::world();
    let now = world.clock.now();
    let mut state = world.state();
    if !dpc.is_null() && !state.kernel.deferred.dpcs.contains_key(&dpc.addr()) {
        drop(state);
        unknown(routine, "DPC");
        return 0;
    }
    let Some(known) = state.kernel.deferred.kernel_timers.get_mut(&timer.addr()) else {
        drop(state);
        unknown(routine, "timer");
        return 0;
    };
    let due = now.saturating_add(time::until(due, now));
    let period = Duration::from_millis(period.unsigned_abs().into());
    let before = known.set.replace((due, period, dpc.addr()));
    let _ = state.kernel.events.reset(timer.addr());
    before.is_some().into()
}

unsafe extern "efiapi" fn KeSetTimer(timer: *mut KTIMER, due: i64, dpc: *mut KDPC) -> BOOLEAN {
    // SAFETY: as for this routine.
    unsafe { KeSetTimerEx(timer, due, 0, dpc) }
}

unsafe extern "efiapi" fn KeSetCoalescableTimer(
    timer: *mut KTIMER,
    due: i64,
    period: u32,
    _tolerance: u32,
    dpc: *mut KDPC,
) -> BOOLEAN {
    // SAFETY: as for this routine.
    unsafe { KeSetTimerEx(timer, due, period as i32, dpc) }
}

unsafe extern "efiapi" fn KeCancelTimer(timer: *mut KTIMER) -> BOOLEAN {
    let routine = "KeCancelTimer";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    let Some(known) = state.kernel.deferred.kernel_timers.get_mut(&timer.addr()) else {
        drop(state);
        unknown(routine, "timer");
        return 0;
    };
    known.set.take().is_some().into()
}

unsafe extern "efiapi" fn KeReadStateTimer(timer: *mut KTIMER) -> BOOLEAN {
    let world = thread::world();
    let state = world.state();
    let known = state.kernel.deferred.kernel_timers.get(&timer.addr());
    known.is_some_and(|timer| timer.set.is_none()).into()
}

unsafe extern "efiapi" fn IoAllocateWorkItem(device: *mut c_void) -> *mut c_void {
    let routine = "IoAllocateWorkItem";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    if device.is_null() {
        state.violation(Rule::Memory, routine, "without a device or driver object");
    }
    deferred::allocate_item(&mut state, routine)
}

unsafe extern "efiapi" fn IoSizeofWorkItem() -> u32 {
    64
}

unsafe extern "efiapi" fn IoInitializeWorkItem(_device: *mut c_void, item: *mut c_void) {
    let made = WorkItem {
        _memory: None,
        queued: None,
    };
    let world = thread::world();
    let mut state = world.state();
    let address = item.expose_provenance();
    state.kernel.deferred.items.insert(address, made);
}

unsafe extern "efiapi" fn IoFreeWorkItem(item: *mut c_void) {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, "IoFreeWorkItem");
    deferred::free_item(item.addr(), "IoFreeWorkItem");
}

unsafe extern "efiapi" fn IoUninitializeWorkItem(item: *mut c_void) {
    deferred::free_item(item.addr(), "IoUninitializeWorkItem");
}

unsafe extern "efiapi" fn IoQueueWorkItem(
    item: *mut c_void,
    work: IoRoutine,
    _queue: i32,
    context: *mut c_void,
) {
    let routine = "IoQueueWorkItem";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let device = ptr::without_provenance_mut(crate::handles::DEVICE);
    let work = Work::Io(work, Context(device), Context(context));
    deferred::queue_item(item.addr(), work, routine);
}

unsafe extern "efiapi" fn IoQueueWorkItemEx(
    item: *mut c_void,
    work: IoRoutineEx,
    _queue: i32,
    context: *mut c_void,
) {
    let routine = "IoQueueWorkItemEx";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let device = ptr::without_provenance_mut(crate::handles::DEVICE);
    let work = Work::IoEx(work, Context(device), Context(context));
    deferred::queue_item(item.addr(), work, routine);
}

/// WORK_QUEUE_ITEM.
#[repr(C)]
pub struct WORK_QUEUE_ITEM {
    links: [usize; 2],
    routine: Option<ExRoutine>,
    parameter: *mut c_void,
}

unsafe extern "efiapi" fn ExQueueWorkItem(item: *mut WORK_QUEUE_ITEM, _queue: i32) {
    let routine = "ExQueueWorkItem";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    // SAFETY: the caller passes an item that it has initialized.
    let (work, parameter) = unsafe { ((*item).routine, (*item).parameter) };
    let Some(work) = work else {
        return unknown(routine, "work item");
    };
    let made = WorkItem {
        _memory: None,
        queued: Some(Work::Ex(work, Context(parameter))),
    };
    let world = thread::world();
    let mut state = world.state();
    let address = item.expose_provenance();
    if state.kernel.deferred.items.insert(address, made).is_some() {
        let found = Finding::new(Rule::Once, "it is queued already");
        state.finding(routine, found.on("kernel/system-worker-threads"));
    }
}

super::exports! {
    KeInitializeDpc
    KeInsertQueueDpc
    KeRemoveQueueDpc
    KeFlushQueuedDpcs
    KeSetImportanceDpc
    KeSetTargetProcessorDpc
    KeSetTargetProcessorDpcEx
    KeInitializeTimer
    KeInitializeTimerEx
    KeSetTimer
    KeSetTimerEx
    KeSetCoalescableTimer
    KeCancelTimer
    KeReadStateTimer
    IoAllocateWorkItem
    IoSizeofWorkItem
    IoInitializeWorkItem
    IoFreeWorkItem
    IoUninitializeWorkItem
    IoQueueWorkItem
    IoQueueWorkItemEx
    ExQueueWorkItem
}
