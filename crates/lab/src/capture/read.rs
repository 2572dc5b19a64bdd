//! Reading pcapng and classic pcap files.

use std::error::Error;
use std::path::Path;

use pcap_file::pcap::{PcapParseError, PcapParser};
use pcap_file::pcapng::{PcapNgParseError, PcapNgParser};

use super::record::Record;
use super::{CaptureError, Captured, Fault};

/// The first word of a pcapng file, the same in both byte orders.
const PCAPNG_MAGIC: [u8; 4] = [0x0A, 0x0D, 0x0D, 0x0A];

/// The first word of a classic pcap file: µs and ns, big and little endian.
const PCAP_MAGICS: [[u8; 4]; 4] = [
    [0xA1, 0xB2, 0xC3, 0xD4],
    [0xD4, 0xC3, 0xB2, 0xA1],
    [0xA1, 0xB2, 0x3C, 0x4D],
    [0x4D, 0x3C, 0xB2, 0xA1],
];

/// All frames of a capture file, in its order.
///
/// # Errors
///
/// The file cannot be read or is damaged, or any packet in it is not Ethernet,
/// not whole, or has a comment `mss=` without a number: nothing is skipped.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<Captured>, CaptureError> {
    let path = path.as_ref();
    let data = load(path)?;
    parse(&data).map_err(|fault| CaptureError::new(path, fault))
}

/// [`read`], from the bytes of the file.
///
/// # Errors
///
/// As [`read`]; never [`Fault::Open`] or [`Fault::Write`].
pub fn parse(data: &[u8]) -> Result<Vec<Captured>, Fault> {
    frames(data)?.collect()
}

/// [`parse`], one frame at a time.
///
/// # Errors
///
/// The beginning of the file is not that of a capture.
pub fn frames(data: &[u8]) -> Result<Frames<'_>, Fault> {
    let (rest, parser) = match data.first_chunk() {
        Some(&PCAPNG_MAGIC) => {
            let (rest, parser) = PcapNgParser::new(data).map_err(|e| pcapng_fault(e, 0))?;
            (rest, Parser::Pcapng(parser))
        }
        Some(magic) if PCAP_MAGICS.contains(magic) => {
            let (rest, parser) = PcapParser::new(data).map_err(|e| pcap_fault(e, 0))?;
            (rest, Parser::Pcap(parser))
        }
        _ => return Err(Fault::NotACapture),
    };
    Ok(Frames {
        length: data.len(),
        rest,
        parser,
        packets: 0,
    })
}

fn load(path: &Path) -> Result<Vec<u8>, CaptureError> {
    std::fs::read(path).map_err(|e| CaptureError::new(path, Fault::Open(e)))
}

/// A capture file that was found good from its beginning to its end. It is
/// held as it is on disk, and each frame is copied only when it is its turn.
pub struct CaptureFile {
    data: Vec<u8>,
}

impl CaptureFile {
    /// Reads the file and looks at every packet in it.
    ///
    /// # Errors
    ///
    /// As [`read`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CaptureError> {
        let path = path.as_ref();
        let file = Self { data: load(path)? };
        frames(&file.data)
            .and_then(|mut frames| frames.try_for_each(|frame| frame.map(drop)))
            .map_err(|fault| CaptureError::new(path, fault))?;
        Ok(file)
    }

    /// All frames, in the file's order.
    pub fn frames(&self) -> impl Iterator<Item = Captured> {
        // The file did not change since it was found to be without fault.
        frames(&self.data)
            .into_iter()
            .flatten()
            .map_while(Result::ok)
    }
}

/// The frames of a capture file; see [`frames`]. After an error there are no
/// more.
pub struct Frames<'a> {
    length: usize,
    rest: &'a [u8],
    parser: Parser,
    /// Frames given out so far.
    packets: usize,
}

enum Parser {
    Pcapng(PcapNgParser),
    Pcap(PcapParser),
}

impl Iterator for Frames<'_> {
    type Item = Result<Captured, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            match self.step() {
                Ok(None) => {}
                Ok(Some(frame)) => return Some(Ok(frame)),
                Err(fault) => {
                    self.rest = &[];
                    return Some(Err(fault));
                }
            }
        }
        None
    }
}

impl Frames<'_> {
    /// Takes one block; `None` where it holds no packet.
    fn step(&mut self) -> Result<Option<Captured>, Fault> {
        let offset = self.length - self.rest.len();
        let record = match &mut self.parser {
            // Raw blocks: only packets are decoded, so that an odd statistics
            // or name block does not make a good capture unreadable.
            Parser::Pcapng(parser) => {
                let (rest, block) = parser
                    .next_raw_block(self.rest)
                    .map_err(|e| pcapng_fault(e, offset))?;
                self.rest = rest;
                Record::from_block(block, parser.state(), offset)?
            }
            // Raw packets: the checked ones must be within the snap length of
            // the file's header, which large sends exceed in practice.
            Parser::Pcap(parser) => {
                let (rest, packet) = parser
                    .next_raw_packet(self.rest)
                    .map_err(|e| pcap_fault(e, offset))?;
                self.rest = rest;
                Some(Record::from_packet(packet, &parser.header()))
            }
        };
        let Some(record) = record else {
            return Ok(None);
        };
        self.packets += 1;
        record.into_captured(self.packets).map(Some)
    }
}

fn pcapng_fault(error: PcapNgParseError, offset: usize) -> Fault {
    match error {
        PcapNgParseError::IncompleteBuffer(..) => Fault::Truncated { offset },
        other => corrupt(&other, offset),
    }
}

fn pcap_fault(error: PcapParseError, offset: usize) -> Fault {
    match error {
        PcapParseError::IncompleteBuffer(..) => Fault::Truncated { offset },
        other => corrupt(&other, offset),
    }
}

/// The innermost cause says what is wrong, the outer ones only where.
pub(super) fn corrupt(error: &dyn Error, offset: usize) -> Fault {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    Fault::Corrupt {
        offset,
        reason: cause.to_string(),
    }
}
