//! VXLAN and NVGRE: right outside, and inside what a NIC sends without them.

use proptest::prelude::*;
use reference::{Kind, cut};
use testpkt::synth::{Encapsulation, Synth, Tunnel};

use crate::{check, strategy};

/// Checks the outer headers of wire packet `k`, and gives the inner frame.
fn inner<'a>(tunnel: &Tunnel, k: usize, packet: &'a [u8]) -> &'a [u8] {
    let (id, carried) = match tunnel.encapsulation {
        Encapsulation::Nvgre => {
            let ip = check::ip(packet);
            assert_eq!(ip.protocol, 47);
            (ip.id, ip.rest)
        }
        Encapsulation::Vxlan => {
            let (id, udp) = check::udp(packet, tunnel.udp_checksum);
            assert_eq!(udp.destination_port(), 4789);
            (id, &packet[packet.len() - udp.payload().len()..])
        }
    };
    assert!(id.is_none_or(|id| id == tunnel.ip_id.wrapping_add(k as u16)));
    &carried[8..]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn tunnels_are_right((synth, tunnel) in strategy::encapsulated()) {
        let inner_frame = synth.frame(false);
        let frame = tunnel.around(&inner_frame);
        let wire = cut(&frame, Kind::Encapsulated, synth.mss, 16).unwrap();
        let parts = model::parts(&inner_frame).unwrap();
        let job = model::Job {
            mss: synth.mss as usize,
            tcp: parts.tcp,
            ipv6: parts.ipv6,
            id_bits: 16,
        };
        let nic = model::segment(&inner_frame, job).unwrap();
        let inners: Vec<_> = wire.iter().enumerate().map(|(k, p)| inner(&tunnel, k, p)).collect();
        prop_assert!(inners == nic, "the inner frames differ from those of a NIC");
        let mut payload = Vec::new();
        for inner in inners {
            payload.extend_from_slice(check::tcp(inner).1.payload());
        }
        prop_assert!(payload == synth.payload_bytes(), "the payload differs");
    }

    /// Any frame gives packets or an error, never a panic.
    #[test]
    fn damaged_headers_are_survived(
        (synth, tunnel) in strategy::encapsulated(),
        damage in prop::collection::vec((0usize..200, any::<u8>()), 1..6),
        mss in 500u32..70_000,
    ) {
        let synth = Synth { payload: synth.payload.min(70_000), ..synth };
        let mut frame = tunnel.around(&synth.frame(false));
        for (at, value) in damage {
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
        }
        for packet in cut(&frame, Kind::Encapsulated, mss, 15).into_iter().flatten() {
            let ip = check::ip(&packet);
            if ip.protocol == 17 {
                check::udp(&packet, ip.rest[6..8] != [0, 0]);
            }
            let headers = if ip.protocol == 17 { 16 } else { 8 };
            let inner = &ip.rest[headers..];
            // Damage can make datagrams of the segments.
            let within = check::ip(inner);
            match within.protocol {
                17 => drop(check::udp(inner, within.rest[6..8] != [0, 0])),
                _ => drop(check::tcp(inner)),
            }
        }
    }
}
