//! The model NIC's second stage, compared with a packet library and with the expected values: it is
//! the judge of every large send of UDP and inside a tunnel.

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use model::{Packet, one_stage};
use scenarios::packets::{tunnelled, tunnels, uso};
use testpkt::synth::{Encapsulation, IpVersion, Synth, Tunnel, flag};

const BOTH: [IpVersion; 2] = [IpVersion::V4, IpVersion::V6];

fn wire(packet: &Packet) -> Vec<Vec<u8>> {
    one_stage(&packet.frame, &packet.slots(), 16).expect("a large send")
}

/// The payload of the innermost packet that the library finds, and its IPv4 identification, with
/// every checksum looked at.
#[track_caller]
fn checked(frame: &[u8]) -> (Vec<u8>, Option<u16>) {
    let packet = SlicedPacket::from_ethernet(frame).expect("a packet with true lengths");
    let id = match packet.net.as_ref().expect("IP") {
        NetSlice::Ipv4(ip) => {
            let header = ip.header().to_header();
            assert_eq!(header.calc_header_checksum(), header.header_checksum);
            Some(header.identification)
        }
        _ => None,
    };
    let net = packet.net.as_ref().expect("IP");
    let transport = packet.transport.as_ref().expect("a transport");
    let payload = match transport {
        TransportSlice::Udp(udp) => {
            assert_eq!(usize::from(udp.length()), udp.slice().len());
            let expected = match net {
                NetSlice::Ipv4(ip) => udp
                    .to_header()
                    .calc_checksum_ipv4(&ip.header().to_header(), udp.payload()),
                NetSlice::Ipv6(ip) => udp
                    .to_header()
                    .calc_checksum_ipv6(&ip.header().to_header(), udp.payload()),
                NetSlice::Arp(_) => unreachable!("IP"),
            };
            if udp.checksum() != 0 {
                assert_eq!(udp.checksum(), expected.expect("a short packet"));
            }
            udp.payload()
        }
        TransportSlice::Tcp(tcp) => {
            let expected = match net {
                NetSlice::Ipv4(ip) => tcp
                    .to_header()
                    .calc_checksum_ipv4(&ip.header().to_header(), tcp.payload()),
                NetSlice::Ipv6(ip) => tcp
                    .to_header()
                    .calc_checksum_ipv6(&ip.header().to_header(), tcp.payload()),
                NetSlice::Arp(_) => unreachable!("IP"),
            };
            assert_eq!(tcp.checksum(), expected.expect("a short packet"));
            tcp.payload()
        }
        other => unreachable!("{other:?}"),
    };
    (payload.to_vec(), id)
}

#[test]
fn uso_is_cut_into_datagrams_of_their_own() {
    for ip in BOTH {
        for (payload, checksum) in [(1, true), (1200, true), (1201, false), (60_000, true)] {
            let send = Synth {
                ip,
                ..Synth::udp_v4(payload, 1200).vlan(&[7]).ip_id(0x7FFE)
            };
            let packet = uso(&send.udp_checksum(checksum));
            let mut cut = Vec::new();
            for (index, frame) in wire(&packet).iter().enumerate() {
                let (part, id) = checked(frame);
                assert_eq!(part.len(), 1200.min(payload as usize - cut.len()));
                cut.extend(part);
                if ip == IpVersion::V4 {
                    assert_eq!(id, Some(0x7FFE + index as u16));
                }
            }
            assert!(packet.frame.ends_with(&cut) && cut.len() == payload as usize);
        }
    }
}

#[test]
fn a_datagram_without_a_checksum_stays_without() {
    let send = Synth::udp_v4(5000, 1000).udp_checksum(false);
    for frame in wire(&uso(&send)) {
        assert_eq!(frame[34 + 6..34 + 8], [0, 0]);
    }
}

#[test]
fn an_identification_of_16_bits_wraps_whatever_tcp_does() {
    let packet = uso(&Synth::udp_v4(2000, 1000).ip_id(0xFFFF));
    let wire = one_stage(&packet.frame, &packet.slots(), 15).expect("a send");
    assert_eq!(checked(&wire[1]).1, Some(0));
}

#[test]
fn a_tunnelled_send_is_cut_inside_and_outside() {
    for outer in tunnels() {
        for inner in [Synth::v4(5000, 1000), Synth::v6(5001, 1000)] {
            let send = inner
                .vlan(&[3])
                .flags(flag::ACK | flag::PSH | flag::CWR)
                .ip_id(9);
            let outer = Tunnel {
                vlan: vec![8],
                ip_id: 0xFFFD,
                ..outer.clone()
            };
            assert_cut(&send, &outer);
        }
    }
}

/// Compares the NIC's result for a tunnelled send with its result for the inner send.
fn assert_cut(send: &Synth, outer: &Tunnel) {
    let packet = tunnelled(send, outer);
    let start = packet.slots().tunnel.inner_frame as usize;
    let inside = wire(&Packet::large_send(send.frame(false), send.mss));
    let wire = wire(&packet);
    assert_eq!(wire.len(), inside.len());
    for (index, (frame, inner)) in wire.iter().zip(&inside).enumerate() {
        assert_eq!(&frame[start..], inner);
        checked(inner);
        let id = match outer.encapsulation {
            Encapsulation::Vxlan => {
                let (payload, id) = checked(frame);
                assert_eq!(payload[8..], *inner);
                id
            }
            Encapsulation::Nvgre => {
                let packet = SlicedPacket::from_ethernet(frame).expect("true lengths");
                match packet.net.expect("IP") {
                    NetSlice::Ipv4(ip) => {
                        let header = ip.header().to_header();
                        assert_eq!(header.calc_header_checksum(), header.header_checksum);
                        Some(header.identification)
                    }
                    _ => None,
                }
            }
        };
        if outer.ip == IpVersion::V4 {
            assert_eq!(id, Some(0xFFFD_u16.wrapping_add(index as u16)));
        }
        if outer.encapsulation != Encapsulation::Nvgre {
            assert_eq!(frame[start - 10..start - 8] != [0, 0], outer.udp_checksum);
        }
    }
}

#[test]
fn slots_that_contradict_the_frame_are_refused() {
    let udp = uso(&Synth::udp_v4(5000, 1000));
    let tunnel = tunnelled(&Synth::v4(5000, 1000), &Tunnel::vxlan_v6());
    for packet in [udp, tunnel] {
        for bit in [2, 10, 16, 20, 26, 31] {
            let (slot, value) = packet.oob[0];
            let wrong = packet.clone().with_slot(slot, value ^ 1 << bit);
            let same =
                wrong.slots() == packet.slots() || wrong.slots().uso.mss != packet.slots().uso.mss;
            let cut = one_stage(&wrong.frame, &wrong.slots(), 16);
            assert!(same || cut.is_err(), "bit {bit}");
        }
    }
}
