//! Retunes, NIC changes, OID queries and sends at once: whoever speaks last, the last word is true.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use model::{Answering, Completion, Config, Nic, OidCall, SendCall, World};
use ndis::sys;
use scenarios::{
    Machine,
    adapter::{assert_last_word, read, set, times},
    packets::{large_v4, large_v6, on_port},
};

/// The least that the NIC ever takes. No raise falls short of the most, so that whatever is
/// published late is still above what the NIC has by then.
const NIC_MIN: u32 = 12_000;
const NIC_MAX: u32 = 23_000;

/// For how long one race is run over and over, and how often at least.
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

/// Asks what the sizes are; the answer is some multiple of some size.
fn ask(world: &Arc<World>, dice: &mut Dice) {
    let oid = [
        sys::OID_TCP_OFFLOAD_CURRENT_CONFIG,
        sys::OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES,
    ][dice.below(2) as usize];
    let answer = world.oid(OidCall::query(oid, 216));
    assert_eq!(answer.status, 0);
    for at in [84, 96] {
        let told = answer.bytes[at..at + 4].try_into().expect("four bytes");
        let told = u32::from_le_bytes(told);
        assert!((2 * NIC_MIN..=16 * NIC_MAX).contains(&told), "{told}");
    }
}

/// Sends what may have been advertised some time or other.
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

/// Runs each of `parts` on a thread of its own, `times` times.
fn at_once(world: &Arc<World>, seed: u64, rounds: u32, parts: &[fn(&Arc<World>, &mut Dice)]) {
    thread::scope(|scope| {
        for (number, part) in (1..).zip(parts) {
            scope.spawn(move || {
                let mut dice = Dice(seed << 8 | number);
                for _ in 0..rounds {
                    part(world, &mut dice);
                }
            });
        }
    });
}

/// Repeats `race` until the patience ends.
fn repeat(mut race: impl FnMut(u64)) {
    let start = Instant::now();
    for seed in 1.. {
        race(seed);
        if seed >= LEAST && start.elapsed() > PATIENCE {
            break;
        }
    }
}

#[test]
fn retunes_and_nic_changes_leave_the_newest_word() {
    let machine = Machine::start(config(Answering::Inline));
    let world = &machine.world;
    repeat(|seed| {
        at_once(world, seed, 5, &[retune, change_nic, retune]);
        assert_last_word(world);
    });
    machine.stop_clean();
}

#[test]
fn retunes_race_with_each_other() {
    let machine = Machine::start(config(Answering::Inline));
    let world = &machine.world;
    repeat(|seed| {
        at_once(world, seed, 3, &[retune, retune, retune, retune]);
        assert_last_word(world);
    });
    machine.stop_clean();
}

#[test]
fn everything_at_once_loses_nothing_and_ends_with_the_truth() {
    for oids in [Answering::Inline, Answering::Early] {
        let mut config = config(oids);
        config.nic.completion = Completion {
            deferred: oids == Answering::Early,
            merged: true,
            ..Completion::default()
        };
        let machine = Machine::start(config);
        let world = &machine.world;
        repeat(|seed| {
            let parts: [fn(&Arc<World>, &mut Dice); 6] = [
                retune,
                change_nic,
                ask,
                |world, dice| send(world, 1, dice),
                |world, dice| send(world, 2, dice),
                |world, _| {
                    world.deliver();
                },
            ];
            at_once(world, seed, 4, &parts);
            machine.deliver_all();
            assert_last_word(world);
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
    repeat(|seed| {
        let parts: [fn(&Arc<World>, &mut Dice); 3] = [retune, change_nic, |world, _| {
            world.pause();
            world.restart().expect("a restart");
        }];
        at_once(world, seed, 5, &parts);
        assert_last_word(world);
    });
    machine.stop_clean();
}

#[test]
fn a_tuning_that_comes_while_the_module_attaches_is_told_by_the_end_of_the_restart() {
    let machine = Machine::without_driver(config(Answering::Inline));
    machine.load().expect("the driver loads");
    let world = &machine.world;
    let mut dice = Dice(7);
    repeat(|seed| {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut dice = Dice(seed);
                while !done.load(Ordering::Relaxed) {
                    // There is nobody to be tuned before the module is listed.
                    match set(world, times(2 + dice.below(15))) {
                        Ok(()) | Err(sys::STATUS_NOT_FOUND) => {}
                        Err(other) => panic!("{other:#x}"),
                    }
                }
            });
            world.attach().expect("an attach");
            done.store(true, Ordering::Relaxed);
        });
        world.restart().expect("a restart");
        assert_last_word(world);
        change_nic(world, &mut dice);
        world.pre_detach();
        world.pause();
        world.detach();
    });
    world.unload();
    scenarios::assert_clean(&world.finish());
}

#[test]
fn after_the_truth_was_told_no_retune_takes_it_back() {
    let machine = Machine::without_driver(config(Answering::Inline));
    machine.load().expect("the driver loads");
    let world = &machine.world;
    repeat(|seed| {
        world.attach().expect("an attach");
        world.restart().expect("a restart");
        at_once(
            world,
            seed,
            3,
            &[retune, retune, |world, _| world.pre_detach()],
        );
        assert_eq!(world.advertised(), world.nic().current());
        assert_eq!(
            read(world).advertised_v2_ipv4,
            world.advertised().v2_ipv4.max_payload
        );
        world.pause();
        world.detach();
    });
    world.unload();
    scenarios::assert_clean(&world.finish());
}
