//! Large sends inside VXLAN and NVGRE.

use lso::Refusal;
use model::{INNER_IPV6, Nic, OUTER_IPV4, Packet, SendKind, SentChild};
use ndis::{LargeSendInfo, sys};
use scenarios::{
    Machine,
    packets::{large_v4, large_v6},
};
use testpkt::synth::{Synth, Tunnel};

/// Bytes of payload in each inner packet.
const MSS: u32 = 1350;

fn every_tunnel() -> [Tunnel; 4] {
    [
        Tunnel::vxlan_v4(),
        Tunnel::vxlan_v6(),
        Tunnel::nvgre_v4(),
        Tunnel::nvgre_v6(),
    ]
}

fn inside(synth: Synth, tunnel: Tunnel) -> Packet {
    let synth = synth.inside(tunnel);
    Packet::encapsulated(synth.frame(false), synth.mss)
}

/// The usual send, in VXLAN over IPv4: 50 bytes of outer headers, 66 of inner ones.
fn vxlan(payload: u32) -> Packet {
    inside(Synth::v4(payload, MSS), Tunnel::vxlan_v4())
}

fn be16(frame: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([frame[at], frame[at + 1]])
}

/// A USO send of datagrams of `MSS` bytes.
fn datagrams(synth: Synth, tunnel: Tunnel) -> Packet {
    let synth = synth.inside(tunnel);
    Packet::encapsulated_uso(synth.frame(false), synth.mss)
}

/// How many large sends there are, and how many packets.
fn forms(parts: &[SentChild]) -> (usize, usize) {
    let packets = parts.iter().filter(|part| part.is_packet()).count();
    (parts.len() - packets, packets)
}

/// `packet` goes down as three large sends with the same tunnel slot.
#[track_caller]
fn assert_three_large_sends(machine: &Machine, packet: Packet) {
    let parts = machine.assert_split(packet.clone());
    assert_eq!(forms(&parts), (3, 0));
    for part in &parts {
        assert_eq!(part.slots, packet.slots());
    }
}

/// The children that a NIC receives for `packet`.
#[track_caller]
fn forms_for(nic: Nic, packet: Packet) -> (usize, usize) {
    let machine = Machine::with_nic(nic);
    let parts = machine.assert_sent(packet);
    machine.stop_clean();
    forms(&parts)
}

/// The inner packet is of an unknown kind; it need not be cut.
#[test]
fn a_marked_send_in_no_tunnel_that_fits_is_forwarded() {
    let machine = Machine::with_nic(Nic::new(10 * MSS, 2));
    let mut odd = vxlan(5 * MSS);
    // The inner IP version.
    odd.frame[50 + 14] = 0xF5;
    let number = machine.send_one(odd);
    assert_eq!(machine.status(number), 0);
    let down = machine.world.take_children();
    assert!(matches!(&down[..], [one] if !one.is_child), "{down:?}");
    machine.stop_clean();
}

#[test]
fn every_tunnel_is_split_with_either_version_inside() {
    let machine = Machine::with_nic(Nic::new(10 * MSS, 2));
    for tunnel in every_tunnel() {
        for send in [Synth::v4(25 * MSS, MSS), Synth::v6(25 * MSS, MSS - 20)] {
            assert_three_large_sends(&machine, inside(send, tunnel.clone()));
        }
    }
    machine.stop_clean();
}

/// In VXLAN over IPv4 the outer UDP header is where the inner one was, which the slot still gives.
#[test]
fn uso_in_every_tunnel_is_cut_at_the_inner_header() {
    let machine = Machine::with_nic(Nic::new(10 * MSS, 2));
    for tunnel in every_tunnel() {
        for send in [Synth::udp_v4(25 * MSS, MSS), Synth::udp_v6(25 * MSS, MSS)] {
            assert_three_large_sends(&machine, datagrams(send, tunnel.clone()));
        }
    }
    machine.stop_clean();
}

#[test]
fn uso_in_a_tunnel_is_as_even_as_the_nic_requires() {
    let mut nic = Nic::new(10 * MSS, 2);
    nic.uso.ipv4.sub_mss_final = false;
    let send = |payload| datagrams(Synth::udp_v4(payload, MSS), Tunnel::vxlan_v4());
    assert_eq!(forms_for(nic.clone(), send(10 * MSS)), (1, 0));
    assert_eq!(forms_for(nic.clone(), send(10 * MSS - 1)), (1, 1));
    assert_eq!(forms_for(nic, send(20 * MSS + 50)), (2, 1));
}

#[test]
fn a_nic_that_cuts_no_uso_in_tunnels_gets_complete_packets_of_it() {
    let mut nic = Nic::new(10 * MSS, 2);
    nic.tunnels.nvgre.uso = 0;
    nic.tunnels.vxlan.uso = INNER_IPV6 | OUTER_IPV4;
    for tunnel in every_tunnel() {
        for checksum in [false, true] {
            let machine = Machine::with_nic(nic.clone());
            let send = Synth::udp_v4(3 * MSS + 1, MSS).udp_checksum(checksum);
            let parts = machine.assert_split(datagrams(send, tunnel.clone()));
            assert_eq!(forms(&parts), (0, 4));
            for part in &parts {
                assert_eq!(part.slots, model::Slots::default());
            }
            machine.stop_clean();
        }
    }
    // Those of TCP it cuts, and those with these IP versions.
    assert_eq!(forms_for(nic.clone(), vxlan(25 * MSS)), (3, 0));
    let known = datagrams(Synth::udp_v6(25 * MSS, MSS), Tunnel::vxlan_v4());
    assert_eq!(forms_for(nic, known), (3, 0));
}

#[test]
fn both_identifications_advance_and_lengths_are_the_parents() {
    let machine = Machine::with_nic(Nic::new(10 * MSS, 2));
    for stated in [false, true] {
        let mut tunnel = Tunnel::vxlan_v4();
        tunnel.stated = stated;
        tunnel.ip_id = 0xFFFA;
        let send = Synth::v4(20 * MSS, MSS).ip_id(0x1234);
        let parts = machine.assert_split(inside(send, tunnel));
        // The identifications of outer and inner IPv4.
        let ids: Vec<_> = parts
            .iter()
            .map(|part| (be16(&part.frame, 18), be16(&part.frame, 68)))
            .collect();
        assert_eq!(ids, [(0xFFFA, 0x1234), (0x0004, 0x123E)]);
        for part in &parts {
            let lengths = [16, 38, 66].map(|at| be16(&part.frame, at));
            // The lengths of outer IPv4, outer UDP and inner IPv4. The parent's 27,000 bytes fit
            // too.
            let outer = [20 + 8 + 8 + 66 + 13_500, 8 + 8 + 66 + 13_500, 0];
            assert_eq!(lengths, if stated { outer } else { [0; 3] });
        }
    }
    machine.stop_clean();
}

#[test]
fn the_inner_frame_may_begin_in_another_mdl() {
    let machine = Machine::with_nic(Nic::new(10 * MSS, 2));
    for buffers in [
        vec![50],
        vec![50, 66],
        vec![50, 66, 4096, 4096],
        vec![50, 100, 1],
    ] {
        machine.assert_split(Packet {
            buffers: buffers.clone(),
            ..vxlan(25 * MSS)
        });
        // Also where the payload is read, for its checksum.
        let bare = Machine::with_nic(Nic::default().without_tunnels());
        bare.assert_split(Packet {
            buffers,
            ..vxlan(25 * MSS)
        });
        bare.stop_clean();
    }
    machine.stop_clean();
}

#[test]
fn a_nic_without_tunnel_offload_gets_complete_packets_of_any_size() {
    let machine = Machine::with_nic(Nic::default().without_tunnels());
    for tunnel in every_tunnel() {
        for payload in [100_000, 20_000, 1] {
            let parts = machine.assert_sent(inside(Synth::v4(payload, MSS), tunnel.clone()));
            assert_eq!(forms(&parts), (0, payload.div_ceil(MSS) as usize));
            for part in &parts {
                assert_eq!(part.slots.kind(), SendKind::Packet);
                assert!(!part.slots.tunnel.encapsulated);
                assert_eq!(part.slots.checksum.to_raw(), 0);
            }
        }
    }
    machine.stop_clean();
}

#[test]
fn a_nic_gets_only_tunnels_and_ip_versions_that_it_supports() {
    let all = || Nic::new(10 * MSS, 2);
    let large = (3, 0);
    let packets = (0, 25);
    assert_eq!(forms_for(all(), vxlan(25 * MSS)), large);
    let mut no_vxlan = all();
    no_vxlan.tunnels.vxlan = model::TunnelOffload::default();
    assert_eq!(forms_for(no_vxlan.clone(), vxlan(25 * MSS)), packets);
    let nvgre = || inside(Synth::v4(25 * MSS, MSS), Tunnel::nvgre_v4());
    assert_eq!(forms_for(no_vxlan, nvgre()), large);
    let mut no_outer_ipv4 = all();
    no_outer_ipv4.tunnels.vxlan.lso_v2 &= !OUTER_IPV4;
    assert_eq!(forms_for(no_outer_ipv4, vxlan(25 * MSS)), packets);
    let mut no_inner_ipv6 = all();
    no_inner_ipv6.tunnels.vxlan.lso_v2 &= !INNER_IPV6;
    assert_eq!(forms_for(no_inner_ipv6.clone(), vxlan(25 * MSS)), large);
    let ipv6_inside = inside(Synth::v6(25 * 1330, 1330), Tunnel::vxlan_v4());
    assert_eq!(forms_for(no_inner_ipv6, ipv6_inside), packets);
    let mut turned_off = all();
    turned_off.enabled.tunnels = false;
    assert_eq!(forms_for(turned_off, vxlan(25 * MSS)), packets);
}

#[test]
fn a_nic_has_one_port_for_vxlan() {
    let mut nic = Nic::new(10 * MSS, 2);
    nic.tunnels.vxlan_port = 8472;
    assert_eq!(forms_for(nic.clone(), vxlan(25 * MSS)), (0, 25));
    let mut at_8472 = vxlan(25 * MSS);
    at_8472.frame[36..38].copy_from_slice(&8472_u16.to_be_bytes());
    assert_eq!(forms_for(nic.clone(), at_8472.clone()), (3, 0));
    // 0 stands for any.
    nic.tunnels.vxlan_port = 0;
    for packet in [at_8472, vxlan(25 * MSS)] {
        assert_eq!(forms_for(nic.clone(), packet), (3, 0));
    }
}

#[test]
fn a_header_above_the_nics_limit_in_a_tunnel_is_sent_in_packets() {
    let mut nic = Nic::new(10 * MSS, 2);
    nic.tunnels.vxlan.max_header = 116;
    assert_eq!(forms_for(nic.clone(), vxlan(25 * MSS)), (3, 0));
    let tagged = inside(Synth::v4(25 * MSS, MSS).vlan(&[7]), Tunnel::vxlan_v4());
    assert_eq!(forms_for(nic.clone(), tagged), (0, 25));
    nic.tunnels.vxlan.max_header = 115;
    assert_eq!(forms_for(nic, vxlan(25 * MSS)), (0, 25));
}

#[test]
fn an_outer_checksum_is_made_where_there_is_one() {
    let machine = Machine::with_nic(Nic::default().without_tunnels());
    for checksum in [false, true] {
        let mut tunnel = Tunnel::vxlan_v4();
        tunnel.udp_checksum = checksum;
        for part in machine.assert_split(inside(Synth::v4(5 * MSS, MSS), tunnel)) {
            assert_eq!(be16(&part.frame, 40) != 0, checksum);
        }
    }
    machine.stop_clean();
}

/// The reason for which `packet` is refused, on a NIC without tunnel offloads.
fn refused(packet: Packet) -> Option<Refusal> {
    let machine = Machine::with_nic(Nic::default().without_tunnels());
    let number = machine.send_one(packet);
    let counted = machine.statistics();
    let reason = Refusal::ALL
        .into_iter()
        .find(|reason| counted.refused_for(*reason) == 1);
    let status = machine.status(number);
    assert_eq!(status != 0, reason.is_some());
    assert_eq!(machine.world.take_children().is_empty(), reason.is_some());
    machine.stop_clean();
    reason
}

#[test]
fn the_inner_packet_counts_for_the_mtu_and_the_outer_headers_do_not() {
    // Inner IPv4 and TCP with timestamps; the whole frame is 50 bytes longer than without a tunnel.
    let longest = 1500 - 20 - 32;
    let send = |mss| inside(Synth::v4(100_000, mss), Tunnel::vxlan_v4());
    assert_eq!(refused(send(longest)), None);
    assert_eq!(refused(send(longest + 1)), Some(Refusal::SegmentAboveMtu));
}

/// A NIC leaves RscTcpTimestampDelta in the slot of the supplemental information of a packet that it
/// receives, and a switch sends on: whatever it is, the packet is in no tunnel.
#[test]
fn a_receives_leftover_in_the_supplemental_slot_makes_no_tunnel() {
    let slot = sys::TcpSendOffloadsSupplementalNetBufferListInfo;
    for left_over in [1, 3, 0x0401_2345, 0x7FFF_FFFF] {
        for nic in [Nic::default(), Nic::default().without_lso()] {
            let machine = Machine::with_nic(nic);
            for packet in [large_v4(200_000), large_v6(200_000)] {
                machine.send_one(packet.clone());
                let wire = machine.world.take_wire();
                assert!(machine.world.take_children().len() > 1);
                machine.send_one(packet.with_slot(slot, left_over));
                assert!(machine.world.take_wire() == wire, "the wire differs");
                let parts = machine.world.take_children();
                assert!(parts.len() > 1);
                assert!(parts.iter().all(|part| !part.slots.tunnel.encapsulated));
            }
            // One that fits the NIC is sent as one child, or its packets, for the NIC reads the slot too.
            machine.send_one(large_v4(2 * MSS).with_slot(slot, left_over));
            let parts = machine.world.take_children();
            assert!(!parts.is_empty());
            assert!(parts.iter().all(|part| !part.slots.tunnel.encapsulated));
            machine.stop_clean();
        }
    }
}

#[test]
fn a_marked_send_in_no_tunnel_is_refused() {
    let slot = sys::TcpSendOffloadsSupplementalNetBufferListInfo;
    let mut v1 = vxlan(100_000);
    v1.large_send = LargeSendInfo::v1(MSS, 100);
    assert_eq!(refused(v1), Some(Refusal::MalformedLargeSend));
    let mut sequenced = inside(Synth::v4(100_000, MSS), Tunnel::nvgre_v4());
    sequenced.frame[34] |= 0x10;
    assert_eq!(refused(sequenced), Some(Refusal::NotEncapsulated));
    // An LSOv2 send with UDP inside, and a USO send with TCP, or with no tunnel at all.
    let udp = Synth::udp_v4(100_000, 1200).inside(Tunnel::vxlan_v4());
    let mut datagrams = Packet::encapsulated(udp.frame(false), 1200);
    datagrams.oob = vec![(slot, 1)];
    assert_eq!(refused(datagrams), Some(Refusal::NotTcp));
    let uso = Packet::encapsulated_uso(udp.frame(false), 1200);
    for frame in [
        Synth::v4(100_000, 1200)
            .inside(Tunnel::nvgre_v4())
            .frame(false),
        Synth::v4(100_000, 1200).frame(false),
    ] {
        let reason = refused(Packet {
            frame,
            oob: vec![
                (sys::UdpSegmentationOffloadInfo, 34 << 20 | 1200),
                (slot, 1),
            ],
            ..uso.clone()
        });
        assert!(matches!(
            reason,
            Some(Refusal::NotUdp | Refusal::NotEncapsulated)
        ));
    }
}
