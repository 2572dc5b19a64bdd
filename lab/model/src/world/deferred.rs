//! Work items, timers and DPCs: code of the driver that NDIS and the kernel run later.
#![expect(unsafe_code, reason = "calls the driver's routines as NDIS does")]

use std::{collections::BTreeMap, ffi::c_void, ops::Range, sync::Arc, time::Duration};

use ndis::sys;

use super::World;
use crate::{
    memory::Block,
    rules::{Finding, Rule},
    state::State,
    thread,
};

/// NDIS_IO_WORKITEM_FUNCTION.
pub(crate) type WorkRoutine =
    unsafe extern "efiapi" fn(context: *mut c_void, item: sys::NDIS_HANDLE);
/// NDIS_TIMER_FUNCTION.
pub(crate) type TimerRoutine = unsafe extern "efiapi" fn(
    system: *mut c_void,
    context: *mut c_void,
    second: *mut c_void,
    third: *mut c_void,
);

/// IO_WORKITEM_ROUTINE, IO_WORKITEM_ROUTINE_EX and WORKER_THREAD_ROUTINE.
pub(crate) type IoRoutine = unsafe extern "efiapi" fn(device: *mut c_void, context: *mut c_void);
pub(crate) type IoRoutineEx =
    unsafe extern "efiapi" fn(object: *mut c_void, context: *mut c_void, item: *mut c_void);
pub(crate) type ExRoutine = unsafe extern "efiapi" fn(context: *mut c_void);
/// KDEFERRED_ROUTINE.
pub(crate) type DpcRoutine = unsafe extern "efiapi" fn(
    dpc: *mut c_void,
    context: *mut c_void,
    first: *mut c_void,
    second: *mut c_void,
);

/// The page of a timer or DPC whose memory is gone.
const GONE: &str = "debugger/bug-check-0xc7--timer-or-dpc-invalid";

/// The page of work items.
const WORK_ITEMS: &str = "ddi/ndis/nf-ndis-ndisallocateioworkitem";
/// The page of what Driver Verifier checks at the unload.
const TIMERS: &str = "devtest/automatic-checks";

/// A pointer that the driver passes to itself.
#[derive(Clone, Copy)]
pub(crate) struct Context(pub(crate) *mut c_void);

// SAFETY: an address that the model only hands back.
unsafe impl Send for Context {}

/// What a work item is queued for.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    Ndis(WorkRoutine, Context),
    Io(IoRoutine, Context, Context),
    IoEx(IoRoutineEx, Context, Context),
    Ex(ExRoutine, Context),
}

/// A work item.
pub(crate) struct WorkItem {
    /// None where it lies in memory of the driver.
    pub(crate) _memory: Option<Block>,
    pub(crate) queued: Option<Work>,
}

/// A DPC, in memory of the driver.
pub(crate) struct Dpc {
    pub(crate) routine: DpcRoutine,
    pub(crate) context: Context,
    /// Its arguments, while it is queued.
    pub(crate) queued: Option<[Context; 2]>,
}

/// A timer of the kernel, in memory of the driver.
#[derive(Default)]
pub(crate) struct KernelTimer {
    /// When it expires, its period, and its DPC or 0.
    pub(crate) set: Option<(Duration, Duration, usize)>,
}

/// A timer.
pub(crate) struct Timer {
    pub(crate) _memory: Block,
    pub(crate) routine: TimerRoutine,
    /// The context that it was made with.
    pub(crate) default: Context,
    pub(crate) set: Option<Set>,
}

/// A timer that is set.
#[derive(Clone, Copy)]
pub(crate) struct Set {
    /// When it expires, by the model's clock.
    pub(crate) due: Duration,
    /// Zero for a timer that expires once.
    pub(crate) period: Duration,
    pub(crate) context: Context,
}

/// All of them, by address.
#[derive(Default)]
pub(crate) struct Deferred {
    pub(crate) items: BTreeMap<usize, WorkItem>,
    pub(crate) timers: BTreeMap<usize, Timer>,
    pub(crate) dpcs: BTreeMap<usize, Dpc>,
    pub(crate) kernel_timers: BTreeMap<usize, KernelTimer>,
}

impl Deferred {
    fn take_queued(&mut self) -> Option<(usize, Work)> {
        let queued = |(at, item): (&usize, &mut WorkItem)| Some((*at, item.queued.take()?));
        let (at, work) = self.items.iter_mut().find_map(queued)?;
        if matches!(work, Work::Ex(..)) {
            self.items.remove(&at);
        }
        Some((at, work))
    }

    fn take_dpc(&mut self) -> Option<(usize, DpcRoutine, Context, [Context; 2])> {
        self.dpcs.iter_mut().find_map(|(at, dpc)| {
            let arguments = dpc.queued.take()?;
            Some((*at, dpc.routine, dpc.context, arguments))
        })
    }

    /// Queues a DPC. Returns whether it was not queued already; `None` where there is none.
    pub(crate) fn queue_dpc(&mut self, at: usize, arguments: [Context; 2]) -> Option<bool> {
        let dpc = self.dpcs.get_mut(&at)?;
        let queues = dpc.queued.is_none();
        dpc.queued.get_or_insert(arguments);
        Some(queues)
    }

    /// Takes a timer of the kernel that has expired, and its DPC.
    fn take_expired_kernel(&mut self, now: Duration) -> Option<(usize, usize)> {
        self.kernel_timers.iter_mut().find_map(|(at, timer)| {
            let (_, period, dpc) = timer.set.filter(|(due, _, _)| *due <= now)?;
            timer.set = (!period.is_zero()).then_some((now + period, period, dpc));
            Some((*at, dpc))
        })
    }

    fn take_expired(&mut self, now: Duration) -> Option<(TimerRoutine, Context)> {
        self.timers.values_mut().find_map(|timer| {
            let set = timer.set.filter(|set| set.due <= now)?;
            let again = Set {
                due: now + set.period,
                ..set
            };
            timer.set = (!set.period.is_zero()).then_some(again);
            Some((timer.routine, set.context))
        })
    }

    fn next_due(&self) -> Option<Duration> {
        let set = self.timers.values().filter_map(|timer| timer.set);
        let kernel = self.kernel_timers.values().filter_map(|timer| timer.set);
        set.map(|set| set.due)
            .chain(kernel.map(|(due, _, _)| due))
            .min()
    }
}

impl World {
    /// Runs the work items that are queued and the timers that have expired. Returns how many.
    pub fn run_deferred(self: &Arc<Self>) -> usize {
        let mut count = 0;
        if thread::irql() >= sys::DISPATCH_LEVEL {
            return count;
        }
        loop {
            let queued = self.state().kernel.deferred.take_queued();
            let Some((at, work)) = queued else {
                break;
            };
            let item = std::ptr::with_exposed_provenance_mut(at);
            let _inside = thread::enter_anew(self, 0, sys::PASSIVE_LEVEL);
            self.call("work item", sys::PASSIVE_LEVEL, || {
                // SAFETY: the routine is the driver's, which is loaded.
                unsafe {
                    match work {
                        Work::Ndis(routine, Context(context)) => routine(context, item),
                        Work::Io(routine, Context(device), Context(context)) => {
                            routine(device, context);
                        }
                        Work::IoEx(routine, Context(object), Context(context)) => {
                            routine(object, context, item.cast());
                        }
                        Work::Ex(routine, Context(context)) => routine(context),
                    }
                }
            });
            count += 1;
        }
        // A timer whose period is short expires again while it runs, once in a call.
        let now = self.clock.now();
        loop {
            let expired = self.state().kernel.deferred.take_expired(now);
            let Some((routine, Context(context))) = expired else {
                break;
            };
            let none = std::ptr::null_mut();
            let _inside = thread::enter_anew(self, 0, sys::DISPATCH_LEVEL);
            self.call("timer", sys::DISPATCH_LEVEL, || {
                // SAFETY: the routine is the driver's, which is loaded.
                unsafe { routine(none, context, none, none) }
            });
            count += 1;
        }
        loop {
            let mut state = self.state();
            let Some((timer, dpc)) = state.kernel.deferred.take_expired_kernel(now) else {
                break;
            };
            // It may be waited for.
            let _ = state.kernel.events.set(timer);
            let none = Context(std::ptr::null_mut());
            state.kernel.deferred.queue_dpc(dpc, [none, none]);
            count += 1;
        }
        count + self.run_dpcs()
    }

    /// Runs the DPCs that are queued. Returns how many.
    pub(crate) fn run_dpcs(self: &Arc<Self>) -> usize {
        let mut count = 0;
        loop {
            let queued = self.state().kernel.deferred.take_dpc();
            let Some((at, routine, Context(context), [Context(first), Context(second)])) = queued
            else {
                return count;
            };
            let dpc = std::ptr::with_exposed_provenance_mut(at);
            let _inside = thread::enter_anew(self, 0, sys::DISPATCH_LEVEL);
            self.call("DPC", sys::DISPATCH_LEVEL, || {
                // SAFETY: the routine is the driver's, which is loaded.
                unsafe { routine(dpc, context, first, second) }
            });
            count += 1;
        }
    }

    /// Time passes until the timer that is due next expires. Returns whether there is one.
    pub fn pass_to_timer(self: &Arc<Self>) -> bool {
        let next = self.state().kernel.deferred.next_due();
        if let Some(due) = next {
            self.clock.spend(due.saturating_sub(self.clock.now()));
        }
        next.is_some() && self.run_deferred() > 0
    }
}

impl State {
    /// The driver is gone: nothing of it may run later, or be allocated.
    pub(super) fn check_deferred_gone(&mut self, when: &str) {
        self.forget_deferred(0..usize::MAX, Rule::NothingLeft, when);
        let Deferred { items, timers, .. } = std::mem::take(&mut self.kernel.deferred);
        for item in items.into_values() {
            let how = match item.queued {
                Some(_) => "is queued",
                None => "is not freed",
            };
            let finding = Finding::new(Rule::NothingLeft, format!("{how} {when}"));
            self.finding("work item", finding.on(WORK_ITEMS));
        }
        for timer in timers.into_values() {
            let how = match timer.set {
                Some(_) => "is set",
                None => "is not freed",
            };
            let finding = Finding::new(Rule::NothingLeft, format!("{how} {when}"));
            self.finding("timer", finding.on(TIMERS));
        }
    }

    /// The kernel's timers and DPCs in `memory` are gone with it: none may run later.
    pub(crate) fn forget_deferred(&mut self, memory: Range<usize>, rule: Rule, when: &str) {
        let Deferred {
            dpcs,
            kernel_timers,
            ..
        } = &mut self.kernel.deferred;
        let mut found = Vec::new();
        kernel_timers.retain(|at, timer| {
            let gone = memory.contains(at);
            if gone && timer.set.is_some() {
                found.push(("timer", format!("is set {when}")));
            }
            !gone
        });
        dpcs.retain(|at, dpc| {
            let gone = memory.contains(at);
            if gone && dpc.queued.is_some() {
                found.push(("DPC", format!("is queued {when}")));
            }
            !gone
        });
        for (subject, found) in found {
            self.finding(subject, Finding::new(rule, found).on(GONE));
        }
    }
}
