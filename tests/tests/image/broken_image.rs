//! Images with faults: one clear error each, and no code of them is run.

use loader::{Fault, Image};
use scenarios::driver::image_under_test;

/// The image, or the end of the test where there is none.
macro_rules! image {
    () => {
        match image_under_test() {
            Some(bytes) => bytes,
            None => return,
        }
    };
}

fn fault(bytes: &[u8]) -> Fault {
    match Image::from_bytes(bytes) {
        Ok(_) => panic!("the image loads"),
        Err(fault) => {
            let line = fault.to_string();
            assert!(!line.contains('\n') && line.len() > 20, "{line:?}");
            fault
        }
    }
}

/// Where data directory `index` of a PE32+ image lies.
fn directory(bytes: &[u8], index: usize) -> usize {
    let new_header = u32::from_le_bytes(bytes[0x3C..0x40].try_into().expect("four")) as usize;
    new_header + 24 + 112 + index * 8
}

/// Where the contents of the last section end in the file.
fn end_of_sections(bytes: &[u8]) -> usize {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four")) as usize;
    let new_header = word(0x3C);
    let (count, optional) = (word(new_header + 4) >> 16, word(new_header + 20) & 0xFFFF);
    let sections = (0..count).map(|number| new_header + 24 + optional + number * 40);
    let ends = sections.map(|at| word(at + 20) + word(at + 8).min(word(at + 16)));
    ends.max().expect("sections")
}

#[test]
fn all_imports_that_the_model_lacks_are_named() {
    let mut bytes = image!();
    for name in [b"NdisGetVersion\0".as_slice(), b"IoBuildPartialMdl\0"] {
        let at = bytes
            .windows(name.len())
            .position(|window| window == name)
            .expect("the import");
        bytes[at + 4..at + 7].copy_from_slice(b"Got");
    }
    let line = fault(&bytes).to_string();
    for missing in [
        "NdisGotVersion from ndis.sys",
        "IoBuGotPartialMdl from ntoskrnl.exe",
    ] {
        assert!(line.contains(missing), "{line}");
    }
}

#[test]
fn a_module_that_the_model_lacks_is_named() {
    let mut bytes = image!();
    let name = b"ndis.sys\0";
    let at = bytes
        .windows(name.len())
        .position(|window| window == name)
        .expect("the module");
    bytes[at..at + 4].copy_from_slice(b"tcip");
    let line = fault(&bytes).to_string();
    assert!(line.contains("from tcip.sys"), "{line}");
}

#[test]
fn an_image_without_relocations_is_not_moved() {
    let mut bytes = image!();
    let at = directory(&bytes, 5);
    bytes[at..at + 8].fill(0);
    assert!(matches!(fault(&bytes), Fault::NoRelocations));
}

#[test]
fn a_truncated_image_is_refused_at_every_length() {
    let bytes = image!();
    // Padding and a signature follow, without which the image still loads.
    let end = end_of_sections(&bytes);
    for length in (0..end).step_by(53).chain([end - 1]) {
        fault(&bytes[..length]);
    }
}

#[test]
fn another_processors_image_is_refused() {
    let mut bytes = image!();
    let new_header = u32::from_le_bytes(bytes[0x3C..0x40].try_into().expect("four")) as usize;
    bytes[new_header + 4..new_header + 6].copy_from_slice(&0xAA64_u16.to_le_bytes());
    assert!(matches!(fault(&bytes), Fault::NotAnImage(_)));
}

#[test]
fn an_entry_point_outside_of_code_is_refused() {
    let mut bytes = image!();
    let entry = directory(&bytes, 0) - 112 + 16;
    bytes[entry..entry + 4].copy_from_slice(&0x40_u32.to_le_bytes());
    assert!(matches!(fault(&bytes), Fault::NotADriver(_)));
}

#[test]
fn damaged_headers_never_crash_the_loader() {
    let whole = image!();
    for at in 0..0x400 {
        for value in [0x00, 0x01, 0x7F, 0xFF] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            // Any result will do, as long as there is no crash; nothing of the image is run.
            drop(Image::from_bytes(&bytes));
        }
    }
}

#[test]
fn the_error_for_a_missing_file_has_the_command_that_builds_it() {
    let Err(error) = Image::load("no-such-folder/mslso.sys") else {
        panic!("it loads");
    };
    let line = error.to_string();
    assert!(
        line.contains("cargo make sys") && line.contains("no-such-folder"),
        "{line}"
    );
}
