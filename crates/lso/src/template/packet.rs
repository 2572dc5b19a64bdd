//! The header of a child that is a packet: true lengths, and checksums.

use checksum::Sum;

use super::{Fields, IpPlace, Template};
use crate::headers::Tunnel;
use crate::wire::{get_u16, get_u32, ipv4, ipv6, protocol, put_u16, tcp, udp};
use crate::{IpVersion, MAX_HEADER, PlannedChild, Refusal, Transport};

/// The place where a packet's TCP or UDP checksum is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// The NIC, from the sum of addresses, protocol and length that is left in its
    /// place (Windows driver documentation, "Offloading Checksum Tasks"). Not in a
    /// tunnel.
    Offloaded,
    /// The filter computes it; this is the payload's part.
    Complete(Sum),
}

/// The common part of all packets of a parent beside the [`Template`]: sums over the parent's
/// headers, less the fields in which packets differ.
#[derive(Clone, Copy, Debug)]
pub struct PacketTemplate<'a> {
    template: &'a Template<'a>,
    /// The sum of the innermost IP header; an IPv6 header has no checksum.
    ip: Sum,
    transport: Sum,
    /// The sum of the IP header around a tunnel.
    outer_ip: Sum,
    max_payload: u32,
}

impl Template<'_> {
    /// The template for those children that are packets.
    ///
    /// # Errors
    ///
    /// [`MalformedIpv4`](Refusal::MalformedIpv4) for a header other than the parsed one.
    pub fn for_packets(&self) -> Result<PacketTemplate<'_>, Refusal> {
        self.sum_headers().ok_or(Refusal::MalformedIpv4)
    }

    fn sum_headers(&self) -> Option<PacketTemplate<'_>> {
        let header = self.header.get(..self.headers.end())?;
        Some(PacketTemplate {
            template: self,
            ip: self.headers.ip_place().sum(header)?,
            transport: self
                .transport
                .sum(header.get(self.headers.transport_start()..)?)?,
            outer_ip: match self.headers.tunnel() {
                None => Sum::default(),
                Some(tunnel) => tunnel.ip_place().sum(header)?,
            },
            max_payload: self.headers.max_payload(),
        })
    }
}

impl IpPlace {
    /// The sum of the header in the template, without length, identification and checksum.
    fn sum(self, header: &[u8]) -> Option<Sum> {
        if self.version == IpVersion::V6 {
            return Some(Sum::default());
        }
        let ip = header.get(self.start..)?;
        let ip = ip.get(..ipv4::length(*ip.get(ipv4::VERSION_IHL)?))?;
        let sum = Sum::of(ip)
            .and_word(!get_u16(ip, ipv4::TOTAL_LENGTH)?)
            .and_word(!get_u16(ip, ipv4::IDENTIFICATION)?)
            .and_word(!get_u16(ip, ipv4::CHECKSUM)?);
        Some(sum)
    }

    /// Writes the length, and for IPv4 the header's checksum, in a header whose identification is
    /// written. `sum` is the result of [`sum`](Self::sum).
    #[inline]
    fn finish(self, header: &mut [u8], sum: Sum, payload: u16) -> Option<()> {
        let ip = header.get_mut(self.start..)?;
        match self.version {
            IpVersion::V4 => {
                let length = beyond(ip, payload)?;
                let ip: &mut [u8; ipv4::MIN_LENGTH] = ip.first_chunk_mut()?;
                let sum = sum
                    .and_word(length)
                    .and_word(get_u16(ip, ipv4::IDENTIFICATION)?);
                put_u16(ip, ipv4::TOTAL_LENGTH, length)?;
                put_u16(ip, ipv4::CHECKSUM, sum.checksum())
            }
            IpVersion::V6 => {
                let length = beyond(ip.get(ipv6::LENGTH..)?, payload)?;
                put_u16(ip, ipv6::PAYLOAD_LENGTH, length)
            }
        }
    }
}

impl Fields {
    /// The sum of the TCP or UDP header in the template, without the advancing fields and the
    /// length. It includes the sender's sum of addresses and protocol.
    fn sum(&self, transport: &[u8]) -> Option<Sum> {
        let all = Sum::of(transport);
        Some(match self {
            Self::Tcp { .. } => all
                .and_words(!get_u32(transport, tcp::SEQUENCE)?)
                .and_word(!get_u16(transport, tcp::OFFSET_FLAGS)?),
            Self::Udp { .. } => all.and_word(!get_u16(transport, udp::UDP_LENGTH)?),
        })
    }
}

impl PacketTemplate<'_> {
    /// Writes the header of a packet, [`Headers::length`](crate::Headers::length) bytes, to the
    /// beginning of `out`. The content of `out` after that is unspecified.
    ///
    /// The sum of addresses and protocol is taken from the parent's checksum field, as a NIC does,
    /// so that the wire is the same even where the sender meant other addresses than the header has
    /// (RFC 8200, section 8.1). A UDP checksum of 0 in the parent stays 0: there is none.
    ///
    /// # Errors
    ///
    /// [`SegmentTooLong`](Refusal::SegmentTooLong) for more payload than
    /// [`Headers::max_payload`](crate::Headers::max_payload), and
    /// [`MalformedLargeSend`](Refusal::MalformedLargeSend) for a checksum left to the NIC in a
    /// tunnel. The content of `out` is unspecified then.
    pub fn write(
        &self,
        child: &PlannedChild,
        checksum: Checksum,
        out: &mut [u8; MAX_HEADER],
    ) -> Result<(), Refusal> {
        let template = self.template;
        if template.headers.tunnel().is_some() && checksum == Checksum::Offloaded {
            return Err(Refusal::MalformedLargeSend);
        }
        let payload = u16::try_from(child.payload_length)
            .ok()
            .filter(|_| child.payload_length <= self.max_payload)
            .ok_or(Refusal::SegmentTooLong)?;
        template.copy(out);
        template
            .stamp(child, out)
            .and_then(|()| template.stamp_outer(child, out))
            .and_then(|()| out.get_mut(..template.headers.end()))
            .and_then(|header| self.finish(header, payload, checksum))
            .ok_or(Refusal::HeaderBufferTooShort)
    }

    /// From the innermost header outward, since each is in the sum of those around it.
    fn finish(&self, header: &mut [u8], payload: u16, checksum: Checksum) -> Option<()> {
        let template = self.template;
        let transport = header.get_mut(template.headers.transport_start()..)?;
        match template.headers.transport() {
            Transport::Tcp => self.finish_tcp(transport, payload, checksum)?,
            Transport::Udp => self.finish_udp(transport, payload, checksum)?,
        }
        let ip = template.headers.ip_place();
        ip.finish(header, self.ip, payload)?;
        match (template.headers.tunnel(), checksum) {
            (None, _) => Some(()),
            (Some(tunnel), Checksum::Complete(sum)) => {
                finish_tunnel(header, tunnel, payload, sum)?;
                tunnel.ip_place().finish(header, self.outer_ip, payload)
            }
            (Some(_), Checksum::Offloaded) => None,
        }
    }

    #[inline]
    fn finish_tcp(&self, tcp: &mut [u8], payload: u16, checksum: Checksum) -> Option<()> {
        let length = beyond(tcp, payload)?;
        let tcp: &mut [u8; tcp::MIN_LENGTH] = tcp.first_chunk_mut()?;
        let checksum = match checksum {
            Checksum::Offloaded => seed(get_u16(tcp, tcp::CHECKSUM)?, length),
            Checksum::Complete(sum) => self
                .transport
                .and_word(length)
                .and_words(get_u32(tcp, tcp::SEQUENCE)?)
                .and_word(get_u16(tcp, tcp::OFFSET_FLAGS)?)
                .and(sum)
                .checksum(),
        };
        put_u16(tcp, tcp::CHECKSUM, checksum)
    }

    fn finish_udp(&self, udp: &mut [u8], payload: u16, checksum: Checksum) -> Option<()> {
        let length = beyond(udp, payload)?;
        put_u16(udp, udp::UDP_LENGTH, length)?;
        let parent = get_u16(udp, udp::CHECKSUM)?;
        let checksum = match checksum {
            _ if parent == 0 => 0,
            Checksum::Offloaded => seed(parent, length),
            // The length is in the header, and in the sum of addresses and protocol.
            Checksum::Complete(sum) => {
                never_zero(self.transport.and_word(length).and_word(length).and(sum))
            }
        };
        put_u16(udp, udp::CHECKSUM, checksum)
    }
}

/// The seed that a NIC continues from: the parent's sum of addresses and protocol, with the length.
#[inline]
fn seed(parent: u16, length: u16) -> u16 {
    Sum::default().and_word(parent).and_word(length).folded()
}

/// A UDP checksum that happens to be 0 is sent as its other representation, because 0 means that
/// there is none (RFC 768).
fn never_zero(sum: Sum) -> u16 {
    match sum.checksum() {
        0 => u16::MAX,
        checksum => checksum,
    }
}

/// The lengths and checksums between the IP headers. `sum` is the payload's.
fn finish_tunnel(header: &mut [u8], tunnel: Tunnel, payload: u16, sum: Sum) -> Option<()> {
    let Some(start) = tunnel.udp_start() else {
        return Some(());
    };
    let udp = header.get_mut(start..)?;
    let length = beyond(udp, payload)?;
    put_u16(udp, udp::UDP_LENGTH, length)?;
    if get_u16(udp, udp::CHECKSUM)? == 0 {
        return Some(());
    }
    put_u16(udp, udp::CHECKSUM, 0)?;
    let sum = Sum::of(udp).and(sum).and_word(length);
    let addresses = header.get(tunnel.ip_start()..)?;
    let addresses = match tunnel.ip_version() {
        IpVersion::V4 => addresses.get(ipv4::ADDRESSES)?,
        IpVersion::V6 => addresses.get(ipv6::ADDRESSES)?,
    };
    let sum = sum
        .and(Sum::of(addresses))
        .and_word(u16::from(protocol::UDP));
    put_u16(header.get_mut(start..)?, udp::CHECKSUM, never_zero(sum))
}

/// Bytes from the beginning of `header` to the packet's end.
#[inline]
fn beyond(header: &[u8], payload: u16) -> Option<u16> {
    u16::try_from(header.len()).ok()?.checked_add(payload)
}
