//! The System event log: the entries that a driver writes.
#![expect(unsafe_code, reason = "entries are C structures")]

use std::collections::BTreeMap;

use ndis::sys::IO_ERROR_LOG_PACKET as Packet;

use crate::memory::Block;

/// An entry that a driver has written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEntry {
    /// The message's code.
    pub code: u32,
    /// FinalStatus.
    pub status: i32,
    /// The insertion strings: `%2` of the message and so on.
    pub strings: Vec<String>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct ErrorLog {
    /// Entries that are allocated and neither written nor freed.
    pub(crate) pending: BTreeMap<usize, Block>,
    pub(crate) written: Vec<LogEntry>,
}

/// Reads an entry (Windows driver documentation, IO_ERROR_LOG_PACKET).
pub(crate) fn read(block: &Block) -> Result<LogEntry, String> {
    let bytes = block.bytes();
    // SAFETY: an entry is at least as long as a packet, whose fields are integers.
    let packet = unsafe { block.start().cast::<Packet>().read() };
    let header = size_of::<Packet>() + usize::from(packet.DumpDataSize);
    if !packet.DumpDataSize.is_multiple_of(4) {
        return Err(format!("DumpDataSize is {}", packet.DumpDataSize));
    }
    let count = usize::from(packet.NumberOfStrings);
    let start = usize::from(packet.StringOffset);
    if count > 0 && start < header - size_of::<u32>() {
        return Err(format!("its strings begin at byte {start}"));
    }
    let units = bytes.get(start..).unwrap_or_default().as_chunks::<2>().0;
    let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    let mut rest = &units[..];
    let mut strings = Vec::new();
    for _ in 0..count {
        let Some(end) = rest.iter().position(|unit| *unit == 0) else {
            return Err("a string without an end".into());
        };
        strings.push(String::from_utf16_lossy(&rest[..end]));
        rest = &rest[end + 1..];
    }
    Ok(LogEntry {
        code: packet.ErrorCode.cast_unsigned(),
        status: packet.FinalStatus,
        strings,
    })
}
