//! The built image, judged as a file by the crate `object`: the parts that Windows' loader, code
//! integrity and control-flow guard read.

use std::collections::BTreeSet;

use control::event_log::MESSAGES;
use object::{
    LittleEndian as LE, Object, ObjectSection,
    pe::{self, ImageNtHeaders64},
    read::pe::{Import, PeFile64, ResourceDirectoryEntryData},
};
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

fn parse(bytes: &[u8]) -> PeFile64<'_> {
    PeFile64::parse(bytes).expect("a PE32+ image")
}

/// The routines in driver/src/imports.rs as `module!name`, without the panic handler's own.
fn reviewed_imports() -> BTreeSet<String> {
    let source = include_str!("../../../driver/src/imports.rs");
    let mut module = "";
    let mut imports = BTreeSet::new();
    for line in source.lines() {
        if let Some(name) = line.strip_prefix("#[link(name = \"") {
            module = name.split('"').next().expect("a closing quote");
        } else if let Some(name) = line.strip_prefix("    fn ") {
            let name = name.split('(').next().expect("a parenthesis");
            imports.insert(format!("{module}!{name}"));
        }
    }
    imports.remove("ntoskrnl.exe!KeBugCheckEx");
    imports.remove("ntoskrnl.exe!KfLowerIrql"); // Arm64
    imports
}

#[test]
fn it_imports_exactly_the_reviewed_list() {
    let bytes = image!();
    let file = parse(&bytes);
    let table = file
        .import_table()
        .expect("readable")
        .expect("an import table");
    let mut found = BTreeSet::new();
    let mut descriptors = table.descriptors().expect("readable");
    while let Some(descriptor) = descriptors.next().expect("readable") {
        let module = table.name(descriptor.name.get(LE)).expect("a name");
        let module = String::from_utf8_lossy(module);
        let mut thunks = table
            .thunks(descriptor.original_first_thunk.get(LE))
            .expect("readable");
        while let Some(thunk) = thunks.next::<ImageNtHeaders64>().expect("readable") {
            let import = table.import::<ImageNtHeaders64>(thunk).expect("readable");
            let Import::Name(_, name) = import else {
                panic!("an import by ordinal from {module}");
            };
            found.insert(format!("{module}!{}", String::from_utf8_lossy(name)));
        }
    }
    assert_eq!(found, reviewed_imports());
}

#[test]
fn nothing_in_it_can_panic() {
    // The linker would have kept the panic handler, and with it its only call.
    let bytes = image!();
    for trace in [
        "KeBugCheckEx",
        "panicked at",
        "/rustc/",
        "unwrap()",
        "__chkstk",
    ] {
        let found = bytes
            .windows(trace.len())
            .any(|window| window == trace.as_bytes());
        assert!(!found, "the image contains {trace:?}");
    }
}

#[test]
fn its_only_export_is_the_entry_point() {
    let bytes = image!();
    let file = parse(&bytes);
    let names: Vec<_> = file
        .export_table()
        .expect("readable")
        .expect("an export table")
        .exports()
        .expect("readable")
        .into_iter()
        .map(|export| String::from_utf8_lossy(export.name.expect("a name")).into_owned())
        .collect();
    assert_eq!(names, ["DriverEntry"]);
}

#[test]
fn its_headers_are_a_drivers() {
    let bytes = image!();
    let file = parse(&bytes);
    let nt = file.nt_headers();
    let optional = &nt.optional_header;
    assert_eq!(nt.file_header.machine.get(LE), pe::IMAGE_FILE_MACHINE_AMD64);
    assert_eq!(optional.subsystem.get(LE), pe::IMAGE_SUBSYSTEM_NATIVE);
    assert_eq!(optional.major_subsystem_version.get(LE), 10);
    let wanted = [
        pe::IMAGE_DLLCHARACTERISTICS_NX_COMPAT,
        pe::IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE,
        pe::IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA,
        pe::IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY,
        pe::IMAGE_DLLCHARACTERISTICS_GUARD_CF,
    ];
    let characteristics = optional.dll_characteristics.get(LE).0;
    for flag in wanted {
        assert_ne!(
            characteristics & flag.0,
            0,
            "{flag:?} in {characteristics:#x}"
        );
    }
}

#[test]
fn its_checksum_is_right() {
    let bytes = image!();
    let stored = parse(&bytes).nt_headers().optional_header.check_sum.get(LE);
    assert_eq!(stored, checksum(&bytes));
}

/// The checksum of a PE file: a 16-bit one's complement sum of all of it but the field itself,
/// plus its length (Windows documentation, "PE Format", CheckSum).
fn checksum(bytes: &[u8]) -> u32 {
    let new_header = u32::from_le_bytes(bytes[0x3C..0x40].try_into().expect("four")) as usize;
    let field = new_header + 24 + 64;
    let mut sum = 0_u32;
    for (index, word) in bytes.chunks(2).enumerate() {
        if (field..field + 4).contains(&(index * 2)) {
            continue;
        }
        sum += u32::from(word[0]) | u32::from(*word.get(1).unwrap_or(&0)) << 8;
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    (sum & 0xFFFF) + bytes.len() as u32
}

#[test]
fn no_section_is_writable_and_executable() {
    let bytes = image!();
    let file = parse(&bytes);
    for section in file.section_table().iter() {
        let flags = section.characteristics.get(LE).0;
        let (write, execute) = (pe::IMAGE_SCN_MEM_WRITE.0, pe::IMAGE_SCN_MEM_EXECUTE.0);
        assert_ne!(
            flags & (write | execute),
            write | execute,
            "{:?}",
            section.name
        );
    }
    println!("mslso.sys: {} bytes", bytes.len());
    for section in file.sections() {
        println!(
            "{:>8} {:>6} bytes",
            section.name().unwrap_or("?"),
            section.size()
        );
    }
}

#[test]
fn it_can_be_moved() {
    let bytes = image!();
    let file = parse(&bytes);
    let flags = file.nt_headers().file_header.characteristics.get(LE).0;
    assert_eq!(flags & pe::IMAGE_FILE_RELOCS_STRIPPED.0, 0);
    let sections = file.section_table();
    let blocks = file
        .data_directories()
        .relocation_blocks(bytes.as_slice(), &sections);
    assert!(blocks.expect("readable").is_some(), "a relocation table");
}

/// The 8 bytes at virtual address `va`.
fn quad_at(file: &PeFile64<'_>, bytes: &[u8], va: u64) -> u64 {
    let rva = (va - file.nt_headers().optional_header.image_base.get(LE)) as u32;
    let data = file
        .section_table()
        .pe_data_at(bytes, rva)
        .expect("within a section");
    u64::from_le_bytes(data[..8].try_into().expect("eight bytes"))
}

#[test]
fn control_flow_guard_has_what_it_needs() {
    let bytes = image!();
    let file = parse(&bytes);
    let base = file.nt_headers().optional_header.image_base.get(LE);
    let directory = file
        .data_directories()
        .get(pe::IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG)
        .expect("a load configuration");
    let config = base + u64::from(directory.virtual_address.get(LE));
    let (check, dispatch) = (config + 112, config + 120);
    for pointer in [check, dispatch] {
        let slot = quad_at(&file, &bytes, pointer);
        let routine = quad_at(&file, &bytes, slot);
        let rva = routine.checked_sub(base).expect("within the image") as u32;
        assert!(is_code(&file, rva), "a guard routine at {rva:#x}");
    }
    let (table, count) = (
        quad_at(&file, &bytes, config + 128),
        quad_at(&file, &bytes, config + 136),
    );
    // Entry, unload, and the six handlers that NDIS calls.
    assert!(count >= 8, "{count} guarded functions");
    let flags = quad_at(&file, &bytes, config + 144) as u32;
    assert_ne!(
        flags & 0x100,
        0,
        "IMAGE_GUARD_CF_INSTRUMENTED in {flags:#x}"
    );
    let stride = 4 + u64::from(flags >> 28);
    for index in 0..count {
        let rva = quad_at(&file, &bytes, table + index * stride) as u32;
        assert!(is_code(&file, rva), "guarded function at {rva:#x}");
    }
}

fn is_code(file: &PeFile64<'_>, rva: u32) -> bool {
    file.section_table().iter().any(|section| {
        let start = section.virtual_address.get(LE);
        let range = start..start + section.virtual_size.get(LE);
        range.contains(&rva) && section.characteristics.get(LE).0 & pe::IMAGE_SCN_MEM_EXECUTE.0 != 0
    })
}

#[test]
fn every_frame_is_less_than_a_page_and_none_has_a_handler() {
    let bytes = image!();
    let file = parse(&bytes);
    let base = file.nt_headers().optional_header.image_base.get(LE);
    let pdata = file.section_by_name(".pdata").expect("unwind data");
    let mut deepest = 0;
    for entry in pdata.data().expect("readable").chunks_exact(12) {
        let begin = u32::from_le_bytes(entry[..4].try_into().expect("four"));
        let info = u32::from_le_bytes(entry[8..].try_into().expect("four"));
        if begin == 0 {
            continue;
        }
        let sections = file.section_table();
        let data = sections
            .pe_data_at(bytes.as_slice(), info)
            .expect("unwind information");
        assert_eq!(
            data[0] >> 3 & 3,
            0,
            "function at {:#x} has a handler",
            base + u64::from(begin)
        );
        deepest = deepest.max(frame_size(data));
    }
    println!("deepest frame: {deepest} bytes");
    assert!(deepest > 0 && deepest < 4096);
}

/// Bytes that a function's prologue takes from the stack (Windows documentation, "x64 exception
/// handling", "Unwind operation code").
fn frame_size(unwind: &[u8]) -> u32 {
    let codes: Vec<_> = unwind[4..4 + usize::from(unwind[2]) * 2]
        .as_chunks::<2>()
        .0
        .to_vec();
    let wide = |at: usize| u32::from(u16::from_le_bytes(codes[at]));
    let (mut at, mut size) = (0, 0);
    while at < codes.len() {
        let (operation, info) = (codes[at][1] & 15, u32::from(codes[at][1] >> 4));
        let (bytes, slots) = match (operation, info) {
            (0, _) => (8, 1),
            (1, 0) => (wide(at + 1) * 8, 2),
            (1, _) => (wide(at + 1) | wide(at + 2) << 16, 3),
            (2, info) => (info * 8 + 8, 1),
            (4 | 8, _) => (0, 2),
            (5 | 9, _) => (0, 3),
            _ => (0, 1),
        };
        size += bytes;
        at += slots;
    }
    size
}

#[test]
fn its_resources_have_its_version() {
    let bytes = image!();
    let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let version = [wide("FileVersion\0"), wide(env!("CARGO_PKG_VERSION"))];
    let [key, value] = version.each_ref();
    let at = bytes
        .windows(key.len())
        .position(|window| window == key)
        .expect("FileVersion");
    let after = &bytes[at + key.len()..];
    assert!(
        after[..value.len() + 4]
            .windows(value.len())
            .any(|window| window == value)
    );
}

/// The texts of the driver's entries in the System event log, as Event Viewer looks them up:
/// MESSAGE_RESOURCE_DATA in the resource of type RT_MESSAGETABLE.
#[test]
fn it_has_the_texts_of_its_event_log_entries() {
    const RT_MESSAGETABLE: u16 = 11;
    let bytes = image!();
    let file = parse(&bytes);
    let sections = file.section_table();
    let directory = file
        .data_directories()
        .resource_directory(bytes.as_slice(), &sections)
        .expect("readable")
        .expect("resources");
    let mut level = directory.root().expect("a root");
    let data = loop {
        let entry = level
            .entries
            .iter()
            .find(|entry| {
                level.header.characteristics.get(LE) == 0
                    && (entry.name_or_id().id() == Some(RT_MESSAGETABLE)
                        || level.entries.len() == 1)
            })
            .expect("a message table");
        match entry.data(directory).expect("readable") {
            ResourceDirectoryEntryData::Table(table) => level = table,
            ResourceDirectoryEntryData::Data(data) => break data,
        }
    };
    let table = sections
        .pe_data_at(bytes.as_slice(), data.offset_to_data.get(LE))
        .expect("the table");
    let word = |at: usize| u32::from_le_bytes(table[at..at + 4].try_into().expect("four"));
    let mut found = Vec::new();
    for block in 0..word(0) as usize {
        let at = 4 + 12 * block;
        assert_eq!(word(at), word(at + 4), "a message a block");
        let entry = &table[word(at + 8) as usize..];
        let (length, unicode) = (usize::from(entry[0]) | usize::from(entry[1]) << 8, entry[2]);
        assert_eq!((length % 4, unicode, entry[3]), (0, 1, 0));
        let units: Vec<u16> = entry[4..length]
            .as_chunks::<2>()
            .0
            .iter()
            .map(|unit| u16::from_le_bytes(*unit))
            .collect();
        let text = String::from_utf16(&units).expect("UTF-16");
        let (text, rest) = text.split_once("\r\n").expect("a line");
        assert!(rest.chars().all(|rest| rest == '\0') && !rest.is_empty());
        found.push((word(at), text.to_owned()));
    }
    let expected = MESSAGES.map(|(code, text)| (code, text.to_owned()));
    assert_eq!(found, expected);
    assert!(found.is_sorted(), "they are looked up by bisection");
}
