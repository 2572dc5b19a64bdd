//! Completeness of the raw ABI's comparison: every structure and field in the source has a row.

use std::{collections::BTreeSet, fs, path::Path};

use ndis_sys::{self as sys, LAYOUTS};

/// Structures of the crate that are no part of the ABI.
const OUR_OWN: &[&str] = &["Field", "Layout", "BitField"];

/// Constants that the tables don't have, with their values as read from the headers `ndis/nbl.h`,
/// `ndis/nblapi.h`, `ndis/nbluso.h`, `ndis.h`, `ntddndis.h`, `miniport.h`, `wdm.h` and
/// `ntstatus.h`, in the form of the source; the address length is the width that the table gives for
/// `CurrentMacAddress`.
const NOT_IN_THE_TABLES: &[(&str, &str)] = &[
    ("NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1", "1"),
    ("NET_BUFFER_POOL_PARAMETERS_REVISION_1", "1"),
    ("NET_PNP_EVENT_NOTIFICATION_REVISION_2", "2"),
    ("NDIS_MAX_PHYS_ADDRESS_LENGTH", "32"),
    ("NDIS_UDP_SEGMENTATION_OFFLOAD_IPV4", "0"),
    ("NDIS_UDP_SEGMENTATION_OFFLOAD_IPV6", "1"),
    ("NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_INNER_IPV4", "1"),
    ("NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_OUTER_IPV4", "2"),
    ("NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_INNER_IPV6", "4"),
    ("NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_OUTER_IPV6", "8"),
    ("ALL_PROCESSOR_GROUPS", "0xffff"),
    ("NDIS_STATUS_L2_MTU_SIZE_CHANGE", "0x4002_00b1"),
    ("ERROR_LOG_MAXIMUM_SIZE", "240"),
    ("STATUS_NOT_FOUND", "code(0xc000_0225)"),
    ("STATUS_TIMEOUT", "0x0000_0102"),
    ("STATUS_REVISION_MISMATCH", "code(0xc000_0059)"),
];

#[test]
fn every_constant_outside_the_tables_is_known_here() {
    let source = source();
    let written: BTreeSet<_> = source.lines().filter_map(constant).collect();
    assert_eq!(written, NOT_IN_THE_TABLES.iter().copied().collect());
}

#[test]
fn every_field_of_every_structure_has_a_row() {
    let rows: BTreeSet<(&str, &str)> = LAYOUTS
        .iter()
        .flat_map(|layout| layout.fields.iter().map(|field| (layout.name, field.name)))
        .collect();
    let source = source();
    let written = fields_in(&source);
    assert!(!written.is_empty());
    let without: Vec<_> = written.difference(&rows).collect();
    assert!(without.is_empty(), "without a row: {without:?}");
}

#[test]
fn no_constant_and_no_structure_is_listed_twice() {
    let structures = LAYOUTS.iter().map(|layout| layout.name);
    let constants = sys::CONSTANTS.iter().map(|(name, _)| *name);
    let mut seen = BTreeSet::new();
    for name in structures.chain(constants) {
        assert!(seen.insert(name), "{name} is listed twice");
    }
}

fn source() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = fs::read_dir(folder).expect("the crate's sources");
    files
        .map(|file| fs::read_to_string(file.expect("a file").path()).expect("readable source"))
        .collect()
}

/// Structure and field of every `pub` field in formatted source, padding aside.
fn fields_in(source: &str) -> BTreeSet<(&str, &str)> {
    let mut owner = None;
    let mut fields = BTreeSet::new();
    for line in source.lines() {
        if let Some(name) = opened(line) {
            owner = Some(name).filter(|name| !OUR_OWN.contains(name));
        } else if line == "}" {
            owner = None;
        } else if let (Some(owner), Some(field)) = (owner, field(line)) {
            fields.insert((owner, field));
        }
    }
    fields
}

/// The name of the structure or union whose definition starts on this line.
fn opened(line: &str) -> Option<&str> {
    let definition = line.strip_prefix("pub ")?;
    let named = definition
        .strip_prefix("struct ")
        .or_else(|| definition.strip_prefix("union "))?;
    named.strip_suffix(" {")
}

fn field(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix("    pub ")?.split_once(": ")?;
    (!name.starts_with('_')).then_some(name)
}

/// The constant that this line defines outside a `constants!` table, bit-fields aside, and its value.
fn constant(line: &str) -> Option<(&str, &str)> {
    let (name, definition) = line.strip_prefix("pub const ")?.split_once(": ")?;
    let ours = definition.starts_with("BitField") || ["LAYOUTS", "CONSTANTS"].contains(&name);
    let (_, value) = definition.strip_suffix(';')?.split_once(" = ")?;
    (!ours).then_some((name, value))
}
