//! The independent judge: one-stage segmentation.
//!
//! A large send cut straight to MSS-sized wire packets is by definition what the two stages
//! together must put on the wire, byte for byte. This module computes those packets. It shares no
//! code with the filter, and prefers plain code to fast code: each packet is a copy of the large
//! send's headers with the fields patched that RFC 9293, 768, 791, 8200, 3168, 7637 and 7348 make
//! different, and its checksums are summed in full from the finished packet.
//!
//! The frame's length is the only length believed. The lengths that a large
//! send states are 0 or may be stale, and its transport checksum is no checksum:
//! both are ignored, but for a UDP checksum of 0, which means none.

mod error;
mod field;
mod ip;
mod transport;
mod tunnel;

pub use error::ReferenceError;

use etherparse::IpNumber;
use ip::Ip;
use transport::{Place, Transport};
use tunnel::Tunnel;

/// The kind of a large send. A frame alone does not show it: a VXLAN packet's content is also the
/// payload of UDP.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// TCP (LSOv1, LSOv2).
    Tcp,
    /// UDP (USO): every packet is a datagram of its own.
    Udp,
    /// TCP or UDP in an Ethernet frame in NVGRE or VXLAN (LSOv2 or USO with the
    /// supplemental OOB information).
    Encapsulated,
}

/// The wire packets of the TCP large send `frame`: see [`cut`].
pub fn segment(frame: &[u8], mss: u32, ip_id_bits: u32) -> Result<Vec<Vec<u8>>, ReferenceError> {
    cut(frame, Kind::Tcp, mss, ip_id_bits)
}

/// The wire packets of the large send `frame`: whole Ethernet frames without
/// check sequence, in order, each with exactly `mss` bytes of TCP or UDP payload
/// but for the last. A payload within the MSS gives one packet.
///
/// - IP lengths and UDP lengths: true. IPv4 identification: one more each
///   packet, in the lower `ip_id_bits` (15 or 16) bits; with 15 the top bit
///   stays. With UDP it has always 16. In a tunnel inner and outer one advance,
///   each from its own start.
/// - TCP sequence: `mss` more each packet. FIN and PSH: last packet only.
///   CWR: first packet only (RFC 3168, section 6.1.2).
/// - Checksums of IPv4 headers, TCP and UDP: in full. A UDP checksum of 0 stays
///   0, that of a tunnel as well; one that comes to 0 is sent as 0xFFFF.
/// - All else is copied: VLAN tags, addresses, options, extension headers,
///   window, ECE, AE and reserved bits, ports, keys and network identifiers.
///
/// # Errors
///
/// What [`ReferenceError`] lists; there are no packets then.
pub fn cut(
    frame: &[u8],
    kind: Kind,
    mss: u32,
    ip_id_bits: u32,
) -> Result<Vec<Vec<u8>>, ReferenceError> {
    packets(frame, kind, mss, ip_id_bits).map(Iterator::collect)
}

/// [`cut`], one packet at a time: there may be millions.
pub fn packets(
    frame: &[u8],
    kind: Kind,
    mss: u32,
    ip_id_bits: u32,
) -> Result<impl ExactSizeIterator<Item = Vec<u8>> + use<'_>, ReferenceError> {
    if !matches!(ip_id_bits, 15 | 16) {
        return Err(ReferenceError::IdBits(ip_id_bits));
    }
    if mss == 0 {
        return Err(ReferenceError::ZeroMss);
    }
    LargeSend::parse(frame, kind)?.packets(frame, mss, ip_id_bits)
}

/// The wire packets of a large send of TCP or UDP in a tunnel over UDP of any kind, whose inner
/// TCP or UDP header is `transport` bytes from the start of `frame`. All that is between the two
/// transport headers, but for the inner IP header, is the same in each packet, as with [`cut`].
pub fn cut_any_tunnel(
    frame: &[u8],
    transport: usize,
    mss: u32,
) -> Result<Vec<Vec<u8>>, ReferenceError> {
    if mss == 0 {
        return Err(ReferenceError::ZeroMss);
    }
    let (tunnel, ip, protocol) = Tunnel::around(frame, transport)?;
    let send = LargeSend::within(frame, Some(tunnel), ip, protocol, Kind::Encapsulated)?;
    send.packets(frame, mss, 16).map(Iterator::collect)
}

/// Where the headers and payload of a large send are, in bytes from the frame's start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Layers {
    /// The headers around the inner frame, where there are some.
    pub tunnel: Option<TunnelLayers>,
    /// The IP header before TCP or UDP.
    pub ip: usize,
    /// Whether that is IPv6.
    pub ipv6: bool,
    /// Whether UDP follows it, or else TCP.
    pub udp: bool,
    /// The TCP or UDP header.
    pub transport: usize,
    /// The payload that is cut.
    pub payload: usize,
}

/// Where the headers of a tunnel are, in bytes from the frame's start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TunnelLayers {
    /// The outer IP header.
    pub ip: usize,
    /// Whether that is IPv6.
    pub ipv6: bool,
    /// The UDP header of VXLAN; none with NVGRE.
    pub udp: Option<usize>,
    /// The inner frame.
    pub inner: usize,
}

/// Where the headers and payload of the large send `frame` are.
pub fn layers(frame: &[u8], kind: Kind) -> Result<Layers, ReferenceError> {
    let send = LargeSend::parse(frame, kind)?;
    let tunnel = send.tunnel.as_ref().map(|tunnel| TunnelLayers {
        ip: tunnel.ip.at,
        ipv6: tunnel.ip.is_v6(),
        udp: tunnel.udp.map(|_| tunnel.ip.end),
        inner: tunnel.inner,
    });
    Ok(Layers {
        tunnel,
        ip: send.ip.at,
        ipv6: send.ip.is_v6(),
        udp: matches!(send.transport, Transport::Udp { .. }),
        transport: send.ip.end,
        payload: send.payload,
    })
}

/// The source and destination, one behind the other, that the transport checksum
/// of the large send `frame` is over: with a route still to travel not those of
/// its IP header (RFC 8200, section 8.1).
///
/// # Errors
///
/// It is no large send of this kind, or its route is of an unknown type.
pub fn checksum_addresses(frame: &[u8], kind: Kind) -> Result<Vec<u8>, ReferenceError> {
    LargeSend::parse(frame, kind).map(|send| send.ip.addresses().to_vec())
}

/// The headers of a large send.
struct LargeSend {
    tunnel: Option<Tunnel>,
    ip: Ip,
    transport: Transport,
    /// Where the payload starts; it ends with the frame.
    payload: usize,
}

impl LargeSend {
    fn parse(frame: &[u8], kind: Kind) -> Result<Self, ReferenceError> {
        let tunnel = match kind {
            Kind::Tcp | Kind::Udp => None,
            Kind::Encapsulated => Some(Tunnel::parse(frame)?),
        };
        let ethernet = tunnel.as_ref().map_or(0, |tunnel| tunnel.inner);
        let (ip, protocol) = Ip::parse(frame, ethernet)?;
        Self::within(frame, tunnel, ip, protocol, kind)
    }

    /// A large send whose headers before TCP or UDP are known.
    fn within(
        frame: &[u8],
        tunnel: Option<Tunnel>,
        ip: Ip,
        protocol: IpNumber,
        kind: Kind,
    ) -> Result<Self, ReferenceError> {
        let rest = &frame[ip.end..];
        let (transport, header_len) = match kind {
            Kind::Encapsulated if protocol == IpNumber::UDP => Transport::udp(protocol, rest)?,
            Kind::Tcp | Kind::Encapsulated => Transport::tcp(protocol, rest)?,
            Kind::Udp => Transport::udp(protocol, rest)?,
        };
        if rest.len() == header_len {
            return Err(ReferenceError::NoPayload);
        }
        let payload = ip.end + header_len;
        Ok(Self {
            tunnel,
            ip,
            transport,
            payload,
        })
    }

    /// Its packets, made one at a time.
    fn packets(
        self,
        frame: &[u8],
        mss: u32,
        ip_id_bits: u32,
    ) -> Result<impl ExactSizeIterator<Item = Vec<u8>> + use<'_>, ReferenceError> {
        let id_mask = match (ip_id_bits, &self.transport) {
            (15, Transport::Tcp { .. }) => 0x7FFF,
            _ => 0xFFFF,
        };
        self.check_longest(frame.len(), mss as usize)?;
        let (headers, payload) = frame.split_at(self.payload);
        let parts = payload.chunks(mss as usize);
        let last = parts.len() - 1;
        let packet = move |(k, part): (usize, &[u8])| {
            let mut packet = [headers, part].concat();
            let last = k == last;
            self.write(&mut packet, Place { k, last, mss }, id_mask);
            packet
        };
        Ok(parts.enumerate().map(packet))
    }

    /// Whether the longest packet can state its length. In a tunnel the outer
    /// IP header is the one that counts the most.
    fn check_longest(&self, frame: usize, mss: usize) -> Result<(), ReferenceError> {
        let end = frame.min(self.payload.saturating_add(mss));
        let outermost = self.tunnel.as_ref().map_or(&self.ip, |tunnel| &tunnel.ip);
        let counted = outermost.length(end);
        let fits = counted <= usize::from(u16::MAX);
        fits.then_some(())
            .ok_or(ReferenceError::SegmentTooLong(counted))
    }

    /// Makes a copy of the headers, with part of the payload after them, the
    /// packet at `place`. From the inside out, as outer checksums are over it.
    fn write(&self, packet: &mut [u8], place: Place, id_mask: u16) {
        self.transport.write(packet, &self.ip, place);
        self.ip.write(packet, place.k, id_mask);
        if let Some(tunnel) = &self.tunnel {
            tunnel.write(packet, place.k, id_mask);
        }
    }
}
