//! Things that go wrong, or merely change, around a filter at work, chosen by a seed.
//!
//! The seed chooses the faults and their order; the traffic that they hit varies, as it runs meanwhile
//! on other threads.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use model::{Completion, Nic, Order, World};
use ndis::sys;
use serde::Serialize;

use super::counters::Filter;
use super::lab::HostAtWork;
use super::wire::WireFaults;
use harness::device;
use harness::random::Random;

/// How often what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Happened {
    /// The NIC took other sizes.
    pub nic_changes: u64,
    /// The NIC completed in another manner: later, in another order, all at once.
    pub completions: u64,
    /// The NIC was to fail sends.
    pub failures: u64,
    /// The filter was paused and restarted.
    pub pauses: u64,
    /// The filter was detached and attached again.
    pub detaches: u64,
    /// The last counters of filters that were detached; a detach discards them.
    #[serde(skip)]
    pub counted: Filter,
}

pub fn wire_faults(seed: u64) -> WireFaults {
    WireFaults {
        lost: 500,
        late: 200,
        random: Random::new(seed),
    }
}

/// Statuses of a NIC that fails.
const FAILURES: [i32; 2] = [sys::NDIS_STATUS_FAILURE, sys::NDIS_STATUS_RESOURCES];

/// One host, and what happens on it.
pub struct Faults<'a> {
    host: &'a HostAtWork,
    nic_max: u32,
    random: Random,
    happened: Happened,
}

impl<'a> Faults<'a> {
    /// Faults of the `host` with a NIC of maximum `nic_max`.
    pub fn new(host: &'a HostAtWork, nic_max: u32, seed: u64) -> Self {
        Self {
            host,
            nic_max,
            random: Random::new(seed ^ 0xFA17),
            happened: Happened::default(),
        }
    }

    /// Lets things happen until `done`; then all is as it was.
    pub fn run(mut self, done: &AtomicBool) -> Happened {
        while !done.load(Relaxed) {
            match self.random.below(16) {
                0..4 => self.nic_changes(),
                4..9 => self.complete_otherwise(),
                9..13 => self.fail_some(),
                13..15 => self.pause(),
                _ => self.detach(),
            }
            self.wait(60);
        }
        self.settle();
        self.happened
    }

    /// A wait, in which the NIC completes the sends that it holds at moments of its own.
    fn wait(&mut self, milliseconds: u64) {
        for _ in 0..self.random.below(milliseconds) + 1 {
            thread::sleep(Duration::from_millis(1));
            if self.random.once_in(2) {
                self.host.world().deliver();
            }
        }
    }

    fn nic_changes(&mut self) {
        self.happened.nic_changes += 1;
        // Never below what holds two segments of the largest MTU.
        let least = (self.nic_max / 3).max(20_000).min(self.nic_max);
        let size = least + self.random.below(u64::from(self.nic_max - least) + 1) as u32;
        self.host.world().nic_changes(|nic| take(nic, size));
    }

    fn complete_otherwise(&mut self) {
        self.happened.completions += 1;
        let completion = Completion {
            deferred: self.random.once_in(2),
            order: match self.random.below(3) {
                0 => Order::Sent,
                1 => Order::Reversed,
                _ => Order::Shuffled(self.random.number()),
            },
            merged: self.random.once_in(2),
            on_processor: self.random.once_in(3).then_some(1),
            at_dispatch: self.random.once_in(3),
        };
        let world = self.host.world();
        world.set_nic(|nic| nic.completion = completion);
        world.deliver();
    }

    /// Has the NIC fail some of the next packets that it is given.
    fn fail_some(&mut self) {
        self.happened.failures += 1;
        let world = self.host.world();
        let next = world.given_to_nic();
        let count = self.random.below(4) + 1;
        let failing = (0..count).map(|_| {
            let number = next + self.random.below(200);
            let status = FAILURES[self.random.below(2) as usize];
            (number, status)
        });
        let failing = failing.collect();
        world.set_nic(|nic| nic.failing = failing);
    }

    fn pause(&mut self) {
        self.happened.pauses += 1;
        let world = self.host.world();
        world.pause();
        thread::sleep(Duration::from_millis(self.random.below(10)));
        self.restart();
    }

    /// A detach as NDIS does it: signaled, paused, and with no send in flight. For some time the
    /// NIC is without a filter.
    fn detach(&mut self) {
        self.happened.detaches += 1;
        let world = self.host.world();
        world.pre_detach();
        self.wait(10);
        let world = self.host.world();
        world.pause();
        if let Ok(statistics) = device::statistics(world) {
            self.happened.counted = self.happened.counted.and(&statistics.into());
        }
        self.between_sends(|world| world.detach());
        self.wait(20);
        // A failure shows as a broken rule, or as stalled traffic.
        let _ = self.between_sends(|world| world.attach());
        self.restart();
    }

    /// Does `body` while no send is in flight.
    fn between_sends<T>(&self, body: impl FnOnce(&Arc<World>) -> T) -> T {
        let sending = self.host.sending.write();
        let _nothing_sent = sending.unwrap_or_else(PoisonError::into_inner);
        body(self.host.world())
    }

    fn restart(&self) {
        let _ = self.host.world().restart();
    }

    fn settle(&self) {
        let world = self.host.world();
        world.set_nic(|nic| {
            nic.completion = Completion::default();
            nic.failing.clear();
        });
        world.nic_changes(|nic| take(nic, self.nic_max));
        while world.deliver() > 0 {}
    }
}

impl Happened {
    /// Adds what happened elsewhere.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            nic_changes: self.nic_changes + other.nic_changes,
            completions: self.completions + other.completions,
            failures: self.failures + other.failures,
            pauses: self.pauses + other.pauses,
            detaches: self.detaches + other.detaches,
            counted: self.counted.and(&other.counted),
        }
    }
}

/// The NIC accepts LSOv2 of `size` from now on.
fn take(nic: &mut Nic, size: u32) {
    nic.limits.v2_ipv4.max_payload = size;
    nic.limits.v2_ipv6.max_payload = size;
}
