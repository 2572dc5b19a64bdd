//! Finding the headers of a frame, and what they must be like.

mod front;
mod ipv6;

use crate::wire::{ethernet, get_u8, ipv4, protocol, tcp};
use crate::{IpVersion, LargeSend, LsoVersion, Refusal};
use front::Front;

/// Longest frame header (Ethernet to TCP options) in bytes that a child can carry.
pub const MAX_HEADER: usize = 256;

const MAX_VLAN_TAGS: usize = 2;

/// Where the headers of a TCP packet are in its frame.
///
/// The positions are those of a complete Ethernet, IPv4 or IPv6, and TCP header
/// of at most [`MAX_HEADER`] bytes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    ip_version: IpVersion,
    ip_offset: u16,
    tcp_offset: u16,
    length: u16,
}

impl Headers {
    /// Finds the headers in `front`, the first contiguous bytes of a frame, which
    /// must hold them whole; payload may follow.
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
        let front = Front::new(front);
        let (ether_type, ip) = link(front)?;
        let (ip_version, tcp) = match ether_type {
            ethernet::TYPE_IPV4 => (IpVersion::V4, ipv4_transport(front, ip)?),
            ethernet::TYPE_IPV6 => (IpVersion::V6, ipv6::transport(front, ip)?),
            _ => return Err(Refusal::NotIp),
        };
        let end = tcp_end(front, tcp)?;
        Ok(Self {
            ip_version,
            ip_offset: narrow(ip)?,
            tcp_offset: narrow(tcp)?,
            length: narrow(end)?,
        })
    }

    /// The network protocol.
    #[must_use]
    #[inline]
    pub fn ip_version(&self) -> IpVersion {
        self.ip_version
    }

    /// Bytes of frame before the IP header.
    #[must_use]
    #[inline]
    pub fn ip_offset(&self) -> u32 {
        u32::from(self.ip_offset)
    }

    /// Bytes of frame before the TCP header.
    #[must_use]
    #[inline]
    pub fn tcp_offset(&self) -> u32 {
        u32::from(self.tcp_offset)
    }

    /// Bytes of frame before the TCP payload; at most [`MAX_HEADER`].
    #[must_use]
    #[inline]
    pub fn length(&self) -> u32 {
        u32::from(self.length)
    }

    /// The most bytes of TCP payload whose IPv4 total length fits its 16 bits:
    /// with LSOv1, a child can carry no more, whatever the NIC takes.
    #[must_use]
    #[inline]
    pub fn lsov1_max_payload(&self) -> u32 {
        u32::from(u16::MAX.saturating_sub(self.ip_and_tcp()))
    }

    /// Whether the packet may be a large send, and is the one that `send`
    /// announces. `front` are the bytes that were parsed.
    ///
    /// # Errors
    ///
    /// [`Lsov1OnIpv6`](Refusal::Lsov1OnIpv6),
    /// [`IpVersionMismatch`](Refusal::IpVersionMismatch),
    /// [`TcpOffsetMismatch`](Refusal::TcpOffsetMismatch); and for the flags that a
    /// large send never has [`Urgent`](Refusal::Urgent), [`Syn`](Refusal::Syn),
    /// [`Reset`](Refusal::Reset) (Windows driver documentation, "Offloading the
    /// Segmentation of Large TCP Packets"). A `front` that is not the one parsed
    /// may be [`HeaderNotContiguous`](Refusal::HeaderNotContiguous).
    pub fn check(&self, front: &[u8], send: &LargeSend) -> Result<(), Refusal> {
        match (send.version, self.ip_version) {
            (LsoVersion::V1, IpVersion::V4) => {}
            (LsoVersion::V1, IpVersion::V6) => return Err(Refusal::Lsov1OnIpv6),
            (LsoVersion::V2, version) if version == send.ip_version => {}
            (LsoVersion::V2, _) => return Err(Refusal::IpVersionMismatch),
        }
        if send.tcp_header_offset != self.tcp_offset() {
            return Err(Refusal::TcpOffsetMismatch);
        }
        front
            .get(self.tcp_start()..)
            .and_then(|tcp| get_u8(tcp, tcp::FLAGS))
            .ok_or(Refusal::HeaderNotContiguous)
            .and_then(check_flags)
    }

    /// Bytes of IP and TCP header, options and extension headers included.
    #[inline]
    pub(crate) fn ip_and_tcp(&self) -> u16 {
        self.length.saturating_sub(self.ip_offset)
    }

    #[inline]
    pub(crate) fn ip_start(&self) -> usize {
        usize::from(self.ip_offset)
    }

    #[inline]
    pub(crate) fn tcp_start(&self) -> usize {
        usize::from(self.tcp_offset)
    }

    #[inline]
    pub(crate) fn end(&self) -> usize {
        usize::from(self.length)
    }
}

/// The type of the network header, and where it begins.
fn link(front: Front<'_>) -> Result<(u16, usize), Refusal> {
    let mut ether_type = front.u16(0, ethernet::TYPE)?;
    let mut end = ethernet::LENGTH;
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

/// Where the TCP header of an IPv4 packet begins.
fn ipv4_transport(front: Front<'_>, ip: usize) -> Result<usize, Refusal> {
    let version_ihl = front.u8(ip, ipv4::VERSION_IHL)?;
    let length = ipv4::length(version_ihl);
    if ipv4::version(version_ihl) != 4 || length < ipv4::MIN_LENGTH {
        return Err(Refusal::MalformedIpv4);
    }
    if front.u16(ip, ipv4::FRAGMENT)? & ipv4::FRAGMENT_MASK != 0 {
        return Err(Refusal::Fragment);
    }
    match front.u8(ip, ipv4::PROTOCOL)? {
        protocol::TCP => Ok(ip.saturating_add(length)),
        protocol::AH | protocol::ESP => Err(Refusal::Ipsec),
        _ => Err(Refusal::NotTcp),
    }
}

/// Where the TCP header ends, which is inside `front`.
fn tcp_end(front: Front<'_>, tcp: usize) -> Result<usize, Refusal> {
    let length = tcp::length(front.u8(tcp, tcp::DATA_OFFSET)?);
    if length < tcp::MIN_LENGTH {
        return Err(Refusal::MalformedTcp);
    }
    front.bytes(tcp, 0..length)?;
    Ok(tcp.saturating_add(length))
}

fn check_flags(flags: u8) -> Result<(), Refusal> {
    let refused = [
        (tcp::flag::URG, Refusal::Urgent),
        (tcp::flag::SYN, Refusal::Syn),
        (tcp::flag::RST, Refusal::Reset),
    ];
    refused
        .into_iter()
        .find(|(flag, _)| flags & flag != 0)
        .map_or(Ok(()), |(_, refusal)| Err(refusal))
}

/// Every position within [`MAX_HEADER`] fits.
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
