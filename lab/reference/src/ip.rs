//! IPv4 and IPv6: the headers of the segments, and their differences.

use etherparse::checksum::Sum16BitWords;
use etherparse::{
    EtherType, Ethernet2HeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6ExtensionSlice,
    Ipv6ExtensionsSlice, Ipv6HeaderSlice, SingleVlanHeaderSlice,
};

use super::ReferenceError;
use super::field::{put_checksum, put_u16};

// Offsets of the patched fields, in bytes from the start of their header.
const IPV4_TOTAL_LENGTH: usize = 2;
const IPV4_IDENTIFICATION: usize = 4;
const IPV4_CHECKSUM: usize = 10;
const IPV6_PAYLOAD_LENGTH: usize = 4;
const IPV6_HEADER_LEN: usize = 40;

// IPv6 option types: RFC 2675 and RFC 6275, section 6.3.
const JUMBO: u8 = 0xC2;
const HOME_ADDRESS: u8 = 0xC9;

/// An IP header in a frame, with its options or extension headers.
#[derive(Debug)]
pub(super) struct Ip {
    /// Its first byte, from the frame's start.
    pub(super) at: usize,
    /// The first byte after it.
    pub(super) end: usize,
    /// The fields that differ by IP version.
    version: Version,
}

#[derive(Debug)]
enum Version {
    V4 {
        header_len: usize,
        id: u16,
        addresses: [[u8; 4]; 2],
    },
    V6 {
        addresses: [[u8; 16]; 2],
    },
}

impl Ip {
    /// The IP header behind the Ethernet header at `ethernet` bytes from the
    /// start of `frame`, and the protocol after it.
    pub(super) fn parse(frame: &[u8], ethernet: usize) -> Result<(Self, IpNumber), ReferenceError> {
        let (ether_type, packet) = network(&frame[ethernet..])?;
        Self::of(frame, frame.len() - packet.len(), ether_type)
    }

    /// The IP header that ends at `end`, behind the first `from` bytes of `frame`, and the protocol
    /// after it. Its length is that of the rest of the frame, or 0, as in a large send.
    pub(super) fn ending(
        frame: &[u8],
        from: usize,
        end: usize,
    ) -> Result<(Self, IpNumber), ReferenceError> {
        let is_whole = |(ip, _): &(Self, IpNumber)| {
            ip.end == end && [0, ip.length(frame.len())].contains(&ip.stated(frame))
        };
        // The nearest: options and extension headers come with the header that they belong to.
        let found = (from..end.min(frame.len())).rev().find_map(|at| {
            let version = match frame.get(at)? >> 4 {
                4 => EtherType::IPV4,
                6 => EtherType::IPV6,
                _ => return None,
            };
            Self::of(frame, at, version).ok().filter(is_whole)
        });
        found.ok_or_else(|| ReferenceError::malformed("no inner IP header"))
    }

    /// The IP header at `at` bytes from the start of `frame`.
    fn of(
        frame: &[u8],
        at: usize,
        ether_type: EtherType,
    ) -> Result<(Self, IpNumber), ReferenceError> {
        let packet = &frame[at..];
        let (version, protocol, rest) = match ether_type {
            EtherType::IPV4 => ipv4(packet)?,
            EtherType::IPV6 => ipv6(packet)?,
            EtherType(other) => return Err(ReferenceError::NotIp(other)),
        };
        let end = frame.len() - rest.len();
        Ok((Self { at, end, version }, protocol))
    }

    /// The value of its length field.
    fn stated(&self, frame: &[u8]) -> usize {
        let field = self.at
            + match self.version {
                Version::V4 { .. } => IPV4_TOTAL_LENGTH,
                Version::V6 { .. } => IPV6_PAYLOAD_LENGTH,
            };
        usize::from(u16::from_be_bytes([frame[field], frame[field + 1]]))
    }

    pub(super) fn is_v6(&self) -> bool {
        matches!(self.version, Version::V6 { .. })
    }

    /// The value of the length field in a packet that ends `end` bytes from the frame's start.
    pub(super) fn length(&self, end: usize) -> usize {
        match self.version {
            Version::V4 { .. } => end - self.at,
            Version::V6 { .. } => end - self.at - IPV6_HEADER_LEN,
        }
    }

    /// Writes length, identification and header checksum of the whole frame
    /// `packet`, number `k` from 0. Identifications count in the bits of
    /// `id_mask`, and wrap there.
    pub(super) fn write(&self, packet: &mut [u8], k: usize, id_mask: u16) {
        let length = self.length(packet.len());
        let header = &mut packet[self.at..];
        match self.version {
            Version::V4 { header_len, id, .. } => {
                let counted = id.wrapping_add(k as u16);
                let id = id & !id_mask | counted & id_mask;
                put_u16(header, IPV4_TOTAL_LENGTH, length);
                put_u16(header, IPV4_IDENTIFICATION, id.into());
                put_checksum(
                    &mut header[..header_len],
                    IPV4_CHECKSUM,
                    Sum16BitWords::new(),
                );
            }
            Version::V6 { .. } => put_u16(header, IPV6_PAYLOAD_LENGTH, length),
        }
    }

    /// The source and destination that the transport checksum is over.
    pub(super) fn addresses(&self) -> &[u8] {
        match &self.version {
            Version::V4 { addresses, .. } => addresses.as_flattened(),
            Version::V6 { addresses } => addresses.as_flattened(),
        }
    }

    /// The sum of the pseudo-header: addresses, protocol, and `len`, the bytes
    /// from the transport header on (RFC 9293, section 3.1; RFC 768). The
    /// length fits 16 bits here also with IPv6.
    pub(super) fn pseudo_header(&self, protocol: IpNumber, len: usize) -> Sum16BitWords {
        Sum16BitWords::new()
            .add_slice(self.addresses())
            .add_2bytes([0, protocol.0])
            .add_2bytes((len as u16).to_be_bytes())
    }
}

/// The EtherType behind up to two VLAN tags, and what follows it.
fn network(frame: &[u8]) -> Result<(EtherType, &[u8]), ReferenceError> {
    let header = Ethernet2HeaderSlice::from_slice(frame).map_err(ReferenceError::malformed)?;
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
        let tag = SingleVlanHeaderSlice::from_slice(rest).map_err(ReferenceError::malformed)?;
        ether_type = tag.ether_type();
        rest = &rest[tag.slice().len()..];
    }
    Ok((ether_type, rest))
}

/// Checks the IPv4 header, and gives what follows it.
fn ipv4(packet: &[u8]) -> Result<(Version, IpNumber, &[u8]), ReferenceError> {
    let header = Ipv4HeaderSlice::from_slice(packet).map_err(ReferenceError::malformed)?;
    if header.is_fragmenting_payload() {
        return Err(ReferenceError::Fragment);
    }
    let destination = match ipv4_route_to_go(header.options()) {
        None => header.destination(),
        Some(route) => *route.last_chunk().ok_or(ReferenceError::OtherAddress)?,
    };
    let header_len = header.slice().len();
    let version = Version::V4 {
        header_len,
        id: header.identification(),
        addresses: [header.source(), destination],
    };
    Ok((version, header.protocol(), &packet[header_len..]))
}

/// The addresses of a loose (131) or strict (137) source route that has hops
/// left: its pointer, which counts from 1, is then within the option (RFC 791).
/// The last is the destination that the TCP checksum is over.
fn ipv4_route_to_go(mut options: &[u8]) -> Option<&[u8]> {
    loop {
        options = match options {
            [1, rest @ ..] => rest,
            [131 | 137, len, pointer, ..] if pointer <= len => {
                return Some(options.get(3..usize::from(*len)).unwrap_or_default());
            }
            [kind, len, ..] if *kind != 0 && *len >= 2 => {
                options.get(usize::from(*len)..).unwrap_or_default()
            }
            _ => return None,
        };
    }
}

/// Checks the IPv6 header and its extension headers, and gives what follows.
fn ipv6(packet: &[u8]) -> Result<(Version, IpNumber, &[u8]), ReferenceError> {
    let header = Ipv6HeaderSlice::from_slice(packet).map_err(ReferenceError::malformed)?;
    let rest = &packet[header.slice().len()..];
    let (extensions, protocol, rest) = Ipv6ExtensionsSlice::from_slice(header.next_header(), rest)
        .map_err(ReferenceError::malformed)?;
    let mut addresses = [header.source(), header.destination()];
    for extension in extensions {
        check_extension(&extension, &mut addresses)?;
    }
    let version = Version::V6 { addresses };
    Ok((version, protocol, rest))
}

/// Refuses the extension headers whose copy in every segment would be wrong, and
/// puts in the addresses that the transport checksum is over.
fn check_extension(
    extension: &Ipv6ExtensionSlice<'_>,
    addresses: &mut [[u8; 16]; 2],
) -> Result<(), ReferenceError> {
    match extension {
        Ipv6ExtensionSlice::HopByHop(header) if option(header.payload(), JUMBO).is_some() => {
            Err(ReferenceError::Jumbo)
        }
        // After next header and length: routing type, then segments left.
        Ipv6ExtensionSlice::Routing(header) if header.payload()[1] > 0 => {
            let last = final_destination(header.payload());
            addresses[1] = last.ok_or(ReferenceError::OtherAddress)?;
            Ok(())
        }
        Ipv6ExtensionSlice::DestinationOptions(header) => {
            if let Some(home) = option(header.payload(), HOME_ADDRESS) {
                addresses[0] = *home.first_chunk().ok_or(ReferenceError::OtherAddress)?;
            }
            Ok(())
        }
        Ipv6ExtensionSlice::Fragment(_) => Err(ReferenceError::Fragment),
        Ipv6ExtensionSlice::Authentication(_) => Err(ReferenceError::Authenticated),
        _ => Ok(()),
    }
}

/// The last address of the route in a routing header, without its first 2 bytes,
/// that has segments left (RFC 8200, section 8.1): of types 0 (RFC 5095), 2 (the
/// home address, RFC 6275) and 4 (its first segment, RFC 8754).
fn final_destination(routing: &[u8]) -> Option<[u8; 16]> {
    let list = routing.get(6..)?;
    match routing[0] {
        0 => list.last_chunk().copied(),
        2 | 4 => list.first_chunk().copied(),
        _ => None,
    }
}

/// The value of the first option of this type among hop-by-hop or destination
/// options (RFC 8200, section 4.2: type, length, value; a lone 0 is padding); empty where it goes on
/// beyond its header.
fn option(mut options: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        options = match options {
            [kind, len, rest @ ..] if *kind == wanted => {
                return Some(rest.get(..usize::from(*len)).unwrap_or_default());
            }
            [0, rest @ ..] => rest,
            [_, len, rest @ ..] => rest.get(usize::from(*len)..).unwrap_or_default(),
            _ => return None,
        };
    }
}
