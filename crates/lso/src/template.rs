//! A child's frame header.

mod packet;

use crate::headers::Tunnel;
use crate::identification::Identification;
use crate::wire::{
    Field, get_u8, get_u16, get_u32, ipv4, ipv6, put_u8, put_u16, put_u32, tcp, udp,
};
use crate::{Headers, IpIdWidth, IpVersion, MAX_HEADER, Offload, PlannedChild, Refusal, Transport};
pub use packet::{Checksum, PacketTemplate};

/// The parent's header as a template for each child.
///
/// | field | in a large send | in a packet |
/// |---|---|---|
/// | IPv4 total length, IPv6 payload length | LSOv1: its own. LSOv2: 0. USO, and a tunnel's outer one: its own, or 0 where the parent's is 0 or it is past 64 KiB | its own |
/// | UDP length | as the length of a tunnel's outer header | its own |
/// | IPv4 identification, inner and outer | advanced by the wire segments of earlier children | the same |
/// | IPv4 checksum | the parent's | computed |
/// | TCP sequence number | advanced by the payload of earlier children | the same |
/// | FIN, PSH | cleared, but in the last child | the same |
/// | CWR | cleared, but in the first child (RFC 3168, section 6.1.2) | the same |
/// | TCP, UDP checksum | the parent's | see [`Checksum`] |
///
/// All other fields are the parent's. In a large send, the checksum field holds a sum of addresses
/// and protocol, without the length, which is the same for every child (Windows driver
/// documentation, "Offloading the Segmentation of Large TCP Packets", "UDP Segmentation Offload
/// (USO)"). In a tunnel, the NIC increments both identifications ("Supporting NVGRE in Large Send
/// Offload (LSO)").
#[derive(Clone, Copy, Debug)]
// With a byte first that a refusal can be kept apart from, no field is taken to pieces for it.
#[repr(C)]
pub struct Template<'a> {
    /// There may be more to write than an identification and TCP's fields.
    has_more: bool,
    /// The parent's header, with the fields set that are the same in every large send.
    header: &'a [u8; MAX_HEADER],
    headers: Headers,
    ip: Ip,
    transport: Fields,
    outer: Option<Outer>,
}

/// The values of an IP header that vary from child to child.
#[derive(Clone, Copy, Debug)]
struct Ip {
    identification: Identification,
    length: Length,
}

/// An IP header's kind, and the offset at which it begins.
#[derive(Clone, Copy, Debug)]
struct IpPlace {
    version: IpVersion,
    start: usize,
}

/// The values of a transport header that vary from child to child.
#[derive(Clone, Copy, Debug)]
enum Fields {
    Tcp { sequence: u32, flags: u8 },
    Udp { length: Length },
}

/// The values of the headers around an inner frame that vary from child to child.
#[derive(Clone, Copy, Debug)]
struct Outer {
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
    /// Writes the field at `field` of `header`, for `payload` bytes. [`Own`](Self::Own) lengths
    /// that are too long are refused before.
    fn put(self, payload: u32, header: &mut [u8], field: Field) -> Option<()> {
        match self {
            Self::Zero => Some(()),
            Self::Own(headers) | Self::OwnOrZero(headers) => {
                put_u16(header, field, sum(headers, payload).unwrap_or(0))
            }
        }
    }

    /// Writes the length of the UDP header that begins at `start`.
    fn put_udp(self, payload: u32, start: usize, header: &mut [u8]) -> Option<()> {
        let udp = fixed::<{ udp::LENGTH }>(header, start)?;
        self.put(payload, udp, udp::UDP_LENGTH)
    }

    /// The parent's field selects the rule: 0, or a length.
    fn as_in_parent(parent: u16, headers: u16) -> Self {
        if parent == 0 {
            Self::Zero
        } else {
            Self::OwnOrZero(headers)
        }
    }
}

/// Bytes of header and of payload together, if they fit 16 bits.
fn sum(headers: u16, payload: u32) -> Option<u16> {
    u16::try_from(payload).ok()?.checked_add(headers)
}

impl<'a> Template<'a> {
    /// Takes the header from `front`, the same bytes that `headers` was found in: the first bytes
    /// of the parent's frame. Fields that are the same in every large send are written there.
    ///
    /// # Errors
    ///
    /// [`Lsov1OnIpv6`](Refusal::Lsov1OnIpv6), [`MalformedLargeSend`](Refusal::MalformedLargeSend)
    /// for an offload of another transport protocol than the headers'. A `front` that differs from
    /// the parsed one may be [`HeaderNotContiguous`](Refusal::HeaderNotContiguous).
    #[inline(always)]
    pub fn new(
        front: &'a mut [u8; MAX_HEADER],
        headers: &Headers,
        offload: Offload,
        ip_id: IpIdWidth,
    ) -> Result<Self, Refusal> {
        if offload == Offload::LsoV1 && headers.ip_version() == IpVersion::V6 {
            return Err(Refusal::Lsov1OnIpv6);
        }
        if offload.transport() != headers.transport() {
            return Err(Refusal::MalformedLargeSend);
        }
        // USO counts in 16 bits, regardless of the setting for LSO.
        let width = match offload {
            Offload::LsoV1 | Offload::LsoV2 => ip_id,
            Offload::Uso => IpIdWidth::Bits16,
        };
        Self::read(front, headers, offload, width).ok_or(Refusal::HeaderNotContiguous)
    }

    /// Looks at all that [`stamp`](Self::stamp) is going to write, so that a
    /// template is proof that it is inside the header.
    #[inline(always)]
    fn read(
        front: &'a mut [u8; MAX_HEADER],
        headers: &Headers,
        offload: Offload,
        width: IpIdWidth,
    ) -> Option<Self> {
        let header = front.get_mut(..headers.end())?;
        let place = headers.ip_place();
        let mut ip = Ip::read(header, place, width)?;
        match offload {
            Offload::LsoV1 => {
                ip.length = Length::Own(headers.end().checked_sub(place.start)?.try_into().ok()?);
            }
            Offload::LsoV2 => {
                ip.length = Length::Zero;
                put_u16(fixed::<IP>(header, place.start)?, place.length_field(), 0)?;
            }
            Offload::Uso => {}
        }
        let transport = header.get_mut(headers.transport_start()..)?;
        let transport = match headers.transport() {
            Transport::Tcp => {
                let tcp: &mut [u8; tcp::MIN_LENGTH] = transport.first_chunk_mut()?;
                let flags = get_u8(tcp, tcp::FLAGS)?;
                put_u8(tcp, tcp::FLAGS, flags & !(AT_THE_END | AT_THE_START))?;
                Fields::Tcp {
                    sequence: get_u32(tcp, tcp::SEQUENCE)?,
                    flags,
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
        let has_more = outer.is_some()
            || !matches!((ip.length, transport), (Length::Zero, Fields::Tcp { .. }));
        Some(Self {
            header: front,
            headers: *headers,
            ip,
            transport,
            outer,
            has_more,
        })
    }

    /// The positions of the headers.
    #[inline]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Whether its packets have a TCP or UDP checksum: a UDP checksum of 0 means none.
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

    /// Writes the header of a large send, [`Headers::length`] bytes, to the beginning of `out`. The
    /// content of `out` after that is unspecified.
    ///
    /// # Errors
    ///
    /// [`Lsov1TooLong`](Refusal::Lsov1TooLong) for a child with more payload than
    /// [`Headers::max_payload`].
    #[inline]
    pub fn write(&self, child: &PlannedChild, out: &mut [u8; MAX_HEADER]) -> Result<(), Refusal> {
        self.copy(out);
        self.stamp(child, out)
            .ok_or(Refusal::HeaderBufferTooShort)?;
        if self.has_more {
            self.put_more(child, out)?;
        }
        Ok(())
    }

    /// Copies the parent's header, or somewhat more: in pieces of fixed length, which cost less
    /// than the call of memcpy that a copy of just the header would be.
    #[inline]
    fn copy(&self, out: &mut [u8; MAX_HEADER]) {
        let (from, end) = (self.header, self.headers.end());
        copy_piece::<0, 64>(from, out);
        if end > 64 {
            copy_piece::<64, 32>(from, out);
        }
        if end > 96 {
            copy_piece::<96, 160>(from, out);
        }
    }

    /// Writes the fields of the innermost headers that advance from child to child.
    #[inline]
    fn stamp(&self, child: &PlannedChild, header: &mut [u8; MAX_HEADER]) -> Option<()> {
        self.ip.count(self.headers.ip_place(), child, header)?;
        if let Fields::Tcp { sequence, flags } = self.transport {
            let transport = self.headers.transport_start();
            let tcp = fixed::<{ tcp::MIN_LENGTH }>(header, transport)?;
            let sequence = sequence.wrapping_add(child.payload_offset);
            put_u32(tcp, tcp::SEQUENCE, sequence)?;
            if child.is_first || child.is_last {
                put_u8(tcp, tcp::FLAGS, flags & flags_kept(child))?;
            }
        }
        Some(())
    }

    /// Advances the identification of a tunnel's outer header.
    fn stamp_outer(&self, child: &PlannedChild, header: &mut [u8; MAX_HEADER]) -> Option<()> {
        match (&self.outer, self.headers.tunnel()) {
            (Some(outer), Some(tunnel)) => outer.ip.count(tunnel.ip_place(), child, header),
            _ => Some(()),
        }
    }

    /// Writes what few large sends have beside the fields of [`stamp`](Self::stamp): an outer
    /// identification, and length fields.
    #[inline(never)]
    fn put_more(&self, child: &PlannedChild, header: &mut [u8; MAX_HEADER]) -> Result<(), Refusal> {
        let payload = child.payload_length;
        if let Length::Own(headers) = self.ip.length
            && sum(headers, payload).is_none()
        {
            return Err(Refusal::Lsov1TooLong);
        }
        self.stamp_outer(child, header)
            .and_then(|()| self.put_lengths(payload, header))
            .ok_or(Refusal::HeaderBufferTooShort)
    }

    fn put_lengths(&self, payload: u32, header: &mut [u8; MAX_HEADER]) -> Option<()> {
        self.ip
            .put_length(self.headers.ip_place(), payload, header)?;
        if let Fields::Udp { length } = self.transport {
            length.put_udp(payload, self.headers.transport_start(), header)?;
        }
        let Some((outer, tunnel)) = self.outer.as_ref().zip(self.headers.tunnel()) else {
            return Some(());
        };
        outer.ip.put_length(tunnel.ip_place(), payload, header)?;
        match tunnel.udp_start().zip(outer.udp) {
            None => Some(()),
            Some((start, length)) => length.put_udp(payload, start, header),
        }
    }
}

/// Bytes of an IP header that are written to: of IPv6's 40, none is beyond IPv4's 20.
const IP: usize = ipv4::MIN_LENGTH;

impl Headers {
    #[inline]
    fn ip_place(&self) -> IpPlace {
        IpPlace {
            version: self.ip_version(),
            start: self.ip_start(),
        }
    }
}

impl Tunnel {
    fn ip_place(self) -> IpPlace {
        IpPlace {
            version: self.ip_version(),
            start: self.ip_start(),
        }
    }
}

impl IpPlace {
    #[inline]
    fn length_field(self) -> Field {
        match self.version {
            IpVersion::V4 => ipv4::TOTAL_LENGTH,
            IpVersion::V6 => ipv6::PAYLOAD_LENGTH,
        }
    }
}

impl Ip {
    #[inline(always)]
    fn read(header: &[u8], place: IpPlace, width: IpIdWidth) -> Option<Self> {
        let rest = header.get(place.start..)?;
        let ip: &[u8; IP] = rest.first_chunk()?;
        let all = u16::try_from(rest.len()).ok()?;
        let (identification, length) = match place.version {
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
            identification: Identification::new(width, identification),
            length,
        })
    }

    /// Advances the identification.
    #[inline]
    fn count(&self, place: IpPlace, child: &PlannedChild, header: &mut [u8]) -> Option<()> {
        if place.version == IpVersion::V6 {
            return Some(());
        }
        let ip = fixed::<IP>(header, place.start)?;
        let id = self.identification.after(child.first_segment);
        put_u16(ip, ipv4::IDENTIFICATION, id)
    }

    fn put_length(&self, place: IpPlace, payload: u32, header: &mut [u8]) -> Option<()> {
        let ip = fixed::<IP>(header, place.start)?;
        self.length.put(payload, ip, place.length_field())
    }
}

impl Outer {
    #[inline(never)]
    fn read(header: &[u8], tunnel: Tunnel, width: IpIdWidth) -> Option<Self> {
        let ip = Ip::read(header, tunnel.ip_place(), width)?;
        let udp = match tunnel.udp_start() {
            None => None,
            Some(start) => Some(udp_length(header.get(start..)?)?),
        };
        Some(Self { ip, udp })
    }
}

/// The UDP length field, where `udp` is the parent's header from the UDP header on.
fn udp_length(udp: &[u8]) -> Option<Length> {
    let all = u16::try_from(udp.len()).ok()?;
    let fields: &[u8; udp::LENGTH] = udp.first_chunk()?;
    Some(Length::as_in_parent(get_u16(fields, udp::UDP_LENGTH)?, all))
}

/// Copies `LENGTH` bytes from position `AT`.
#[inline]
fn copy_piece<const AT: usize, const LENGTH: usize>(
    from: &[u8; MAX_HEADER],
    to: &mut [u8; MAX_HEADER],
) {
    let from = from.get(AT..).and_then(<[u8]>::first_chunk::<LENGTH>);
    let to = to.get_mut(AT..).and_then(<[u8]>::first_chunk_mut::<LENGTH>);
    if let (Some(from), Some(to)) = (from, to) {
        *to = *from;
    }
}

/// The fixed part of a header: bounds are checked once for all its fields.
#[inline]
fn fixed<const N: usize>(frame: &mut [u8], offset: usize) -> Option<&mut [u8; N]> {
    frame.get_mut(offset..)?.first_chunk_mut()
}

/// FIN and PSH mark the end of the data; CWR stays in the first child, so that it is sent once.
const AT_THE_END: u8 = tcp::flag::FIN | tcp::flag::PSH;
const AT_THE_START: u8 = tcp::flag::CWR;

/// The flags that a child has of its parent's.
#[inline]
fn flags_kept(child: &PlannedChild) -> u8 {
    let end = if child.is_last { 0 } else { AT_THE_END };
    let start = if child.is_first { 0 } else { AT_THE_START };
    !(end | start)
}

#[cfg(test)]
#[expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]
mod tests;
