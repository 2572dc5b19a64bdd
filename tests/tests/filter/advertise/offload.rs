//! The one rewrite of an NDIS_OFFLOAD: the fields that it changes, and all those that it leaves
//! alone.

use control::{Cap, Multiple, Profile, Raise, Tuning};
use filter::{
    nic_caps::{LargeSendSupport, NicCaps, TunnelIp, Variations},
    offload::{SOFTWARE_LSO_MAX, SoftwareLso},
};
use lso::IpVersion;
use ndis::{Malformed, OffloadConfig};
use proptest::prelude::*;

/// Sizes of NDIS_OFFLOAD, revisions 1 to 7 (`ntddndis.h`).
const SIZES: [u16; 7] = [112, 144, 156, 176, 188, 216, 216];

const LSO_V1: usize = 36;
const IPV4: usize = 80;
const IPV6: usize = 92;
const GRE: usize = 148;
const VXLAN: usize = 156;
const USO_IPV4: usize = 188;
const USO_IPV6: usize = 200;

fn put(offload: &mut [u8], at: usize, value: u32) {
    offload[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn get(offload: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(offload[at..at + 4].try_into().expect("four bytes"))
}

/// A configuration of `revision` that allows LSOv2 of these maxima; 0 disables an IP version.
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

fn nic(ipv4: u32, ipv6: u32) -> NicCaps {
    let support = |max_payload| LargeSendSupport {
        max_payload,
        min_segments: 2,
        ..LargeSendSupport::default()
    };
    NicCaps {
        lso_v2_ipv4: support(ipv4),
        lso_v2_ipv6: support(ipv6),
        ..NicCaps::default()
    }
}

/// The rewrite, in place.
fn rewrite_with(
    offload: &mut [u8],
    nic: &NicCaps,
    tuning: Tuning,
    software: SoftwareLso,
) -> Result<(), Malformed> {
    let mut config = OffloadConfig::copy_from(offload)?;
    filter::offload::rewrite(&mut config, nic, tuning, software);
    config.copy_to(offload);
    Ok(())
}

/// The rewrite without anything in software.
fn rewrite(offload: &mut [u8], nic: &NicCaps, tuning: Tuning) -> Result<(), Malformed> {
    rewrite_with(offload, nic, tuning, SoftwareLso::default())
}

/// The capabilities in `offload`.
fn capabilities(offload: &[u8]) -> Result<NicCaps, Malformed> {
    OffloadConfig::copy_from(offload).map(|config| NicCaps::from(&config))
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

/// Checks that `before` and `after` differ only in the words at `places`.
#[track_caller]
fn assert_same_but(before: &[u8], after: &[u8], places: &[usize]) {
    for (at, (was, is)) in before.iter().zip(after).enumerate() {
        let may_change = places.iter().any(|word| (*word..*word + 4).contains(&at));
        assert!(was == is || may_change, "byte {at}");
    }
}

#[test]
fn nothing_else_is_changed_nor_the_tunnels() {
    let before = configuration(7, 62_780, 62_780);
    let mut after = before.clone();
    rewrite(&mut after, &nic(62_780, 62_780), times(16)).expect("well formed");
    assert_same_but(&before, &after, &[IPV4 + 4, IPV6 + 4]);
}

#[test]
fn uso_is_raised_where_the_revision_has_it() {
    for revision in 1..=7 {
        let mut before = configuration(revision, 62_780, 62_780);
        if revision >= 6 {
            for (at, max) in [(USO_IPV4, 60_000), (USO_IPV6, 61_000)] {
                put(&mut before, at, 2);
                put(&mut before, at + 4, max);
                put(&mut before, at + 8, 2 | 1 << 6);
            }
        }
        let uso = |max_payload| LargeSendSupport {
            max_payload,
            ..LargeSendSupport::default()
        };
        let nic = NicCaps {
            uso_ipv4: uso(60_000),
            uso_ipv6: uso(61_000),
            ..nic(0, 0)
        };
        let mut after = before.clone();
        rewrite(&mut after, &nic, times(4)).expect("well formed");
        assert_same_but(&before, &after, &[USO_IPV4 + 4, USO_IPV6 + 4]);
        if revision >= 6 {
            assert_eq!(get(&after, USO_IPV4 + 4), 240_000);
            assert_eq!(get(&after, USO_IPV6 + 4), 244_000);
            let advertised = capabilities(&after).expect("well formed").uso_ipv4;
            assert_eq!(
                (advertised.max_payload, advertised.min_segments),
                (240_000, 2)
            );
            assert!(advertised.variations.contains(Variations::SHORT_FINAL));
        }
    }
}

#[test]
fn lso_in_software_fills_in_for_the_nics() {
    let software = SoftwareLso {
        ipv4: true,
        ipv6: true,
    };
    let before = configuration(7, 0, 61_000);
    let mut after = before.clone();
    let nic = nic(0, 61_000);
    rewrite_with(&mut after, &nic, times(8), software).expect("well formed");
    assert_same_but(&before, &after, &[IPV4, IPV4 + 4, IPV4 + 8, IPV6 + 4]);
    let advertised = capabilities(&after).expect("well formed");
    assert_eq!(advertised.lso_v2_ipv4.max_payload, 8 * SOFTWARE_LSO_MAX);
    assert_eq!(advertised.lso_v2_ipv4.min_segments, 2);
    assert_eq!(advertised.lso_v2_ipv6.max_payload, 488_000);
    let once = after.clone();
    rewrite_with(&mut after, &nic, times(8), software).expect("well formed");
    assert_eq!(after, once);
}

/// Found by chaos: an answer that reports the hardware capabilities, while the NIC has them turned
/// off.
#[test]
fn lso_in_software_does_not_replace_the_hardwares() {
    let software = SoftwareLso {
        ipv4: true,
        ipv6: true,
    };
    let mut hardware = configuration(7, 1, 20_000);
    put(&mut hardware, IPV4 + 8, 0);
    let before = hardware.clone();
    rewrite_with(&mut hardware, &nic(0, 0), times(8), software).expect("well formed");
    assert_eq!(hardware, before);
}

#[test]
fn in_software_every_option_may_be_sent() {
    let mut offload = configuration(5, 62_780, 0);
    let software = SoftwareLso {
        ipv4: false,
        ipv6: true,
    };
    let nic = nic(62_780, 0);
    rewrite_with(&mut offload, &nic, times(2), software).expect("well formed");
    let advertised = capabilities(&offload).expect("well formed").lso_v2_ipv6;
    assert_eq!(advertised.variations, Variations::ALL);
    assert_eq!(advertised.max_payload, 2 * SOFTWARE_LSO_MAX);
}

#[test]
fn disabled_lso_is_not_resurrected() {
    // A size without an encapsulation is disabled, and so is the opposite.
    for (at, value) in [(IPV4 + 4, 62_780), (IPV4, 2)] {
        let mut offload = configuration(5, 0, 62_780);
        put(&mut offload, at, value);
        let before = offload.clone();
        rewrite(&mut offload, &nic(62_780, 62_780), times(4)).expect("well formed");
        assert_same_but(&before, &offload, &[IPV6 + 4]);
        assert_eq!(get(&offload, IPV6 + 4), 251_120);
    }
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

/// The places of the five kinds of large send: of each the encapsulation, then the maximum.
const KINDS: [usize; 5] = [LSO_V1, IPV4, IPV6, USO_IPV4, USO_IPV6];

/// A configuration of `revision` with this maximum of every kind, and a word behind it.
fn of_all_kinds(revision: u8, max: u32, behind: u32) -> Vec<u8> {
    let mut offload = configuration(revision, 0, 0);
    let length = offload.len();
    for at in KINDS.into_iter().filter(|at| at + 12 <= length) {
        for (word, value) in [2, max, behind].into_iter().enumerate() {
            put(&mut offload, at + 4 * word, value);
        }
    }
    offload
}

/// `offload`, lowered to `answer`.
fn lowered(mut offload: Vec<u8>, answer: &[u8]) -> Vec<u8> {
    let mut config = OffloadConfig::copy_from(&offload).expect("well formed");
    let answer = OffloadConfig::copy_from(answer).expect("well formed");
    filter::offload::lower(&mut config, &answer);
    config.copy_to(&mut offload);
    offload
}

#[test]
fn an_answer_lowers_each_kind_on_its_own_and_takes_all_of_it() {
    let before = of_all_kinds(7, 62_780, 2);
    for at in KINDS {
        for max in [0, 62_779, 62_780, 62_781] {
            let mut answer = of_all_kinds(7, 62_780, 3);
            put(&mut answer, at + 4, max);
            let mut expected = before.clone();
            if max < 62_780 {
                put(&mut expected, at + 4, max);
                put(&mut expected, at + 8, 3);
            }
            assert_eq!(lowered(before.clone(), &answer), expected, "{at}: {max}");
        }
    }
}

#[test]
fn an_answer_of_an_older_revision_lowers_no_uso() {
    let after = lowered(of_all_kinds(7, 62_780, 2), &of_all_kinds(5, 40_000, 2));
    let maxima = KINDS.map(|at| get(&after, at + 4));
    assert_eq!(maxima, [40_000, 40_000, 40_000, 62_780, 62_780]);
}

#[test]
fn malformed_buffers_are_refused() {
    let whole = configuration(5, 62_780, 62_780);
    for length in 0..whole.len() {
        assert_eq!(
            capabilities(&whole[..length]),
            Err(Malformed),
            "{length} bytes"
        );
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
        let before = capabilities(&offload);
        let result = rewrite(&mut offload, &nic, times(multiple));
        prop_assert_eq!(result.is_ok(), before.is_ok());
        if let (Ok(before), Ok(after)) = (before, capabilities(&offload)) {
            prop_assert!(after.lso_v2_ipv4.max_payload >= before.lso_v2_ipv4.max_payload);
            prop_assert!(after.lso_v2_ipv6.max_payload >= before.lso_v2_ipv6.max_payload);
            prop_assert_eq!(after.lso_v1, before.lso_v1);
            prop_assert_eq!(after.lso_v2_ipv4.min_segments, before.lso_v2_ipv4.min_segments);
        }
        let once = offload.clone();
        let _ = rewrite(&mut offload, &nic, times(multiple));
        prop_assert_eq!(offload, once);
    }
}

#[test]
fn a_tunnel_offload_needs_both_headers() {
    let (inner_v4, outer_v4, inner_v6, outer_v6) = (1, 2, 4, 8);
    for (bits, covered) in [
        (0, [false; 4]),
        (inner_v4, [false; 4]),
        (inner_v4 | outer_v4, [true, false, false, false]),
        (inner_v6 | outer_v4, [false, true, false, false]),
        (inner_v4 | outer_v6, [false, false, true, false]),
        (inner_v6 | outer_v6, [false, false, false, true]),
        (0xf, [true; 4]),
    ] {
        let ip = TunnelIp::from_bits(bits);
        let (v4, v6) = (IpVersion::V4, IpVersion::V6);
        let found =
            [(v4, v4), (v4, v6), (v6, v4), (v6, v6)].map(|(outer, inner)| ip.covers(outer, inner));
        assert_eq!(found, covered, "{bits:#x}");
    }
}
