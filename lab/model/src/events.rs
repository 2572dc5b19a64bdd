//! Kernel events and the threads that wait for them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ndis::sys;

use crate::memory::Block;

/// All initialized events, by address. As in the kernel, an event ends a wait when it is signaled,
/// not when the waiting thread looks: a thread that resets the event, or frees it, after that does
/// not prolong the wait.
#[derive(Default)]
pub(crate) struct Events {
    events: BTreeMap<usize, Event>,
    /// Waits that an event has ended and whose threads have not returned yet.
    over: BTreeSet<u64>,
    /// Waits so far.
    waits: u64,
}

struct Event {
    /// The event ends one wait, in place of all.
    is_synchronization: bool,
    signaled: bool,
    waiting: VecDeque<u64>,
}

const UNKNOWN: &str = "used before it was initialized, or after it was freed";

impl Events {
    fn event(&mut self, at: usize) -> Result<&mut Event, &'static str> {
        self.events.get_mut(&at).ok_or(UNKNOWN)
    }

    pub(crate) fn initialize(
        &mut self,
        at: usize,
        kind: i32,
        signaled: bool,
    ) -> Result<(), &'static str> {
        let is_synchronization = match kind {
            sys::NotificationEvent => false,
            sys::SynchronizationEvent => true,
            _ => return Err("initialized as an event of no type that exists"),
        };
        let event = Event {
            is_synchronization,
            signaled,
            waiting: VecDeque::new(),
        };
        match self.events.insert(at, event) {
            Some(before) if !before.waiting.is_empty() => Err("initialized while a thread waits"),
            _ => Ok(()),
        }
    }

    /// Signals an event. Returns its previous state.
    pub(crate) fn set(&mut self, at: usize) -> Result<bool, &'static str> {
        let event = self.event(at)?;
        let was = event.signaled;
        let most = if event.is_synchronization {
            1
        } else {
            usize::MAX
        };
        let ended: Vec<_> = {
            let count = event.waiting.len().min(most);
            event.waiting.drain(..count).collect()
        };
        event.signaled = !event.is_synchronization || ended.is_empty();
        self.over.extend(ended);
        Ok(was)
    }

    /// Makes an event not signaled. Returns its previous state.
    pub(crate) fn reset(&mut self, at: usize) -> Result<bool, &'static str> {
        Ok(std::mem::take(&mut self.event(at)?.signaled))
    }

    /// Whether an event is signaled.
    pub(crate) fn is_signaled(&mut self, at: usize) -> Result<bool, &'static str> {
        Ok(self.event(at)?.signaled)
    }

    /// Whether an event is signaled; a synchronization event is not any more then.
    pub(crate) fn try_wait(&mut self, at: usize) -> Result<bool, &'static str> {
        let event = self.event(at)?;
        let ready = event.signaled;
        event.signaled &= !event.is_synchronization;
        Ok(ready)
    }

    /// Begins a wait, and returns its number.
    pub(crate) fn begin_wait(&mut self, at: usize) -> Result<u64, &'static str> {
        let ready = self.try_wait(at)?;
        self.waits += 1;
        let wait = self.waits;
        if ready {
            self.over.insert(wait);
        } else {
            self.event(at)?.waiting.push_back(wait);
        }
        Ok(wait)
    }

    /// Whether `wait` has ended; it is forgotten then.
    pub(crate) fn is_over(&mut self, wait: u64) -> bool {
        self.over.remove(&wait)
    }

    /// Whether an event has ended a wait whose thread has not returned yet: it is about to go on.
    pub(crate) fn wakes_any(&self) -> bool {
        !self.over.is_empty()
    }

    /// Forgets `wait`, which the thread has given up; an event may have ended it meanwhile.
    pub(crate) fn give_up(&mut self, at: usize, wait: u64) {
        self.over.remove(&wait);
        if let Some(event) = self.events.get_mut(&at) {
            event.waiting.retain(|other| *other != wait);
        }
    }

    /// The events in freed memory are gone with it. Returns those that a thread waits for.
    pub(crate) fn forget(&mut self, block: &Block) -> Vec<usize> {
        let gone = block.address()..block.address() + block.size();
        let addresses: Vec<_> = self.events.range(gone).map(|(at, _)| *at).collect();
        let mut awaited = Vec::new();
        for at in addresses {
            let event = self.events.remove(&at);
            if event.is_some_and(|event| !event.waiting.is_empty()) {
                awaited.push(at);
            }
        }
        awaited
    }
}
