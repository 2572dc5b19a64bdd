//! Sends that cannot be split are refused: with a status that gives the reason, whole, and without
//! harm to other sends.

use lso::Refusal;
use model::{Config, Nic, Packet, SentChild};
use ndis::sys;
use scenarios::{
    Machine,
    packets::{MSS, MSS_V6, arp, large, large_v1, large_v4, large_v6, on_port, small},
    refused,
};
use testpkt::synth::Synth;

/// Checks that `bad` is completed with `status`, that nothing of it reaches the NIC, and that its
/// neighbors do.
#[track_caller]
fn assert_refused(machine: &Machine, bad: Packet, status: i32, what: &str) {
    let neighbor = || on_port(large_v4(9_000), 7);
    let numbers = machine.send(vec![small(), bad, neighbor(), arp()]);
    assert_eq!(machine.status(numbers[1]), status, "{what}");
    let mut below: Vec<_> = machine
        .world
        .take_children()
        .iter()
        .map(|child| child.send)
        .collect();
    below.dedup();
    assert_eq!(below, [numbers[0], numbers[2], numbers[3]], "{what}");
    for other in below {
        assert_eq!(machine.status(other), 0, "{what}");
    }
}

/// Checks that `bad` is completed with `status`, and that nothing of it reaches the NIC.
#[track_caller]
fn assert_refused_alone(machine: &Machine, bad: Packet, status: i32) {
    let number = machine.send_one(bad);
    assert_eq!(machine.status(number), status);
    assert!(machine.world.take_children().is_empty());
}

#[test]
fn a_second_net_buffer_that_is_too_long_for_the_nic_is_noticed() {
    let machine = Machine::with_nic(Nic::default());
    let number = machine.send_one(Packet {
        net_buffers: 2,
        last_longer: 100_000,
        ..large_v4(20_000)
    });
    assert_eq!(machine.status(number), sys::NDIS_STATUS_INVALID_PACKET);
    assert!(machine.world.take_children().is_empty());
    let refused = machine
        .statistics()
        .refused_for(Refusal::MalformedLargeSend);
    assert_eq!(refused, 1);
    machine.stop_clean();
}

#[test]
fn a_frame_that_ends_before_its_headers_is_refused() {
    let machine = Machine::with_nic(Nic::default().without_lso());
    let mut packet = large_v4(20_000);
    packet.frame.truncate(60);
    let number = machine.send_one(packet);
    assert_eq!(machine.status(number), sys::NDIS_STATUS_INVALID_PACKET);
    let refused = machine
        .statistics()
        .refused_for(Refusal::HeaderNotContiguous);
    assert_eq!(refused, 1);
    machine.stop_clean();
}

#[test]
fn every_kind_of_bad_large_send_is_refused_alone_in_its_batch() {
    let machine = Machine::start(Config::default());
    for bad in refused::all() {
        assert_refused(&machine, bad.packet, bad.status, bad.what);
    }
    machine.stop_clean();
}

#[test]
fn every_kind_of_bad_large_send_is_refused_where_each_is_a_chain_of_its_own() {
    let machine = Machine::start(Config::default());
    for bad in refused::all() {
        assert_refused_alone(&machine, bad.packet, bad.status);
    }
    machine.stop_clean();
}

#[test]
fn a_batch_of_bad_large_sends_comes_back_whole() {
    let machine = Machine::start(Config::default());
    let (packets, statuses): (Vec<_>, Vec<_>) = refused::all()
        .into_iter()
        .map(|bad| (bad.packet, bad.status))
        .unzip();
    let numbers = machine.send(packets);
    for (number, status) in numbers.into_iter().zip(statuses) {
        assert_eq!(machine.status(number), status);
    }
    assert!(machine.world.take_children().is_empty());
    machine.stop_clean();
}

#[test]
fn sends_after_a_refusal_are_split_as_ever() {
    let machine = Machine::start(Config::default());
    for bad in refused::all() {
        machine.send_one(bad.packet);
        machine.assert_split(large_v4(100_000));
    }
    machine.stop_clean();
}

#[test]
fn refusals_do_not_use_up_children() {
    let machine = Machine::start(Config::default());
    machine.world.warmed_up();
    for _ in 0..50 {
        for bad in refused::all() {
            machine.send_one(bad.packet);
        }
    }
    machine.stop_clean();
}

/// The forms in which the NIC received `packet`: the number of large sends, and of packets after
/// them.
fn forms(machine: &Machine, packet: Packet) -> (usize, usize) {
    let children = machine.assert_split(packet);
    let large_sends = children
        .iter()
        .take_while(|child| !child.is_packet())
        .count();
    let packets = &children[large_sends..];
    assert!(
        packets.iter().all(SentChild::is_packet),
        "packets come last"
    );
    (large_sends, packets.len())
}

#[test]
fn a_segment_may_be_as_long_as_an_ip_packets_length_field_allows() {
    let machine = Machine::start(Config {
        mtu: None,
        ..Config::with_nic(Nic::default().without_lso())
    });
    // 65,535 less 20 and 32 bytes of headers.
    for (mss, refused) in [(65_483, 0), (65_484, 1)] {
        machine.send_one(large(&Synth::v4(100_000, mss)));
        let counted = machine.statistics().refused_for(Refusal::SegmentTooLong);
        assert_eq!(counted, refused);
    }
    machine.stop_clean();
}

#[test]
fn one_segment_that_fills_the_nic_is_a_packet() {
    // One segment of 8,948 fills this NIC, and a large send makes two at least.
    let machine = Machine::start(Config {
        mtu: Some(9_000),
        ..Config::with_nic(Nic::new(9_000, 2))
    });
    let packet = large(&Synth::v4(100_000, 8_948));
    assert_eq!(forms(&machine, packet), (0, 12));
    machine.stop_clean();
}

#[test]
fn a_rest_too_short_for_the_nic_goes_as_packets() {
    let machine = Machine::with_nic(Nic::new(10 * MSS, 6));
    // 11 segments in two parts leave 5 in one of them; 12 do not.
    assert_eq!(forms(&machine, large_v4(11 * MSS)), (1, 1));
    assert_eq!(forms(&machine, large_v4(12 * MSS)), (2, 0));
    machine.stop_clean();
    let machine = Machine::with_nic(Nic::new(10 * MSS, 9));
    assert_eq!(forms(&machine, large_v4(25 * MSS)), (2, 5));
    machine.stop_clean();
}

#[test]
fn an_ip_version_without_large_sends_gets_packets_and_the_other_does_not() {
    let mut nic = Nic::new(9_000, 2);
    nic.limits.v2_ipv6 = model::LargeSendLimit::default();
    let machine = Machine::with_nic(nic);
    let segments = 50_000_u32.div_ceil(MSS_V6) as usize;
    assert_eq!(forms(&machine, large_v6(50_000)), (0, segments));
    assert_eq!(forms(&machine, large_v4(50_000)).1, 0);
    machine.stop_clean();
}

#[test]
fn a_nic_without_large_sends_gets_none() {
    let machine = Machine::with_nic(Nic::default().without_lso());
    for packet in [
        large_v4(50_000),
        large_v6(50_000),
        large_v1(&Synth::v4(50_000, MSS)),
    ] {
        assert_eq!(forms(&machine, packet).0, 0);
    }
    let one = machine.assert_sent(large_v4(1));
    assert!(one.len() == 1 && one[0].is_packet());
    machine.assert_sent(small());
    machine.stop_clean();
}

#[test]
fn a_large_send_without_payload_is_refused() {
    for nic in [Nic::new(0, 0), Nic::new(40, 1)] {
        let machine = Machine::with_nic(nic);
        let number = machine.send_one(large_v4(0));
        assert_ne!(machine.status(number), 0);
        assert!(machine.world.take_children().is_empty());
        machine.stop_clean();
    }
}

#[test]
fn a_length_of_4_gib_is_refused() {
    let machine = Machine::start(Config::default());
    let packet = large_v4(1_000);
    let extra_length = u32::MAX - packet.frame.len() as u32;
    let number = machine.send_one(Packet {
        extra_length,
        ..packet
    });
    assert_ne!(machine.status(number), 0);
    assert!(machine.world.take_children().is_empty());
    machine.assert_split(large_v4(100_000));
    machine.stop_clean();
}

#[test]
fn headers_cut_short_anywhere_are_refused() {
    let machine = Machine::with_nic(Nic::new(20, 1));
    let whole = large_v4(100).frame;
    for length in 21..66 {
        let mut packet = large_v4(100);
        packet.frame = whole[..length].to_vec();
        let number = machine.send_one(packet);
        assert_eq!(machine.status(number), sys::NDIS_STATUS_INVALID_PACKET);
    }
    assert!(machine.world.take_children().is_empty());
    machine.stop_clean();
}

#[test]
fn every_single_bit_flipped_in_the_headers_leaves_all_rules_intact() {
    let machine = Machine::with_nic(Nic::new(3 * MSS, 2));
    for at in 0..66 {
        for bit in 0..8 {
            let mut packet = large_v4(9_000);
            packet.frame[at] ^= 1 << bit;
            machine.send_one(packet);
        }
    }
    machine.stop_clean();
}

/// Reasons that no send has, and why.
const NEVER: [(Refusal, &str); 3] = [
    (Refusal::MssZero, "an MSS of 0 marks no large send"),
    (
        Refusal::Lsov1TooLong,
        "the limit is lowered before the plan is made",
    ),
    (
        Refusal::HeaderBufferTooShort,
        "a child has room for the longest header",
    ),
];

/// Reasons that need another NIC than that of [`refused::all`], and the tests that have them.
const IN_OTHER_TESTS: [(Refusal, &str); 4] = [
    (
        Refusal::NoPayload,
        "a_large_send_without_payload_is_counted_as_refused",
    ),
    (
        Refusal::TooManyChildren,
        "more_packets_than_there_are_children_are_refused",
    ),
    (
        Refusal::HeaderNotContiguous,
        "a_frame_that_ends_before_its_headers_is_refused",
    ),
    // A packet that is not UDP has a USO slot by chance, and is forwarded, unless its slots mark it
    // as tunnelled.
    (Refusal::NotUdp, "a_marked_send_in_no_tunnel_is_refused"),
];

#[test]
fn every_reason_is_tried_or_cannot_be() {
    let tried: Vec<_> = refused::all().iter().map(|bad| bad.reason).collect();
    for reason in Refusal::ALL {
        let others = NEVER.iter().chain(&IN_OTHER_TESTS);
        let other = others.filter(|(of, _)| *of == reason).count();
        let here = usize::from(tried.contains(&reason));
        assert_eq!(here + other, 1, "{reason:?}");
    }
}
