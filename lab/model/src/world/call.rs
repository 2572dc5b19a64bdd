//! Calling the driver, and checking the state that its handlers leave behind.

use std::sync::Arc;

use ndis::sys;

use super::{World, waiting};
use crate::{
    race,
    rules::{Finding, Rule},
    suspension, thread,
};

impl World {
    /// Runs `body` as driver code: on processor 0, at PASSIVE_LEVEL, in this model.
    pub fn inside<T>(self: &Arc<Self>, body: impl FnOnce() -> T) -> T {
        self.inside_on(0, body)
    }

    /// The same on another processor.
    pub fn inside_on<T>(self: &Arc<Self>, processor: u32, body: impl FnOnce() -> T) -> T {
        let _inside = thread::enter(self, processor, sys::PASSIVE_LEVEL);
        body()
    }

    /// Calls the driver through `handler`, which runs within `body`, at `irql` on the processor
    /// where this thread is.
    pub(super) fn call<T>(
        self: &Arc<Self>,
        handler: &str,
        irql: u8,
        body: impl FnOnce() -> T,
    ) -> T {
        let (locks, regions) = (thread::locks_held(), suspension::regions());
        let inside = thread::enter_handler(self, irql);
        waiting::begins();
        self.clock.turn();
        race::enter(handler);
        let at_dispatch = irql >= sys::DISPATCH_LEVEL;
        if at_dispatch {
            race::raised();
        }
        let result = body();
        if at_dispatch {
            race::lowers();
        }
        race::leave(handler);
        let after = thread::irql();
        drop(inside);
        self.state().forget_stack(thread::stack_now());
        if after != irql {
            let found = format!("called at IRQL {irql}, returned at {after}");
            self.finding(
                handler,
                Finding::new(Rule::Irql, found).on("devtest/wdm-irqlreturn"),
            );
        }
        if thread::locks_held() != locks {
            let found = "returned with a spin lock held";
            let finding = Finding::new(Rule::SpinLock, found).on("devtest/ndis-spinlockbalanced");
            self.finding(handler, finding);
        }
        let left = suspension::regions();
        if left != regions {
            let found = format!("called in {regions} critical regions, returned in {left}");
            let finding = Finding::new(Rule::Irql, found).on("devtest/wdm-criticalregions");
            self.finding(handler, finding);
            suspension::set_regions(regions);
        }
        result
    }

    /// Reports, once, that the driver nests too deeply.
    pub(crate) fn recursion(&self, found: String) {
        self.findings.record_once(Rule::Recursion, "driver", found);
    }
}
