//! Parsing: right on every valid frame, calm on everything else.

use lso::{Headers, IpVersion, LargeSend, LsoVersion, MAX_HEADER, Refusal};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

mod common;

/// What holds of any bytes: positions in order and inside, or a refusal.
fn assert_calm(front: &[u8]) {
    let send = LargeSend {
        version: LsoVersion::V2,
        ip_version: IpVersion::V4,
        mss: 1460,
        tcp_header_offset: 34,
    };
    if let Ok(headers) = Headers::parse(front) {
        assert!(headers.ip_offset() >= 14);
        assert!(headers.tcp_offset() >= headers.ip_offset() + 20);
        assert!(headers.length() >= headers.tcp_offset() + 20);
        assert!(headers.length() as usize <= front.len().min(MAX_HEADER));
        let _ = headers.check(front, &send);
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
        prop_assert_eq!(headers.tcp_offset() as usize, frame.tcp);
        prop_assert_eq!(headers.length() as usize, frame.bytes.len());
        let send = LargeSend {
            version: LsoVersion::V2,
            ip_version: frame.version,
            mss: 1460,
            tcp_header_offset: headers.tcp_offset(),
        };
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
        edits in vec((any::<Index>(), any::<u8>()), 1..6),
        cut: Index,
    ) {
        let mut front = frame.bytes;
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
