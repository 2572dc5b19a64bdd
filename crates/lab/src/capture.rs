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

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcap_file::pcap::{PcapParseError, PcapParser, PcapTsResolution};
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use pcap_file::pcapng::blocks::{ENHANCED_PACKET_BLOCK, PACKET_BLOCK, SIMPLE_PACKET_BLOCK};
use pcap_file::pcapng::{
    Block, PcapNgParseError, PcapNgParser, PcapNgState, PcapNgWriteError, PcapNgWriter, RawBlock,
};
use pcap_file::{DataLink, Endianness};

/// The first word of a pcapng file, the same in both byte orders.
const PCAPNG_MAGIC: [u8; 4] = [0x0A, 0x0D, 0x0D, 0x0A];

/// The first word of a classic pcap file: µs and ns, big and little endian.
const PCAP_MAGICS: [[u8; 4]; 4] = [
    [0xA1, 0xB2, 0xC3, 0xD4],
    [0xD4, 0xC3, 0xB2, 0xA1],
    [0xA1, 0xB2, 0x3C, 0x4D],
    [0x4D, 0x3C, 0xB2, 0xA1],
];

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

/// What is wrong with a capture file. Offsets are bytes from its start, lengths
/// are bytes of frame, packets count from 1 as in the usual viewers.
#[derive(Debug)]
#[expect(missing_docs, reason = "each variant's text says what it is")]
pub enum Fault {
    Open(io::Error),
    NotACapture,
    Truncated {
        offset: usize,
    },
    Corrupt {
        offset: usize,
        reason: String,
    },
    Obsolete {
        offset: usize,
    },
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
            Self::NotACapture => f.write_str("is no capture file; save the capture as pcapng"),
            Self::Truncated { offset } => write!(
                f,
                "ends within the block at byte {offset}; copy the whole file again, or capture again"
            ),
            Self::Corrupt { offset, reason } => write!(
                f,
                "is damaged at byte {offset} ({reason}); copy the file again, or capture again"
            ),
            Self::Obsolete { offset } => write!(
                f,
                "has an obsolete Packet Block at byte {offset}; save the capture as pcapng again"
            ),
            Self::NotEthernet { packet, link_type } => write!(
                f,
                "packet {packet} has link type {} ({link_type:?}), not Ethernet (1); capture on an Ethernet interface",
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

/// A [`Fault`] and the file it is in. Its text is one line, and says what to
/// do next.
#[derive(Debug)]
pub struct CaptureError {
    /// The file that was to be read or written.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

impl CaptureError {
    fn new(path: &Path, fault: impl Into<Fault>) -> Self {
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

/// All frames of a capture file, in its order.
///
/// # Errors
///
/// The file cannot be read or is damaged, or any packet in it is not Ethernet,
/// not whole, or has a comment `mss=` without a number: nothing is skipped.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<Captured>, CaptureError> {
    let path = path.as_ref();
    let data = std::fs::read(path).map_err(|e| CaptureError::new(path, Fault::Open(e)))?;
    parse(&data).map_err(|fault| CaptureError::new(path, fault))
}

/// [`read`], from the bytes of the file.
///
/// # Errors
///
/// As [`read`]; never [`Fault::Open`] or [`Fault::Write`].
pub fn parse(data: &[u8]) -> Result<Vec<Captured>, Fault> {
    match data.first_chunk() {
        Some(&PCAPNG_MAGIC) => parse_pcapng(data),
        Some(magic) if PCAP_MAGICS.contains(magic) => parse_pcap(data),
        _ => Err(Fault::NotACapture),
    }
}

fn parse_pcapng(data: &[u8]) -> Result<Vec<Captured>, Fault> {
    let (mut rest, mut parser) = PcapNgParser::new(data).map_err(|e| pcapng_fault(e, 0))?;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let offset = data.len() - rest.len();
        // Raw blocks: only packets are decoded, so that an odd statistics or
        // name block does not make a good capture unreadable.
        let (next, block) = parser
            .next_raw_block(rest)
            .map_err(|e| pcapng_fault(e, offset))?;
        if let Some(record) = Record::from_block(block, parser.state(), offset)? {
            frames.push(record.into_captured(frames.len() + 1)?);
        }
        rest = next;
    }
    Ok(frames)
}

fn parse_pcap(data: &[u8]) -> Result<Vec<Captured>, Fault> {
    let (mut rest, parser) = PcapParser::new(data).map_err(|e| pcap_fault(e, 0))?;
    let header = parser.header();
    let nanos = if header.ts_resolution == PcapTsResolution::NanoSecond {
        1
    } else {
        1_000
    };
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let offset = data.len() - rest.len();
        // Raw packets: the checked ones must be within the snap length of the
        // file's header, which large sends exceed in practice.
        let (next, packet) = parser
            .next_raw_packet(rest)
            .map_err(|e| pcap_fault(e, offset))?;
        let record = Record {
            link: header.datalink,
            original: packet.orig_len as usize,
            timestamp: Duration::from_secs(packet.ts_sec.into())
                + Duration::from_nanos(u64::from(packet.ts_frac) * nanos),
            comments: Vec::new(),
            data: packet.data,
        };
        frames.push(record.into_captured(frames.len() + 1)?);
        rest = next;
    }
    Ok(frames)
}

/// What the packet blocks of both formats have in common.
struct Record<'a> {
    link: DataLink,
    data: Cow<'a, [u8]>,
    /// Length of the frame before any snap length, in bytes.
    original: usize,
    timestamp: Duration,
    comments: Vec<Cow<'a, str>>,
}

impl<'a> Record<'a> {
    /// The packet in `block`; `None` where it holds none.
    fn from_block(
        block: RawBlock<'a>,
        state: &PcapNgState,
        offset: usize,
    ) -> Result<Option<Self>, Fault> {
        match block.type_ {
            ENHANCED_PACKET_BLOCK | SIMPLE_PACKET_BLOCK => (),
            PACKET_BLOCK => return Err(Fault::Obsolete { offset }),
            _ => return Ok(None),
        }
        let block = block
            .try_into_block(state)
            .map_err(|e| corrupt(&e, offset))?;
        let (id, original, timestamp, data, options) = match block {
            Block::EnhancedPacket(p) => (
                p.interface_id,
                p.original_len,
                p.timestamp,
                p.data,
                p.options,
            ),
            Block::SimplePacket(p) => (0, p.original_len, Duration::ZERO, p.data, Vec::new()),
            _ => return Ok(None),
        };
        let Some(interface) = state.interfaces().get(id as usize) else {
            let reason = format!("interface {id} is not described");
            return Err(Fault::Corrupt { offset, reason });
        };
        Ok(Some(Self {
            link: interface.linktype,
            data,
            original: original as usize,
            timestamp,
            comments: options.into_iter().filter_map(comment).collect(),
        }))
    }

    fn into_captured(self, packet: usize) -> Result<Captured, Fault> {
        if self.link != DataLink::ETHERNET {
            return Err(Fault::NotEthernet {
                packet,
                link_type: self.link,
            });
        }
        if self.data.len() < self.original {
            let (captured, original) = (self.data.len(), self.original);
            return Err(Fault::Snapped {
                packet,
                captured,
                original,
            });
        }
        let mss = mss(&self.comments).map_err(|comment| Fault::BadMss { packet, comment })?;
        Ok(Captured {
            bytes: self.data.into_owned(),
            mss,
            timestamp: self.timestamp,
        })
    }
}

fn comment(option: EnhancedPacketOption<'_>) -> Option<Cow<'_, str>> {
    match option {
        EnhancedPacketOption::Common(CommonOption::Comment(text)) => Some(text),
        _ => None,
    }
}

/// The first word `mss=N` of the comments. A word `mss=` without a number is
/// an error: as "no MSS" it would let a large send pass as a small packet.
fn mss(comments: &[Cow<'_, str>]) -> Result<Option<u32>, String> {
    let mut words = comments
        .iter()
        .flat_map(|c| c.split_whitespace().map(move |word| (c, word)));
    let found = words.find_map(|(comment, word)| Some((comment, word.strip_prefix("mss=")?)));
    let Some((comment, number)) = found else {
        return Ok(None);
    };
    number.parse().map(Some).map_err(|_| comment.to_string())
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
fn corrupt(error: &dyn Error, offset: usize) -> Fault {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    Fault::Corrupt {
        offset,
        reason: cause.to_string(),
    }
}

/// Writes Ethernet frames to a pcapng file.
pub struct CaptureWriter {
    path: PathBuf,
    pcapng: PcapNgWriter<BufWriter<File>>,
}

impl CaptureWriter {
    /// Creates the file, or empties it, and writes its headers: one Ethernet
    /// interface, nanoseconds, little endian on every machine, so that the
    /// same packets always give the same file.
    ///
    /// # Errors
    ///
    /// The file cannot be created or written.
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

    /// Writes out what is buffered. Without this call an error at the very end
    /// would pass unseen.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn finish(mut self) -> Result<(), CaptureError> {
        let flushed = self.pcapng.get_mut().flush();
        flushed.map_err(|e| CaptureError::new(&self.path, Fault::Write(e)))
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

/// Offset of the EtherType, or of a VLAN tag, in an Ethernet frame.
const ETHER_TYPE: usize = 12;
const VLAN_TAG_LEN: usize = 4;
const IPV6_HEADER_LEN: usize = 40;
const IPV6_PAYLOAD_LENGTH: usize = 4;
const IPV6_NEXT_HEADER: usize = 6;
/// Length of the hop-by-hop header that holds the jumbo option and no other.
const JUMBO_HEADER_LEN: usize = 8;
/// Its first four bytes, before TCP: next header, header length (in 8 bytes
/// beyond the first 8), option type and option length. RFC 2675, section 2.
const JUMBO_BEFORE_TCP: [u8; 4] = [6, 0, 0xC2, 4];

/// Takes Linux's IPv6 hop-by-hop header with the jumbo option out of a frame,
/// also behind VLAN tags.
///
/// Linux puts these 8 bytes into every IPv6 large send beyond 64 KiB, for its
/// own use; a virtual NIC does not pass them on. What stays has next header TCP
/// and payload length 0, as an LSOv2 send has it.
///
/// Every other frame is returned as it came: where the header holds more than
/// the jumbo option, is not followed by TCP, stands beside a payload length
/// (which RFC 2675 forbids), or gives another length than the frame has.
pub fn strip_jumbo_hop_by_hop(mut frame: Vec<u8>) -> Vec<u8> {
    if let Some(ip) = ipv6_with_jumbo(&frame) {
        let header = ip + IPV6_HEADER_LEN;
        frame[ip + IPV6_NEXT_HEADER] = frame[header];
        frame.drain(header..header + JUMBO_HEADER_LEN);
    }
    frame
}

/// Offset of the IPv6 header in a frame that has Linux's jumbo header.
fn ipv6_with_jumbo(frame: &[u8]) -> Option<usize> {
    let mut at = ETHER_TYPE;
    while matches!(
        frame.get(at..at + 2)?,
        [0x81, 0x00] | [0x88, 0xA8] | [0x91, 0x00]
    ) {
        at += VLAN_TAG_LEN;
    }
    if frame[at..at + 2] != [0x86, 0xDD] {
        return None;
    }
    let at = at + 2;
    let ip = frame.get(at..at + IPV6_HEADER_LEN)?;
    let empty = ip[IPV6_PAYLOAD_LENGTH..IPV6_NEXT_HEADER] == [0, 0];
    let hop_by_hop = ip[IPV6_NEXT_HEADER] == 0;
    let (start, length) = frame.get(at + IPV6_HEADER_LEN..)?.split_first_chunk()?;
    let length = u32::from_be_bytes(*length.first_chunk()?) as usize;
    let whole = length == frame.len() - at - IPV6_HEADER_LEN;
    (empty && hop_by_hop && *start == JUMBO_BEFORE_TCP && whole).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mss_of(comments: &[&'static str]) -> Result<Option<u32>, String> {
        mss(&comments.iter().map(|&c| c.into()).collect::<Vec<_>>())
    }

    #[test]
    fn mss_comments() {
        assert_eq!(mss_of(&[]), Ok(None));
        assert_eq!(mss_of(&["from the guest", "mss=1448"]), Ok(Some(1448)));
        assert_eq!(mss_of(&["flow 3 mss=0 of 2"]), Ok(Some(0)));
        assert_eq!(mss_of(&["no-mss=3"]), Ok(None));
        assert_eq!(mss_of(&["mss="]), Err("mss=".to_owned()));
        assert_eq!(
            mss_of(&["x mss=4294967296"]),
            Err("x mss=4294967296".to_owned())
        );
    }

    /// Ethernet, tags, IPv6 with `next` and the header `hop`, 3 bytes after it.
    fn ipv6(tags: &[u8], length: [u8; 2], next: u8, hop: &[u8]) -> Vec<u8> {
        let ip = [0x60, 0, 0, 0, length[0], length[1], next, 64];
        [
            &[0x22; 12],
            tags,
            &[0x86, 0xDD],
            &ip,
            &[0xFD; 32],
            hop,
            &[1, 2, 3],
        ]
        .concat()
    }

    #[test]
    fn jumbo_header_is_taken_out_behind_tags() {
        let jumbo = [6, 0, 0xC2, 4, 0, 0, 0, 11];
        for tags in [
            &[][..],
            &[0x81, 0, 0, 7],
            &[0x88, 0xA8, 0, 1, 0x81, 0, 0, 7],
        ] {
            let frame = ipv6(tags, [0, 0], 0, &jumbo);
            assert_eq!(strip_jumbo_hop_by_hop(frame), ipv6(tags, [0, 0], 6, &[]));
        }
    }

    #[test]
    fn every_other_frame_stays() {
        let other_frames = [
            ipv6(&[], [0, 0], 6, &[6, 0, 0xC2, 4, 0, 0, 0, 11]),
            ipv6(&[], [0, 11], 0, &[6, 0, 0xC2, 4, 0, 0, 0, 11]),
            ipv6(&[], [0, 0], 0, &[17, 0, 0xC2, 4, 0, 0, 0, 11]),
            ipv6(&[], [0, 0], 0, &[6, 0, 1, 4, 0, 0, 0, 11]),
            ipv6(&[], [0, 0], 0, &[6, 0, 0xC2, 4, 0, 0, 0, 12]),
            [&[0x22; 12], &[0x08, 0x00][..], &[0; 60]].concat(),
        ];
        for frame in other_frames {
            assert_eq!(strip_jumbo_hop_by_hop(frame.clone()), frame);
        }
        let whole = ipv6(&[0x81, 0, 0, 7], [0, 0], 0, &[6, 0, 0xC2, 4, 0, 0, 0, 11]);
        for len in 0..whole.len() {
            assert_eq!(strip_jumbo_hop_by_hop(whole[..len].to_vec()), whole[..len]);
        }
    }
}
