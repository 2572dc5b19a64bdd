//! Several processors send and complete at once, each a thread.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use model::{Completion, Config, Nic, Order, SendCall, World};
use ndis::{PoolBox, PoolSlice, Tag};
use scenarios::{
    Machine, assert_clean,
    packets::{MSS, large_v4, on_port, small},
};

const ROUNDS: u16 = 60;

fn config(completion: Completion) -> Config {
    let mut nic = Nic::new(3 * MSS, 2);
    nic.completion = completion;
    Config {
        processors: 3,
        nic,
        ..Config::default()
    }
}

/// Sends as processor `processor` does, each processor its own flows; returns the numbers.
fn send_rounds(world: &std::sync::Arc<World>, processor: u32, at_dispatch: bool) -> Vec<u64> {
    let call = SendCall {
        at_dispatch,
        processor,
    };
    let port = 100 * (processor as u16 + 1);
    let mut last = Vec::new();
    for _ in 0..ROUNDS {
        let large = on_port(large_v4(20_000), port);
        last = world.send(vec![large, on_port(small(), port + 1)], call);
    }
    last
}

#[test]
fn two_processors_send_and_complete_inline() {
    for merged in [false, true] {
        let machine = Machine::start(config(Completion {
            merged,
            ..Completion::default()
        }));
        let world = &machine.world;
        thread::scope(|scope| {
            scope.spawn(|| send_rounds(world, 0, false));
            scope.spawn(|| send_rounds(world, 1, true));
        });
        let children = world.take_children();
        let splits = 2 * usize::from(ROUNDS);
        assert_eq!(children.iter().filter(|c| c.is_child).count(), splits * 5);
        machine.stop_clean();
    }
}

#[test]
fn a_third_processor_completes_sends_of_two() {
    for order in [Order::Sent, Order::Reversed, Order::Shuffled(11)] {
        let machine = Machine::start(config(Completion {
            deferred: true,
            order,
            merged: true,
            on_processor: Some(2),
            at_dispatch: true,
        }));
        let world = &machine.world;
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let senders = [
                scope.spawn(|| send_rounds(world, 0, false)),
                scope.spawn(|| send_rounds(world, 1, true)),
            ];
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    if world.deliver() == 0 {
                        thread::yield_now();
                    }
                }
            });
            let sent = senders.map(|sender| sender.join());
            done.store(true, Ordering::Relaxed);
            assert!(sent.iter().all(Result::is_ok));
        });
        machine.deliver_all();
        machine.stop_clean();
    }
}

/// The NIC completes on the sender's processor, from another thread: one after the other, as on
/// Windows, or children would be lost from the lists of that processor.
#[test]
fn two_threads_take_turns_on_a_processor() {
    let machine = Machine::start(config(Completion {
        deferred: true,
        at_dispatch: true,
        on_processor: Some(0),
        ..Completion::default()
    }));
    let world = &machine.world;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                world.deliver();
            }
        });
        for _ in 0..20 {
            send_rounds(world, 0, true);
        }
        done.store(true, Ordering::Relaxed);
    });
    machine.deliver_all();
    machine.stop_clean();
}

#[test]
fn the_completing_processor_sends_too() {
    let machine = Machine::start(config(Completion {
        deferred: true,
        on_processor: Some(2),
        ..Completion::default()
    }));
    let world = &machine.world;
    for _ in 0..usize::from(ROUNDS) {
        world.send_on_completion(vec![on_port(large_v4(20_000), 900)]);
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = scope.spawn(|| send_rounds(world, 0, false));
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                world.deliver();
            }
        });
        let sent = sender.join();
        done.store(true, Ordering::Relaxed);
        assert!(sent.is_ok());
    });
    machine.deliver_all();
    machine.stop_clean();
}

#[test]
fn children_are_returned_from_another_processor() {
    let machine = Machine::start(config(Completion {
        deferred: true,
        on_processor: Some(1),
        ..Completion::default()
    }));
    machine.world.warmed_up();
    // More in all than one processor has ready: they must be returned to be used again.
    for _ in 0..100 {
        machine.assert_split(large_v4(20 * 3 * MSS));
    }
    machine.stop_clean();
}

/// A value that must have cache lines of its own.
#[repr(align(64))]
struct Line(usize);

/// The model's pool aligns to 16 bytes and no more, as the kernel's may.
#[test]
fn values_in_the_pool_are_aligned_whatever_the_pool_does() {
    let world = World::new(Config::default());
    let tag = Tag::COUNTERS;
    world.inside(|| {
        for length in 1..9 {
            let lines = PoolSlice::try_new(tag, length, Line).expect("memory");
            let one = PoolBox::try_new(tag, Line(length)).expect("memory");
            for (index, line) in lines.iter().enumerate() {
                assert_eq!(line.0, index);
                assert_eq!((&raw const *line).addr() % 64, 0);
            }
            assert_eq!((one.0, (&raw const *one).addr() % 64), (length, 0));
        }
    });
    assert_clean(&world.finish());
}
