//! Parsing: right on every valid frame, calm on everything else.

use lso::{Framing, Headers, IpVersion, LargeSend, MAX_HEADER, Offload, Refusal, Tunnel};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::common;

/// An LSOv2 send with a TCP header `transport` bytes into the frame.
fn stated(ip_version: IpVersion, transport: u32) -> LargeSend {
    LargeSend {
        offload: Offload::LsoV2,
        ip_version,
        mss: 1460,
        framing: Framing::Plain { transport },
    }
}

/// Asserts the invariant for any bytes: positions in order and inside, or a refusal.
fn assert_calm(front: &[u8]) {
    let plain = stated(IpVersion::V4, 34);
    let encapsulated = LargeSend {
        framing: Framing::Encapsulated(None),
        ..plain
    };
    let udp = LargeSend {
        offload: Offload::Uso,
        ..plain
    };
    if let Ok(headers) = Headers::parse(front) {
        assert_inside(&headers, front, 20);
        let _ = headers.check(front, &plain);
    }
    if let Ok(headers) = Headers::of(front, &encapsulated) {
        assert_inside(&headers, front, 20);
    }
    if let Ok(headers) = Headers::of(front, &udp) {
        assert_inside(&headers, front, 8);
    }
}

fn assert_inside(headers: &Headers, front: &[u8], least_transport: u32) {
    let frame = headers.tunnel().map_or(0, Tunnel::length);
    assert!(headers.ip_offset() >= frame + 14);
    assert!(headers.transport_offset() >= headers.ip_offset() + 20);
    assert!(headers.length() >= headers.transport_offset() + least_transport);
    assert!(headers.length() as usize <= front.len().min(MAX_HEADER));
}

/// Outer headers: Ethernet, IPv4, then UDP and VXLAN, or GRE.
const VXLAN: [u8; 50] = tunnel([17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8]);
const NVGRE: [u8; 42] = tunnel([47, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0x65, 0x58]);

/// An IPv4 frame; `from_protocol` are its bytes from the protocol field on, without trailing zeros.
const fn tunnel<const N: usize, const M: usize>(from_protocol: [u8; M]) -> [u8; N] {
    let mut frame = [0; N];
    frame[12] = 0x08;
    frame[14] = 0x45;
    let mut at = 0;
    while at < M {
        frame[23 + at] = from_protocol[at];
        at += 1;
    }
    frame
}

#[test]
fn the_tunnels_are_tunnels() {
    let mut tcp = [0; 54];
    tcp[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
    (tcp[23], tcp[46]) = (6, 0x50);
    let send = LargeSend {
        framing: Framing::Encapsulated(None),
        ..stated(IpVersion::V4, 34)
    };
    for outer in [&VXLAN[..], &NVGRE[..]] {
        let frame = [outer, &tcp].concat();
        let headers = Headers::of(&frame, &send).expect("a valid frame");
        assert_eq!(headers.length() as usize, frame.len());
    }
}

proptest! {
    #![proptest_config(common::cases(2000))]

    #[test]
    #[cfg_attr(miri, ignore)]
    fn valid_frames_are_found(frame in common::frame(), payload in vec(any::<u8>(), 0..64)) {
        let mut front = frame.bytes.clone();
        front.extend(payload);
        let headers = Headers::parse(&front).expect("a valid frame");
        prop_assert_eq!(headers.ip_version(), frame.version);
        prop_assert_eq!(headers.ip_offset() as usize, frame.ip);
        prop_assert_eq!(headers.transport_offset() as usize, frame.tcp);
        prop_assert_eq!(headers.length() as usize, frame.bytes.len());
        let send = stated(frame.version, headers.transport_offset());
        prop_assert_eq!(Headers::of(&front, &send), Ok(headers));
        prop_assert_eq!(headers.check(&front, &send), Ok(()));
    }

    #[test]
    #[cfg_attr(miri, ignore)]
    fn cut_frames_are_not_contiguous(frame in common::frame(), cut: Index) {
        let front = &frame.bytes[..cut.index(frame.bytes.len())];
        prop_assert_eq!(Headers::parse(front), Err(Refusal::HeaderNotContiguous));
    }

    #[test]
    #[cfg_attr(miri, ignore)]
    fn mutated_frames_never_panic(
        frame in common::frame(),
        tunnel in prop_oneof![Just(&[][..]), Just(&VXLAN[..]), Just(&NVGRE[..])],
        edits in vec((any::<Index>(), any::<u8>()), 1..6),
        cut: Index,
    ) {
        let mut front = [tunnel, &frame.bytes].concat();
        for (at, byte) in edits {
            let at = at.index(front.len());
            front[at] = byte;
        }
        front.truncate(cut.index(2 * front.len()));
        assert_calm(&front);
    }

    #[test]
    #[cfg_attr(miri, ignore)]
    fn arbitrary_bytes_never_panic(mut front in vec(any::<u8>(), 0..400), kind in 0..4_u8) {
        // Two in four begin as IP, lest all end at the first refusal.
        let start: &[u8] = match kind {
            0 => &[0x08, 0x00],
            1 => &[0x86, 0xDD],
            _ => &[],
        };
        if let Some(ether_type) = front.get_mut(12..12 + start.len()) {
            ether_type.copy_from_slice(start);
        }
        assert_calm(&front);
    }
}
