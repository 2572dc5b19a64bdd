//! Errors in a capture file, worded for the person who supplied it.

use std::io;
use std::path::{Path, PathBuf};

use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriteError;

/// An error in a capture file. Offsets are bytes from its start, lengths are bytes of frame,
/// packets count from 1 as in the usual viewers.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what it is")]
pub enum Fault {
    #[error("cannot be read ({0}); check its name and permissions")]
    Open(io::Error),
    #[error("is no capture file in pcapng or pcap; save it as pcapng, or convert it with editcap")]
    NotACapture,
    #[error("ends within the block at byte {offset}; copy the whole file again, or capture again")]
    Truncated { offset: u64 },
    #[error("is damaged at byte {offset} ({reason}); copy the file again, or capture again")]
    Corrupt { offset: u64, reason: String },
    #[error("ends at byte {offset} with {length} more byte{} that cannot be a block; remove them, or capture again", if *.length == 1 { "" } else { "s" })]
    Trailing { offset: u64, length: usize },
    #[error("cannot be read beyond byte {offset} ({error}); copy the file again, or capture again")]
    Read { offset: u64, error: io::Error },
    #[error("is compressed by {0}; decompress it first")]
    Compressed(&'static str),
    #[error("packet {packet} has link type {} ({link_type:?}), not Ethernet (1), Linux cooked (113, 276) or IP (101); capture on an Ethernet interface", u32::from(*.link_type))]
    NotEthernet { packet: usize, link_type: DataLink },
    #[error(
        "packet {packet} holds only {captured} of its {original} bytes; capture again without a snap length"
    )]
    Snapped {
        packet: usize,
        captured: usize,
        original: usize,
    },
    #[error(
        "packet {packet} has the comment {comment:?}; write mss=N with N in bytes of TCP payload"
    )]
    BadMss { packet: usize, comment: String },
    #[error("cannot be written ({0}); check the folder and its free space")]
    Write(io::Error),
}

/// A [`Fault`] and the file it is in. Its text is one line, and names the next step.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", .path.display())]
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

impl From<PcapNgWriteError> for Fault {
    fn from(error: PcapNgWriteError) -> Self {
        Self::Write(match error {
            PcapNgWriteError::Io(e) => e,
            other => io::Error::new(io::ErrorKind::InvalidInput, other),
        })
    }
}
