//! The PowerShell scripts, where they have to agree with what is written in Rust: mslsoctl's answers
//! have the fields that the verification run reads; the package's readme names every script; the
//! trace provider has the identifier that the driver registers.
//!
//! The scripts themselves are tested by PowerShell: see `tests/scripts`.

mod ctl;

use std::fs;

use sha1::{Digest, Sha1};

fn read(folder: &str, name: &str) -> String {
    let path = format!("{}/../{folder}/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_packages_readme_names_every_script() {
    let readme = read("crates/package/src", "readme.txt");
    for folder in ["inf", "tests/vm-lab"] {
        let path = format!("{}/../{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in fs::read_dir(path).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            let name = name.to_string_lossy().into_owned();
            // Files of the module have one line for all.
            if name.ends_with(".ps1") && !name.starts_with("Mslso.") {
                assert!(readme.contains(&name), "{name}");
            }
        }
    }
    assert!(readme.contains("Mslso.*"));
}

/// The identifier of a trace provider, from its name: a UUID of version 5 with the bytes of the
/// name in UTF-16, upper case, big endian, in the name space that ETW's libraries share.
fn provider(name: &str) -> String {
    let space = 0x482C_2DB2_C390_47C8_87F8_1A15_BFC1_30FB_u128;
    let name = name.to_uppercase();
    let mut hash = Sha1::new();
    hash.update(space.to_be_bytes());
    for unit in name.encode_utf16() {
        hash.update(unit.to_be_bytes());
    }
    let hash = hash.finalize();
    let number = |at: usize, length: usize| {
        let bytes = hash[at..at + length].iter().rev();
        bytes.fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let tail: String = hash[8..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let version = number(6, 2) & 0x0FFF | 0x5000;
    let (start, end) = tail.split_at(4);
    format!(
        "{{{:08x}-{:04x}-{version:04x}-{start}-{end}}}",
        number(0, 4),
        number(4, 2)
    )
}

#[test]
fn the_trace_provider_has_the_identifier_of_its_name() {
    let line = format!("$MslsoProvider = '{}'", provider("Mslso"));
    assert!(read("inf", "Mslso.Common.ps1").contains(&line), "{line}");
}
