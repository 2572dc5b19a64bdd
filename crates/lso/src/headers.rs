//! Finds and validates the headers of a frame.

mod front;
mod ipv6;
mod tunnel;

use crate::wire::{ethernet, get_u8, get_u16, ipv4, ipv6 as ipv6_fields, protocol, tcp, udp};
use crate::{Framing, InnerOffsets, IpVersion, LargeSend, Offload, Refusal, Transport};
use front::Front;
pub use tunnel::{Tunnel, TunnelKind};

/// Longest frame header (Ethernet to TCP options) in bytes that a child can carry.
pub const MAX_HEADER: usize = 256;

const MAX_VLAN_TAGS: usize = 2;
/// Bytes of payload that fit a packet with any headers.
#[expect(clippy::cast_possible_truncation, reason = "it is 256")]
const LEAST_MAX_PAYLOAD: u32 = u16::MAX as u32 - MAX_HEADER as u32;

/// The positions of the headers of a TCP or UDP packet in its frame.
///
/// The positions are those of complete Ethernet, IPv4 or IPv6, and TCP or UDP headers, and of a
/// tunnel's around them, if there is one: of at most [`MAX_HEADER`] bytes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    tunnel: Option<Tunnel>,
    ip_version: IpVersion,
    transport: Transport,
    ip_offset: u16,
    transport_offset: u16,
    length: u16,
}

impl Headers {
    /// Finds the headers of the large send that `send` describes in `front`, the first bytes of its
    /// frame, and checks them against that description. Payload may follow the headers.
    ///
    /// # Errors
    ///
    /// Those of [`parse`](Self::parse), [`NotUdp`](Refusal::NotUdp) and
    /// [`NotEncapsulated`](Refusal::NotEncapsulated) if the expected header is missing, and those
    /// of [`check`](Self::check).
    #[inline]
    pub fn of(front: &[u8], send: &LargeSend) -> Result<Self, Refusal> {
        let transport = send.offload.transport();
        let headers = match send.framing {
            Framing::Plain { .. } => Self::find(front, transport)?,
            Framing::Encapsulated(_) => Self::find_inner(front, transport)?,
        };
        headers.check(front, send)?;
        Ok(headers)
    }

    /// Finds the headers of a TCP packet in `front`, the first contiguous bytes of
    /// a frame, which must hold them whole; payload may follow.
    ///
    /// Understood are Ethernet II with up to two VLAN tags, IPv4 with options, and
    /// IPv6 with hop-by-hop, routing and destination options headers. The IP
    /// lengths are not looked at: a large send has zero there, or nothing of use.
    ///
    /// # Errors
    ///
    /// The reasons from [`HeaderNotContiguous`](Refusal::HeaderNotContiguous) to
    /// [`MalformedTcp`](Refusal::MalformedTcp) in [`Refusal::ALL`].
    pub fn parse(front: &[u8]) -> Result<Self, Refusal> {
        Self::find(front, Transport::Tcp)
    }

    fn find(front: &[u8], transport: Transport) -> Result<Self, Refusal> {
        Self::find_at(Front::new(front), 0, transport)
    }

    #[inline(always)]
    fn find_inner(front: &[u8], transport: Transport) -> Result<Self, Refusal> {
        let front = Front::new(front);
        let (tunnel, frame) = tunnel::parse(front)?;
        let inner = Self::find_at(front, frame, transport)?;
        Ok(Self {
            tunnel: Some(tunnel),
            ..inner
        })
    }

    /// The headers of the frame that begins at `frame`.
    #[inline]
    fn find_at(front: Front<'_>, frame: usize, transport: Transport) -> Result<Self, Refusal> {
        let network = Network::parse(front, frame)?;
        let end = match (transport, network.protocol) {
            (Transport::Tcp, protocol::TCP) => tcp_end(front, network.payload)?,
            (Transport::Udp, protocol::UDP) => udp_end(front, network.payload)?,
            (Transport::Tcp, _) => return Err(Refusal::NotTcp),
            (Transport::Udp, _) => return Err(Refusal::NotUdp),
        };
        Ok(Self {
            tunnel: None,
            ip_version: network.version,
            transport,
            ip_offset: narrow(network.ip)?,
            transport_offset: narrow(network.payload)?,
            length: narrow(end)?,
        })
    }

    /// The network protocol; in a tunnel, the inner one.
    #[inline]
    pub fn ip_version(&self) -> IpVersion {
        self.ip_version
    }

    /// The transport protocol.
    #[inline]
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Bytes of frame before the IP header; in a tunnel, before the inner one.
    #[inline]
    pub fn ip_offset(&self) -> u32 {
        u32::from(self.ip_offset)
    }

    /// Bytes of frame before the TCP or UDP header.
    #[inline]
    pub fn transport_offset(&self) -> u32 {
        u32::from(self.transport_offset)
    }

    /// Bytes of frame before the payload; at most [`MAX_HEADER`].
    #[inline]
    pub fn length(&self) -> u32 {
        u32::from(self.length)
    }

    /// The tunnel that the packet is in.
    #[inline]
    pub fn tunnel(&self) -> Option<Tunnel> {
        self.tunnel
    }

    /// Whether there are IPv4 options or IPv6 extension headers.
    #[inline]
    pub fn has_ip_options(&self) -> bool {
        let least = match self.ip_version {
            IpVersion::V4 => ipv4::MIN_LENGTH,
            IpVersion::V6 => ipv6_fields::LENGTH,
        };
        self.transport_start().saturating_sub(self.ip_start()) > least
    }

    /// Whether there are TCP options.
    #[inline]
    pub fn has_tcp_options(&self) -> bool {
        self.transport == Transport::Tcp
            && self.end().saturating_sub(self.transport_start()) > tcp::MIN_LENGTH
    }

    /// Bytes of the IP packet with `payload` bytes; in a tunnel, of the inner packet.
    #[inline]
    pub fn datagram(&self, payload: u32) -> u32 {
        payload.saturating_add(u32::from(self.length.saturating_sub(self.ip_offset)))
    }

    /// The largest payload in bytes whose IP length fits its 16 bits: no segment can carry more,
    /// and with LSOv1 no child, regardless of the NIC's maximum.
    #[inline]
    pub fn max_payload(&self) -> u32 {
        let version = self.tunnel.map_or(self.ip_version, Tunnel::ip_version);
        let uncounted = match version {
            IpVersion::V4 => 0,
            // An IPv6 payload length does not count the IPv6 header itself.
            IpVersion::V6 => ipv6_fields::LENGTH,
        };
        let headers = usize::from(self.ip_and_beyond()).saturating_sub(uncounted);
        u32::from(u16::MAX).saturating_sub(u32::try_from(headers).unwrap_or(u32::MAX))
    }

    /// Whether a segment can carry `payload` bytes: see [`max_payload`](Self::max_payload).
    #[inline]
    pub fn can_carry(&self, payload: u32) -> bool {
        // Most are far below what the longest headers leave.
        payload <= LEAST_MAX_PAYLOAD || payload <= self.max_payload()
    }

    /// Checks that the packet may be a large send and matches the description in `send`. `front`
    /// are the bytes that were parsed.
    ///
    /// # Errors
    ///
    /// [`MalformedLargeSend`](Refusal::MalformedLargeSend) for an offload of the other transport
    /// protocol, and for LSOv1 in a tunnel; [`Lsov1OnIpv6`](Refusal::Lsov1OnIpv6),
    /// [`IpVersionMismatch`](Refusal::IpVersionMismatch),
    /// [`OffsetMismatch`](Refusal::OffsetMismatch); and for the flags that a large send never has
    /// [`Urgent`](Refusal::Urgent), [`Syn`](Refusal::Syn), [`Reset`](Refusal::Reset) (Windows
    /// driver documentation, "Offloading the Segmentation of Large TCP Packets"). A `front` that
    /// differs from the parsed one may be [`HeaderNotContiguous`](Refusal::HeaderNotContiguous).
    pub fn check(&self, front: &[u8], send: &LargeSend) -> Result<(), Refusal> {
        self.check_kind(send)?;
        self.check_offsets(send.framing)?;
        if self.transport == Transport::Udp {
            return Ok(());
        }
        front
            .get(self.transport_start()..)
            .and_then(|tcp| get_u8(tcp, tcp::FLAGS))
            .ok_or(Refusal::HeaderNotContiguous)
            .and_then(check_flags)
    }

    fn check_kind(&self, send: &LargeSend) -> Result<(), Refusal> {
        if send.offload.transport() != self.transport {
            return Err(Refusal::MalformedLargeSend);
        }
        match (send.offload, self.tunnel, self.ip_version) {
            (Offload::LsoV1, Some(_), _) => Err(Refusal::MalformedLargeSend),
            (Offload::LsoV1, None, IpVersion::V6) => Err(Refusal::Lsov1OnIpv6),
            (Offload::LsoV1, None, IpVersion::V4) | (_, Some(_), _) => Ok(()),
            (_, None, version) if version == send.ip_version => Ok(()),
            (_, None, _) => Err(Refusal::IpVersionMismatch),
        }
    }

    fn check_offsets(&self, framing: Framing) -> Result<(), Refusal> {
        let right = match (framing, self.tunnel) {
            (Framing::Plain { transport }, None) => {
                let is_left_out = transport == 0 && self.transport == Transport::Tcp;
                is_left_out || transport == self.transport_offset()
            }
            (Framing::Encapsulated(None), Some(_)) => true,
            (Framing::Encapsulated(Some(says)), Some(tunnel)) => {
                says == InnerOffsets {
                    frame: tunnel.length(),
                    ip: self.ip_offset(),
                    transport: self.transport_offset(),
                }
            }
            _ => false,
        };
        if right {
            Ok(())
        } else {
            Err(Refusal::OffsetMismatch)
        }
    }

    /// Bytes of header from the first IP header on.
    #[inline]
    fn ip_and_beyond(&self) -> u16 {
        let first = self.tunnel.map_or(self.ip_offset, Tunnel::ip_offset);
        self.length.saturating_sub(first)
    }

    #[inline]
    pub(crate) fn ip_start(&self) -> usize {
        usize::from(self.ip_offset)
    }

    #[inline]
    pub(crate) fn transport_start(&self) -> usize {
        usize::from(self.transport_offset)
    }

    #[inline]
    pub(crate) fn end(&self) -> usize {
        usize::from(self.length)
    }
}

/// A network header after an Ethernet header, and its payload's protocol.
#[derive(Clone, Copy)]
struct Network {
    version: IpVersion,
    /// The offset at which it begins.
    ip: usize,
    /// The transport protocol, and where its header begins.
    protocol: u8,
    payload: usize,
}

impl Network {
    /// The network header of the Ethernet frame that begins at `frame`.
    #[inline]
    fn parse(front: Front<'_>, frame: usize) -> Result<Self, Refusal> {
        let (ether_type, ip) = link(front, frame)?;
        let (version, (protocol, payload)) = match ether_type {
            ethernet::TYPE_IPV4 => (IpVersion::V4, ipv4_payload(front, ip)?),
            ethernet::TYPE_IPV6 => (IpVersion::V6, ipv6::payload(front, ip)?),
            _ => return Err(Refusal::NotIp),
        };
        match protocol {
            protocol::AH | protocol::ESP => Err(Refusal::Ipsec),
            _ => Ok(Self {
                version,
                ip,
                protocol,
                payload,
            }),
        }
    }
}

/// The type of the network header, and where it begins.
#[inline]
fn link(front: Front<'_>, frame: usize) -> Result<(u16, usize), Refusal> {
    let mut ether_type = front.u16(frame, ethernet::TYPE)?;
    let mut end = frame.saturating_add(ethernet::LENGTH);
    for _ in 0..MAX_VLAN_TAGS {
        if !ethernet::is_vlan(ether_type) {
            break;
        }
        ether_type = front.u16(end, ethernet::vlan::TYPE)?;
        end = end.saturating_add(ethernet::vlan::LENGTH);
    }
    if ethernet::is_vlan(ether_type) {
        return Err(Refusal::TooManyVlanTags);
    }
    Ok((ether_type, end))
}

/// The protocol of an IPv4 packet's payload, and where it begins.
#[inline]
fn ipv4_payload(front: Front<'_>, ip: usize) -> Result<(u8, usize), Refusal> {
    let header: &[u8; ipv4::MIN_LENGTH] = front.fixed(ip)?;
    let fields = || {
        Some((
            get_u8(header, ipv4::VERSION_IHL)?,
            get_u16(header, ipv4::FRAGMENT)?,
            get_u8(header, ipv4::PROTOCOL)?,
        ))
    };
    let (version_ihl, fragment, protocol) = fields().ok_or(Refusal::HeaderNotContiguous)?;
    let length = ipv4::length(version_ihl);
    if ipv4::version(version_ihl) != 4 || length < ipv4::MIN_LENGTH {
        return Err(Refusal::MalformedIpv4);
    }
    if fragment & ipv4::FRAGMENT_MASK != 0 {
        return Err(Refusal::Fragment);
    }
    Ok((protocol, ip.wrapping_add(length)))
}

/// The end of the TCP header, which is inside `front`.
#[inline]
fn tcp_end(front: Front<'_>, tcp: usize) -> Result<usize, Refusal> {
    let length = tcp::length(front.u8(tcp, tcp::DATA_OFFSET)?);
    if length < tcp::MIN_LENGTH {
        return Err(Refusal::MalformedTcp);
    }
    front.bytes(tcp, 0..length)?;
    Ok(tcp.saturating_add(length))
}

/// The same of UDP.
#[inline]
fn udp_end(front: Front<'_>, udp: usize) -> Result<usize, Refusal> {
    front.bytes(udp, 0..udp::LENGTH)?;
    Ok(udp.saturating_add(udp::LENGTH))
}

#[inline]
fn check_flags(flags: u8) -> Result<(), Refusal> {
    let refused = [
        (tcp::flag::URG, Refusal::Urgent),
        (tcp::flag::SYN, Refusal::Syn),
        (tcp::flag::RST, Refusal::Reset),
    ];
    if flags & (tcp::flag::URG | tcp::flag::SYN | tcp::flag::RST) == 0 {
        return Ok(());
    }
    refused
        .into_iter()
        .find(|(flag, _)| flags & flag != 0)
        .map_or(Ok(()), |(_, refusal)| Err(refusal))
}

/// Every position within [`MAX_HEADER`] fits.
#[inline]
fn narrow(position: usize) -> Result<u16, Refusal> {
    u16::try_from(position).map_err(|_| Refusal::HeaderTooLong)
}

#[cfg(test)]
#[expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]
mod tests;
