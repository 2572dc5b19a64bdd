//! Errors in a capture file, worded for the person who supplied it.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriteError;

/// An error in a capture file. Offsets are bytes from its start, lengths are bytes of frame,
/// packets count from 1 as in the usual viewers.
#[derive(Debug)]
#[expect(missing_docs, reason = "each variant's text says what it is")]
pub enum Fault {
    Open(io::Error),
    NotACapture,
    Truncated {
        offset: u64,
    },
    Corrupt {
        offset: u64,
        reason: String,
    },
    Trailing {
        offset: u64,
        length: usize,
    },
    Read {
        offset: u64,
        error: io::Error,
    },
    Compressed(&'static str),
    NotEthernet {
        packet: usize,
        link_type: DataLink,
    },
    Snapped {
        packet: usize,
        captured: usize,
        original: usize,
    },
    BadMss {
        packet: usize,
        comment: String,
    },
    Write(io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(e) => write!(f, "cannot be read ({e}); check its name and permissions"),
            Self::NotACapture => f.write_str(
                "is no capture file in pcapng or pcap; save it as pcapng, or convert it with editcap",
            ),
            Self::Truncated { offset } => write!(
                f,
                "ends within the block at byte {offset}; copy the whole file again, or capture again"
            ),
            Self::Corrupt { offset, reason } => write!(
                f,
                "is damaged at byte {offset} ({reason}); copy the file again, or capture again"
            ),
            Self::Trailing { offset, length } => write!(
                f,
                "ends at byte {offset} with {length} more byte{} that cannot be a block; remove them, or capture again",
                if *length == 1 { "" } else { "s" }
            ),
            Self::Read { offset, error } => write!(
                f,
                "cannot be read beyond byte {offset} ({error}); copy the file again, or capture again"
            ),
            Self::Compressed(by) => write!(f, "is compressed by {by}; decompress it first"),
            Self::NotEthernet { packet, link_type } => write!(
                f,
                "packet {packet} has link type {} ({link_type:?}), not Ethernet (1), Linux cooked (113, 276) or IP (101); capture on an Ethernet interface",
                u32::from(*link_type)
            ),
            Self::Snapped {
                packet,
                captured,
                original,
            } => write!(
                f,
                "packet {packet} holds only {captured} of its {original} bytes; capture again without a snap length"
            ),
            Self::BadMss { packet, comment } => write!(
                f,
                "packet {packet} has the comment {comment:?}; write mss=N with N in bytes of TCP payload"
            ),
            Self::Write(e) => write!(
                f,
                "cannot be written ({e}); check the folder and its free space"
            ),
        }
    }
}

/// A [`Fault`] and the file it is in. Its text is one line, and names the next step.
#[derive(Debug)]
pub struct CaptureError {
    /// The file that was to be read or written.
    pub path: PathBuf,
    /// The error.
    pub fault: Fault,
}

impl CaptureError {
    pub(super) fn new(path: &Path, fault: impl Into<Fault>) -> Self {
        Self {
            path: path.to_owned(),
            fault: fault.into(),
        }
    }
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.fault)
    }
}

impl Error for CaptureError {}

impl From<PcapNgWriteError> for Fault {
    fn from(error: PcapNgWriteError) -> Self {
        Self::Write(match error {
            PcapNgWriteError::Io(e) => e,
            other => io::Error::new(io::ErrorKind::InvalidInput, other),
        })
    }
}
