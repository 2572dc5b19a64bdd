//! Work items and timers: code of the driver that NDIS runs later.
#![expect(unsafe_code, reason = "calls the driver's routines as NDIS does")]

use std::{collections::BTreeMap, ffi::c_void, sync::Arc, time::Duration};

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

/// The page of work items.
const WORK_ITEMS: &str = "ddi/ndis/nf-ndis-ndisallocateioworkitem";
/// The page of what Driver Verifier checks at the unload.
const TIMERS: &str = "devtest/automatic-checks";

/// A pointer that the driver passes to itself.
#[derive(Clone, Copy)]
pub(crate) struct Context(pub(crate) *mut c_void);

// SAFETY: an address that the model only hands back.
unsafe impl Send for Context {}

/// A work item.
pub(crate) struct WorkItem {
    pub(crate) memory: Block,
    /// What it is queued for.
    pub(crate) queued: Option<(WorkRoutine, Context)>,
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
}

impl Deferred {
    fn take_queued(&mut self) -> Option<(sys::NDIS_HANDLE, WorkRoutine, Context)> {
        self.items.values_mut().find_map(|item| {
            let (routine, context) = item.queued.take()?;
            Some((item.memory.start().cast(), routine, context))
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
        set.map(|set| set.due).min()
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
            let Some((item, routine, Context(context))) = queued else {
                break;
            };
            let _inside = thread::enter_anew(self, 0, sys::PASSIVE_LEVEL);
            self.call("work item", sys::PASSIVE_LEVEL, || {
                // SAFETY: the routine is the driver's, which is loaded.
                unsafe { routine(context, item) }
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
        count
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
        let Deferred { items, timers } = std::mem::take(&mut self.kernel.deferred);
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
}
