//! Large sends of UDP.
#![expect(unsafe_code, reason = "looks at NBLs on their way")]

use std::sync::{Arc, Mutex};

use lso::Refusal;
use model::{Nic, Packet, Rule, SentChild, Tamper, UsoSlot};
use ndis::sys;
use scenarios::{
    Machine, assert_clean,
    packets::{arp, small, uso},
};
use testpkt::synth::Synth;

/// Bytes of payload in each datagram.
const MSS: u32 = 1000;
const USO: usize = sys::UdpSegmentationOffloadInfo;

/// A USO send that states its lengths, where they fit.
fn stated(synth: &Synth) -> Packet {
    Packet::udp_large_send(synth.frame(true), synth.mss)
}

fn be16(frame: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([frame[at], frame[at + 1]])
}

/// How many large sends there are, and how many packets.
fn forms(parts: &[SentChild]) -> (usize, usize) {
    let packets = parts.iter().filter(|part| part.is_packet()).count();
    (parts.len() - packets, packets)
}

#[test]
fn a_send_above_the_nics_maximum_is_split() {
    let machine = Machine::with_nic(Nic::new(10 * MSS, 2));
    for send in [
        Synth::udp_v4(25 * MSS + 1, MSS),
        Synth::udp_v6(25 * MSS + 1, MSS),
    ] {
        for packet in [uso(&send), stated(&send)] {
            let parts = machine.assert_split(packet.clone());
            assert_eq!(forms(&parts), (3, 0));
            for part in parts {
                assert_eq!(part.slots.uso, packet.slots().uso);
                assert_eq!(part.slots.checksum.to_raw(), 0);
            }
        }
    }
    machine.stop_clean();
}

/// NDIS_OFFLOAD states only for IPv6's extension headers whether the NIC supports them.
#[test]
fn every_nic_with_uso_takes_the_options_of_ipv4() {
    let machine = Machine::with_nic(Nic::new(10 * MSS, 2).without_options());
    let routed = Synth::udp_v4(25 * MSS, MSS).ip_options(&[148, 4, 0, 0]);
    assert_eq!(forms(&machine.assert_split(uso(&routed))), (3, 0));
    machine.stop_clean();
}

#[test]
fn children_state_their_lengths_where_their_parent_does() {
    let machine = Machine::with_nic(Nic::new(10 * MSS, 2));
    let send = Synth::udp_v4(20 * MSS, MSS);
    for part in machine.assert_split(uso(&send)) {
        // IPv4's and UDP's.
        assert_eq!((be16(&part.frame, 16), be16(&part.frame, 38)), (0, 0));
    }
    for part in machine.assert_split(stated(&send)) {
        let lengths = (be16(&part.frame, 16), be16(&part.frame, 38));
        assert_eq!(lengths, (20 + 8 + 10_000, 8 + 10_000));
    }
    machine.stop_clean();
}

#[test]
fn identifications_count_in_16_bits_whatever_those_of_tcp_do() {
    let mut config = model::Config::with_nic(Nic::new(4 * MSS, 2));
    config = config.counting_ip_id_in(15);
    let machine = Machine::start(config);
    let parts = machine.assert_split(uso(&Synth::udp_v4(8 * MSS, MSS).ip_id(0x7FFE)));
    let ids: Vec<_> = parts.iter().map(|part| be16(&part.frame, 18)).collect();
    assert_eq!(ids, [0x7FFE, 0x8002]);
    machine.stop_clean();
}

#[test]
fn a_short_last_datagram_is_a_packet_where_the_nic_takes_none() {
    let mut nic = Nic::new(10 * MSS, 2);
    nic.uso.ipv4.sub_mss_final = false;
    let machine = Machine::with_nic(nic);
    for (payload, expected) in [
        (20 * MSS, (2, 0)),
        (20 * MSS + 7, (2, 1)),
        // Within the NIC's maximum.
        (3 * MSS, (1, 0)),
        (3 * MSS + 7, (1, 1)),
        (7, (0, 1)),
    ] {
        let parts = machine.assert_sent(uso(&Synth::udp_v4(payload, MSS)));
        assert_eq!(forms(&parts), expected, "{payload} bytes");
    }
    // Over IPv6 this NIC accepts them.
    let parts = machine.assert_sent(uso(&Synth::udp_v6(20 * MSS + 7, MSS)));
    assert_eq!(forms(&parts).1, 0);
    machine.stop_clean();
}

#[test]
fn a_nic_without_uso_gets_packets_and_makes_their_checksums() {
    let machine = Machine::with_nic(Nic::default().without_uso());
    // IsIPv4 or IsIPv6, UdpChecksum, and where UDP begins.
    for (send, slot) in [
        (Synth::udp_v4(3 * MSS, MSS), 34 << 16 | 1 << 3 | 1),
        (Synth::udp_v6(3 * MSS, MSS), 54 << 16 | 1 << 3 | 1 << 1),
    ] {
        let parts = machine.assert_split(uso(&send));
        assert_eq!(forms(&parts), (0, 3));
        for part in parts {
            assert_eq!(part.slots.checksum.to_raw(), slot);
            assert_eq!(part.slots.uso, UsoSlot::default());
        }
    }
    machine.stop_clean();
}

#[test]
fn a_datagram_without_a_checksum_is_not_given_one() {
    for nic in [Nic::default(), Nic::default().without_checksum_offload()] {
        let machine = Machine::with_nic(nic.without_uso());
        for send in [
            Synth::udp_v4(3 * MSS, MSS).udp_checksum(false),
            Synth::udp_v6(3 * MSS, MSS).udp_checksum(false),
        ] {
            let packet = uso(&send);
            let field = packet.slots().uso.udp_header_offset as usize + 6;
            for part in machine.assert_split(packet) {
                // The NIC would compute one if it were requested.
                assert_eq!(part.slots.checksum.to_raw(), 0);
                assert_eq!(be16(&part.frame, field), 0);
            }
        }
        machine.stop_clean();
    }
}

#[test]
fn a_checksum_that_comes_to_zero_is_sent_as_ffff() {
    let nic = Nic::default().without_uso().without_checksum_offload();
    let machine = Machine::with_nic(nic);
    let mut packet = uso(&Synth::udp_v4(MSS, MSS));
    let last = packet.frame.len() - 2;
    packet.frame[last..].fill(0);
    machine.assert_sent(packet.clone());
    // The two bytes that make the sum all ones, so that the checksum, its complement, is 0.
    machine.send_one(packet.clone());
    let wire = machine.world.take_wire();
    let missing = be16(&wire[0], 40);
    packet.frame[last..].copy_from_slice(&missing.to_be_bytes());
    let part = &machine.assert_sent(packet)[0];
    assert_eq!(be16(&part.frame, 40), 0xFFFF);
    machine.stop_clean();
}

#[test]
fn a_receives_leftover_in_the_slot_of_another_packet_is_ignored() {
    let unknown = Packet::new([&[2; 12][..], &[0x88, 0xCC], &[0; 46]].concat());
    let ipv6_udp_like = UsoSlot {
        mss: 1400,
        udp_header_offset: 62,
        ipv6: true,
    };
    for nic in [Nic::default(), Nic::default().without_uso()] {
        let machine = Machine::with_nic(nic);
        for packet in [small(), arp(), unknown.clone()] {
            let packet = packet.with_slot(USO, ipv6_udp_like.to_raw());
            let number = machine.send_one(packet.clone());
            assert_eq!(machine.status(number), 0);
            let below = machine.world.take_children();
            assert!(below.len() == 1 && !below[0].is_child);
            assert!(below[0].frame == packet.frame);
            assert_eq!(below[0].slots.uso, ipv6_udp_like);
        }
        assert_eq!(machine.statistics().refused_in_all(), 0);
        // The model's NIC follows the slot, and finds no datagram to cut.
        let mut broken = machine.stop();
        let nics = [Rule::Limit, Rule::Headers, Rule::Wire];
        broken.retain(|violation| !nics.contains(&violation.rule));
        assert_clean(&broken);
    }
}

/// A packet that the medium carries as it is need not be cut, whatever a receive left in its slots.
#[test]
fn a_datagram_that_was_received_and_is_forwarded_goes_down_as_it_is() {
    let stale = UsoSlot {
        mss: 1400,
        udp_header_offset: 62,
        ipv6: true,
    };
    let datagram = |payload| {
        let frame = Synth::udp_v4(payload, payload).frame(true);
        Packet::new(frame).with_slot(USO, stale.to_raw())
    };
    let machine = Machine::with_nic(Nic::default().without_uso());
    // 28 bytes of IP and UDP; beside the Ethernet header there is room for two tags.
    for (payload, passes) in [(1472, true), (1480, true), (1481, false), (60_000, false)] {
        let number = machine.send_one(datagram(payload));
        assert_eq!(machine.status(number) == 0, passes, "{payload}");
        assert_eq!(machine.world.take_children().len(), usize::from(passes));
    }
    assert_eq!(
        machine.statistics().refused_for(Refusal::IpVersionMismatch),
        2
    );
    // The model's NIC follows the slot, as above.
    let mut broken = machine.stop();
    let nics = [Rule::Limit, Rule::Headers, Rule::Wire];
    broken.retain(|violation| !nics.contains(&violation.rule));
    assert_clean(&broken);
}

#[test]
fn the_slot_comes_back_as_it_was_sent() {
    for nic in [Nic::new(10 * MSS, 2), Nic::default().without_uso()] {
        let machine = Machine::with_nic(nic);
        let packet = uso(&Synth::udp_v4(25 * MSS, MSS));
        let slots = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&slots);
        machine.world.tamper(move |tamper| {
            if let Tamper::Complete(chain) = tamper {
                // SAFETY: a tamper function may read the chain; the first NBL is live.
                let all = unsafe { &(**chain).NetBufferListInfo };
                let both = [USO, sys::TcpLargeSendNetBufferListInfo].map(|slot| all[slot].addr());
                seen.lock().expect("not poisoned").push(both);
            }
        });
        machine.send_one(packet.clone());
        // MSS 1000, and UDP at 34.
        assert_eq!(packet.slot(USO), 34 << 20 | 1000);
        assert_eq!(*slots.lock().expect("not poisoned"), [[34 << 20 | 1000, 0]]);
        machine.stop_clean();
    }
}
