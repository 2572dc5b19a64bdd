//! Sends race with a pause: each goes through or is completed with PAUSED, and nothing is lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
};

use model::{Completion, Config, Nic, SendCall, World};
use ndis::sys;
use scenarios::{
    Machine,
    packets::{MSS, large_v4, on_port, small},
};

/// The outcome of the sends of a race.
#[derive(Default)]
struct Counts {
    through: AtomicU32,
    refused: AtomicU32,
    stop: AtomicBool,
}

impl Counts {
    fn has_both(&self) -> bool {
        self.through.load(Ordering::Relaxed) > 0 && self.refused.load(Ordering::Relaxed) > 0
    }
}

/// Sends on `processor` until asked to stop.
fn send_until_stopped(world: &Arc<World>, processor: u32, counts: &Counts) {
    let call = SendCall {
        processor,
        ..SendCall::default()
    };
    let port = 10 * (processor as u16 + 1);
    let large = on_port(large_v4(10_000), port);
    let small = on_port(small(), port + 1);
    while !counts.stop.load(Ordering::Relaxed) {
        for number in world.send(vec![large.clone(), small.clone()], call) {
            match world.completed(number).map(|completed| completed.status) {
                Some(0) => counts.through.fetch_add(1, Ordering::Relaxed),
                Some(sys::NDIS_STATUS_PAUSED) => counts.refused.fetch_add(1, Ordering::Relaxed),
                Some(other) => panic!("status {other:#x}"),
                // Still out, or forgotten.
                None => 0,
            };
        }
    }
}

/// Pauses and restarts many times while one processor or two send.
fn race(completion: Completion, senders: u32) -> Counts {
    let mut nic = Nic::new(3 * MSS, 2);
    nic.completion = completion;
    let machine = Machine::start(Config {
        processors: 3,
        nic,
        ..Config::default()
    });
    let counts = Counts::default();
    thread::scope(|scope| {
        let (world, counts) = (&machine.world, &counts);
        for processor in 0..senders {
            scope.spawn(move || send_until_stopped(world, processor, counts));
        }
        for round in 0..20_000 {
            world.pause();
            thread::yield_now();
            world.restart().expect("a restart");
            thread::yield_now();
            if round > 200 && counts.has_both() {
                break;
            }
        }
        counts.stop.store(true, Ordering::Relaxed);
    });
    machine.deliver_all();
    machine.stop_clean();
    counts
}

#[test]
fn a_pause_races_with_one_sender() {
    assert!(race(Completion::default(), 1).has_both());
}

#[test]
fn a_pause_races_with_two_senders() {
    assert!(race(Completion::default(), 2).has_both());
}

#[test]
fn a_pause_races_with_senders_whose_children_it_must_wait_for() {
    let completion = Completion {
        deferred: true,
        merged: true,
        on_processor: Some(2),
        ..Completion::default()
    };
    // Sends that went through are mostly still out when they are looked at.
    race(completion, 2);
}
