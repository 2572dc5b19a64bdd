//! Reading pcapng and classic pcap files, one packet at a time.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use indicatif::ProgressBar;

use super::bytes::{Bytes, Order};
use super::pcapng::{SECTION, Section};
use super::record::Record;
use super::{CaptureError, CaptureFile, Captured, Fault};

/// All frames of a capture file, in its order.
///
/// # Errors
///
/// The file cannot be read or is damaged, or any packet in it is neither Ethernet nor IP,
/// not whole, or has a comment `mss=` without a number: nothing is skipped.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<Captured>, CaptureError> {
    let path = path.as_ref();
    let file = CaptureFile::open(path)?;
    let frames = file.frames(&ProgressBar::hidden())?;
    frames.collect()
}

/// [`read`], from the bytes of the file.
///
/// # Errors
///
/// As [`read`]; never [`Fault::Open`] or [`Fault::Write`].
pub fn parse(data: &[u8]) -> Result<Vec<Captured>, Fault> {
    frames(data)?.collect()
}

/// [`parse`], one frame at a time, from any reader.
///
/// # Errors
///
/// The beginning of the file is not that of a capture.
pub fn frames<R: Read>(reader: R) -> Result<Frames<R>, Fault> {
    let mut bytes = Bytes::new(reader);
    let magic = bytes.up_to(4)?;
    let format = if magic == PCAPNG {
        Format::Pcapng(Section::new())
    } else {
        Format::Pcap(Classic::read(&mut bytes, &magic)?)
    };
    let first = matches!(format, Format::Pcapng(_)).then_some(magic);
    Ok(Frames {
        bytes,
        format,
        first,
        packets: 0,
        ended: false,
    })
}

/// The first bytes of a pcapng file: a section header, the same in both byte orders.
const PCAPNG: [u8; 4] = SECTION.to_be_bytes();

/// Whether the first 4 bytes of a file are those of a capture.
pub(super) fn is_begun(magic: &[u8]) -> bool {
    magic == PCAPNG || Classic::variant(magic).is_ok()
}

/// The frames of a capture; see [`frames`]. After an error there are no more, but for
/// [`Fault::Snapped`], which is about one packet.
pub struct Frames<R> {
    bytes: Bytes<R>,
    format: Format,
    /// The first bytes of a block that were read already.
    first: Option<Vec<u8>>,
    /// Frames given out so far.
    packets: usize,
    ended: bool,
}

enum Format {
    Pcapng(Section),
    Pcap(Classic),
}

impl<R: Read> Iterator for Frames<R> {
    type Item = Result<Captured, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.step() {
                Ok(Step::End) => self.ended = true,
                Ok(Step::Other) => {}
                Ok(Step::Packet(record)) => {
                    self.packets += 1;
                    let frame = record.into_captured(self.packets);
                    self.ended = !matches!(frame, Ok(_) | Err(Fault::Snapped { .. }));
                    return Some(frame);
                }
                Err(fault) => {
                    self.ended = true;
                    return Some(Err(fault));
                }
            }
        }
        None
    }
}

/// A block, or a record.
enum Step {
    End,
    Other,
    Packet(Record),
}

impl<R: Read> Frames<R> {
    fn step(&mut self) -> Result<Step, Fault> {
        let first = self.first.take();
        let start = if first.is_some() {
            0
        } else {
            self.bytes.offset
        };
        let head = match first {
            Some(head) => head,
            None => self.bytes.up_to(4)?,
        };
        match (head.len(), &mut self.format) {
            (0, _) => Ok(Step::End),
            (4, Format::Pcapng(section)) => {
                let record = section.block(&mut self.bytes, head, start)?;
                Ok(record.map_or(Step::Other, Step::Packet))
            }
            (4, Format::Pcap(classic)) => classic
                .record(&mut self.bytes, head, start)
                .map(Step::Packet),
            (length, _) => Err(Fault::Trailing {
                offset: start,
                length,
            }),
        }
    }
}

/// A classic pcap file (IETF draft-ietf-opsawg-pcap).
struct Classic {
    order: Order,
    /// Nanoseconds in the unit of its times.
    unit: u64,
    /// Bytes between the head of a record and the packet, in a variant of old Linux kernels.
    more: usize,
    link: u32,
    fcs: usize,
}

impl Classic {
    /// Byte order, unit of times, and bytes more before a packet, by the first 4 bytes of a file.
    fn variant(magic: &[u8]) -> Result<(Order, u64, usize), Fault> {
        match magic {
            [0xA1, 0xB2, 0xC3, 0xD4] => Ok((Order::Big, 1000, 0)),
            [0xD4, 0xC3, 0xB2, 0xA1] => Ok((Order::Little, 1000, 0)),
            [0xA1, 0xB2, 0x3C, 0x4D] => Ok((Order::Big, 1, 0)),
            [0x4D, 0x3C, 0xB2, 0xA1] => Ok((Order::Little, 1, 0)),
            [0xA1, 0xB2, 0xCD, 0x34] => Ok((Order::Big, 1000, 8)),
            [0x34, 0xCD, 0xB2, 0xA1] => Ok((Order::Little, 1000, 8)),
            [0x28, 0xB5, 0x2F, 0xFD] => Err(Fault::Compressed("zstd")),
            [0x04, 0x22, 0x4D, 0x18] => Err(Fault::Compressed("lz4")),
            [0xFD, b'7', b'z', b'X'] => Err(Fault::Compressed("xz")),
            [b'B', b'Z', b'h', _] => Err(Fault::Compressed("bzip2")),
            [b'P', b'K', 3, 4] => Err(Fault::Compressed("zip")),
            _ => Err(Fault::NotACapture),
        }
    }

    fn read<R: Read>(bytes: &mut Bytes<R>, magic: &[u8]) -> Result<Self, Fault> {
        let (order, unit, more) = Self::variant(magic)?;
        let head = bytes.exactly(20, 0)?;
        // Its low 16 bits; above, whether the length of the frame check sequence is known, and
        // the length in units of 2 bytes.
        let word = order.u32(&head, 16);
        let fcs = if word & 1 << 26 != 0 { word >> 28 } else { 0 };
        Ok(Self {
            order,
            unit,
            more,
            link: word & 0xFFFF,
            fcs: fcs as usize * 2,
        })
    }

    /// The record whose first 4 bytes are `seconds`.
    fn record<R: Read>(
        &self,
        bytes: &mut Bytes<R>,
        seconds: Vec<u8>,
        start: u64,
    ) -> Result<Record, Fault> {
        let head = bytes.exactly(12, start)?;
        bytes.skip(self.more, start)?;
        // The snap length of the file's header does not count: large sends exceed it in practice.
        let data = bytes.exactly(self.order.u32(&head, 4) as usize, start)?;
        Ok(Record {
            link: self.link,
            data,
            original: self.order.u32(&head, 8) as usize,
            fcs: self.fcs,
            timestamp: Duration::from_secs(self.order.u32(&seconds, 0).into())
                + Duration::from_nanos(u64::from(self.order.u32(&head, 0)) * self.unit),
            comments: Vec::new(),
        })
    }
}
