//! Rules 24 and 43: locks and events in memory that is freed.

use super::Rule;
use crate::{memory::Block, state::State, thread};

impl State {
    /// The spin locks in freed memory are gone with it.
    pub(crate) fn forget_locks(&mut self, block: &Block) {
        let gone = block.address()..block.address() + block.size();
        for lock in self.kernel.spin_locks.forget(gone) {
            if thread::holds(lock) {
                let subject = format!("spin lock at {lock:#x}");
                self.violation(Rule::SpinLock, subject, "freed while it is held");
            }
        }
    }

    /// The events in freed memory are gone with it.
    pub(crate) fn forget_events(&mut self, block: &Block) {
        for event in self.kernel.events.forget(block) {
            let subject = format!("event at {event:#x}");
            self.violation(Rule::Events, subject, "freed while a thread waits");
        }
    }
}
