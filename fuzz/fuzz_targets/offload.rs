//! Any bytes as an NDIS_OFFLOAD: the rewrite never panics, is idempotent, and never lowers.
#![no_main]

use control::{Multiple, Raise, Tuning};
use filter::offload::{limits, rewrite};
use libfuzzer_sys::fuzz_target;
use ndis::{LargeSendLimit, LargeSendLimits};

fuzz_target!(|input: (u8, u32, u32, Vec<u8>)| {
    let (multiple, ipv4, ipv6, mut offload) = input;
    let limit = |max_payload| LargeSendLimit {
        max_payload,
        min_segments: 2,
    };
    let nic = LargeSendLimits {
        v2_ipv4: limit(ipv4),
        v2_ipv6: limit(ipv6),
        ..LargeSendLimits::default()
    };
    let multiple = Multiple::new(u32::from(multiple % 16) + 1).expect("in range");
    let tuning = Tuning {
        raise: Raise::Multiple(multiple),
        cap: None,
    };
    let before = offload.clone();
    let said = limits(&offload);
    if rewrite(&mut offload, &nic, tuning).is_err() {
        assert!(said.is_err());
        assert_eq!(offload, before);
        return;
    }
    let (said, says) = (said.expect("well formed"), limits(&offload).expect("still"));
    assert!(says.v2_ipv4.max_payload >= said.v2_ipv4.max_payload);
    assert!(says.v2_ipv6.max_payload >= said.v2_ipv6.max_payload);
    assert_eq!(offload[..4], before[..4]);
    let once = offload.clone();
    rewrite(&mut offload, &nic, tuning).expect("well formed as before");
    assert_eq!(offload, once);
});
