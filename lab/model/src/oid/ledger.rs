//! The requests under way: how they come back, and what becomes of those whose memory goes.

use std::{ops::Range, time::Duration};

use crate::{
    memory::Block,
    rules::{Finding, Level, Rule},
    state::State,
};

/// How long a filter may have a request: no longer than a miniport (Windows driver documentation,
/// NdisTimedOidComplete).
const LONGEST_REQUEST: Duration = Duration::from_secs(12);

/// Most bytes of stack that a handler uses.
const MOST_STACK: usize = 256 << 10;

impl State {
    /// The name of a request of the overlying driver in messages.
    pub(crate) fn oid_name(&self, number: u64) -> String {
        let oid = self.oids.asked.get(&number).map_or(0, |one| one.call.oid);
        format!("OID request {number} ({oid:#x})")
    }

    /// The number of the overlying driver's request that is in progress at `address`.
    pub(crate) fn asked_at(&self, address: usize) -> Option<u64> {
        let number = self.oids.current?;
        let asked = self.oids.asked.get(&number)?;
        (asked.request.address() == address).then_some(number)
    }

    /// The same of a direct request.
    pub(crate) fn direct_asked_at(&self, address: usize) -> Option<u64> {
        let mut direct = self.oids.direct.iter();
        direct
            .find(|number| {
                let asked = self.oids.asked.get(number);
                asked.is_some_and(|asked| asked.request.address() == address)
            })
            .copied()
    }

    /// Takes back the request that is in progress for the overlying driver.
    pub(crate) fn oid_came_back(&mut self, number: u64, status: i32) {
        let (mut broken, may) = (Vec::new(), self.advertised.may_add);
        if self.oids.clones.values().any(|clone| clone.of == number) {
            let found = "completed before its clone was freed";
            broken.push(Finding::at(Level::Product, Rule::Oid, found));
        }
        if let Some(asked) = self.oids.asked.get_mut(&number) {
            asked.came_back(status, may, &mut broken);
        }
        let took = self.clock.now().saturating_sub(self.oids.entered);
        if self.oids.current == Some(number) && took > LONGEST_REQUEST {
            let found = format!("was completed after {took:?}");
            broken.push(Finding::at(Level::Advice, Rule::Oid, found));
        }
        if self.oids.current == Some(number) {
            self.oids.current = None;
        }
        let name = self.oid_name(number);
        for finding in broken {
            self.finding(name.clone(), finding);
        }
    }

    /// Pool memory goes: no request of the filter's own that is under way may be in it.
    pub(crate) fn forget_own_oids(&mut self, gone: &Block) {
        let range = gone.address()..gone.address() + gone.size();
        self.forget_own_oids_in(range, "freed before it was completed");
    }

    /// A handler has returned to the frame at `frame`: no request of the filter's own that is under
    /// way may be on the stack that it used.
    pub(crate) fn forget_stack(&mut self, frame: usize) {
        let found = "on the stack of a handler that returned before it was completed";
        self.forget_own_oids_in(frame.saturating_sub(MOST_STACK)..frame, found);
    }

    /// FilterDetach has returned: no request of the filter's own may be under way.
    pub(crate) fn forget_all_own_oids(&mut self) {
        let found = "under way when FilterDetach returned";
        self.forget_own_oids_in(0..usize::MAX, found);
    }

    fn forget_own_oids_in(&mut self, range: Range<usize>, found: &str) {
        let below = self.oids.below.as_ref();
        let is_below =
            below.is_some_and(|below| below.of.is_none() && range.contains(&below.address));
        if is_below {
            self.oids.below = None;
        }
        let before = self.oids.waiting.len();
        self.oids.waiting.retain(|address| !range.contains(address));
        if is_below || self.oids.waiting.len() < before {
            self.violation(Rule::Oid, "request of the filter's own", found);
        }
    }

    /// Forgets completed requests, after a last check.
    pub(crate) fn forget_answered(&mut self) {
        let mut gone = Vec::new();
        self.oids.asked.retain(|number, asked| {
            let answered = asked.after.is_some();
            if answered && asked.touched() {
                gone.push(format!("OID request {number} ({:#x})", asked.call.oid));
            }
            !answered
        });
        for name in gone {
            self.violation(Rule::Oid, name, "touched after it was completed");
        }
    }

    /// The last check of all requests.
    pub(crate) fn check_oids_at_end(&mut self) {
        self.forget_answered();
        let mut broken = Vec::new();
        // Requests that wait for an earlier one are not the filter's to complete.
        let waiting = &self.oids.queue;
        let entered = self
            .oids
            .asked
            .keys()
            .filter(|number| !waiting.contains(number));
        for number in entered {
            broken.push((self.oid_name(*number), "was never completed"));
        }
        for clone in std::mem::take(&mut self.oids.clones).into_values() {
            broken.push((self.oid_name(clone.of), "its clone was never freed"));
        }
        for (name, found) in broken {
            self.violation(Rule::Oid, name, found);
        }
    }
}
