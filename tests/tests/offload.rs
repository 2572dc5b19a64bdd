//! The one rewrite of an NDIS_OFFLOAD: what it changes, and all that it leaves alone.

use control::{Cap, Multiple, Profile, Raise, Tuning};
use filter::offload::{Malformed, limits, rewrite};
use ndis::{LargeSendLimit, LargeSendLimits};
use proptest::prelude::*;

/// Sizes of NDIS_OFFLOAD, revisions 1 to 7 (`ntddndis.h`).
const SIZES: [u16; 7] = [112, 144, 156, 176, 188, 216, 216];

const IPV4: usize = 80;
const IPV6: usize = 92;
const GRE: usize = 148;
const VXLAN: usize = 156;

fn put(offload: &mut [u8], at: usize, value: u32) {
    offload[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn get(offload: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(offload[at..at + 4].try_into().expect("four bytes"))
}

/// A configuration of `revision` that allows LSOv2 of these maxima; 0 disables a family.
fn configuration(revision: u8, ipv4: u32, ipv6: u32) -> Vec<u8> {
    let size = SIZES[usize::from(revision) - 1];
    let mut offload = vec![0; size.into()];
    offload[..2].copy_from_slice(&[0xA7, revision]);
    offload[2..4].copy_from_slice(&size.to_le_bytes());
    for (at, max) in [(IPV4, ipv4), (IPV6, ipv6)] {
        put(&mut offload, at, if max == 0 { 0 } else { 2 });
        put(&mut offload, at + 4, max);
        put(&mut offload, at + 8, 2);
    }
    for at in [GRE, VXLAN] {
        if usize::from(size) >= at + 8 {
            put(&mut offload, at, 0x0000_0222);
        }
    }
    offload
}

fn nic(ipv4: u32, ipv6: u32) -> LargeSendLimits {
    let limit = |max_payload| LargeSendLimit {
        max_payload,
        min_segments: 2,
    };
    LargeSendLimits {
        v2_ipv4: limit(ipv4),
        v2_ipv6: limit(ipv6),
        ..LargeSendLimits::default()
    }
}

fn times(multiple: u32) -> Tuning {
    Tuning {
        raise: Raise::Multiple(Multiple::new(multiple).expect("in range")),
        cap: None,
    }
}

#[test]
fn both_families_are_raised_each_on_its_own() {
    for revision in 1..=7 {
        let mut offload = configuration(revision, 62_780, 61_000);
        rewrite(&mut offload, &nic(62_780, 61_000), times(8)).expect("well formed");
        assert_eq!(get(&offload, IPV4 + 4), 502_240, "revision {revision}");
        assert_eq!(get(&offload, IPV6 + 4), 488_000, "revision {revision}");
        assert_eq!(get(&offload, IPV4 + 8), 2);
    }
}

#[test]
fn nothing_else_is_changed_but_encapsulated_lso() {
    let before = configuration(7, 62_780, 62_780);
    let mut after = before.clone();
    rewrite(&mut after, &nic(62_780, 62_780), times(16)).expect("well formed");
    assert_eq!(get(&after, GRE), 0x0000_0022);
    assert_eq!(get(&after, VXLAN), 0x0000_0022);
    let may_change = |at: usize| {
        let words = [IPV4 + 4, IPV6 + 4, GRE, VXLAN];
        words.iter().any(|word| (*word..*word + 4).contains(&at))
    };
    for (at, (was, is)) in before.iter().zip(&after).enumerate() {
        assert!(was == is || may_change(at), "byte {at}");
    }
}

#[test]
fn disabled_lso_is_not_resurrected() {
    let mut offload = configuration(5, 0, 62_780);
    // A size without an encapsulation is disabled too.
    put(&mut offload, IPV4 + 4, 62_780);
    rewrite(&mut offload, &nic(62_780, 62_780), times(4)).expect("well formed");
    assert_eq!(get(&offload, IPV4 + 4), 62_780);
    assert_eq!(get(&offload, IPV6 + 4), 251_120);
}

#[test]
fn a_family_that_the_nic_lacks_now_is_left_alone() {
    let mut offload = configuration(5, 62_780, 62_780);
    rewrite(&mut offload, &nic(0, 62_780), times(4)).expect("well formed");
    assert_eq!(get(&offload, IPV4 + 4), 62_780);
}

#[test]
fn off_changes_nothing_at_all() {
    let before = configuration(7, 62_780, 62_780);
    let mut after = before.clone();
    let off = Tuning {
        raise: Raise::Profile(Profile::Off),
        cap: None,
    };
    rewrite(&mut after, &nic(62_780, 62_780), off).expect("well formed");
    assert_eq!(after, before);
}

#[test]
fn a_cap_bounds_the_raise_and_never_lowers() {
    let capped = |bytes| Tuning {
        cap: Some(Cap::new(bytes).expect("in range")),
        ..times(16)
    };
    for (cap, expected) in [(300_000, 300_000), (10_000, 62_780)] {
        let mut offload = configuration(5, 62_780, 62_780);
        rewrite(&mut offload, &nic(62_780, 62_780), capped(cap)).expect("well formed");
        assert_eq!(get(&offload, IPV4 + 4), expected);
    }
}

#[test]
fn malformed_buffers_are_told_from_others() {
    let whole = configuration(5, 62_780, 62_780);
    for length in 0..whole.len() {
        assert_eq!(limits(&whole[..length]), Err(Malformed), "{length} bytes");
    }
    for (at, value) in [(0, 0x80), (1, 0), (2, 111), (2, 189), (3, 0xFF)] {
        let mut offload = whole.clone();
        offload[at] = value;
        let before = offload.clone();
        assert_eq!(rewrite(&mut offload, &nic(1, 1), times(2)), Err(Malformed));
        assert_eq!(offload, before);
    }
}

#[test]
fn bytes_behind_the_size_are_not_touched() {
    let mut offload = configuration(1, 62_780, 62_780);
    offload.extend([0xEE; 104]);
    rewrite(&mut offload, &nic(62_780, 62_780), times(16)).expect("well formed");
    assert!(offload[112..].iter().all(|byte| *byte == 0xEE));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn once_is_as_good_as_twice(
        mut offload in proptest::collection::vec(any::<u8>(), 0..300),
        shaped in any::<bool>(),
        nic_max in any::<(u32, u32)>(),
        multiple in 1..=16_u32,
    ) {
        if shaped && offload.len() >= 112 {
            let size = offload.len() as u16;
            offload[..2].copy_from_slice(&[0xA7, 1]);
            offload[2..4].copy_from_slice(&size.to_le_bytes());
        }
        let nic = nic(nic_max.0, nic_max.1);
        let before = limits(&offload);
        let result = rewrite(&mut offload, &nic, times(multiple));
        prop_assert_eq!(result.is_ok(), before.is_ok());
        if let (Ok(before), Ok(after)) = (before, limits(&offload)) {
            prop_assert!(after.v2_ipv4.max_payload >= before.v2_ipv4.max_payload);
            prop_assert!(after.v2_ipv6.max_payload >= before.v2_ipv6.max_payload);
            prop_assert_eq!(after.v1, before.v1);
            prop_assert_eq!(after.v2_ipv4.min_segments, before.v2_ipv4.min_segments);
        }
        let once = offload.clone();
        let _ = rewrite(&mut offload, &nic, times(multiple));
        prop_assert_eq!(offload, once);
    }
}
