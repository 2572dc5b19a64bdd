//! The seeds of `pe`: a small driver's image, and ones that are no driver's.

use loader::Fault;
use scenarios::fuzz::pe::run;

use super::Seeds;

const TARGET: &str = "pe";

/// Where the optional header is.
const OPTIONAL: usize = 0x58;
const SECTIONS: usize = OPTIONAL + 0xF0;

/// A driver's image of one page: headers, and a section with code, an import of ndis.sys and a
/// relocation.
fn driver() -> Vec<u8> {
    let mut image = vec![0; 0x280];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3C, &[0x40]);
    put(0x40, b"PE\0\0\x64\x86\x01"); // x64, one section
    put(0x54, &[0xF0, 0, 0x22, 0x20]); // length of the optional header, flags
    put(OPTIONAL, &[0x0B, 0x02]);
    put(OPTIONAL + 16, &[0, 0x10]); // the entry point
    put(OPTIONAL + 24, &[0, 0, 0, 0x40, 1]); // the preferred base
    put(OPTIONAL + 32, &[0, 0x10, 0, 0, 0x10]); // alignments
    put(OPTIONAL + 56, &[0, 0x20, 0, 0, 0x80, 1]); // lengths of image and headers
    put(OPTIONAL + 68, &[1]); // subsystem native
    put(OPTIONAL + 108, &[16]); // directories
    put(OPTIONAL + 112 + 8, &[0x10, 0x10, 0, 0, 40]); // imports
    put(OPTIONAL + 112 + 40, &[0x80, 0x10, 0, 0, 12]); // relocations
    put(
        SECTIONS,
        b".text\0\0\0\0\x01\0\0\0\x10\0\0\0\x01\0\0\x80\x01\0\0",
    );
    put(SECTIONS + 36, &[0x20, 0, 0, 0xE0]); // readable, writable, code
    // From here on, RVA 0x1000 is at 0x180.
    put(0x180, &[0xC3]);
    put(0x190, &[0x40, 0x10, 0, 0]); // names of the import
    put(0x19C, &[0x70, 0x10, 0, 0, 0x50, 0x10, 0, 0]); // the module, and addresses
    put(0x1C0, &[0x5E, 0x10]);
    put(0x1D0, &[0x5E, 0x10]);
    put(0x1E0, b"NdisGetVersion\0\0ndis.sys\0");
    put(0x1DE, &[0, 0]);
    put(0x200, &[0, 0x10, 0, 0, 12, 0, 0, 0, 0x50, 0xA0]); // 8 bytes at RVA 0x1050
    image
}

fn seeds() -> Seeds {
    let mut seeds = Seeds::new();
    let mut with = |name: &str, at: usize, bytes: &[u8]| {
        let mut image = driver();
        image[at..at + bytes.len()].copy_from_slice(bytes);
        seeds.insert(name.into(), image);
    };
    with("driver", 0, &[]);
    with("program", OPTIONAL + 68, &[3]);
    with("arm64", 0x44, &[0x64, 0xAA]);
    with("no-relocations", OPTIONAL + 112 + 40, &[0; 8]);
    with("unknown-import", 0x1E0 + 4, b"Put");
    with("signed", OPTIONAL + 112 + 32, &[0x80, 2, 0, 0, 8]);
    seeds
}

#[test]
fn the_files_match_the_code_that_makes_them() {
    super::assert_are_files(TARGET, &seeds());
}

#[test]
fn each_seed_is_accepted_or_refused_as_intended() {
    for (name, bytes) in seeds() {
        let read = run(&bytes);
        let loaded = &read.loaded;
        match name.as_str() {
            "driver" | "signed" => assert!(loaded.is_ok(), "{name}: {loaded:?}"),
            "program" => assert!(matches!(loaded, Err(Fault::NotADriver(_)))),
            "arm64" => assert!(matches!(loaded, Err(Fault::NotAnImage(_)))),
            "no-relocations" => assert!(matches!(loaded, Err(Fault::NoRelocations))),
            _ => assert!(
                matches!(loaded, Err(Fault::NoSuchImports(..))),
                "{loaded:?}"
            ),
        }
        assert_eq!(read.signed.is_err(), name == "signed", "{name}");
    }
}

#[test]
fn no_seed_and_no_input_that_was_found_is_mistaken() {
    super::replay(TARGET, |bytes| {
        let _ = run(bytes);
    });
}
