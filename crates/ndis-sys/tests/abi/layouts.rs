//! The raw ABI against the WDK: layouts on both architectures, and constants.
//!
//! The tables under `data` hold the values of the headers of WDK 10.0.22621 for each target. A
//! field is compared both ways, so that none can be wrong and a missing one is reported.

use super::table::{AbiTable, ConstantTable};
use ndis_sys::{self as sys, CONSTANTS, LAYOUTS};

/// Parts of a structure that Rust carries as words and doesn't look into. A star stands for every
/// member that has no layout of its own.
const CARRIED_AS_A_WORD: &[&str] = &[
    "IO_STACK_LOCATION.Parameters.*",
    "IRP.Overlay",
    "NDIS_IPSEC_OFFLOAD_V1.IPv4AH",
    "NDIS_IPSEC_OFFLOAD_V1.IPv4ESP",
    "NET_LUID.Info",
];

#[test]
fn every_layout_is_that_of_x64() {
    assert_agrees(include_str!("data/abi-x64.json"));
}

#[test]
fn every_layout_is_that_of_arm64() {
    assert_agrees(include_str!("data/abi-arm64.json"));
}

fn assert_agrees(json: &str) {
    let table = AbiTable::parse(json);
    let differences: Vec<String> = LAYOUTS
        .iter()
        .flat_map(|layout| table.differences(layout, CARRIED_AS_A_WORD))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_structure_of_the_tables_is_defined() {
    let table = AbiTable::parse(include_str!("data/abi-x64.json"));
    for name in table.structs.keys() {
        let defined = LAYOUTS
            .iter()
            .any(|layout| layout.c_names.contains(&name.as_str()));
        assert!(defined, "{name} has no layout");
    }
}

#[test]
fn every_constant_is_that_of_the_headers() {
    let table = ConstantTable::parse(include_str!("data/constants.json"));
    for (name, value) in CONSTANTS {
        assert_eq!(Some(*value), table.value(name), "{name}");
    }
}

#[test]
fn a_wrong_layout_is_noticed() {
    let table = AbiTable::parse(include_str!("data/abi-x64.json"));
    let mdl = *LAYOUTS.iter().find(|layout| layout.name == "MDL").unwrap();

    let grown = sys::Layout { size: 56, ..mdl };
    assert_eq!(table.differences(&grown, &[]), ["MDL: size 56, in C 48"]);

    let field_lost = sys::Layout {
        fields: &mdl.fields[1..],
        ..mdl
    };
    assert_eq!(
        table.differences(&field_lost, &[]),
        ["MDL.Next: no field of Rust's is on bytes 0..8"]
    );

    let mut moved = mdl.fields.to_vec();
    moved[1].offset = 12;
    let field_moved = sys::Layout {
        fields: moved.leak(),
        ..mdl
    };
    assert_eq!(
        table.differences(&field_moved, &[]),
        ["MDL.Size: bytes 12..14, in C 8..10"]
    );
}

/// The bits inside a word, which the tables lack, against words spelled out by hand.
#[test]
fn bits_are_where_the_headers_put_them() {
    const LSO: u32 = {
        let word = sys::LSO_MSS.with(0, 1460);
        let word = sys::LSO_TCP_HEADER_OFFSET.with(word, 54);
        let word = sys::LSO_TYPE.with(word, sys::NDIS_TCP_LARGE_SEND_OFFLOAD_V2_TYPE);
        sys::LSO_IP_VERSION.with(word, sys::NDIS_TCP_LARGE_SEND_OFFLOAD_IPv6)
    };
    assert_eq!(LSO, 0xc360_05b4);
    const { assert!(sys::LSO_MSS.get(LSO) == 1460) };
    const { assert!(sys::LSO_TCP_HEADER_OFFSET.get(LSO) == 54) };

    const CHECKSUM: u32 = {
        let word = sys::CHECKSUM_IS_IPV4.with(0, 1);
        let word = sys::CHECKSUM_TCP.with(word, 1);
        let word = sys::CHECKSUM_IP_HEADER.with(word, 1);
        sys::CHECKSUM_TCP_HEADER_OFFSET.with(word, 34)
    };
    assert_eq!(CHECKSUM, 0x0022_0015);

    const TAG: u32 = {
        let word = sys::IEEE8021Q_USER_PRIORITY.with(0, 5);
        sys::IEEE8021Q_VLAN_ID.with(word, 0xabc)
    };
    assert_eq!(TAG, 0x0000_abc5);

    const USO: u32 = {
        let word = sys::USO_MSS.with(0, 1472);
        let word = sys::USO_UDP_HEADER_OFFSET.with(word, 54);
        sys::USO_IP_VERSION.with(word, sys::NDIS_UDP_SEGMENTATION_OFFLOAD_IPV6)
    };
    assert_eq!(USO, 0x8360_05c0);

    const SUPPLEMENTAL: u32 = {
        let word = sys::SUPPLEMENTAL_IS_ENCAPSULATED_PACKET.with(0, 1);
        let word = sys::SUPPLEMENTAL_OFFSETS_VALID.with(word, 1);
        let word = sys::SUPPLEMENTAL_INNER_FRAME_OFFSET.with(word, 50);
        let word = sys::SUPPLEMENTAL_TRANSPORT_IP_HEADER_RELATIVE_OFFSET.with(word, 14);
        let word = sys::SUPPLEMENTAL_TCP_HEADER_RELATIVE_OFFSET.with(word, 40);
        let word = sys::SUPPLEMENTAL_IS_INNER_IPV6.with(word, 1);
        sys::SUPPLEMENTAL_TCP_OPTIONS_PRESENT.with(word, 1)
    };
    assert_eq!(SUPPLEMENTAL, 0x0c28_38cb);

    const TOO_LARGE: u32 = sys::LSO_MSS.with(0, u32::MAX);
    assert_eq!(TOO_LARGE, 0x000f_ffff);
}
