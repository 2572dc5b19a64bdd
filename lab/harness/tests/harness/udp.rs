//! UDP: every packet is a datagram with an equal share of the payload.

use proptest::prelude::*;
use reference::{Kind, cut};

use crate::{check, strategy};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn datagrams_are_right(
        synth in strategy::udp(),
        stated in any::<bool>(),
        bits in 15u32..=16,
    ) {
        let frame = synth.frame(stated);
        let headers = frame.len() - synth.payload as usize;
        let wire = cut(&frame, Kind::Udp, synth.mss, bits).unwrap();
        let mut payload = Vec::new();
        for (k, packet) in wire.iter().enumerate() {
            let (id, udp) = check::udp(packet, synth.udp_checksum);
            prop_assert!(id.is_none_or(|id| id == synth.ip_id.wrapping_add(k as u16)));
            prop_assert!(k + 1 == wire.len() || udp.payload().len() == synth.mss as usize);
            // Ethernet header with tags, and ports.
            let ports = headers - 8..headers - 4;
            let ip = 14 + 4 * synth.vlan.len();
            prop_assert_eq!(&packet[..ip + 2], &frame[..ip + 2]);
            prop_assert_eq!(&packet[ports.clone()], &frame[ports]);
            payload.extend_from_slice(udp.payload());
        }
        prop_assert!(payload == synth.payload_bytes(), "the payload differs");
    }

    /// Any frame gives packets or an error, never a panic.
    #[test]
    fn damaged_headers_are_survived(
        synth in strategy::udp(),
        damage in prop::collection::vec((0usize..120, any::<u8>()), 1..6),
        mss in 500u32..70_000,
    ) {
        let mut frame = synth.frame(false);
        for (at, value) in damage {
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
        }
        for packet in cut(&frame, Kind::Udp, mss, 16).into_iter().flatten() {
            let rest = check::ip(&packet).rest;
            check::udp(&packet, rest[6..8] != [0, 0]);
        }
    }
}
