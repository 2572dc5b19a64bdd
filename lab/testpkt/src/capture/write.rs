//! Writing pcapng files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use pcap_file::pcapng::{PcapNgWriteError, PcapNgWriter};
use pcap_file::{DataLink, Endianness};

use super::{CaptureError, Fault};

/// Writes Ethernet frames to a pcapng file.
pub struct CaptureWriter {
    path: PathBuf,
    pcapng: PcapNgWriter<BufWriter<File>>,
}

impl CaptureWriter {
    /// Creates the file, or empties it, and writes its headers: one Ethernet
    /// interface, nanoseconds, little endian on every machine, so that the
    /// same packets always give the same file.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, CaptureError> {
        let path = path.as_ref();
        let begin = || -> Result<_, PcapNgWriteError> {
            let file = BufWriter::new(File::create(path)?);
            let mut pcapng = PcapNgWriter::with_endianness(file, Endianness::Little)?;
            pcapng.write_pcapng_block(InterfaceDescriptionBlock {
                linktype: DataLink::ETHERNET,
                snaplen: 0,
                options: vec![InterfaceDescriptionOption::IfTsResol(
                    InterfaceTsResolution::NANO,
                )],
            })?;
            Ok(pcapng)
        };
        let pcapng = begin().map_err(|e| CaptureError::new(path, e))?;
        Ok(Self {
            path: path.to_owned(),
            pcapng,
        })
    }

    /// Appends one whole frame, with a packet comment where one is given.
    ///
    /// # Errors
    ///
    /// The file cannot be written, or the frame (4 GiB), the comment (64 KiB)
    /// or the time (year 2554) is beyond what the format holds.
    pub fn packet(
        &mut self,
        bytes: &[u8],
        timestamp: Duration,
        comment: Option<&str>,
    ) -> Result<(), CaptureError> {
        let comment =
            comment.map(|c| EnhancedPacketOption::Common(CommonOption::Comment(c.into())));
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp,
            // Too long a frame saturates here and is refused by the crate.
            original_len: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            data: bytes.into(),
            options: comment.into_iter().collect(),
        };
        let written = self.pcapng.write_pcapng_block(block);
        written
            .map(drop)
            .map_err(|e| CaptureError::new(&self.path, e))
    }

    /// Writes the buffered bytes. Without this call an error at the very end would go unnoticed.
    pub fn finish(mut self) -> Result<(), CaptureError> {
        self.flush()
    }

    /// The same, for a writer that others may still have.
    pub fn flush(&mut self) -> Result<(), CaptureError> {
        let flushed = self.pcapng.get_mut().flush();
        flushed.map_err(|e| CaptureError::new(&self.path, Fault::Write(e)))
    }
}
