//! However the NIC completes, every parent is completed once, with the status of its children.

use model::{Completion, Config, Nic, Order, Packet};
use ndis::sys;
use scenarios::{
    Machine,
    packets::{MSS, arp, large_v1, large_v4, large_v6, on_port, small},
};
use testpkt::synth::Synth;

const FAILURE: i32 = sys::NDIS_STATUS_FAILURE;
const RESET: i32 = sys::NDIS_STATUS_RESET_IN_PROGRESS;
const REMOVED: i32 = sys::NDIS_STATUS_ADAPTER_REMOVED;

fn nic(completion: Completion) -> Nic {
    let mut nic = Nic::new(3 * MSS, 2);
    nic.completion = completion;
    nic
}

fn deferred() -> Completion {
    Completion {
        deferred: true,
        ..Completion::default()
    }
}

/// Every way to complete that the model supports.
fn every_way() -> Vec<Completion> {
    let mut ways = Vec::new();
    for deferred in [false, true] {
        for order in [Order::Sent, Order::Reversed, Order::Shuffled(0x5EED)] {
            for merged in [false, true] {
                for on_processor in [None, Some(1)] {
                    for at_dispatch in [false, true] {
                        ways.push(Completion {
                            deferred,
                            order,
                            merged,
                            on_processor,
                            at_dispatch,
                        });
                    }
                }
            }
        }
    }
    ways
}

fn mixed() -> Vec<Packet> {
    vec![
        small(),
        large_v4(20_000),
        large_v4(3 * MSS),
        arp(),
        large_v6(9_000),
        on_port(large_v4(40_000), 8),
        small(),
    ]
}

#[test]
fn every_way_to_complete_brings_all_back() {
    for way in every_way() {
        let machine = Machine::with_nic(nic(way));
        for _ in 0..3 {
            let numbers = machine.send(mixed());
            machine.deliver_all();
            for number in numbers {
                assert_eq!(machine.status(number), 0, "{way:?}");
            }
        }
        machine.stop_clean();
    }
}

#[test]
fn completions_of_several_batches_may_come_in_one_chain() {
    for order in [Order::Sent, Order::Reversed, Order::Shuffled(3)] {
        let machine = Machine::with_nic(nic(Completion {
            deferred: true,
            merged: true,
            order,
            ..Completion::default()
        }));
        let numbers: Vec<_> = (0..5).flat_map(|_| machine.send(mixed())).collect();
        assert!(
            numbers
                .iter()
                .all(|n| machine.world.completed(*n).is_none())
        );
        machine.deliver_all();
        assert!(numbers.iter().all(|number| machine.status(*number) == 0));
        machine.stop_clean();
    }
}

#[test]
fn a_parent_waits_for_its_last_child() {
    let machine = Machine::with_nic(nic(deferred()));
    let number = machine.send_one(large_v4(20_000));
    assert_eq!(machine.world.completed(number), None);
    machine.deliver_all();
    assert_eq!(machine.status(number), 0);
    machine.stop_clean();
}

/// A virtual switch that floods sends an NBL to one port and clones of it to others, which its
/// ChildRefCount counts. The model's overlying driver has up to two of each send elsewhere, and
/// checks that the count is left alone: rule 16.
#[test]
fn the_overlying_drivers_count_of_clones_is_left_to_it() {
    let machine = Machine::with_nic(nic(deferred()));
    let numbers = machine.send(vec![large_v4(20_000), large_v6(20_000), large_v4(20_000)]);
    machine.deliver_all();
    assert!(
        numbers
            .into_iter()
            .all(|number| machine.status(number) == 0)
    );
    machine.stop_clean();
}

#[test]
fn whichever_child_fails_its_parent_fails_with_its_status_and_no_other_does() {
    // Seven children and two neighbors, numbered in the order in which they go down.
    for failing in 0..9 {
        for way in every_way() {
            let mut nic = nic(way);
            nic.failing = vec![(failing, FAILURE)];
            let machine = Machine::with_nic(nic);
            let numbers = machine.send(vec![small(), large_v4(7 * 3 * MSS), arp()]);
            machine.deliver_all();
            let fails = match failing {
                0 => 0,
                8 => 2,
                _ => 1,
            };
            for (place, number) in numbers.into_iter().enumerate() {
                let expected = if place == fails { FAILURE } else { 0 };
                assert_eq!(machine.status(number), expected, "{failing} of {way:?}");
            }
            machine.stop_clean();
        }
    }
}

#[test]
fn of_several_failures_the_first_in_the_order_of_completion_counts() {
    let statuses = [FAILURE, RESET, REMOVED];
    let permutations = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for places in permutations {
        for (order, first) in [(Order::Sent, 0), (Order::Reversed, 2)] {
            for merged in [false, true] {
                let mut nic = nic(Completion {
                    deferred: true,
                    order,
                    merged,
                    ..Completion::default()
                });
                nic.failing = (0..3)
                    .map(|k| (k + 1, statuses[places[k as usize]]))
                    .collect();
                let machine = Machine::with_nic(nic);
                let number = machine.send_one(large_v4(5 * 3 * MSS));
                machine.deliver_all();
                assert_eq!(machine.status(number), statuses[places[first]]);
                machine.stop_clean();
            }
        }
    }
}

#[test]
fn the_failures_of_one_parent_are_not_those_of_the_next() {
    let mut nic = nic(Completion::default());
    nic.failing = vec![(1, RESET), (6, REMOVED)];
    let machine = Machine::with_nic(nic);
    let large = || large_v4(4 * 3 * MSS);
    let numbers = machine.send(vec![large(), large(), large()]);
    let statuses: Vec<_> = numbers.iter().map(|n| machine.status(*n)).collect();
    assert_eq!(statuses, [RESET, REMOVED, 0]);
    machine.stop_clean();
}

#[test]
fn the_overlying_driver_may_send_from_within_a_completion() {
    for way in every_way() {
        let machine = Machine::with_nic(nic(way));
        for _ in 0..6 {
            machine.world.send_on_completion(mixed());
        }
        machine.send(vec![large_v4(20_000)]);
        machine.deliver_all();
        let sent = machine.world.take_children();
        let last = sent.iter().map(|child| child.send).max();
        assert_eq!(last, Some(6 * 7), "{way:?}");
        machine.stop_clean();
    }
}

#[test]
fn sends_from_within_completions_may_nest_deep() {
    let machine = Machine::with_nic(nic(Completion::default()));
    for _ in 0..100 {
        machine.world.send_on_completion(vec![large_v4(20_000)]);
    }
    machine.send(vec![large_v4(20_000)]);
    let last = machine.world.take_children().pop().map(|child| child.send);
    assert_eq!(last, Some(100));
    machine.stop_clean();
}

#[test]
fn a_send_from_within_a_completion_takes_the_children_just_returned() {
    let machine = Machine::with_nic(nic(Completion::default()));
    machine.world.warmed_up();
    // 60 of the 64 children each time: were they not returned yet, some would have to be allocated.
    let most = || large_v4(60 * 3 * MSS);
    machine.world.send_on_completion(vec![most()]);
    machine.world.send_on_completion(vec![most()]);
    machine.send(vec![most()]);
    machine.stop_clean();
}

#[test]
fn completions_at_dispatch_level_are_passed_on_as_such() {
    let machine = Machine::start(Config::with_nic(nic(Completion {
        at_dispatch: true,
        ..Completion::default()
    })));
    let call = model::SendCall {
        at_dispatch: true,
        processor: 1,
    };
    let numbers = machine.world.send(mixed(), call);
    assert!(numbers.iter().all(|number| machine.status(*number) == 0));
    machine.stop_clean();
}

/// The model's NIC stamps the NBLs that request it, or all of them, and checks for the stamp of the
/// first one sent.
#[test]
fn a_timestamp_that_is_asked_for_is_that_of_the_first_child() {
    for completion in every_way() {
        let nics = [nic(completion), nic(completion).without_lso()];
        for (mut nic, stamps_all) in nics
            .into_iter()
            .flat_map(|nic| [(nic.clone(), false), (nic, true)])
        {
            nic.failing = vec![(0, FAILURE)];
            nic.stamps_all = stamps_all;
            let machine = Machine::with_nic(nic);
            // The first child of all fails, and has none.
            let in_buffers = large_v4(20_000).in_buffers(500);
            for packet in [large_v4(20_000), in_buffers, large_v4(100)] {
                for nbl_flags in [sys::NDIS_NBL_FLAGS_CAPTURE_TIMESTAMP_ON_TRANSMIT, 0] {
                    machine.send_one(Packet {
                        nbl_flags,
                        ..packet.clone()
                    });
                    machine.world.deliver();
                }
            }
            machine.stop_clean();
        }
    }
}

/// LSOv1 reports in TcpPayload how much went out: after a failure nothing, because TCP sends all of it
/// again. The model reads the slot of each parent that is completed.
#[test]
fn an_lsov1_parent_with_a_failed_child_reports_no_payload() {
    for way in every_way() {
        for failing in 0..3 {
            let mut nic = nic(way);
            nic.failing = vec![(failing, FAILURE)];
            let machine = Machine::with_nic(nic);
            let number = machine.send_one(large_v1(&Synth::v4(9 * MSS, MSS)));
            machine.deliver_all();
            assert_eq!(machine.status(number), FAILURE, "{way:?}");
            machine.stop_clean();
        }
    }
}
