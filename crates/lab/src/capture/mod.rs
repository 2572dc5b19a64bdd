//! Capture files: large sends in, children and wire packets out.
//!
//! A large send does not say its own MSS: on Windows that is in the OOB of the
//! NBL, in a capture file it is a packet comment, `mss=1448`. Read are pcapng
//! (IETF draft-ietf-opsawg-pcapng) and classic pcap, of Ethernet; written is
//! pcapng with nanosecond timestamps and no snap length.
//!
//! A file is parsed from memory, not through a fixed buffer, so a packet may
//! be as long as the file; and every step either takes a block or ends with an
//! error, so a damaged file can neither stall nor panic the reader.

mod fault;
mod jumbo;
mod read;
mod record;
mod write;

use std::time::Duration;

pub use fault::{CaptureError, Fault};
pub use jumbo::{strip_jumbo_hop_by_hop, strip_jumbo_in_place};
pub use read::{CaptureFile, Frames, frames, parse, read};
pub use write::CaptureWriter;

/// One frame of a capture file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Captured {
    /// The whole frame, from the Ethernet header, without a frame check sequence.
    pub bytes: Vec<u8>,
    /// The MSS in bytes of TCP payload, where a packet comment says `mss=N`.
    /// `Some(0)` is handed on as it is: refusing it is the splitter's business.
    pub mss: Option<u32>,
    /// Time since 1970-01-01 00:00 UTC; zero where the file has none.
    pub timestamp: Duration,
}
