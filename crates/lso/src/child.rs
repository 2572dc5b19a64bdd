//! A child's frame header.

mod packet;

use crate::headers::Tunnel;
use crate::wire::{get_u8, get_u16, get_u32, ipv4, ipv6, put_u8, put_u16, put_u32, tcp, udp};
use crate::{Child, Headers, IpIdWidth, IpVersion, Offload, Refusal, Transport};
pub use packet::Checksum;

/// The parent's header, ready to be stamped out for each child.
///
/// | field | in a large send | in a packet |
/// |---|---|---|
/// | IPv4 total length, IPv6 payload length | LSOv1: its own. LSOv2: 0. USO, and a tunnel's outer one: its own, or 0 where the parent says 0 or it is past 64 KiB | its own |
/// | UDP length | as the length of a tunnel's outer header | its own |
/// | IPv4 identification, inner and outer | advanced by the wire segments of earlier children | the same |
/// | IPv4 checksum | the parent's | computed |
/// | TCP sequence number | advanced by the payload of earlier children | the same |
/// | FIN, PSH | cleared, but in the last child | the same |
/// | CWR | cleared, but in the first child (RFC 3168, section 6.1.2) | the same |
/// | TCP, UDP checksum | the parent's | see [`Checksum`] |
///
/// All else is the parent's. In a large send, the checksum field holds a sum of
/// addresses and protocol, without the length, which is the same for every child
/// (Windows driver documentation, "Offloading the Segmentation of Large TCP Packets",
/// "UDP Segmentation Offload (USO)"). In a tunnel, the NIC counts both
/// identifications ("Supporting NVGRE in Large Send Offload (LSO)").
#[derive(Clone, Copy, Debug)]
pub struct Template<'a> {
    header: &'a [u8],
    headers: Headers,
    ip: Ip,
    transport: Fields,
    outer: Option<Outer>,
}

/// What an IP header needs of each child.
#[derive(Clone, Copy, Debug)]
struct Ip {
    version: IpVersion,
    /// Where it begins.
    start: usize,
    identification: u16,
    width: IpIdWidth,
    length: Length,
}

/// What a transport header needs of each child.
#[derive(Clone, Copy, Debug)]
enum Fields {
    Tcp { sequence: u32, flags: u8 },
    Udp { length: Length },
}

/// What the headers around an inner frame need of each child.
#[derive(Clone, Copy, Debug)]
struct Outer {
    tunnel: Tunnel,
    ip: Ip,
    /// VXLAN's UDP header.
    udp: Option<Length>,
}

/// A length field of a large send.
#[derive(Clone, Copy, Debug)]
enum Length {
    /// 0.
    Zero,
    /// This many bytes of header, and the payload.
    Own(u16),
    /// The same where it fits, and else 0.
    OwnOrZero(u16),
}

impl Length {
    #[inline]
    fn of(self, child: &Child) -> Result<u16, Refusal> {
        let sum = |headers| {
            u16::try_from(child.payload_length)
                .ok()
                .and_then(|payload| payload.checked_add(headers))
        };
        match self {
            Self::Zero => Ok(0),
            Self::Own(headers) => sum(headers).ok_or(Refusal::Lsov1TooLong),
            Self::OwnOrZero(headers) => Ok(sum(headers).unwrap_or(0)),
        }
    }

    /// What the parent has sets the rule: 0, or a length.
    fn as_in_parent(parent: u16, headers: u16) -> Self {
        if parent == 0 {
            Self::Zero
        } else {
            Self::OwnOrZero(headers)
        }
    }
}

impl<'a> Template<'a> {
    /// Takes the header from `front`, the same bytes that `headers` was found in:
    /// the first bytes of the parent's frame.
    ///
    /// # Errors
    ///
    /// [`HeaderNotContiguous`](Refusal::HeaderNotContiguous) if `front` is shorter
    /// than the headers, [`Lsov1OnIpv6`](Refusal::Lsov1OnIpv6),
    /// [`MalformedLargeSend`](Refusal::MalformedLargeSend) for an offload of another
    /// transport protocol than the headers'.
    pub fn new(
        front: &'a [u8],
        headers: Headers,
        offload: Offload,
        ip_id: IpIdWidth,
    ) -> Result<Self, Refusal> {
        if offload == Offload::LsoV1 && headers.ip_version() == IpVersion::V6 {
            return Err(Refusal::Lsov1OnIpv6);
        }
        if offload.transport() != headers.transport() {
            return Err(Refusal::MalformedLargeSend);
        }
        // USO counts in 16 bits, whatever LSO does.
        let width = match offload {
            Offload::LsoV1 | Offload::LsoV2 => ip_id,
            Offload::Uso => IpIdWidth::Bits16,
        };
        Self::read(front, headers, offload, width).ok_or(Refusal::HeaderNotContiguous)
    }

    /// Looks at all that [`stamp`](Self::stamp) is going to write, so that a
    /// template is proof that it is inside the header.
    fn read(front: &'a [u8], headers: Headers, offload: Offload, width: IpIdWidth) -> Option<Self> {
        let header = front.get(..headers.end())?;
        let mut ip = Ip::read(header, headers.ip_version(), headers.ip_start(), width)?;
        ip.length = match offload {
            Offload::LsoV1 => Length::Own(headers.end().checked_sub(ip.start)?.try_into().ok()?),
            Offload::LsoV2 => Length::Zero,
            Offload::Uso => ip.length,
        };
        let transport = header.get(headers.transport_start()..)?;
        let transport = match headers.transport() {
            Transport::Tcp => {
                let tcp: &[u8; tcp::MIN_LENGTH] = transport.first_chunk()?;
                Fields::Tcp {
                    sequence: get_u32(tcp, tcp::SEQUENCE)?,
                    flags: get_u8(tcp, tcp::FLAGS)?,
                }
            }
            Transport::Udp => Fields::Udp {
                length: udp_length(transport)?,
            },
        };
        let outer = match headers.tunnel() {
            None => None,
            Some(tunnel) => Some(Outer::read(header, tunnel, width)?),
        };
        Some(Self {
            header,
            headers,
            ip,
            transport,
            outer,
        })
    }

    /// Whether its packets have a TCP or UDP checksum: UDP's may be 0, which stands for none.
    #[must_use]
    pub fn has_checksum(&self) -> bool {
        match self.headers.transport() {
            Transport::Tcp => true,
            Transport::Udp => self
                .header
                .get(self.headers.transport_start()..)
                .and_then(|udp| get_u16(udp, udp::CHECKSUM))
                .is_some_and(|seed| seed != 0),
        }
    }

    /// Writes the header of a large send, [`Headers::length`] bytes, to the beginning
    /// of `out`. What `out` has after that stays as it is.
    ///
    /// # Errors
    ///
    /// [`HeaderBufferTooShort`](Refusal::HeaderBufferTooShort), and
    /// [`Lsov1TooLong`](Refusal::Lsov1TooLong) for a child with more payload than
    /// [`Headers::most_payload`]. Nothing is written then.
    #[inline]
    pub fn write(&self, child: &Child, out: &mut [u8]) -> Result<(), Refusal> {
        let length = self.ip.length.of(child)?;
        let out = self.copy(out)?;
        self.stamp(child, length, out)
            .ok_or(Refusal::HeaderBufferTooShort)
    }

    /// Copies the parent's header.
    #[inline]
    fn copy<'out>(&self, out: &'out mut [u8]) -> Result<&'out mut [u8], Refusal> {
        let out = out
            .get_mut(..self.header.len())
            .ok_or(Refusal::HeaderBufferTooShort)?;
        out.copy_from_slice(self.header);
        Ok(out)
    }

    #[inline]
    fn stamp(&self, child: &Child, length: u16, header: &mut [u8]) -> Option<()> {
        self.ip.stamp(child, length, header)?;
        let transport = self.headers.transport_start();
        match self.transport {
            Fields::Tcp { sequence, flags } => {
                let tcp = fixed::<{ tcp::MIN_LENGTH }>(header, transport)?;
                let sequence = sequence.wrapping_add(child.payload_offset);
                put_u32(tcp, tcp::SEQUENCE, sequence)?;
                put_u8(tcp, tcp::FLAGS, flags & flags_kept(child))?;
            }
            Fields::Udp { length } => {
                let udp = fixed::<{ udp::LENGTH }>(header, transport)?;
                put_u16(udp, udp::UDP_LENGTH, length.of(child).ok()?)?;
            }
        }
        match &self.outer {
            None => Some(()),
            Some(outer) => outer.stamp(child, header),
        }
    }
}

impl Ip {
    fn read(header: &[u8], version: IpVersion, start: usize, width: IpIdWidth) -> Option<Self> {
        let rest = header.get(start..)?;
        // IPv6 has what is written within as many bytes.
        let ip: &[u8; ipv4::MIN_LENGTH] = rest.first_chunk()?;
        let all = u16::try_from(rest.len()).ok()?;
        let (identification, length) = match version {
            IpVersion::V4 => (
                get_u16(ip, ipv4::IDENTIFICATION)?,
                Length::as_in_parent(get_u16(ip, ipv4::TOTAL_LENGTH)?, all),
            ),
            IpVersion::V6 => {
                let beyond = all.checked_sub(u16::try_from(ipv6::LENGTH).ok()?)?;
                let says = get_u16(ip, ipv6::PAYLOAD_LENGTH)?;
                (0, Length::as_in_parent(says, beyond))
            }
        };
        Some(Self {
            version,
            start,
            identification,
            width,
            length,
        })
    }

    #[inline]
    fn stamp(&self, child: &Child, length: u16, header: &mut [u8]) -> Option<()> {
        let ip = fixed::<{ ipv4::MIN_LENGTH }>(header, self.start)?;
        match self.version {
            IpVersion::V4 => {
                let id = self.width.advance(self.identification, child.first_segment);
                put_u16(ip, ipv4::TOTAL_LENGTH, length)?;
                put_u16(ip, ipv4::IDENTIFICATION, id)
            }
            IpVersion::V6 => put_u16(ip, ipv6::PAYLOAD_LENGTH, length),
        }
    }
}

impl Outer {
    fn read(header: &[u8], tunnel: Tunnel, width: IpIdWidth) -> Option<Self> {
        let ip = Ip::read(header, tunnel.ip_version(), tunnel.ip_start(), width)?;
        let udp = match tunnel.udp_start() {
            None => None,
            Some(start) => Some(udp_length(header.get(start..)?)?),
        };
        Some(Self { tunnel, ip, udp })
    }

    fn stamp(&self, child: &Child, header: &mut [u8]) -> Option<()> {
        self.ip
            .stamp(child, self.ip.length.of(child).ok()?, header)?;
        let Some((start, length)) = self.tunnel.udp_start().zip(self.udp) else {
            return Some(());
        };
        let udp = fixed::<{ udp::LENGTH }>(header, start)?;
        put_u16(udp, udp::UDP_LENGTH, length.of(child).ok()?)
    }
}

/// The UDP length field, where `udp` is the parent's header from the UDP header on.
fn udp_length(udp: &[u8]) -> Option<Length> {
    let all = u16::try_from(udp.len()).ok()?;
    let fields: &[u8; udp::LENGTH] = udp.first_chunk()?;
    Some(Length::as_in_parent(get_u16(fields, udp::UDP_LENGTH)?, all))
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
