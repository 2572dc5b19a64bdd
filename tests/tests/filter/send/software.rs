//! The filter cuts the sends that the NIC does not cut: which sends, into which children, and when
//! the size is advertised.

use lso::Refusal;
use model::{Answering, Backing, Config, Enabled, Nic, OidCall, Packet, SentChild};
use ndis::sys;
use scenarios::{
    Machine,
    adapter::enable_lso,
    packets::{MSS, large, large_v1, large_v4, large_v6, on_port},
};
use testpkt::synth::Synth;

/// The size advertised for a NIC without LSO: eight times the maximum of Hyper-V's virtual NIC.
const IN_SOFTWARE: u32 = 502_240;

fn bare() -> Nic {
    Nic::default().without_lso()
}

/// Sends `packet`, of which the NIC must get nothing but packets.
#[track_caller]
fn packets(machine: &Machine, packet: Packet) -> Vec<SentChild> {
    let packets = machine.assert_sent(packet);
    assert!(packets.iter().all(SentChild::is_packet));
    packets
}

/// How many large sends the NIC gets of `packet`, and how many packets.
#[track_caller]
fn forms(nic: Nic, packet: Packet) -> (usize, usize) {
    let machine = Machine::with_nic(nic);
    let parts = machine.assert_sent(packet);
    machine.stop_clean();
    let packets = parts.iter().filter(|part| part.is_packet()).count();
    (parts.len() - packets, packets)
}

#[test]
fn a_packet_has_its_length_and_leaves_its_checksum_to_the_nic() {
    let machine = Machine::with_nic(bare());
    let send = Synth::v4(3000, 1448).tcp_options(&[]);
    let parts = packets(&machine, large(&send));
    let lengths: Vec<_> = parts.iter().map(|part| part.frame.len()).collect();
    assert_eq!(lengths, [54 + 1448, 54 + 1448, 54 + 104]);
    let header = [
        0x45, 0x00, 0x05, 0xD0, 0x07, 0x86, 0x40, 0x00, 0x40, 0x06, 0x41, 0x6B, // IPv4, 1488
        0xC0, 0x00, 0x02, 0x01, 0xC6, 0x33, 0x64, 0x02, // 192.0.2.1 to 198.51.100.2
        0xA9, 0x18, 0x15, 0xB3, 0x12, 0x68, 0xA9, 0x4A, 0x71, 0xEC, 0xBB, 0x91, // TCP
        0x50, 0x10, 0x08, 0x00, // ACK; the PSH is the last packet's
        0xF1, 0xF9, 0x00, 0x00, // the pseudo-header's sum, with 1468 bytes of TCP
    ];
    assert_eq!(parts[0].frame[14..54], header);
    assert_eq!(parts[1].frame[18..20], [0x07, 0x87], "the identification");
    assert_eq!(parts[1].frame[38..42], [0x12, 0x68, 0xAE, 0xF2], "sequence");
    assert_eq!(parts[2].frame[47], 0x18, "PSH, ACK");
    for part in &parts {
        // IsIPv4, TcpChecksum, TcpHeaderOffset 34.
        assert_eq!(part.slots.checksum.to_raw(), 34 << 16 | 1 << 2 | 1);
        assert_eq!((part.slots.large_send.to_raw(), part.slots.uso.mss), (0, 0));
    }
    // IsIPv6, TcpChecksum, TcpHeaderOffset 54.
    for part in packets(&machine, large_v6(3000)) {
        assert_eq!(part.slots.checksum.to_raw(), 54 << 16 | 1 << 2 | 1 << 1);
    }
    machine.stop_clean();
}

#[test]
fn a_packet_is_complete_where_the_nic_makes_no_checksum() {
    let machine = Machine::with_nic(bare().without_checksum_offload());
    for packet in [large_v4(20_001), large_v6(20_001)] {
        let parts = packets(&machine, packet.clone());
        assert!(parts.iter().all(|part| part.slots.checksum.to_raw() == 0));
        // The NIC sends them as they are.
        machine.send_one(packet);
        let frames: Vec<_> = machine.world.take_children();
        let frames: Vec<_> = frames.into_iter().map(|part| part.frame).collect();
        assert!(machine.world.take_wire() == frames);
    }
    machine.stop_clean();
}

#[test]
fn a_checksum_is_left_only_to_a_nic_that_copes_with_the_options() {
    let timestamps = || large_v4(5_000);
    let router_alert = || large(&Synth::v4(5_000, MSS - 4).ip_options(&[148, 4, 0, 0]));
    let plain = || large(&Synth::v4(5_000, MSS).tcp_options(&[]));
    let extended = || large(&Synth::v6(5_000, 1400).extension(60, &[0, 0, 1, 4, 0, 0, 0, 0]));
    let left_by = |set_off: bool, change: fn(&mut Nic), packet: &Packet| {
        let mut nic = bare();
        change(&mut nic);
        nic.offload.set_off = set_off;
        let machine = Machine::with_nic(nic);
        let parts = packets(&machine, packet.clone());
        machine.stop_clean();
        parts.iter().all(|part| part.slots.checksum.tcp)
    };
    let left = |change, packet| {
        let left = left_by(false, change, &packet);
        assert_eq!(
            left_by(true, change, &packet),
            left,
            "by the other word for off"
        );
        left
    };
    let no_tcp_options: fn(&mut Nic) = |nic| nic.checksum.ipv4.tcp_options = false;
    let no_ip_options: fn(&mut Nic) = |nic| nic.checksum.ipv4.ip_options = false;
    assert!(!left(no_tcp_options, timestamps()));
    assert!(left(no_tcp_options, plain()));
    assert!(!left(no_ip_options, router_alert()));
    assert!(left(no_ip_options, timestamps()));
    assert!(left(|_| {}, router_alert()));
    assert!(left(|_| {}, extended()));
    assert!(!left(
        |nic| nic.checksum.ipv6.ip_options = false,
        extended()
    ));
    assert!(!left(|nic| nic.checksum.ipv4.tcp = false, plain()));
    // Turned off is as good as not there.
    assert!(!left(|nic| nic.enabled.tcp_ipv4 = false, plain()));
}

#[test]
fn options_that_the_nic_does_not_take_go_as_packets_whatever_the_size() {
    let picky = |set_off| {
        let mut nic = Nic::new(62_780, 2).without_options();
        nic.offload.set_off = set_off;
        nic
    };
    let extension = [0, 0, 1, 4, 0, 0, 0, 0];
    let plain_v6 = Synth::v6(20 * 1428, 1428).tcp_options(&[]);
    for (packet, expected) in [
        (large(&plain_v6), (1, 0)),
        (large(&plain_v6.clone().extension(60, &extension)), (0, 20)),
        (large(&Synth::v6(20 * 1428, 1428)), (0, 20)),
        // A NIC must take all options with LSOv2 over IPv4.
        (large(&Synth::v4(20 * MSS, MSS).ip_options(&[1; 4])), (1, 0)),
        (large_v1(&Synth::v4(20 * MSS, MSS).tcp_options(&[])), (1, 0)),
        (large_v1(&Synth::v4(20 * MSS, MSS)), (0, 20)),
    ] {
        for set_off in [false, true] {
            assert_eq!(forms(picky(set_off), packet.clone()), expected);
        }
    }
}

#[test]
fn fewer_segments_than_the_nic_asks_for_go_as_packets() {
    let nic = || Nic::new(10 * MSS, 6);
    for (payload, expected) in [
        (5 * MSS, (0, 5)),
        (5 * MSS + 1, (1, 0)),
        (10 * MSS, (1, 0)),
        (11 * MSS, (1, 1)),
        (12 * MSS, (2, 0)),
        (25 * MSS, (3, 0)),
    ] {
        assert_eq!(forms(nic(), large_v4(payload)), expected, "{payload}");
    }
}

/// One completion, and one set of out-of-band data, is then for many packets.
#[test]
fn packets_are_together_in_nbls_of_64() {
    for nic in [bare(), bare().without_checksum_offload()] {
        let machine = Machine::with_nic(nic);
        for (count, nbls) in [(1, 1), (2, 1), (64, 1), (65, 2), (346, 6)] {
            let parts = packets(&machine, large_v4(count * MSS));
            assert_eq!(parts.len(), count as usize);
            let numbers: Vec<_> = parts.iter().map(|part| part.nbl - parts[0].nbl).collect();
            let expected: Vec<_> = (0..u64::from(count)).map(|packet| packet / 64).collect();
            assert_eq!(numbers, expected);
            assert_eq!(numbers.last(), Some(&(nbls - 1)));
        }
        machine.stop_clean();
    }
}

/// The checksums of a long send take longer than a processor should be at DISPATCH_LEVEL.
#[test]
fn checksums_are_made_at_the_senders_irql() {
    let machine = Machine::with_nic(bare().without_checksum_offload());
    let locked = |size| Packet {
        backing: Backing::LockedPages,
        ..large_v4(200_000).in_buffers(size)
    };
    for size in [4096, 1000, 20] {
        packets(&machine, locked(size));
    }
    assert!(!machine.world.mapped_at_dispatch());
    machine.stop_clean();
}

#[test]
fn an_mss_above_the_nics_maximum_goes_as_packets() {
    assert_eq!(forms(Nic::new(1_000, 1), large_v4(5 * MSS)), (0, 5));
    // A large send of one segment is none.
    assert_eq!(forms(Nic::new(MSS + 1, 1), large_v4(5 * MSS)), (0, 5));
}

#[test]
fn an_mss_that_no_packet_holds_is_of_no_account_for_a_short_send() {
    let machine = Machine::with_nic(bare());
    for packet in [
        large(&Synth::v4(126, 525_736)),
        large_v1(&Synth::v4(126, 525_736)),
    ] {
        assert_eq!(packets(&machine, packet).len(), 1);
    }
    machine.stop_clean();
}

#[test]
fn packets_longer_than_the_medium_carries_are_refused() {
    let sent = |mtu, mss| {
        let machine = Machine::start(Config {
            mtu,
            ..Config::with_nic(bare())
        });
        let number = machine.send_one(large(&Synth::v4(20_000, mss)));
        let refused = machine.statistics().refused_for(Refusal::SegmentAboveMtu);
        let status = machine.status(number);
        assert_eq!(machine.world.take_children().is_empty(), refused == 1);
        machine.stop_clean();
        (status, refused)
    };
    // 20 bytes of IPv4, 32 of TCP.
    assert_eq!(sent(Some(1500), 1448), (0, 0));
    let refused = (sys::NDIS_STATUS_INVALID_PACKET, 1);
    assert_eq!(sent(Some(1500), 1449), refused);
    assert_eq!(sent(Some(1499), 1448), refused);
    assert_eq!(sent(Some(9000), 8948), (0, 0));
    assert_eq!(sent(None, 9_000), (0, 0), "an MTU that is not known");
    // One short packet is within it, whatever the MSS would allow.
    let machine = Machine::with_nic(bare());
    packets(&machine, large(&Synth::v4(1_000, 9_000)));
    machine.stop_clean();
}

#[test]
fn large_sends_turned_off_under_way_go_as_packets_until_they_are_back() {
    let mut nic = Nic::default();
    nic.completion.deferred = true;
    let machine = Machine::with_nic(nic);
    let under_way = machine.send(vec![large_v4(200_000), on_port(large_v6(200_000), 2)]);
    let before = machine.world.take_children();
    assert!(before.iter().all(|part| !part.is_packet()));
    enable_lso(&machine.world, false, false);
    packets(&machine, on_port(large_v4(200_000), 3));
    packets(&machine, on_port(large_v6(20_000), 4));
    assert!(under_way.iter().all(|number| machine.status(*number) == 0));
    enable_lso(&machine.world, true, true);
    let after = machine.assert_split(on_port(large_v4(200_000), 5));
    assert!(after.iter().all(|part| !part.is_packet()));
    machine.stop_clean();
}

/// A machine where software segmentation is set to `choice`.
fn set_to(choice: Option<u32>, nic: Nic) -> Machine {
    let mut config = Config::with_nic(nic);
    let parameter = choice.map(|choice| ("SoftwareSegmentation".into(), choice));
    config.parameters.extend(parameter);
    Machine::start(config)
}

/// The LSOv2 sizes then advertised to the overlying driver, over IPv4 and IPv6.
fn offered(choice: Option<u32>, nic: Nic) -> (u32, u32) {
    let machine = set_to(choice, nic);
    let advertised = machine.world.advertised();
    machine.stop_clean();
    (
        advertised.v2_ipv4.max_payload,
        advertised.v2_ipv6.max_payload,
    )
}

#[test]
fn software_segmentation_follows_the_administrators_setting() {
    let both = (IN_SOFTWARE, IN_SOFTWARE);
    let without_checksums = || bare().without_checksum_offload();
    let ipv6_only = || {
        let mut nic = Nic::default();
        nic.limits.v2_ipv6 = model::LargeSendLimit::default();
        nic
    };
    assert_eq!(offered(Some(0), bare()), (0, 0));
    assert_eq!(offered(Some(0), without_checksums()), (0, 0));
    assert_eq!(offered(Some(0), ipv6_only()), (IN_SOFTWARE, 0));
    for default in [None, Some(1)] {
        assert_eq!(offered(default, bare()), both);
        assert_eq!(offered(default, without_checksums()), (0, 0));
        assert_eq!(offered(default, ipv6_only()), both);
    }
    assert_eq!(offered(Some(2), bare()), both);
    assert_eq!(offered(Some(2), without_checksums()), both);
}

#[test]
fn large_sends_that_are_merely_turned_off_stay_off() {
    let off = || Nic {
        enabled: Enabled {
            v2_ipv4: false,
            ..Enabled::default()
        },
        ..Nic::default()
    };
    for choice in [0, 1, 2] {
        assert_eq!(offered(Some(choice), off()), (0, IN_SOFTWARE), "{choice}");
    }
}

#[test]
fn hardware_capabilities_are_unknown_until_the_nic_answers() {
    let silent = || Nic {
        oids: Answering::Later,
        ..bare()
    };
    assert_eq!(offered(Some(1), silent()), (0, 0), "lest it be turned off");
    assert_eq!(offered(Some(2), silent()), (IN_SOFTWARE, IN_SOFTWARE));
    let machine = set_to(None, silent());
    assert_eq!(machine.world.advertised().v2_ipv4.max_payload, 0);
    assert_eq!(machine.world.complete_oids(), 2, "the filter's queries");
    assert_eq!(machine.world.advertised().v2_ipv4.max_payload, IN_SOFTWARE);
    machine.stop_clean();
}

#[test]
fn the_hardware_is_asked_about_where_it_counts_and_once() {
    let silent = || Nic {
        oids: Answering::Later,
        ..bare()
    };
    // The current configuration is queried at each restart.
    for (choice, queries) in [(0, 1), (1, 2), (2, 2)] {
        let machine = set_to(Some(choice), silent());
        assert_eq!(machine.world.complete_oids(), queries, "{choice}");
        machine.world.pause();
        machine.world.restart().expect("restarted");
        assert_eq!(machine.world.complete_oids(), 1, "{choice}: known");
        machine.stop_clean();
    }
}

#[test]
fn the_question_is_given_up_before_the_detach() {
    let silent = || Nic {
        oids: Answering::Later,
        ..bare()
    };
    let machine = set_to(None, silent());
    machine.world.pre_detach();
    assert_eq!(machine.world.complete_oids(), 0, "nothing is left below");
    machine.stop_clean();
    // The same for a request that waits behind another driver's.
    let machine = Machine::without_driver(Config::with_nic(silent()));
    machine.load().expect("loaded");
    machine.world.attach().expect("attached");
    let asked = machine
        .world
        .start_oid(OidCall::query(sys::OID_GEN_LINK_SPEED, 4));
    machine.world.restart().expect("restarted");
    machine.world.pre_detach();
    assert_eq!(machine.world.complete_oids(), 1, "the other one");
    assert_eq!(
        machine.world.oid_result(asked).status,
        sys::NDIS_STATUS_NOT_SUPPORTED
    );
    machine.stop_clean();
}

#[test]
fn others_go_on_when_the_question_that_they_waited_behind_is_given_up() {
    let machine = set_to(
        None,
        Nic {
            oids: Answering::Later,
            ..bare()
        },
    );
    let ask = || {
        let call = OidCall::query(sys::OID_GEN_LINK_SPEED, 4);
        machine.world.start_oid(call)
    };
    let asked = [ask(), ask()];
    machine
        .world
        .nic_changes(|nic| nic.oids = Answering::Inline);
    machine.world.pre_detach();
    for number in asked {
        let status = machine.world.oid_result(number).status;
        assert_eq!(status, sys::NDIS_STATUS_NOT_SUPPORTED);
    }
    machine.stop_clean();
}

#[test]
fn a_send_of_a_kind_that_is_not_advertised_is_cut_too() {
    for choice in [0, 1, 2] {
        let machine = set_to(Some(choice), bare().without_checksum_offload());
        assert_eq!(packets(&machine, large_v4(10 * MSS)).len(), 10);
        machine.stop_clean();
    }
}
