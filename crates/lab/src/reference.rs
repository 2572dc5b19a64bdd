//! The independent judge: one-stage segmentation.
//!
//! A large send cut straight to MSS-sized wire packets is by definition what
//! the two stages together must put on the wire, byte for byte. This module
//! says what that is. It shares no code with the filter, and prefers the plain
//! to the fast: each packet is a copy of the large send's headers with the
//! fields patched that RFC 9293, 791, 8200 and 3168 make different, and its
//! checksums are summed in full from the finished packet.
//!
//! The frame's length is the only length believed. The IP length of a large
//! send is 0 (LSOv2) or may be stale, and its TCP checksum field is no
//! checksum: both are ignored.

use std::fmt;

use etherparse::checksum::Sum16BitWords;
use etherparse::{
    EtherType, Ethernet2HeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6ExtensionSlice,
    Ipv6ExtensionsSlice, Ipv6HeaderSlice, SingleVlanHeaderSlice, TcpHeaderSlice,
};

// Offsets of the patched fields, in bytes from the start of their header.
const IPV4_TOTAL_LENGTH: usize = 2;
const IPV4_IDENTIFICATION: usize = 4;
const IPV4_CHECKSUM: usize = 10;
const IPV6_PAYLOAD_LENGTH: usize = 4;
const IPV6_HEADER_LEN: usize = 40;
const TCP_SEQUENCE: usize = 4;
const TCP_FLAGS: usize = 13;
const TCP_CHECKSUM: usize = 16;

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

// IPv6 option types: RFC 2675 and RFC 6275, section 6.3.
const JUMBO: u8 = 0xC2;
const HOME_ADDRESS: u8 = 0xC9;

/// Why a frame is no large send, or has no right segmentation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReferenceError {
    /// An MSS of 0 means: not a large send.
    ZeroMss,
    /// The IPv4 identification counts in 15 or in 16 bits.
    IdBits(u32),
    /// A header is cut short or contradicts itself.
    Malformed(String),
    /// Neither IPv4 nor IPv6 behind at most two VLAN tags.
    NotIp(u16),
    /// The protocol after the IP headers is not TCP.
    NotTcp(u8),
    /// A fragment, or an IPv6 fragment header of any kind.
    Fragment,
    /// An authentication header: it signs the packet, so it cannot be copied.
    Authenticated,
    /// The TCP checksum is over another address than the IP header has: a
    /// source route (IPv4) or routing header (IPv6) with hops still to come, or
    /// a mobile node's home address (RFC 6275).
    OtherAddress,
    /// The IPv6 jumbo option: wrong in a packet below 64 KiB (RFC 2675).
    Jumbo,
    /// SYN, RST or URG, which a large send never has.
    Flags,
    /// There is nothing to send.
    NoPayload,
    /// A segment would be longer than its IP length field can say.
    SegmentTooLong(usize),
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroMss => f.write_str("the MSS is 0"),
            Self::IdBits(bits) => write!(f, "IPv4 identification of {bits} bits, not 15 or 16"),
            Self::Malformed(why) => write!(f, "malformed header: {why}"),
            Self::NotIp(ether_type) => write!(f, "EtherType {ether_type:#06x} is not IP"),
            Self::NotTcp(protocol) => write!(f, "IP protocol {protocol} is not TCP"),
            Self::Fragment => f.write_str("an IP fragment"),
            Self::Authenticated => f.write_str("an IPv6 authentication header"),
            Self::OtherAddress => {
                f.write_str("a source route with hops still to come, or a home address")
            }
            Self::Jumbo => f.write_str("an IPv6 jumbo option"),
            Self::Flags => f.write_str("SYN, RST or URG in a large send"),
            Self::NoPayload => f.write_str("no TCP payload"),
            Self::SegmentTooLong(len) => write!(f, "a segment of {len} bytes of IP"),
        }
    }
}

impl std::error::Error for ReferenceError {}

/// The wire packets of the large send `frame`: whole Ethernet frames without
/// check sequence, in order, each with exactly `mss` bytes of TCP payload but
/// for the last. A payload within the MSS gives one packet.
///
/// - IP length: true. IPv4 identification: one more each packet, in the lower
///   `ip_id_bits` (15 or 16) bits; with 15 the top bit stays.
/// - TCP sequence: `mss` more each packet. FIN and PSH: last packet only.
///   CWR: first packet only (RFC 3168, section 6.1.2).
/// - Checksums of the IPv4 header and TCP: in full.
/// - All else is copied: VLAN tags, addresses, options, extension headers,
///   window, ECE, AE and reserved bits.
///
/// # Errors
///
/// What [`ReferenceError`] lists; there are no packets then.
pub fn segment(frame: &[u8], mss: u32, ip_id_bits: u32) -> Result<Vec<Vec<u8>>, ReferenceError> {
    let id_mask = match ip_id_bits {
        15 => 0x7FFF,
        16 => 0xFFFF,
        bits => return Err(ReferenceError::IdBits(bits)),
    };
    if mss == 0 {
        return Err(ReferenceError::ZeroMss);
    }
    let send = LargeSend::parse(frame)?;
    send.check_longest(mss as usize)?;
    let parts = send.payload.chunks(mss as usize);
    let last = parts.len() - 1;
    let packet = |(k, part)| send.packet(k, k == last, part, mss, id_mask);
    Ok(parts.enumerate().map(packet).collect())
}

/// The IP header's fields that the segments need.
enum Ip {
    V4 {
        header_len: usize,
        id: u16,
        addresses: [[u8; 4]; 2],
    },
    V6 {
        addresses: [[u8; 16]; 2],
    },
}

struct LargeSend<'a> {
    /// Everything before the payload.
    headers: &'a [u8],
    payload: &'a [u8],
    /// Where in `headers` IP and TCP begin.
    ip_at: usize,
    tcp_at: usize,
    ip: Ip,
    seq: u32,
}

impl<'a> LargeSend<'a> {
    fn parse(frame: &'a [u8]) -> Result<Self, ReferenceError> {
        let (ether_type, packet) = ethernet(frame)?;
        let (ip, tcp) = match ether_type {
            EtherType::IPV4 => ipv4(packet)?,
            EtherType::IPV6 => ipv6(packet)?,
            EtherType(other) => return Err(ReferenceError::NotIp(other)),
        };
        let header = TcpHeaderSlice::from_slice(tcp).map_err(malformed)?;
        if header.syn() || header.rst() || header.urg() {
            return Err(ReferenceError::Flags);
        }
        let payload = &tcp[header.slice().len()..];
        if payload.is_empty() {
            return Err(ReferenceError::NoPayload);
        }
        Ok(Self {
            headers: &frame[..frame.len() - payload.len()],
            payload,
            ip_at: frame.len() - packet.len(),
            tcp_at: frame.len() - tcp.len(),
            ip,
            seq: header.sequence_number(),
        })
    }

    fn check_longest(&self, mss: usize) -> Result<(), ReferenceError> {
        let packet = self.headers.len() - self.ip_at + mss.min(self.payload.len());
        let counted = match self.ip {
            Ip::V4 { .. } => packet,
            Ip::V6 { .. } => packet - IPV6_HEADER_LEN,
        };
        let fits = counted <= usize::from(u16::MAX);
        fits.then_some(())
            .ok_or(ReferenceError::SegmentTooLong(counted))
    }

    /// Packet number `k`, which carries `part` of the payload.
    fn packet(&self, k: usize, last: bool, part: &[u8], mss: u32, id_mask: u16) -> Vec<u8> {
        let mut packet = [self.headers, part].concat();
        let (before, tcp) = packet.split_at_mut(self.tcp_at);
        let ip = &mut before[self.ip_at..];
        // All the arithmetic wraps: sequence numbers and identifications do.
        let seq = self.seq.wrapping_add((k as u32).wrapping_mul(mss));
        tcp[TCP_SEQUENCE..][..4].copy_from_slice(&seq.to_be_bytes());
        if !last {
            tcp[TCP_FLAGS] &= !(FIN | PSH);
        }
        if k > 0 {
            tcp[TCP_FLAGS] &= !CWR;
        }
        let sum = match &self.ip {
            Ip::V4 {
                header_len,
                id,
                addresses,
            } => {
                let counted = id.wrapping_add(k as u16);
                let id = id & !id_mask | counted & id_mask;
                put_u16(ip, IPV4_TOTAL_LENGTH, ip.len() + tcp.len());
                put_u16(ip, IPV4_IDENTIFICATION, id.into());
                put_checksum(&mut ip[..*header_len], IPV4_CHECKSUM, Sum16BitWords::new());
                Sum16BitWords::new().add_slice(addresses.as_flattened())
            }
            Ip::V6 { addresses } => {
                put_u16(
                    ip,
                    IPV6_PAYLOAD_LENGTH,
                    ip.len() + tcp.len() - IPV6_HEADER_LEN,
                );
                Sum16BitWords::new().add_slice(addresses.as_flattened())
            }
        };
        // The rest of the pseudo-header: protocol and length (RFC 9293,
        // section 3.1). The length fits 16 bits here also with IPv6.
        let tcp_len = (tcp.len() as u16).to_be_bytes();
        let sum = sum.add_2bytes([0, IpNumber::TCP.0]).add_2bytes(tcp_len);
        put_checksum(tcp, TCP_CHECKSUM, sum);
        packet
    }
}

/// The EtherType behind up to two VLAN tags, and what follows it.
fn ethernet(frame: &[u8]) -> Result<(EtherType, &[u8]), ReferenceError> {
    let header = Ethernet2HeaderSlice::from_slice(frame).map_err(malformed)?;
    let mut ether_type = header.ether_type();
    let mut rest = &frame[header.slice().len()..];
    for _ in 0..2 {
        if !matches!(
            ether_type,
            EtherType::VLAN_TAGGED_FRAME
                | EtherType::PROVIDER_BRIDGING
                | EtherType::VLAN_DOUBLE_TAGGED_FRAME
        ) {
            break;
        }
        let tag = SingleVlanHeaderSlice::from_slice(rest).map_err(malformed)?;
        ether_type = tag.ether_type();
        rest = &rest[tag.slice().len()..];
    }
    Ok((ether_type, rest))
}

/// Checks the IPv4 header, and gives what follows it.
fn ipv4(packet: &[u8]) -> Result<(Ip, &[u8]), ReferenceError> {
    let header = Ipv4HeaderSlice::from_slice(packet).map_err(malformed)?;
    if header.is_fragmenting_payload() {
        return Err(ReferenceError::Fragment);
    }
    if header.protocol() != IpNumber::TCP {
        return Err(ReferenceError::NotTcp(header.protocol().0));
    }
    if ipv4_route_to_go(header.options()) {
        return Err(ReferenceError::OtherAddress);
    }
    let ip = Ip::V4 {
        header_len: header.slice().len(),
        id: header.identification(),
        addresses: [header.source(), header.destination()],
    };
    Ok((ip, &packet[header.slice().len()..]))
}

/// Whether a loose (131) or strict (137) source route has hops left: its
/// pointer, which counts from 1, is then within the option (RFC 791).
fn ipv4_route_to_go(mut options: &[u8]) -> bool {
    loop {
        options = match options {
            [1, rest @ ..] => rest,
            [131 | 137, len, pointer, ..] if pointer <= len => return true,
            [kind, len, ..] if *kind != 0 && *len >= 2 => {
                options.get(usize::from(*len)..).unwrap_or_default()
            }
            _ => return false,
        };
    }
}

/// Checks the IPv6 header and its extension headers, and gives what follows.
fn ipv6(packet: &[u8]) -> Result<(Ip, &[u8]), ReferenceError> {
    let header = Ipv6HeaderSlice::from_slice(packet).map_err(malformed)?;
    let rest = &packet[header.slice().len()..];
    let (extensions, protocol, tcp) =
        Ipv6ExtensionsSlice::from_slice(header.next_header(), rest).map_err(malformed)?;
    extensions
        .into_iter()
        .try_for_each(|extension| check_extension(&extension))?;
    if protocol != IpNumber::TCP {
        return Err(ReferenceError::NotTcp(protocol.0));
    }
    Ok((
        Ip::V6 {
            addresses: [header.source(), header.destination()],
        },
        tcp,
    ))
}

/// Refuses the extension headers whose copy in every segment would be wrong.
fn check_extension(extension: &Ipv6ExtensionSlice<'_>) -> Result<(), ReferenceError> {
    match extension {
        Ipv6ExtensionSlice::HopByHop(header) if has_option(header.payload(), JUMBO) => {
            Err(ReferenceError::Jumbo)
        }
        // After next header and length: routing type, then segments left.
        Ipv6ExtensionSlice::Routing(header) if header.payload()[1] > 0 => {
            Err(ReferenceError::OtherAddress)
        }
        Ipv6ExtensionSlice::DestinationOptions(header)
            if has_option(header.payload(), HOME_ADDRESS) =>
        {
            Err(ReferenceError::OtherAddress)
        }
        Ipv6ExtensionSlice::Fragment(_) => Err(ReferenceError::Fragment),
        Ipv6ExtensionSlice::Authentication(_) => Err(ReferenceError::Authenticated),
        _ => Ok(()),
    }
}

/// Whether there is an option of this type among hop-by-hop or destination
/// options (RFC 8200, section 4.2: type, length, value; a lone 0 is padding).
fn has_option(mut options: &[u8], wanted: u8) -> bool {
    loop {
        options = match options {
            [kind, ..] if *kind == wanted => return true,
            [0, rest @ ..] => rest,
            [_, len, rest @ ..] => rest.get(usize::from(*len)..).unwrap_or_default(),
            _ => return false,
        };
    }
}

fn malformed(error: impl fmt::Display) -> ReferenceError {
    ReferenceError::Malformed(error.to_string())
}

/// Writes a field that [`LargeSend::check_longest`] keeps within 16 bits.
fn put_u16(header: &mut [u8], at: usize, value: usize) {
    header[at..][..2].copy_from_slice(&(value as u16).to_be_bytes());
}

/// Fills in the Internet checksum (RFC 1071) of `bytes` on top of `sum`.
fn put_checksum(bytes: &mut [u8], at: usize, sum: Sum16BitWords) {
    bytes[at..][..2].fill(0);
    // In the machine's byte order: the crate sums the words as they lie.
    let checksum = sum.add_slice(bytes).ones_complement().to_ne_bytes();
    bytes[at..][..2].copy_from_slice(&checksum);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::{Synth, flag};

    /// Bytes from hexadecimal pairs, between any white space.
    fn hex(text: &str) -> Vec<u8> {
        text.split_whitespace()
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect()
    }

    /// Sequence and identification wrap; ECN, AE and a reserved bit stay.
    #[test]
    fn ipv4_literal() {
        let send = hex("02 00 00 00 00 02 02 00 00 00 00 01 08 00 \
             45 03 00 00 ff fe 40 00 40 06 be ef c0 00 02 01 c6 33 64 02 \
             a9 18 15 b3 ff ff ff fe 71 ec bb 91 53 d9 08 00 ec 3d 00 00 \
             30 31 32 33 34 35 36 37 38 39");
        let wire = [
            hex("02 00 00 00 00 02 02 00 00 00 00 01 08 00 \
                 45 03 00 2c ff fe 40 00 40 06 4e 93 c0 00 02 01 c6 33 64 02 \
                 a9 18 15 b3 ff ff ff fe 71 ec bb 91 53 d0 08 00 69 2c 00 00 30 31 32 33"),
            hex("02 00 00 00 00 02 02 00 00 00 00 01 08 00 \
                 45 03 00 2c ff ff 40 00 40 06 4e 92 c0 00 02 01 c6 33 64 02 \
                 a9 18 15 b3 00 00 00 02 71 ec bb 91 53 50 08 00 61 a1 00 00 34 35 36 37"),
            hex("02 00 00 00 00 02 02 00 00 00 00 01 08 00 \
                 45 03 00 2a 00 00 40 00 40 06 4e 94 c0 00 02 01 c6 33 64 02 \
                 a9 18 15 b3 00 00 00 06 71 ec bb 91 53 59 08 00 93 c9 00 00 38 39"),
        ];
        assert_eq!(segment(&send, 4, 16).unwrap(), wire);
    }

    /// Two VLAN tags, a destination options header, TCP timestamps.
    #[test]
    fn ipv6_literal() {
        let ethernet = "02 00 00 00 00 02 02 00 00 00 00 01 88 a8 00 64 81 00 20 07 86 dd ";
        let addresses = "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 \
             20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02 06 00 01 04 00 00 00 00 ";
        let packet = |ip: &str, tcp: &str| hex(&[ethernet, ip, addresses, tcp].concat());
        let send = packet(
            "60 21 23 45 00 00 3c 40 ",
            "a9 18 15 b3 00 00 01 00 71 ec bb 91 80 18 08 00 5b 7b 00 00 \
             01 01 08 0a fc 49 39 4a d2 e2 37 2b 30 31 32 33 34 35 36 37 38 39",
        );
        let wire = [
            packet(
                "60 21 23 45 00 2f 3c 40 ",
                "a9 18 15 b3 00 00 01 00 71 ec bb 91 80 10 08 00 19 bc 00 00 \
                 01 01 08 0a fc 49 39 4a d2 e2 37 2b 30 31 32 33 34 35 36",
            ),
            packet(
                "60 21 23 45 00 2b 3c 40 ",
                "a9 18 15 b3 00 00 01 07 71 ec bb 91 80 18 08 00 76 12 00 00 \
                 01 01 08 0a fc 49 39 4a d2 e2 37 2b 37 38 39",
            ),
        ];
        assert_eq!(segment(&send, 7, 16).unwrap(), wire);
    }

    #[test]
    fn identification_counts_in_15_or_16_bits() {
        let ids = |base, bits| -> Vec<u16> {
            let packets = segment(&Synth::v4(3, 1).ip_id(base).frame(false), 1, bits).unwrap();
            packets
                .iter()
                .map(|p| u16::from_be_bytes([p[18], p[19]]))
                .collect()
        };
        assert_eq!(ids(0x7FFE, 16), [0x7FFE, 0x7FFF, 0x8000]);
        assert_eq!(ids(0x7FFE, 15), [0x7FFE, 0x7FFF, 0x0000]);
        assert_eq!(ids(0xFFFE, 16), [0xFFFE, 0xFFFF, 0x0000]);
        assert_eq!(ids(0xFFFE, 15), [0xFFFE, 0xFFFF, 0x8000]);
    }

    /// The length and checksum fields that come in do not matter.
    #[test]
    fn stale_fields_are_ignored() {
        let right = Synth::v4(4000, 1448).frame(false);
        let mut stale = right.clone();
        stale[16..18].copy_from_slice(&1500u16.to_be_bytes());
        stale[24..26].fill(0xAA);
        stale[50..52].fill(0x55);
        assert_eq!(segment(&stale, 1448, 16), segment(&right, 1448, 16));
    }

    #[test]
    fn refusals() {
        use ReferenceError as E;
        let v4 = || Synth::v4(100, 10);
        let v6 = || Synth::v6(100, 10);
        let on = |send: Synth| segment(&send.frame(false), 10, 16).unwrap_err();
        assert_eq!(segment(&v4().frame(false), 0, 16), Err(E::ZeroMss));
        assert_eq!(segment(&v4().frame(false), 10, 14), Err(E::IdBits(14)));
        assert_eq!(on(v4().vlan(&[1, 2, 3])), E::NotIp(0x8100));
        assert_eq!(on(v4().flags(flag::SYN)), E::Flags);
        assert_eq!(on(v4().flags(flag::RST)), E::Flags);
        assert_eq!(on(v4().flags(flag::URG | flag::ACK)), E::Flags);
        assert_eq!(on(Synth::v4(0, 10)), E::NoPayload);
        assert_eq!(
            on(v4().ip_options(&[1, 131, 7, 4, 10, 0, 0, 1])),
            E::OtherAddress
        );
        assert_eq!(
            on(v4().ip_options(&[7, 3, 4, 137, 7, 4, 10, 0, 0, 1])),
            E::OtherAddress
        );
        assert_eq!(
            on(v6().extension(0, &[0, 0, 0xC2, 4, 0, 1, 0, 0])),
            E::Jumbo
        );
        assert_eq!(
            on(v6().extension(43, &[0, 0, 4, 1, 0, 0, 0, 0])),
            E::OtherAddress
        );
        assert_eq!(
            on(v6().extension(60, &[0, 0, 1, 0, 0xC9, 0, 0, 0])),
            E::OtherAddress
        );
        assert_eq!(on(v6().extension(44, &[0; 8])), E::Fragment);
        assert_eq!(
            on(v6().extension(51, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
            E::Authenticated
        );
        let mut udp = v4().frame(false);
        udp[23] = 17;
        assert_eq!(segment(&udp, 10, 16), Err(E::NotTcp(17)));
        let mut fragment = v4().frame(false);
        fragment[20] |= 0x20;
        assert_eq!(segment(&fragment, 10, 16), Err(E::Fragment));
        let long = Synth::v4(70_000, 65_484).frame(false);
        assert_eq!(segment(&long, 65_484, 16), Err(E::SegmentTooLong(65_536)));
        assert_eq!(segment(&long, 65_483, 16).unwrap().len(), 2);
    }

    /// Routes that have been gone to their end are copied like the rest.
    #[test]
    fn finished_routes_pass() {
        let v4 = Synth::v4(100, 60).ip_options(&[131, 7, 8, 10, 0, 0, 1]);
        let v6 = Synth::v6(100, 60).extension(43, &[0, 0, 4, 0, 0, 0, 0, 0]);
        assert_eq!(segment(&v4.frame(false), 60, 16).unwrap().len(), 2);
        assert_eq!(segment(&v6.frame(false), 60, 16).unwrap().len(), 2);
    }

    #[test]
    fn every_cut_of_the_headers_is_refused() {
        let send = Synth::v6(10, 4)
            .vlan(&[1, 2])
            .extension(60, &[0, 0, 1, 4, 0, 0, 0, 0]);
        let frame = send.frame(false);
        for len in 0..=frame.len() - 10 {
            assert!(segment(&frame[..len], 4, 16).is_err(), "{len} bytes");
        }
    }
}
