//! The reference against what can be said without it: every packet parses
//! strictly, every checksum holds by another computation, the payload comes
//! out whole, and nothing changes that may not.

use std::path::PathBuf;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use mslso_lab::capture::{read, strip_jumbo_hop_by_hop};
use mslso_lab::reference::segment;
use mslso_lab::synth::{IpVersion, Synth, flag};
use proptest::prelude::*;

/// RFC 1071, the slow way: whether the words of `bytes`, checksum field
/// included, add up to all ones.
fn sums_to_ones(bytes: &[u8]) -> bool {
    let words = bytes
        .chunks(2)
        .map(|w| u64::from(w[0]) << 8 | u64::from(*w.get(1).unwrap_or(&0)));
    let mut sum: u64 = words.sum();
    while sum > 0xFFFF {
        sum = (sum >> 16) + (sum & 0xFFFF);
    }
    sum == 0xFFFF
}

/// Checks lengths and checksums of one wire packet, and gives the length of
/// its TCP header and its payload.
fn check_packet(packet: &[u8]) -> (usize, Vec<u8>) {
    // The strict parser fails on IP lengths beyond the frame; that the payload
    // ends with the frame shows that they are not short either.
    let sliced = SlicedPacket::from_ethernet(packet).unwrap();
    let Some(TransportSlice::Tcp(tcp)) = &sliced.transport else {
        panic!("no TCP")
    };
    assert_eq!(tcp.payload().as_ptr_range().end, packet.as_ptr_range().end);
    let len = (tcp.slice().len() as u32).to_be_bytes();
    let (pseudo, expected) = match sliced.net.as_ref().unwrap() {
        NetSlice::Arp(_) => panic!("no IP"),
        NetSlice::Ipv4(ip) => {
            let (header, source, to) =
                (ip.header(), ip.header().source(), ip.header().destination());
            assert!(sums_to_ones(header.slice()));
            let tcp_sum = tcp.calc_checksum_ipv4(source, to).unwrap();
            ([&source[..], &to, &[0, 6], &len].concat(), tcp_sum)
        }
        NetSlice::Ipv6(ip) => {
            let (source, to) = (ip.header().source(), ip.header().destination());
            let tcp_sum = tcp.calc_checksum_ipv6(source, to).unwrap();
            ([&source[..], &to, &[0, 6], &len].concat(), tcp_sum)
        }
    };
    assert!(sums_to_ones(&[&pseudo, tcp.slice()].concat()));
    assert_eq!(tcp.checksum(), expected);
    (tcp.header_len(), tcp.payload().to_vec())
}

/// Checks all wire packets of a large send against its headers and payload.
fn check_wire(frame: &[u8], payload: &[u8], mss: usize, wire: &[Vec<u8>]) {
    let headers = frame.len() - payload.len();
    let (tcp_lens, payloads): (Vec<_>, Vec<_>) = wire.iter().map(|p| check_packet(p)).unzip();
    assert_eq!(wire.len(), payload.len().div_ceil(mss));
    assert!(
        payloads[..wire.len() - 1]
            .iter()
            .all(|part| part.len() == mss)
    );
    assert!(payloads.concat() == payload, "the payload differs");
    assert!(wire.iter().all(|packet| packet[12..16] == frame[12..16]));
    // Ports, acknowledgement, header length and the bits beside it, window,
    // urgent pointer and options.
    let tcp = headers - tcp_lens[0];
    for packet in wire {
        for kept in [
            tcp..tcp + 4,
            tcp + 8..tcp + 13,
            tcp + 14..tcp + 16,
            tcp + 18..headers,
        ] {
            assert_eq!(packet[kept.clone()], frame[kept]);
        }
    }
}

fn synth() -> impl Strategy<Value = Synth> {
    let ip = (
        prop::bool::ANY,
        prop::collection::vec(any::<u16>(), 0..3),
        prop::collection::vec(Just(1u8), 0..=40),
        prop::collection::vec(prop::sample::select(vec![0u8, 60]), 0..3),
        any::<(u16, u8, u32)>(),
    );
    let tcp = (
        prop::collection::vec(any::<u8>(), 0..=40),
        any::<u16>(),
        any::<u32>(),
        1u32..200_000,
        536u32..9000,
        any::<u64>(),
    );
    (ip, tcp).prop_map(|((v4, vlan, ip_options, extensions, ids), tcp)| {
        let (tcp_options, flags, seq, payload, mss, seed) = tcp;
        let mut synth = if v4 {
            Synth::v4(payload, mss)
        } else {
            Synth::v6(payload, mss)
        };
        for (i, protocol) in extensions.into_iter().enumerate() {
            // Hop-by-hop may only stand first.
            let protocol = if i == 0 { protocol } else { 60 };
            synth = synth.extension(protocol, &[0, 0, 1, 4, 0, 0, 0, 0]);
        }
        synth
            .vlan(&vlan)
            .ip_options(&ip_options)
            .tcp_options(&tcp_options)
            .flags(flags & !(flag::SYN | flag::RST | flag::URG))
            .seq(seq)
            .ip_id(ids.0)
            .traffic_class(ids.1)
            .flow_label(ids.2)
            .seed(seed)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn wire_packets_are_right(synth in synth(), lsov1 in any::<bool>()) {
        let frame = synth.frame(lsov1);
        let wire = segment(&frame, synth.mss, 16).unwrap();
        check_wire(&frame, &synth.payload_bytes(), synth.mss as usize, &wire);
        for (k, packet) in wire.iter().enumerate() {
            let sliced = SlicedPacket::from_ethernet(packet).unwrap();
            let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("no TCP") };
            let (first, last) = (k == 0, k + 1 == wire.len());
            let set = |bit| synth.flags & bit != 0;
            prop_assert_eq!(tcp.sequence_number(), synth.seq.wrapping_add(k as u32 * synth.mss));
            prop_assert_eq!(tcp.fin(), last && set(flag::FIN));
            prop_assert_eq!(tcp.psh(), last && set(flag::PSH));
            prop_assert_eq!(tcp.cwr(), first && set(flag::CWR));
            prop_assert_eq!(tcp.ece(), set(flag::ECE));
            prop_assert_eq!(tcp.ack(), set(flag::ACK));
            if synth.ip == IpVersion::V4 {
                let at = 14 + 4 * synth.vlan.len() + 4;
                let id = u16::from_be_bytes([packet[at], packet[at + 1]]);
                prop_assert_eq!(id, synth.ip_id.wrapping_add(k as u16));
            }
        }
    }

    /// Any frame gives packets or an error, never a panic.
    #[test]
    fn damaged_headers_are_survived(
        synth in synth(),
        damage in prop::collection::vec((0usize..120, any::<u8>()), 1..6),
        mss in 0u32..70_000,
    ) {
        let mut frame = synth.frame(false);
        for (at, value) in damage {
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
        }
        if let Ok(wire) = segment(&frame, mss.max(500), 15) {
            wire.iter().for_each(|packet| drop(check_packet(packet)));
        }
    }
}

/// Real large sends of 150 to 520 KB, as a Linux TCP stack made them.
#[test]
fn real_large_sends() {
    for (name, mss) in [("bigtcp-ipv4.pcapng", 1448), ("bigtcp-ipv6.pcapng", 1428)] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../tests/data")
            .join(name);
        let frames = read(path).unwrap();
        assert_eq!(frames.len(), 3, "{name}");
        for frame in frames {
            assert_eq!(frame.mss, Some(mss), "{name}");
            let frame = strip_jumbo_hop_by_hop(frame.bytes);
            let headers = if frame[12] == 0x08 {
                14 + 20 + 32
            } else {
                14 + 40 + 32
            };
            let wire = segment(&frame, mss, 16).unwrap();
            check_wire(&frame, &frame[headers..], mss as usize, &wire);
        }
    }
}
