//! The PowerShell scripts, as syntax trees.
//!
//! These tests prove that the scripts parse by a grammar of PowerShell which is not PowerShell's
//! own; that the checks below find none of the mistakes that they look for, and each finds one that
//! is made on purpose; that mslsoctl's answers have the fields that the verification run reads.
//!
//! They do not prove that a script does what its text promises. The scripts were not read by
//! PowerShell, none has run on Windows, and no argument has been bound: whether parameters go
//! together, the types they convert to and the meaning of a program's exit code are read from
//! references alone.

mod breakages;
mod checks;
mod cmdlets;
mod confirmation;
mod ctl;
mod syntax;

use std::fs;

use sha1::{Digest, Sha1};
use syntax::Script;

/// Every script and module, with the folder it is in.
const FILES: [(&str, &str); 8] = [
    ("inf", "Install-Mslso.ps1"),
    ("inf", "Mslso.Common.psm1"),
    ("inf", "Set-TestSigning.ps1"),
    ("inf", "Uninstall-Mslso.ps1"),
    ("tests/vm-lab", "Invoke-Verification.ps1"),
    ("tests/vm-lab", "New-VmLab.ps1"),
    ("tests/vm-lab", "Remove-VmLab.ps1"),
    ("tests/vm-lab", "Set-Verifier.ps1"),
];

fn read(folder: &str, name: &str) -> String {
    let path = format!("{}/../{folder}/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All scripts.
fn scripts() -> Vec<Script> {
    let parse = |&(folder, name)| Script::parse(name, read(folder, name));
    FILES.iter().map(parse).collect()
}

#[test]
fn every_check_holds() {
    let scripts = scripts();
    let found = checks::ALL.iter().flat_map(|check| (check.run)(&scripts));
    let found: Vec<_> = found.collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_script_is_checked() {
    let mut found = Vec::new();
    for folder in ["inf", "tests/vm-lab"] {
        let path = format!("{}/../{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in fs::read_dir(path).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            let name = name.to_string_lossy().into_owned();
            if name.ends_with(".ps1") || name.ends_with(".psm1") {
                found.push((folder, name));
            }
        }
    }
    found.sort();
    let listed = FILES.map(|(folder, name)| (folder, name.to_owned()));
    assert_eq!(found, listed);
}

#[test]
fn the_packages_readme_names_every_script() {
    let readme = read("crates/package/src", "readme.txt");
    for (_, name) in FILES {
        assert!(readme.contains(name), "{name}");
    }
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
    assert!(read("inf", "Mslso.Common.psm1").contains(&line), "{line}");
}
