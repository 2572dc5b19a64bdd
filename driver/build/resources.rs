//! The resources: the version, which Explorer, `Get-Item` and the debugger show, and the messages of
//! the event log.
//!
//! Format: Windows documentation, "Resource File Formats" for the `.res` file and "Version
//! Information" for VS_VERSIONINFO. No resource compiler is needed, so Linux builds it as well.

use std::env;

use crate::messages;

const RT_MESSAGETABLE: u16 = 11;
const RT_VERSION: u16 = 16;
const LANGUAGE_US_ENGLISH: u16 = 0x0409;
const CODE_PAGE_UTF16: u16 = 1200;
const SIGNATURE: u32 = 0xFEEF_04BD;
const VOS_NT_WINDOWS32: u32 = 0x0004_0004;
const VFT_DRV: u32 = 3;
const VFT2_DRV_NETWORK: u32 = 6;

/// A `.res` file with this package's resources.
pub fn file() -> Vec<u8> {
    let version = version_info();
    let mut file = entry(0, 0, 0, &[]);
    let messages = messages::table();
    file.extend(entry(RT_MESSAGETABLE, 1, LANGUAGE_US_ENGLISH, &messages));
    file.extend(entry(RT_VERSION, 1, LANGUAGE_US_ENGLISH, &version));
    file
}

/// One resource: a header, then the data, padded to 4 bytes. Every file starts with an empty one.
fn entry(kind: u16, name: u16, language: u16, data: &[u8]) -> Vec<u8> {
    let mut entry = Vec::new();
    entry.extend((data.len() as u32).to_le_bytes());
    entry.extend(32_u32.to_le_bytes());
    for ordinal in [kind, name] {
        entry.extend(0xFFFF_u16.to_le_bytes());
        entry.extend(ordinal.to_le_bytes());
    }
    entry.extend(0_u32.to_le_bytes()); // data version
    entry.extend(0_u16.to_le_bytes()); // memory flags, unused since Windows 3
    entry.extend(language.to_le_bytes());
    entry.extend([0; 8]); // version and characteristics
    entry.extend(data);
    pad(&mut entry);
    entry
}

fn version_info() -> Vec<u8> {
    let number = |part: &str| -> u16 {
        let value = env::var(format!("CARGO_PKG_VERSION_{part}")).unwrap_or_default();
        value.parse().expect("a version part below 65,536")
    };
    let (major, minor, patch) = (number("MAJOR"), number("MINOR"), number("PATCH"));
    let (high, low) = (
        u32::from(major) << 16 | u32::from(minor),
        u32::from(patch) << 16,
    );
    let fixed: Vec<u8> = [
        SIGNATURE,
        1 << 16,
        high,
        low,
        high,
        low,
        0x3F,
        0,
        VOS_NT_WINDOWS32,
        VFT_DRV,
        VFT2_DRV_NETWORK,
        0,
        0,
    ]
    .into_iter()
    .flat_map(u32::to_le_bytes)
    .collect();
    let language: Vec<u8> = [LANGUAGE_US_ENGLISH, CODE_PAGE_UTF16]
        .into_iter()
        .flat_map(u16::to_le_bytes)
        .collect();
    let translation = block("Translation", &language, false, &[]);
    let children = [
        block("StringFileInfo", &[], true, &[strings()]),
        block("VarFileInfo", &[], true, &[translation]),
    ];
    block("VS_VERSION_INFO", &fixed, false, &children)
}

fn strings() -> Vec<u8> {
    let package = |name: &str| env::var(format!("CARGO_PKG_{name}")).unwrap_or_default();
    let version = package("VERSION");
    let text = |key: &str, value: &str| {
        let wide: Vec<u8> = wide(value);
        block(key, &wide, true, &[])
    };
    let table = [
        text("CompanyName", "The mslso authors"),
        text("FileDescription", &package("DESCRIPTION")),
        text("FileVersion", &version),
        text("InternalName", "mslso.sys"),
        text(
            "LegalCopyright",
            &format!("Licence: {}", package("LICENSE")),
        ),
        text("OriginalFilename", "mslso.sys"),
        text("ProductName", "mslso"),
        text("ProductVersion", &version),
    ];
    block("040904B0", &[], true, &table)
}

/// A node of the version tree: length, length of value, type, key, value, children.
fn block(key: &str, value: &[u8], text: bool, children: &[Vec<u8>]) -> Vec<u8> {
    let mut block = vec![0; 2];
    let length = if text { value.len() / 2 } else { value.len() };
    block.extend((length as u16).to_le_bytes());
    block.extend(u16::from(text).to_le_bytes());
    block.extend(wide(key));
    pad(&mut block);
    block.extend(value);
    for child in children {
        pad(&mut block);
        block.extend(child);
    }
    let length = u16::try_from(block.len()).expect("a short resource");
    block[..2].copy_from_slice(&length.to_le_bytes());
    block
}

/// UTF-16 with a terminating zero.
fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect()
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}
