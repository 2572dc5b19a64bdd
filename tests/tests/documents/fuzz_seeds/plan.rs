//! The seeds of `plan`: large sends of every kind, for NICs that take all of it, some, or none.

use lso::Refusal;
use reference::{Kind, Layers, layers};
use scenarios::fuzz::plan::run;
use testpkt::synth::{IpVersion, Synth, Transport, Tunnel};

use super::Seeds;

const TARGET: &str = "plan";

/// The input besides the front: see `scenarios::fuzz::plan`.
#[derive(Clone, Copy, Default)]
struct Nic {
    max_payload: u32,
    min_segments: u16,
    whole: bool,
    offloaded: bool,
    short_ids: bool,
}

const NICS: [(&str, Nic); 3] = [
    (
        "all",
        Nic {
            max_payload: 10_000,
            min_segments: 2,
            whole: false,
            offloaded: true,
            short_ids: false,
        },
    ),
    (
        "choosy",
        Nic {
            max_payload: 11_000,
            min_segments: 4,
            whole: true,
            offloaded: false,
            short_ids: true,
        },
    ),
    (
        "none",
        Nic {
            max_payload: 0,
            min_segments: 0,
            whole: false,
            offloaded: false,
            short_ids: false,
        },
    ),
];

fn seed(nic: Nic, synth: &Synth, v1: bool) -> Vec<u8> {
    let frame = synth.frame(v1);
    let Layers {
        tunnel,
        ip,
        transport,
        payload,
        ..
    } = layers(&frame, synth.kind()).expect("a large send");
    let flags = [
        v1,
        synth.transport == Transport::Udp,
        synth.ip == IpVersion::V6,
        nic.whole,
        nic.offloaded,
        nic.short_ids,
        synth.kind() == Kind::Encapsulated,
    ];
    let flags = flags
        .into_iter()
        .rev()
        .fold(0_u16, |bits, flag| bits << 1 | u16::from(flag));
    let offsets = [tunnel.map_or(0, |tunnel| tunnel.inner), ip, transport];
    [
        &flags.to_le_bytes()[..],
        &synth.mss.to_le_bytes(),
        &nic.max_payload.to_le_bytes(),
        &nic.min_segments.to_le_bytes(),
        &synth.payload.to_le_bytes(),
        &offsets.map(|at| (at as u16).to_le_bytes()).concat(),
        &frame[..payload],
    ]
    .concat()
}

fn kinds() -> Vec<(&'static str, Synth)> {
    let v6 = Synth::v6(30_000, 1428);
    vec![
        ("lsov2-ipv4", Synth::v4(40_000, 1448)),
        ("lsov2-ipv6", v6.clone()),
        ("tagged", Synth::v4(20_000, 1000).vlan(&[7, 8])),
        ("options", Synth::v4(20_000, 1000).ip_options(&[1, 1, 1])),
        ("extensions", v6.extension(60, &[0, 0, 1, 4, 0, 0, 0, 0])),
        ("uso-ipv4", Synth::udp_v4(20_001, 1472)),
        ("uso-ipv6", Synth::udp_v6(20_000, 1000).udp_checksum(false)),
        (
            "vxlan-ipv4",
            Synth::v4(20_000, 1350).inside(Tunnel::vxlan_v4()),
        ),
        (
            "vxlan-ipv6",
            Synth::v4(20_000, 1350).inside(Tunnel::vxlan_v6()),
        ),
        (
            "nvgre-ipv4",
            Synth::v6(20_000, 1350).inside(Tunnel::nvgre_v4()),
        ),
        (
            "nvgre-ipv6",
            Synth::v4(20_000, 1350).inside(Tunnel::nvgre_v6()),
        ),
    ]
}

fn seeds() -> Seeds {
    let mut seeds = Seeds::new();
    for (name, nic) in NICS {
        for (kind, synth) in kinds() {
            seeds.insert(format!("{name}-{kind}"), seed(nic, &synth, false));
        }
        seeds.insert(
            format!("{name}-lsov1"),
            seed(nic, &Synth::v4(40_000, 1448), true),
        );
    }
    // Many children, of which only some are looked at.
    seeds.insert(
        "many".into(),
        seed(NICS[0].1, &Synth::v4(40_000_000, 1448), false),
    );
    seeds
}

#[test]
fn the_files_match_the_code_that_makes_them() {
    super::assert_are_files(TARGET, &seeds());
}

#[test]
fn the_seeds_are_cut_as_the_reference_does() {
    for (name, bytes) in seeds() {
        let packets = run(&bytes);
        match name.as_str() {
            "many" => assert_eq!(packets, Ok(0)),
            _ => assert!(
                packets.is_ok_and(|count| count >= 14),
                "{name}: {packets:?}"
            ),
        }
    }
}

#[test]
fn a_seed_that_ends_early_is_refused() {
    for (name, bytes) in seeds() {
        let cut = run(&bytes[..bytes.len() - 1]);
        assert_eq!(cut, Err(Refusal::HeaderNotContiguous), "{name}");
    }
}

#[test]
fn no_seed_and_no_input_that_was_found_is_cut_otherwise() {
    super::replay(TARGET, |bytes| {
        let _ = run(bytes);
    });
}
