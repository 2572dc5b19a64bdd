//! A captured frame, stripped to its IP packet.

use std::ops::Range;

use testpkt::capture::strip_jumbo_hop_by_hop;

const ETHER_TYPE: usize = 12;
const TAG_LEN: usize = 4;
const LONGEST_TRAILER: usize = 64;
const IPV4_LEN: usize = 20;
const IPV4_LENGTH: Range<usize> = 2..4;
const IPV6_LEN: usize = 40;
const IPV6_LENGTH: Range<usize> = 4..6;
const IPV6_NEXT_HEADER: usize = 6;
/// A hop-by-hop header that begins with the jumbo option; RFC 2675, section 2.
const JUMBO: [u8; 3] = [0, 0xC2, 4];

/// The stripped frame: with no trailer, and no jumbo option of Linux.
pub(super) struct Captured {
    pub(super) bytes: Vec<u8>,
    /// Bytes of its IP packet; `None` where it is none.
    pub(super) ip: Option<usize>,
    /// Whether the IP packet is longer by its own length than the frame: the capture has not all
    /// of it.
    pub(super) cut_short: bool,
}

impl Captured {
    /// Strips the bytes behind the IP packet by its own length: the padding of short frames, and
    /// trailers of devices. A length of 0, as large sends have it, gives no limit, nor does one
    /// that is the low 16 bits of a longer packet's, or the greatest that they hold.
    pub(super) fn of(frame: &[u8]) -> Self {
        let Some((at, ipv6)) = network(frame) else {
            let bytes = frame.to_vec();
            return Self {
                bytes,
                ip: None,
                cut_short: false,
            };
        };
        let there = frame.len() - at;
        let stated = stated(&frame[at..], ipv6).filter(|stated| !overflows(*stated, there));
        let end = at + stated.map_or(there, |stated| stated.min(there));
        let bytes = strip_jumbo_hop_by_hop(frame[..end].to_vec());
        let ip = Some(bytes.len() - at);
        let cut_short = stated.is_some_and(|stated| stated > there);
        Self {
            bytes,
            ip,
            cut_short,
        }
    }
}

/// Whether a packet of `there` bytes can be too long for its length field, which has made `stated`
/// of them: the low 16 bits, or as many as these can count, with more behind than a trailer.
fn overflows(stated: usize, there: usize) -> bool {
    let most = usize::from(u16::MAX);
    let Some(behind) = there.checked_sub(stated).filter(|_| there > most) else {
        return false;
    };
    behind.is_multiple_of(1 << 16) || stated >= most && behind > LONGEST_TRAILER
}

/// Where the IP header of a frame is, and whether it is one of IPv6.
fn network(frame: &[u8]) -> Option<(usize, bool)> {
    let mut at = ETHER_TYPE;
    loop {
        let ether_type = frame.get(at..at + 2)?;
        at = match ether_type {
            [0x81, 0x00] | [0x88, 0xA8] | [0x91, 0x00] => at + TAG_LEN,
            [0x08, 0x00] => return Some((at + 2, false)),
            [0x86, 0xDD] => return Some((at + 2, true)),
            _ => return None,
        };
    }
}

/// Bytes of the IP packet by its own account, with its header.
fn stated(packet: &[u8], ipv6: bool) -> Option<usize> {
    let (field, uncounted) = match ipv6 {
        true => (IPV6_LENGTH, IPV6_LEN),
        false => (IPV4_LENGTH, 0),
    };
    let field: [u8; 2] = packet.get(field)?.try_into().ok()?;
    match usize::from(u16::from_be_bytes(field)) {
        0 if ipv6 && packet[IPV6_NEXT_HEADER] == 0 => {
            let option = packet.get(IPV6_LEN + 1..)?.strip_prefix(&JUMBO)?;
            let length = u32::from_be_bytes(*option.first_chunk()?) as usize;
            // Shorter is no jumbogram, and no length to go by (RFC 2675, section 3).
            (length > usize::from(u16::MAX)).then_some(length + IPV6_LEN)
        }
        0 => None,
        length => Some(length + uncounted).filter(|length| *length >= IPV4_LEN),
    }
}
