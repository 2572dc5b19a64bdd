//! Load, attach, restart, pause, detach, unload, in every order that NDIS may choose.

use std::thread;

use model::{Completion, Config, ModuleState, Nic, Order, Packet};
use ndis::sys;
use scenarios::{
    Machine, assert_clean,
    packets::{MSS, arp, large_v4, large_v6, on_port, small},
};

const PAUSED: i32 = sys::NDIS_STATUS_PAUSED;

fn short_nic() -> Nic {
    Nic::new(3 * MSS, 2)
}

fn deferring() -> Machine {
    let mut nic = short_nic();
    nic.completion = Completion {
        deferred: true,
        order: Order::Shuffled(5),
        ..Completion::default()
    };
    Machine::with_nic(nic)
}

#[test]
fn a_pause_waits_for_every_child_that_is_out() {
    let machine = deferring();
    let numbers = machine.send(vec![large_v4(20_000), large_v6(20_000), small()]);
    assert_eq!(machine.world.completed(numbers[0]), None);
    machine.world.pause();
    assert_eq!(machine.status(numbers[0]), 0);
    assert_eq!(machine.status(numbers[1]), 0);
    machine.stop_clean();
}

#[test]
fn a_pause_ends_while_another_processor_completes() {
    for _ in 0..20 {
        let machine = deferring();
        let numbers = machine.send(vec![large_v4(20_000), on_port(large_v4(20_000), 7)]);
        thread::scope(|scope| {
            scope.spawn(|| machine.deliver_all());
            machine.world.pause();
        });
        assert!(numbers.iter().all(|number| machine.status(*number) == 0));
        machine.stop_clean();
    }
}

#[test]
fn sends_of_all_kinds_come_back_from_a_paused_module() {
    let machine = Machine::with_nic(short_nic());
    machine.world.pause();
    let many = Packet {
        net_buffers: 3,
        ..small()
    };
    let broken = Packet {
        extra_length: 1,
        ..large_v4(20_000)
    };
    let numbers = machine.send(vec![
        small(),
        large_v4(20_000),
        large_v4(1),
        arp(),
        many,
        broken,
        large_v6(50_000),
    ]);
    assert!(numbers.iter().all(|n| machine.status(*n) == PAUSED));
    assert!(machine.world.take_children().is_empty());
    machine.stop_clean();
}

#[test]
fn sends_before_the_first_restart_come_back_too() {
    let machine = Machine::without_driver(Config::with_nic(short_nic()));
    machine.load().expect("the driver loads");
    machine.world.attach().expect("an attach");
    assert_eq!(machine.world.module_state(), ModuleState::Paused);
    let number = machine.send_one(large_v4(20_000));
    assert_eq!(machine.status(number), PAUSED);
    machine.world.restart().expect("a restart");
    machine.assert_split(large_v4(20_000));
    machine.stop_clean();
}

#[test]
fn a_module_runs_again_after_each_pause() {
    let machine = deferring();
    for _ in 0..10 {
        machine.assert_split(large_v4(20_000));
        machine.send_one(large_v4(20_000));
        machine.world.pause();
        let number = machine.send_one(large_v4(20_000));
        assert_eq!(machine.status(number), PAUSED);
        machine.world.restart().expect("a restart");
    }
    machine.stop_clean();
}

#[test]
fn a_module_detaches_and_attaches_again() {
    let machine = Machine::with_nic(short_nic());
    for _ in 0..5 {
        machine.assert_split(large_v4(20_000));
        machine.world.pause();
        machine.world.detach();
        assert_eq!(machine.world.module_state(), ModuleState::Detached);
        machine.world.attach().expect("an attach");
        machine.world.restart().expect("a restart");
    }
    machine.stop_clean();
}

#[test]
fn an_attach_learns_the_nics_limits_of_that_moment() {
    let machine = Machine::with_nic(short_nic());
    machine.assert_split(large_v4(20_000));
    machine.world.pause();
    machine.world.detach();
    machine
        .world
        .set_nic(|nic| nic.limits = Nic::default().limits);
    machine.world.attach().expect("an attach");
    machine.world.restart().expect("a restart");
    assert!(!machine.assert_sent(large_v4(20_000))[0].is_child);
    machine.stop_clean();
}

#[test]
fn a_driver_loads_again_after_it_was_unloaded() {
    let machine = Machine::with_nic(short_nic());
    for _ in 0..3 {
        machine.assert_split(large_v4(20_000));
        machine.world.pause();
        machine.world.detach();
        machine.world.unload();
        machine.try_start().expect("the driver starts");
    }
    machine.stop_clean();
}

#[test]
fn a_module_may_be_detached_without_ever_running() {
    let machine = Machine::without_driver(Config::default());
    machine.load().expect("the driver loads");
    machine.world.attach().expect("an attach");
    machine.world.detach();
    machine.world.unload();
    assert_clean(&machine.world.finish());
}

#[test]
fn an_ndis_that_is_too_old_is_refused() {
    for minor in [0, 30, 80, 83] {
        let machine = Machine::without_driver(Config {
            ndis_version: 6 << 16 | minor,
            ..Config::default()
        });
        assert_eq!(machine.load(), Err(sys::NDIS_STATUS_BAD_VERSION));
        assert_clean(&machine.world.finish());
    }
}

#[test]
fn every_newer_ndis_is_taken_as_far_as_the_driver_knows_it() {
    for (minor, declared) in [(84, 84), (85, 85), (89, 89), (90, 89), (255, 89)] {
        let machine = Machine::start(Config {
            ndis_version: 6 << 16 | minor,
            ..Config::default()
        });
        assert_eq!(
            machine.world.declared_ndis_version(),
            Some(6 << 16 | declared)
        );
        machine.assert_split(large_v4(100_000));
        machine.stop_clean();
    }
}

#[test]
fn another_medium_is_refused() {
    for medium in [sys::NdisMediumLoopback, sys::NdisMediumIP, -1] {
        let machine = Machine::without_driver(Config {
            medium,
            ..Config::default()
        });
        machine.load().expect("the driver loads");
        let refused = machine.world.attach();
        assert_eq!(refused, Err(sys::NDIS_STATUS_UNSUPPORTED_MEDIA));
        machine.world.unload();
        assert_clean(&machine.world.finish());
    }
}

#[test]
fn a_miniport_without_an_offload_configuration_gets_no_large_send() {
    let nic = short_nic().without_lso().without_checksum_offload();
    let machine = Machine::start(Config {
        has_offload: false,
        ..Config::with_nic(nic)
    });
    machine.assert_sent(small());
    let packets = machine.assert_split(large_v4(20_000));
    assert_eq!(packets.len() as u32, 20_000_u32.div_ceil(MSS));
    machine.assert_sent(arp());
    machine.stop_clean();
}

#[test]
fn two_machines_in_one_process_do_not_disturb_each_other() {
    let (one, other) = (deferring(), Machine::with_nic(Nic::new(2 * MSS, 2)));
    for _ in 0..5 {
        let number = one.send_one(large_v4(20_000));
        other.assert_split(large_v6(20_000));
        one.deliver_all();
        assert_eq!(one.status(number), 0);
    }
    one.send_one(large_v4(20_000));
    other.stop_clean();
    one.stop_clean();
}

#[test]
fn machines_on_several_threads_do_not_disturb_each_other() {
    thread::scope(|scope| {
        for max in [2, 3, 5, 8] {
            scope.spawn(move || {
                for _ in 0..5 {
                    let machine = Machine::with_nic(Nic::new(max * MSS, 1));
                    for _ in 0..5 {
                        machine.assert_split(large_v4(50_000));
                    }
                    machine.stop_clean();
                }
            });
        }
    });
}
