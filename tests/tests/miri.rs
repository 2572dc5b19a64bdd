//! Very small scenarios over all of the driver, to be run under Miri.

use model::{Backing, Completion, Config, Nic, Order, Packet};
use mslso_lab::synth::Synth;
use ndis::sys;
use scenarios::{
    Machine,
    packets::{MSS, large, large_v4, small},
};

fn machine(completion: Completion) -> Machine {
    let mut nic = Nic::new(3 * MSS, 2);
    nic.completion = completion;
    Machine::start(Config {
        processors: 1,
        ..Config::with_nic(nic)
    })
}

#[test]
fn a_large_send_in_one_buffer_is_split() {
    let machine = machine(Completion::default());
    assert_eq!(machine.assert_split(large_v4(2 * 3 * MSS + 9)).len(), 3);
    machine.stop_clean();
}

#[test]
fn large_sends_in_locked_pages_are_split_twice_and_completed_in_reverse() {
    let machine = machine(Completion {
        deferred: true,
        order: Order::Reversed,
        merged: true,
        ..Completion::default()
    });
    let packet = large(&Synth::v6(2 * 3 * MSS, MSS));
    for _ in 0..2 {
        machine.assert_split(Packet {
            backing: Backing::LockedPages,
            data_offset: 16,
            ..packet.clone().in_buffers(2_000)
        });
    }
    machine.stop_clean();
}

#[test]
fn a_batch_is_split_refused_forwarded_and_paused() {
    let machine = machine(Completion::default());
    let short = Packet {
        extra_length: 1,
        ..large_v4(2 * 3 * MSS)
    };
    let numbers = machine.send(vec![small(), large_v4(2 * 3 * MSS), short]);
    let statuses: Vec<_> = numbers.iter().map(|n| machine.status(*n)).collect();
    assert_eq!(statuses, [0, 0, sys::NDIS_STATUS_INVALID_PACKET]);
    machine.world.pause();
    let number = machine.send_one(large_v4(2 * 3 * MSS));
    assert_eq!(machine.status(number), sys::NDIS_STATUS_PAUSED);
    machine.world.restart().expect("a restart");
    machine.stop_clean();
}

#[test]
fn large_sends_are_split_into_chains_that_end_with_and_without_a_copy() {
    let mut nic = Nic::new(3 * MSS, 2);
    nic.walks_to_end = true;
    nic.max_elements = Some(4);
    nic.completion.deferred = true;
    let machine = Machine::start(Config {
        processors: 1,
        parameters: vec![("MaxElements".into(), 4)],
        ..Config::with_nic(nic)
    });
    for size in [2_000, 700] {
        machine.assert_split(Packet {
            backing: Backing::LockedPages,
            page_offset: 4_000,
            ..large_v4(2 * 3 * MSS).in_buffers(size)
        });
    }
    machine.stop_clean();
}
