//! TCP: the captured and the made, and beside the NIC of the model.

use std::path::PathBuf;

use proptest::prelude::*;
use reference::segment;
use testpkt::capture::{read, strip_jumbo_hop_by_hop};
use testpkt::synth::flag;

use crate::{check, strategy};

/// Checks all wire packets of a large send against its headers and payload.
fn check_wire(frame: &[u8], payload: &[u8], mss: usize, wire: &[Vec<u8>]) {
    let headers = frame.len() - payload.len();
    let checked = |packet| {
        let (_, tcp) = check::tcp(packet);
        (tcp.header_len(), tcp.payload().to_vec())
    };
    let (tcp_lens, payloads): (Vec<_>, Vec<_>) = wire.iter().map(|p| checked(p)).unzip();
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn wire_packets_are_right(synth in strategy::tcp(), lsov1 in any::<bool>()) {
        let frame = synth.frame(lsov1);
        let wire = segment(&frame, synth.mss, 16).unwrap();
        check_wire(&frame, &synth.payload_bytes(), synth.mss as usize, &wire);
        for (k, packet) in wire.iter().enumerate() {
            let (id, tcp) = check::tcp(packet);
            let (first, last) = (k == 0, k + 1 == wire.len());
            let set = |bit| synth.flags & bit != 0;
            prop_assert_eq!(tcp.sequence_number(), synth.seq.wrapping_add(k as u32 * synth.mss));
            prop_assert_eq!(tcp.fin(), last && set(flag::FIN));
            prop_assert_eq!(tcp.psh(), last && set(flag::PSH));
            prop_assert_eq!(tcp.cwr(), first && set(flag::CWR));
            prop_assert_eq!(tcp.ece(), set(flag::ECE));
            prop_assert_eq!(tcp.ack(), set(flag::ACK));
            prop_assert!(id.is_none_or(|id| id == synth.ip_id.wrapping_add(k as u16)));
        }
    }

    /// Two that share nothing: the reference, and the model's NIC, which
    /// finishes the checksum from the seed.
    #[test]
    fn a_nic_sends_the_same(synth in strategy::tcp(), bits in 15u32..=16) {
        let frame = synth.frame(false);
        let parts = model::parts(&frame).unwrap();
        let job = model::Job {
            mss: synth.mss as usize,
            tcp: parts.tcp,
            ipv6: parts.ipv6,
            id_bits: bits,
        };
        let wire = segment(&frame, synth.mss, bits).unwrap();
        prop_assert!(Ok(wire) == model::segment(&frame, job));
    }

    /// Any frame gives packets or an error, never a panic.
    #[test]
    fn damaged_headers_are_survived(
        synth in strategy::tcp(),
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
            for packet in &wire {
                check::tcp(packet);
            }
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
