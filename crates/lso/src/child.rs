//! A child's frame header.

use crate::wire::{get_u8, get_u16, get_u32, ipv4, ipv6, put_u8, put_u16, put_u32, tcp};
use crate::{Child, Headers, IpIdWidth, IpVersion, LsoVersion, Refusal};

/// The parent's header, ready to be stamped out for each child.
///
/// | field | in the child |
/// |---|---|
/// | IPv4 total length | LSOv1: the child's own. LSOv2: 0 |
/// | IPv6 payload length | 0 |
/// | IPv4 identification | advanced by the wire segments of earlier children |
/// | TCP sequence number | advanced by the payload of earlier children |
/// | FIN, PSH | cleared, but in the last child |
/// | CWR | cleared, but in the first child (RFC 3168, section 6.1.2) |
///
/// All else is the parent's: the NIC computes the IPv4 checksum anew, and the TCP
/// checksum field holds a sum of addresses and protocol, without the length, which
/// is the same for every child (Windows driver documentation, "Offloading the
/// Segmentation of Large TCP Packets").
#[derive(Clone, Copy, Debug)]
pub struct Template<'a> {
    header: &'a [u8],
    ip_offset: usize,
    tcp_offset: usize,
    network: Network,
    /// Bytes of IP and TCP header, where a child states its true length (LSOv1).
    stated: Option<u16>,
    sequence: u32,
    flags: u8,
}

/// What the network header needs of each child.
#[derive(Clone, Copy, Debug)]
enum Network {
    Ipv4 {
        identification: u16,
        width: IpIdWidth,
    },
    Ipv6,
}

impl<'a> Template<'a> {
    /// Takes the header from `front`, the same bytes that `headers` was parsed
    /// from: the first contiguous bytes of the parent's frame.
    ///
    /// # Errors
    ///
    /// [`HeaderNotContiguous`](Refusal::HeaderNotContiguous) if `front` is shorter
    /// than the headers, [`Lsov1OnIpv6`](Refusal::Lsov1OnIpv6).
    pub fn new(
        front: &'a [u8],
        headers: Headers,
        version: LsoVersion,
        ip_id: IpIdWidth,
    ) -> Result<Self, Refusal> {
        if version == LsoVersion::V1 && headers.ip_version() == IpVersion::V6 {
            return Err(Refusal::Lsov1OnIpv6);
        }
        Self::read(front, headers, version, ip_id).ok_or(Refusal::HeaderNotContiguous)
    }

    /// Looks at all that [`stamp`](Self::stamp) is going to write, so that a
    /// template is proof that it is inside the header.
    fn read(
        front: &'a [u8],
        headers: Headers,
        version: LsoVersion,
        width: IpIdWidth,
    ) -> Option<Self> {
        let header = front.get(..headers.end())?;
        let ip: &[u8; ipv4::MIN_LENGTH] = header.get(headers.ip_start()..)?.first_chunk()?;
        let tcp: &[u8; tcp::MIN_LENGTH] = header.get(headers.tcp_start()..)?.first_chunk()?;
        let network = match headers.ip_version() {
            IpVersion::V4 => Network::Ipv4 {
                identification: get_u16(ip, ipv4::IDENTIFICATION)?,
                width,
            },
            IpVersion::V6 => Network::Ipv6,
        };
        Some(Self {
            header,
            ip_offset: headers.ip_start(),
            tcp_offset: headers.tcp_start(),
            network,
            stated: (version == LsoVersion::V1).then_some(headers.ip_and_tcp()),
            sequence: get_u32(tcp, tcp::SEQUENCE)?,
            flags: get_u8(tcp, tcp::FLAGS)?,
        })
    }

    /// Writes the child's header, [`Headers::length`] bytes, to the beginning of
    /// `out`. What `out` has after that stays as it is.
    ///
    /// # Errors
    ///
    /// [`HeaderBufferTooShort`](Refusal::HeaderBufferTooShort), and
    /// [`Lsov1TooLong`](Refusal::Lsov1TooLong) for a child with more payload than
    /// [`Headers::lsov1_max_payload`]. Nothing is written then.
    #[inline]
    pub fn write(&self, child: &Child, out: &mut [u8]) -> Result<(), Refusal> {
        let length = self.ip_length(child)?;
        let out = out
            .get_mut(..self.header.len())
            .ok_or(Refusal::HeaderBufferTooShort)?;
        out.copy_from_slice(self.header);
        self.stamp(child, length, out)
            .ok_or(Refusal::HeaderBufferTooShort)
    }

    /// The length that the network header states.
    #[inline]
    fn ip_length(&self, child: &Child) -> Result<u16, Refusal> {
        let Some(headers) = self.stated else {
            return Ok(0);
        };
        u16::try_from(child.payload_length)
            .ok()
            .and_then(|payload| payload.checked_add(headers))
            .ok_or(Refusal::Lsov1TooLong)
    }

    #[inline]
    fn stamp(&self, child: &Child, length: u16, header: &mut [u8]) -> Option<()> {
        // IPv6 has its length field within as many bytes.
        let ip = fixed::<{ ipv4::MIN_LENGTH }>(header, self.ip_offset)?;
        match self.network {
            Network::Ipv4 {
                identification,
                width,
            } => {
                let id = width.advance(identification, child.first_segment);
                put_u16(ip, ipv4::TOTAL_LENGTH, length)?;
                put_u16(ip, ipv4::IDENTIFICATION, id)?;
            }
            Network::Ipv6 => put_u16(ip, ipv6::PAYLOAD_LENGTH, length)?,
        }
        let tcp = fixed::<{ tcp::MIN_LENGTH }>(header, self.tcp_offset)?;
        let sequence = self.sequence.wrapping_add(child.payload_offset);
        put_u32(tcp, tcp::SEQUENCE, sequence)?;
        put_u8(tcp, tcp::FLAGS, self.flags & flags_kept(child))
    }
}

/// The fixed part of a header: bounds are checked once for all its fields.
#[inline]
fn fixed<const N: usize>(frame: &mut [u8], offset: usize) -> Option<&mut [u8; N]> {
    frame.get_mut(offset..)?.first_chunk_mut()
}

/// The flags that a child has of its parent's: the end of the data is announced
/// where it is, and the congestion window is reduced once.
#[inline]
fn flags_kept(child: &Child) -> u8 {
    let end = if child.is_last {
        0
    } else {
        tcp::flag::FIN | tcp::flag::PSH
    };
    let start = if child.is_first { 0 } else { tcp::flag::CWR };
    !(end | start)
}

#[cfg(test)]
#[expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]
mod tests;
