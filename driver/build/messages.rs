//! The message table, from which Event Viewer takes the texts of the driver's entries in the System
//! event log.
//!
//! Format: Windows documentation, MESSAGE_RESOURCE_DATA, MESSAGE_RESOURCE_BLOCK and
//! MESSAGE_RESOURCE_ENTRY.

use control::event_log::MESSAGES;

/// MESSAGE_RESOURCE_UNICODE.
const UNICODE: u16 = 1;

/// The resource's data: a block for each message, since their codes need not be consecutive.
pub fn table() -> Vec<u8> {
    let count = u32::try_from(MESSAGES.len()).expect("a few messages");
    let mut blocks = count.to_le_bytes().to_vec();
    let mut entries = Vec::new();
    let start = 4 + 12 * MESSAGES.len();
    for (code, text) in MESSAGES {
        let offset = u32::try_from(start + entries.len()).expect("a short table");
        for value in [code, code, offset] {
            blocks.extend(value.to_le_bytes());
        }
        entries.extend(entry(text));
    }
    blocks.extend(entries);
    blocks
}

/// A message: its length and form, and its text, which ends with a line break and a NUL, padded to
/// 4 bytes.
fn entry(text: &str) -> Vec<u8> {
    let mut entry = vec![0; 2];
    entry.extend(UNICODE.to_le_bytes());
    let units = text.encode_utf16().chain("\r\n\0".encode_utf16());
    entry.extend(units.flat_map(u16::to_le_bytes));
    entry.resize(entry.len().next_multiple_of(4), 0);
    let length = u16::try_from(entry.len()).expect("a short message");
    entry[..2].copy_from_slice(&length.to_le_bytes());
    entry
}
