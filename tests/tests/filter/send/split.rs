//! Large sends of all shapes reach the wire as one stage of segmentation would have sent them.

use model::{Config, Nic, Packet};
use ndis::{LargeSendInfo, sys};
use scenarios::{
    Machine,
    packets::{CARRIED, MSS, large, large_v1, large_v4, large_v6},
};
use testpkt::synth::{Synth, flag};

/// The maximum of Hyper-V's virtual NIC, in bytes of payload.
const NIC_MAX: u32 = 62_780;

/// A NIC with a maximum of three segments, so that short sends have several children.
fn short_machine() -> Machine {
    Machine::with_nic(Nic::new(3 * MSS, 2))
}

#[test]
fn a_send_within_the_nics_limit_is_forwarded() {
    let machine = Machine::start(Config::default());
    for send in [
        Synth::v4(NIC_MAX, 1460),
        Synth::v6(NIC_MAX, 1440),
        Synth::v4(1461, 1460),
    ] {
        let packet = large(&send);
        let children = machine.assert_sent(packet.clone());
        assert_eq!(children.len(), 1);
        assert!(!children[0].is_child, "the very NBL goes down");
        assert!(children[0].frame == packet.frame);
        assert_eq!(children[0].large_send, packet.large_send);
    }
    machine.stop_clean();
}

#[test]
fn one_segment_too_many_makes_two_children_of_like_size() {
    let machine = Machine::start(Config::default());
    for send in [
        Synth::v4(NIC_MAX + 1460, 1460),
        Synth::v6(NIC_MAX + 1460, 1460),
    ] {
        let children = machine.assert_split(large(&send));
        let payloads: Vec<_> = children.iter().map(|child| child.payload).collect();
        assert_eq!(payloads, [22 * 1460, 22 * 1460]);
    }
    machine.stop_clean();
}

#[test]
fn one_byte_too_many_makes_two_children() {
    let machine = Machine::start(Config::default());
    let children = machine.assert_split(large(&Synth::v4(NIC_MAX + 1, 1460)));
    let payloads: Vec<_> = children.iter().map(|child| child.payload).collect();
    assert_eq!(payloads, [22 * 1460, 21 * 1460 + 1]);
    machine.stop_clean();
}

#[test]
fn sends_of_every_size_take_the_fewest_children() {
    let machine = Machine::start(Config::default());
    // 43 segments of 1,448 bytes fit the NIC's maximum, and of 1,428.
    for (payload, ipv4, ipv6) in [(64 << 10, 2, 2), (256 << 10, 5, 5), (1 << 20, 17, 18)] {
        assert_eq!(machine.assert_split(large_v4(payload)).len(), ipv4);
        assert_eq!(machine.assert_split(large_v6(payload)).len(), ipv6);
    }
    machine.stop_clean();
}

#[test]
fn a_send_of_16_mib_is_split() {
    let machine = Machine::start(Config::default());
    // An MDL's Size bounds what one of them can describe to just below 16 MiB.
    let packet = large(&Synth::v4(16 << 20, 8948)).in_buffers(1 << 20);
    assert_eq!(machine.assert_split(packet).len(), 268);
    machine.stop_clean();
}

#[test]
fn every_mss_divides_the_children() {
    let machine = Machine::start(Config::default());
    for mss in [536, 1220, 1428, 1460, 4096, 8948] {
        let children = machine.assert_split(large(&Synth::v4(200_000, mss)));
        let (_, all_but_last) = children.split_last().expect("children");
        assert!(
            all_but_last
                .iter()
                .all(|child| child.payload.is_multiple_of(mss as usize))
        );
    }
    machine.stop_clean();
}

#[test]
fn lsov1_children_state_their_length() {
    let machine = Machine::with_nic(Nic::new(16_000, 2));
    for child in machine.assert_split(large_v1(&Synth::v4(60_000, MSS))) {
        let stated = u16::from_be_bytes([child.frame[16], child.frame[17]]);
        assert_eq!(usize::from(stated), child.frame.len() - 14);
        assert!(!child.large_send.is_v2());
    }
    machine.stop_clean();
}

#[test]
fn lsov1_children_stay_below_64_kib_with_any_limit_of_the_nic() {
    let mut nic = Nic::new(1 << 20, 2);
    nic.limits.v1.max_payload = 1 << 20;
    let machine = Machine::with_nic(nic);
    for payload in [65_535 - 51, 200_000, (1 << 20) + 1] {
        let children = machine.assert_split(large_v1(&Synth::v4(payload, MSS)));
        let longest = children.iter().map(|child| child.frame.len() - 14).max();
        assert!(longest <= Some(65_535));
    }
    assert_eq!(
        machine
            .assert_sent(large_v1(&Synth::v4(65_535 - 52, MSS)))
            .len(),
        1
    );
    machine.stop_clean();
}

#[test]
fn lsov2_children_state_no_length() {
    let machine = short_machine();
    for child in machine.assert_split(large_v4(20_000)) {
        assert_eq!(child.frame[16..18], [0, 0]);
    }
    for child in machine.assert_split(large_v6(20_000)) {
        assert_eq!(child.frame[18..20], [0, 0]);
    }
    machine.stop_clean();
}

#[test]
fn vlan_tags_and_options_are_copied() {
    let machine = short_machine();
    let routing = [
        0, 2, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 7, 6, 5, 4, 3, 2,
    ];
    let padding = [0, 0, 1, 4, 0, 0, 0, 0];
    for send in [
        Synth::v4(20_000, MSS).vlan(&[0x2007]),
        Synth::v4(20_000, MSS).vlan(&[0x64, 0x2007]),
        Synth::v6(20_000, MSS).vlan(&[0x64, 0x2007]),
        Synth::v4(20_000, MSS).ip_options(&[148, 4, 0, 0]),
        Synth::v4(20_000, MSS)
            .ip_options(&[1; 40])
            .tcp_options(&[1; 40]),
        Synth::v4(20_000, MSS).tcp_options(&[]),
        Synth::v6(20_000, MSS).extension(0, &padding),
        Synth::v6(20_000, MSS)
            .extension(60, &padding)
            .extension(43, &routing),
        Synth::v6(20_000, MSS)
            .traffic_class(0xB9)
            .flow_label(0xF_FFFF),
    ] {
        machine.assert_split(large(&send));
    }
    machine.stop_clean();
}

#[test]
fn the_first_and_the_last_child_have_the_flags_that_are_theirs() {
    let machine = short_machine();
    let flags = flag::CWR | flag::ECE | flag::AE | flag::FIN | flag::PSH | flag::ACK;
    let children = machine.assert_split(large(&Synth::v4(5 * 3 * MSS, MSS).flags(flags)));
    let flags: Vec<_> = children.iter().map(|child| child.frame[47]).collect();
    assert_eq!(flags, [0xD0, 0x50, 0x50, 0x50, 0x59]);
    machine.stop_clean();
}

#[test]
fn sequence_numbers_and_identifications_wrap() {
    let machine = short_machine();
    machine.assert_split(large(
        &Synth::v4(40_000, MSS).seq(0xFFFF_F000).ip_id(0xFFFA),
    ));
    machine.assert_split(large(&Synth::v4(40_000, MSS).ip_id(0x7FFA)));
    machine.assert_split(large(&Synth::v6(40_000, MSS).seq(u32::MAX)));
    machine.stop_clean();
}

#[test]
fn identifications_count_in_the_bits_that_the_administrator_set() {
    for bits in [15, 16] {
        let config = Config::with_nic(Nic::new(3 * MSS, 2));
        let machine = Machine::start(config.counting_ip_id_in(bits));
        for id in [0x7FFA, 0xFFFA, 0x1234] {
            machine.assert_split(large(&Synth::v4(40_000, MSS).ip_id(id)));
        }
        machine.stop_clean();
    }
}

/// FreeBSD's `hn` passes no offset of its TCP headers, and its sends grow with the advertised size.
#[test]
fn the_offset_of_the_tcp_header_is_optional() {
    for nic in [Nic::new(3 * MSS, 2), Nic::default().without_lso()] {
        let machine = Machine::with_nic(nic);
        for payload in [20_000, 3 * MSS, 3 * MSS + 1] {
            for (packet, ipv6) in [(large_v4(payload), false), (large_v6(payload), true)] {
                let mss = packet.large_send.mss();
                machine.assert_sent(Packet {
                    large_send: LargeSendInfo::v2(mss, 0, ipv6),
                    ..packet
                });
            }
        }
        machine.stop_clean();
    }
}

#[test]
fn out_of_band_information_is_carried() {
    let machine = short_machine();
    let offloads = [
        sys::TcpIpChecksumNetBufferListInfo,
        sys::TcpSendOffloadsSupplementalNetBufferListInfo,
    ];
    let slots = [&CARRIED[..], &offloads].concat();
    // Even, or the supplement would mark the packet as tunnelled.
    let one_each = slots.iter().map(|slot| vec![(*slot, 0x1000 + 2 * slot)]);
    let all = slots
        .iter()
        .map(|slot| (*slot, 0x2000 + 2 * slot))
        .collect();
    // The model compares each child's slots with its parent's; none of an earlier send may stay.
    for oob in one_each.chain([all, Vec::new()]) {
        let packet = large_v4(20_000);
        machine.assert_split(Packet { oob, ..packet });
    }
    machine.stop_clean();
}

#[test]
fn the_protocols_flags_are_carried() {
    let machine = short_machine();
    for nbl_flags in [
        sys::NDIS_NBL_FLAGS_IS_IPV4 | sys::NDIS_NBL_FLAGS_IS_TCP,
        sys::NDIS_NBL_FLAGS_IS_IPV6 | sys::NDIS_NBL_FLAGS_IS_TCP,
        sys::NDIS_NBL_FLAGS_IS_UDP,
        sys::NDIS_NBL_FLAGS_IS_LOOPBACK_PACKET,
        sys::NDIS_NBL_FLAGS_SEND_READ_ONLY,
        0,
    ] {
        let packet = large_v4(20_000);
        machine.assert_split(Packet {
            nbl_flags,
            ..packet
        });
    }
    machine.stop_clean();
}

#[test]
fn a_nics_limit_above_the_longest_child_makes_the_longest_children() {
    let machine = Machine::with_nic(Nic::new(3 << 20, 2));
    assert!(!machine.assert_sent(large_v4(2 << 20))[0].is_child);
    let children = machine.assert_split(large_v4((3 << 20) + 1).in_buffers(1 << 20));
    assert!(children.iter().all(|child| child.payload <= 1 << 20));
    machine.stop_clean();
}

#[test]
fn a_tail_below_the_least_segments_is_balanced_away() {
    let machine = Machine::with_nic(Nic::new(10 * MSS, 5));
    for payload in [10 * MSS + 1, 11 * MSS, 20 * MSS + 1, 101 * MSS] {
        machine.assert_split(large_v4(payload));
    }
    machine.stop_clean();
}
