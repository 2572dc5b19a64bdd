//! The filter's counters match the events.

use lso::Refusal;
use model::{Completion, Config, Failing, Nic, Packet};
use ndis::sys;
use scenarios::{
    Machine,
    packets::{MSS, arp, large_v4, large_v6, small},
    refused,
};

#[test]
fn nothing_is_counted_before_the_first_send() {
    let machine = Machine::start(Config::default());
    let counted = machine.statistics();
    assert_eq!((counted.sends, counted.children, counted.bytes), (0, 0, 0));
    assert_eq!(counted.largest_large_send, 0);
    assert_eq!(counted.refused_in_all(), 0);
    machine.stop_clean();
}

#[test]
fn sends_splits_and_children_are_counted() {
    let machine = Machine::start(Config::default());
    machine.send(vec![small(), large_v4(200_000), arp(), large_v6(10_000)]);
    machine.send(vec![large_v6(100_000)]);
    machine.send(vec![small(), arp()]);
    let below = machine.world.take_children();
    let made = below.iter().filter(|child| child.is_child).count() as u64;
    let counted = machine.statistics();
    assert_eq!((counted.sends, counted.large_sends), (7, 3));
    assert_eq!(
        (counted.split, counted.completed, counted.failed),
        (2, 2, 0)
    );
    assert_eq!((counted.children, counted.bytes), (made, 300_000));
    assert_eq!(counted.refused_in_all(), 0);
    machine.stop_clean();
}

#[test]
fn the_largest_large_send_is_known_even_where_it_is_not_split() {
    let machine = Machine::start(Config::default());
    machine.send(vec![Packet::new(large_v4(500_000).frame)]);
    assert_eq!(machine.statistics().largest_large_send, 0);
    machine.send(vec![large_v4(50_000)]);
    assert_eq!(machine.statistics().largest_large_send, 50_066);
    machine.send(vec![large_v4(300_000), large_v4(100_000)]);
    assert_eq!(machine.statistics().largest_large_send, 300_066);
    machine.stop_clean();
}

#[test]
fn every_refusal_is_counted_under_its_reason() {
    for bad in refused::all() {
        let machine = Machine::start(Config::default());
        machine.send_one(bad.packet);
        let counted = machine.statistics();
        assert_eq!(counted.refused_for(bad.reason), 1, "{}", bad.what);
        assert_eq!(counted.refused_in_all(), 1, "{}", bad.what);
        assert_eq!((counted.split, counted.completed), (0, 0), "{}", bad.what);
        machine.stop_clean();
    }
}

#[test]
fn packets_are_counted_among_the_children() {
    let counted = |nic, packet| {
        let machine = Machine::with_nic(nic);
        machine.assert_sent(packet);
        let counted = machine.statistics();
        machine.stop_clean();
        (counted.split, counted.children, counted.packets)
    };
    assert_eq!(counted(Nic::default(), large_v4(100_000)), (1, 2, 0));
    // Two of five and six would be fewer than the NIC asks for.
    assert_eq!(
        counted(Nic::new(10 * MSS, 6), large_v4(11 * MSS)),
        (1, 2, 1)
    );
    let none = || Nic::default().without_lso();
    assert_eq!(counted(none(), large_v4(10 * MSS)), (1, 10, 10));
    assert_eq!(counted(none(), large_v4(1)), (1, 1, 1));
}

#[test]
fn a_large_send_without_payload_is_counted_as_refused() {
    let empty = reason_of(Nic::new(0, 0), large_v4(0));
    assert_eq!(empty, Some(Refusal::NoPayload));
}

/// The reason for which `packet`, sent alone, is refused.
fn reason_of(nic: Nic, packet: Packet) -> Option<Refusal> {
    let machine = Machine::with_nic(nic);
    machine.send_one(packet);
    let counted = machine.statistics();
    machine.stop_clean();
    Refusal::ALL
        .into_iter()
        .find(|reason| counted.refused_for(*reason) == 1)
}

#[test]
fn parents_of_failed_children_are_counted_once() {
    let machine = Machine::with_nic(Nic {
        failing: vec![
            (0, sys::NDIS_STATUS_FAILURE),
            (1, sys::NDIS_STATUS_RESOURCES),
        ],
        ..Nic::default()
    });
    machine.send(vec![large_v4(200_000), large_v4(100_000)]);
    let counted = machine.statistics();
    assert_eq!((counted.completed, counted.failed), (2, 1));
    machine.stop_clean();
}

#[test]
fn parents_count_as_completed_when_they_are() {
    let machine = Machine::with_nic(Nic {
        completion: Completion {
            deferred: true,
            ..Completion::default()
        },
        ..Nic::default()
    });
    machine.send(vec![large_v4(200_000)]);
    let before = machine.statistics();
    assert_eq!((before.split, before.completed), (1, 0));
    machine.deliver_all();
    assert_eq!(machine.statistics().completed, 1);
    machine.stop_clean();
}

/// Sends in flight at a reset are completed after it: these must not look like parents that were
/// never split, or hide parents that are lost.
#[test]
fn parents_in_flight_at_a_reset_are_in_flight_after_it() {
    let machine = Machine::with_nic(Nic {
        completion: Completion {
            deferred: true,
            ..Completion::default()
        },
        ..Nic::default()
    });
    let send = |processor, count| {
        let call = model::SendCall {
            processor,
            ..Default::default()
        };
        let packets = (0..count).map(|_| large_v4(200_000)).collect();
        machine.world.send(packets, call);
    };
    let flow = || {
        let counted = machine.statistics();
        (counted.split, counted.completed)
    };
    // Some are over, on one processor; some are in flight, and of both.
    send(0, 3);
    machine.deliver_all();
    send(0, 2);
    send(1, 2);
    assert_eq!(flow(), (7, 3));
    machine.reset_statistics();
    assert_eq!(flow(), (4, 0));
    assert_eq!(machine.statistics().largest_large_send, 0);
    send(1, 1);
    assert_eq!(flow(), (5, 0));
    // Twice is as good as once.
    machine.reset_statistics();
    machine.reset_statistics();
    assert_eq!(flow(), (5, 0));
    machine.deliver_all();
    assert_eq!(flow(), (5, 5));
    machine.reset_statistics();
    assert_eq!(flow(), (0, 0));
    send(0, 1);
    machine.deliver_all();
    assert_eq!(flow(), (1, 1));
    machine.stop_clean();
}

/// Resets and readings, two and one at a time, lose nothing between them.
#[test]
fn resets_and_readings_at_once_agree() {
    let machine = Machine::start(Config::default());
    let reset_and_send = |processor, packet: &Packet| {
        let call = model::SendCall {
            processor,
            ..Default::default()
        };
        for _ in 0..300 {
            machine.reset_statistics();
            machine.world.send(vec![packet.clone()], call);
        }
    };
    std::thread::scope(|scope| {
        // Two flows, for those of one would overtake each other.
        let senders = [
            scope.spawn(|| reset_and_send(0, &large_v4(100_000))),
            scope.spawn(|| reset_and_send(1, &large_v6(100_000))),
        ];
        while senders.iter().any(|sender| !sender.is_finished()) {
            let counted = machine.statistics();
            assert!(counted.completed <= counted.split, "{counted:?}");
        }
    });
    let counted = machine.statistics();
    assert_eq!(counted.split, counted.completed);
    machine.stop_clean();
}

#[test]
fn sends_while_paused_are_counted() {
    let machine = Machine::start(Config::default());
    machine.world.pause();
    machine.send(vec![small(), large_v4(200_000), arp()]);
    let counted = machine.statistics();
    assert_eq!((counted.sends, counted.paused, counted.split), (3, 3, 0));
    machine.world.restart().expect("a restart");
    machine.send(vec![large_v4(200_000)]);
    assert_eq!(machine.statistics().split, 1);
    machine.stop_clean();
}

#[test]
fn low_memory_is_counted() {
    let machine = Machine::with_nic(Nic::new(2 * MSS, 2));
    let asked = machine.world.fail_allocations(Failing::None);
    machine.world.fail_allocations(Failing::From(asked));
    machine.send(vec![large_v4(300 * 2 * MSS), large_v4(4 * MSS)]);
    let counted = machine.statistics();
    assert_eq!((counted.low_memory, counted.split), (1, 1));
    assert_eq!(counted.refused_in_all(), 0);
    machine.stop_clean();
}

#[test]
fn children_are_allocated_at_first_and_then_no_more() {
    let config = Config::default();
    let ready = 64 * u64::from(config.processors);
    let machine = Machine::start(config);
    let at_first = machine.statistics().children_allocated;
    assert_eq!(at_first, ready);
    for _ in 0..100 {
        machine.send(vec![large_v4(300_000)]);
    }
    assert_eq!(machine.statistics().children_allocated, at_first);
    machine.stop_clean();
}

#[test]
fn processors_counts_are_added_up() {
    let machine = Machine::start(Config::default());
    for processor in [0, 1] {
        let call = model::SendCall {
            processor,
            ..Default::default()
        };
        machine.world.send(vec![large_v4(100_000), small()], call);
    }
    let counted = machine.statistics();
    assert_eq!((counted.sends, counted.split, counted.completed), (4, 2, 2));
    assert_eq!(counted.bytes, 200_000);
    machine.stop_clean();
}
