//! Rules 6, 8, 9, 10, 11, 17 and 18 for large sends of UDP and inside tunnels.

use model::{Nic, Packet, Rule, SendKind, Tamper, layout};
use ndis::sys;
use scenarios::{
    assert_clean,
    packets::{large, tunnelled, tunnels, uso},
};
use testpkt::synth::{Synth, Tunnel};

use crate::{
    Nbl, Run, assert_breaks, header, packet,
    packet_children::{assert_chain_breaks, assert_change_breaks, config, pass},
    packets::reversed,
    set_slot,
    software::{
        cut::{LARGE, OFFLOADED, WHOLE},
        start,
    },
};

const MSS: u32 = 1300;
const PAYLOAD: u32 = 10 * MSS + 7;

/// Large sends of every kind.
fn every_kind() -> Vec<Packet> {
    let tcp = [Synth::v4(PAYLOAD, MSS), Synth::v6(PAYLOAD, MSS)];
    let mut all: Vec<_> = tcp.iter().map(large).collect();
    for lengths in [false, true] {
        for checksum in [false, true] {
            for send in [Synth::udp_v4(PAYLOAD, MSS), Synth::udp_v6(PAYLOAD, MSS)] {
                let send = send.vlan(&[5]).udp_checksum(checksum);
                all.push(Packet::udp_large_send(send.frame(lengths), MSS));
            }
        }
    }
    for outer in tunnels() {
        all.extend(tcp.iter().map(|send| tunnelled(send, &outer)));
    }
    all
}

#[test]
fn every_kind_may_be_cut_in_every_way() {
    for start in [start::<WHOLE>, start::<OFFLOADED>, start::<LARGE>] {
        let world = start(config(Nic::new(4 * 1448, 2)));
        let mut packets = every_kind();
        packets.retain(|packet| !has_lengths(packet));
        let count = packets.len();
        let numbers = pass(&world, packets);
        let done = numbers
            .iter()
            .filter(|number| world.completed(**number).is_some_and(|one| one.status == 0));
        assert_eq!(done.count(), count);
        assert_clean(&world.stop());
    }
}

/// Whether a USO send has lengths: the small driver makes large children without alone.
fn has_lengths(packet: &Packet) -> bool {
    let found = layout(&packet.frame).filter(|layout| layout.udp);
    packet.slots().kind() == SendKind::Uso
        && found.is_some_and(|udp| packet.frame[udp.transport + 4] != 0)
}

#[track_caller]
fn assert_large_breaks(
    rule: Rule,
    sent: &Packet,
    change: impl Fn(&[Nbl]) + Clone + Send + 'static,
) {
    assert_change_breaks::<LARGE>(&Nic::new(4 * MSS, 2), rule, "child NBL", sent, change);
}

/// Changes bits of a byte of the second child's frame.
fn flipped(at: usize, bits: u8) -> impl Fn(&[Nbl]) + Clone + Send + 'static {
    // SAFETY: the children are on their way down, their frames longer than that.
    move |nbls| unsafe { *header(nbls[1]).add(at) ^= bits }
}

fn udp() -> Packet {
    uso(&Synth::udp_v4(PAYLOAD, MSS))
}

fn vxlan() -> Packet {
    tunnelled(&Synth::v4(PAYLOAD, MSS), &Tunnel::vxlan_v4())
}

/// Rule 8: `sent` goes down as whole children of four segments, which a NIC without the
/// capabilities that `lacks` removes does not accept.
#[track_caller]
fn assert_not_taken(sent: &Packet, lacks: fn(&mut Nic)) {
    assert_breaks(Rule::Limit, "child NBL", |run| {
        let mut nic = Nic::new(4 * MSS, 2);
        if run == Run::Wrong {
            lacks(&mut nic);
        }
        let world = start::<LARGE>(config(nic));
        pass(&world, vec![sent.clone()]);
        world.stop()
    });
}

#[test]
fn a_nic_gets_uso_that_it_takes() {
    assert_not_taken(&udp(), |nic| nic.uso.ipv4.max_payload -= 1);
    assert_not_taken(&udp(), |nic| nic.uso.ipv4.min_segments = 4);
    assert_not_taken(&udp(), |nic| nic.uso.ipv4.sub_mss_final = false);
    assert_not_taken(&udp(), |nic| nic.enabled.uso_ipv4 = false);
    assert_not_taken(&udp(), |nic| nic.offload.revision = 5);
    let padding = [0, 0, 1, 4, 0, 0, 0, 0];
    let extended = uso(&Synth::udp_v6(PAYLOAD, MSS).extension(60, &padding));
    assert_not_taken(&extended, |nic| nic.uso.ipv6.extensions = false);
}

#[test]
fn a_nic_gets_tunnels_that_it_knows() {
    let nvgre = tunnelled(&Synth::v6(PAYLOAD, MSS), &Tunnel::nvgre_v6());
    assert_not_taken(&vxlan(), |nic| {
        nic.tunnels.vxlan.lso_v2 &= !model::INNER_IPV4
    });
    assert_not_taken(&vxlan(), |nic| {
        nic.tunnels.vxlan.lso_v2 &= !model::OUTER_IPV4
    });
    assert_not_taken(&nvgre, |nic| nic.tunnels.nvgre.lso_v2 &= !model::INNER_IPV6);
    assert_not_taken(&nvgre, |nic| nic.tunnels.nvgre.lso_v2 &= !model::OUTER_IPV6);
    assert_not_taken(&vxlan(), |nic| nic.tunnels.vxlan.max_header = 115);
    assert_not_taken(&vxlan(), |nic| nic.tunnels.vxlan_port = 8472);
    assert_not_taken(&vxlan(), |nic| nic.enabled.tunnels = false);
    assert_not_taken(&vxlan(), |nic| nic.limits.v2_ipv4.max_payload -= 1);
}

#[test]
fn a_nic_gets_options_that_it_takes() {
    assert_not_taken(&large(&Synth::v6(PAYLOAD, MSS)), |nic| {
        *nic = Nic::new(4 * MSS, 2).without_options();
    });
}

#[test]
fn a_child_in_the_middle_ends_with_a_segment() {
    for sent in [udp(), vxlan()] {
        assert_large_breaks(Rule::MssMultiple, &sent, |nbls| {
            // SAFETY: the children are on their way down.
            unsafe { (*packet(nbls[1])).DataLength -= 1 };
        });
    }
}

#[test]
fn lengths_of_large_children_are_as_their_parents() {
    // IPv4's, UDP's; then outer IPv4's, outer UDP's, inner IPv4's.
    for (sent, fields) in [(udp(), &[17, 39][..]), (vxlan(), &[17, 39, 50 + 17])] {
        for at in fields {
            assert_large_breaks(Rule::Headers, &sent, flipped(*at, 1));
        }
    }
}

#[test]
fn identifications_inside_and_outside_show_on_the_wire() {
    for (sent, at) in [(udp(), 19), (vxlan(), 19), (vxlan(), 50 + 19)] {
        let change = flipped(at, 1);
        let nic = Nic::new(4 * MSS, 2);
        assert_change_breaks::<LARGE>(&nic, Rule::Wire, "large send 0", &sent, change);
    }
}

#[test]
fn every_slot_of_a_large_child_is_its_parents() {
    for (sent, slot) in [
        (udp(), sys::UdpSegmentationOffloadInfo),
        (udp(), sys::TcpIpChecksumNetBufferListInfo),
        (vxlan(), sys::TcpSendOffloadsSupplementalNetBufferListInfo),
    ] {
        assert_large_breaks(Rule::OutOfBand, &sent, move |nbls| {
            set_slot(nbls[1], slot, |value| value ^ 1);
        });
    }
}

#[test]
fn headers_of_udp_and_of_the_encapsulation_are_in_the_first_mdl() {
    // Header lengths are 42 and 50 bytes; the third MDL of a tunnelled packet may begin the inner
    // frame.
    for (sent, length) in [(udp(), 41), (vxlan(), 49)] {
        assert_breaks(Rule::Headers, "large send 0", |run| {
            let world = model::World::new(config(Nic::new(PAYLOAD, 2)));
            let sent = match run {
                Run::Right => sent.clone(),
                Run::Wrong => Packet {
                    buffers: vec![length],
                    ..sent.clone()
                },
            };
            pass(&world, vec![sent]);
            world.finish()
        });
    }
    let inner_elsewhere = Packet {
        buffers: vec![50],
        ..vxlan()
    };
    let inner_in_two = Packet {
        buffers: vec![50, 20],
        ..vxlan()
    };
    for (sent, right) in [(inner_elsewhere, true), (inner_in_two, false)] {
        let world = model::World::new(config(Nic::new(PAYLOAD, 2)));
        pass(&world, vec![sent]);
        assert_eq!(world.finish().is_empty(), right);
    }
}

#[test]
fn children_of_udp_keep_their_order() {
    for sent in [udp(), vxlan()] {
        let nic = Nic::new(4 * MSS, 2);
        assert_chain_breaks::<LARGE>(&nic, Rule::Order, "child NBL", &sent, reversed);
    }
}

#[test]
fn sends_of_a_udp_flow_keep_their_order() {
    assert_breaks(Rule::Order, "", |run| {
        let world = model::World::new(config(Nic::new(PAYLOAD, 2)));
        if run == Run::Wrong {
            world.tamper(|tamper| {
                if let Tamper::Send(chain) = tamper {
                    *chain = reversed(*chain);
                }
            });
        }
        pass(&world, vec![udp(), udp()]);
        world.finish()
    });
}

#[test]
fn the_slots_of_a_completed_uso_send_are_as_it_was_sent() {
    for slot in [
        sys::UdpSegmentationOffloadInfo,
        sys::TcpLargeSendNetBufferListInfo,
    ] {
        assert_breaks(Rule::TransmitComplete, "large send 0", |run| {
            let world = start::<LARGE>(config(Nic::new(4 * MSS, 2)));
            if run == Run::Wrong {
                world.tamper(move |tamper| {
                    if let Tamper::Complete(chain) = tamper {
                        set_slot(*chain, slot, |value| value ^ 1 << 30);
                    }
                });
            }
            pass(&world, vec![udp()]);
            world.stop()
        });
    }
}
