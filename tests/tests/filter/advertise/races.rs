//! Retunes, NIC changes, OID queries and sends at once: whichever thread indicates last, the last
//! indication carries the configuration in effect.

use std::{
    hint,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use model::{Answering, Completion, Config, Nic, OidCall, SendCall, World};
use ndis::sys;
use scenarios::{
    Machine,
    adapter::{assert_last_indication, assert_read_matches_indication, set, times},
    assert_clean,
    packets::{large_v4, large_v6, on_port},
};

/// The NIC's least maximum. No raise falls short of the most, so that a size that is indicated late
/// is still above the NIC's maximum by then.
const NIC_MIN: u32 = 12_000;
const NIC_MAX: u32 = 23_000;

/// For how long a race goes on, and for how many rounds at least.
const PATIENCE: Duration = Duration::from_millis(900);
const LEAST: u64 = 20;

fn config(oids: Answering) -> Config {
    let mut nic = Nic::new(NIC_MAX, 2);
    nic.oids = oids;
    Config {
        processors: 3,
        ..Config::with_nic(nic)
    }
}

/// Sizes and multiples, another one each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        (self.0 >> 33) as u32 % n
    }
}

fn retune(world: &Arc<World>, dice: &mut Dice) {
    set(world, times(2 + dice.below(15))).expect("a tuning");
}

fn change_nic(world: &Arc<World>, dice: &mut Dice) {
    let max = NIC_MIN + dice.below(NIC_MAX - NIC_MIN);
    let (v4, v6) = (max, NIC_MIN + dice.below(NIC_MAX - NIC_MIN));
    world.nic_changes(|nic| {
        nic.limits.v2_ipv4.max_payload = v4;
        nic.limits.v2_ipv6.max_payload = v6;
    });
}

/// Queries the sizes; the answer is some multiple of some size.
fn ask(world: &Arc<World>, dice: &mut Dice) {
    let oid = [
        sys::OID_TCP_OFFLOAD_CURRENT_CONFIG,
        sys::OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES,
    ][dice.below(2) as usize];
    let answer = world.oid(OidCall::query(oid, 216));
    assert_eq!(answer.status, 0);
    for at in [84, 96] {
        let advertised = answer.bytes[at..at + 4].try_into().expect("four bytes");
        let advertised = u32::from_le_bytes(advertised);
        assert!(
            (2 * NIC_MIN..=16 * NIC_MAX).contains(&advertised),
            "{advertised}"
        );
    }
}

/// Sends a packet of a size that may have been advertised at some time.
fn send(world: &Arc<World>, processor: u32, dice: &mut Dice) {
    let size = 5_000 + dice.below(2 * NIC_MIN);
    let port = 10 * (processor + 1) as u16;
    let packets = vec![on_port(large_v4(size), port), on_port(large_v6(size), port)];
    let call = SendCall {
        processor,
        ..SendCall::default()
    };
    for number in world.send(packets, call) {
        let completed = world.completed(number);
        assert!(completed.is_none_or(|completed| completed.status == 0));
    }
}

/// The work of one thread in a round.
type Part = fn(&Arc<World>, &mut Dice);

/// Runs every one of `parts`, on a thread of its own, at the same time, over and over until the
/// time is up or one panics. `before` and `after` run between the rounds, when all threads are
/// idle.
fn race(world: &Arc<World>, parts: &[Part], before: impl Fn(), after: impl Fn()) {
    let barrier = Barrier::new(parts.len() + 1);
    // The one is set before a round, by this thread; the other in a round.
    let (stop, failed) = (AtomicBool::new(false), AtomicBool::new(false));
    let outcome = thread::scope(|scope| {
        for (seed, part) in (1..).zip(parts) {
            let (barrier, stop, failed) = (&barrier, &stop, &failed);
            scope.spawn(move || {
                let mut dice = Dice(seed);
                let mut outcome = Ok(());
                barrier.wait();
                while !stop.load(Ordering::SeqCst) {
                    outcome = panic::catch_unwind(AssertUnwindSafe(|| {
                        // So that the rounds do not all begin in the same way.
                        (0..dice.below(2000)).for_each(|_| hint::spin_loop());
                        part(world, &mut dice);
                    }));
                    failed.fetch_or(outcome.is_err(), Ordering::SeqCst);
                    barrier.wait();
                    barrier.wait();
                }
                outcome.unwrap_or_else(|panicked| panic::resume_unwind(panicked));
            });
        }
        let start = Instant::now();
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            for round in 1.. {
                before();
                barrier.wait();
                barrier.wait();
                if failed.load(Ordering::SeqCst) {
                    return;
                }
                after();
                if round >= LEAST && start.elapsed() > PATIENCE {
                    return;
                }
            }
        }));
        stop.store(true, Ordering::SeqCst);
        barrier.wait();
        outcome
    });
    outcome.unwrap_or_else(|panicked| panic::resume_unwind(panicked));
}

fn nothing() {}

#[test]
fn a_retune_races_with_a_change_of_the_nic() {
    let machine = Machine::start(config(Answering::Inline));
    let world = &machine.world;
    race(world, &[retune, change_nic], nothing, || {
        assert_last_indication(world)
    });
    machine.stop_clean();
}

#[test]
fn retunes_race_with_each_other_and_with_the_nic() {
    let machine = Machine::start(config(Answering::Inline));
    let world = &machine.world;
    let parts: [Part; 3] = [retune, retune, change_nic];
    race(world, &parts, nothing, || assert_last_indication(world));
    machine.stop_clean();
}

#[test]
fn everything_at_once_loses_nothing_and_ends_with_the_current_size() {
    for oids in [Answering::Inline, Answering::Early] {
        let mut config = config(oids);
        config.nic.completion = Completion {
            deferred: oids == Answering::Early,
            merged: true,
            ..Completion::default()
        };
        let machine = Machine::start(config);
        let world = &machine.world;
        let parts: [Part; 6] = [
            retune,
            change_nic,
            ask,
            |world, dice| send(world, 1, dice),
            |world, dice| send(world, 2, dice),
            |world, _| {
                world.deliver();
            },
        ];
        race(world, &parts, nothing, || {
            machine.deliver_all();
            assert_last_indication(world);
            let _ = (world.take_children(), world.take_wire());
        });
        let counted = machine.statistics();
        assert!(counted.split > 0);
        assert_eq!((counted.split, counted.failed), (counted.completed, 0));
        assert_eq!(counted.refused_in_all() + counted.low_memory, 0);
        machine.stop_clean();
    }
}

#[test]
fn a_pause_and_a_restart_lose_no_news() {
    let machine = Machine::start(config(Answering::Inline));
    let world = &machine.world;
    let parts: [Part; 3] = [retune, change_nic, |world, _| {
        world.pause();
        world.restart().expect("a restart");
    }];
    race(world, &parts, nothing, || assert_last_indication(world));
    machine.stop_clean();
}

/// A machine whose driver is loaded, and attached to nothing.
fn loaded() -> Machine {
    let machine = Machine::without_driver(config(Answering::Inline));
    machine.load().expect("the driver loads");
    machine
}

#[test]
fn a_tuning_set_while_the_module_attaches_is_advertised_by_the_end_of_the_restart() {
    let machine = loaded();
    let world = &machine.world;
    let parts: [Part; 2] = [
        |world, _| world.attach().expect("an attach"),
        |world, dice| {
            // The adapter cannot be tuned before the module is listed; soon after that, the size is
            // advertised.
            while set(world, times(2 + dice.below(15))) == Err(sys::STATUS_NOT_FOUND) {}
        },
    ];
    race(world, &parts, nothing, || {
        world.restart().expect("a restart");
        assert_last_indication(world);
        world.pre_detach();
        world.pause();
        world.detach();
    });
    world.unload();
    assert_clean(&world.finish());
}

#[test]
fn once_the_nics_own_size_is_advertised_no_retune_raises_it() {
    let machine = loaded();
    let world = &machine.world;
    let parts: [Part; 3] = [retune, retune, |world, _| world.pre_detach()];
    let before = || {
        world.attach().expect("an attach");
        world.restart().expect("a restart");
    };
    race(world, &parts, before, || {
        assert_eq!(world.advertised(), world.nic().current());
        assert_read_matches_indication(world);
        world.pause();
        world.detach();
    });
    world.unload();
    assert_clean(&world.finish());
}

/// Threads that tune an adapter meet a detach without a pre-detach notification. FilterPause and
/// FilterDetach wait for the indication in flight, and none begins after.
#[test]
fn no_status_is_indicated_once_a_detach_has_begun() {
    let machine = Machine::start(config(Answering::default()));
    let world = &machine.world;
    for _ in 0..200 {
        let ready = Barrier::new(3);
        thread::scope(|scope| {
            for seed in [1, 2] {
                let ready = &ready;
                scope.spawn(move || {
                    let mut dice = Dice(seed);
                    ready.wait();
                    // Until there is no such adapter any more.
                    while set(world, times(2 + dice.below(15))).is_ok() {}
                });
            }
            ready.wait();
            world.pause();
            world.detach();
        });
        world.attach().expect("an attach");
        world.restart().expect("a restart");
    }
    assert_clean(&world.violations());
    machine.stop_clean();
}
