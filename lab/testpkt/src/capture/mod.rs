//! Capture files: large sends in, children and wire packets out.
//!
//! A large send does not contain its own MSS: on Windows that is in the OOB of the NBL, in a
//! capture file it is a packet comment, `mss=1448`. The reader accepts pcapng (IETF
//! draft-ietf-opsawg-pcapng) and classic pcap, also compressed by gzip, of Ethernet, of Linux's
//! cooked captures and of bare IP; the writer makes pcapng of Ethernet with nanosecond timestamps
//! and no snap length.
//!
//! A file is read one packet at a time, whatever its size; every step either
//! takes a block or ends with an error, so a damaged file can neither stall nor
//! panic the reader. The reader decodes no more than it needs: a text that is
//! not UTF-8, or an option out of its range, is no reason to refuse the packets.

mod bytes;
mod fault;
mod file;
mod jumbo;
mod link;
mod pcapng;
mod read;
mod record;
mod write;

use std::time::Duration;

pub use fault::{CaptureError, Fault};
pub use file::CaptureFile;
pub use jumbo::{strip_jumbo_hop_by_hop, strip_jumbo_in_place};
pub use read::{Frames, frames, parse, read};
pub use write::CaptureWriter;

/// One frame of a capture file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Captured {
    /// The whole frame, from the Ethernet header, without a frame check sequence.
    pub bytes: Vec<u8>,
    /// The MSS in bytes of TCP payload, from a packet comment `mss=N`. `Some(0)` is kept: the
    /// splitter refuses it.
    pub mss: Option<u32>,
    /// Time since 1970-01-01 00:00 UTC; zero where the file has none, and where it is
    /// before 1970 or after what can be written (year 2554) the nearest.
    pub timestamp: Duration,
}
