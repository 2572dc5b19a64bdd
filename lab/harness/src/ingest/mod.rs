//! Makes large sends, as Windows sends them, of captured packets.
//!
//! A Linux stack and LSO disagree on the headers of a large send:
//!
//! | field | captured on Linux | LSOv2 | LSOv1 |
//! |---|---|---|---|
//! | IPv4 total length | true up to 64 KiB, else 0 | 0 | true, where 16 bits hold it |
//! | IPv6 payload length | as above, 0 with a jumbo option in a hop-by-hop header | 0, no such header | – |
//! | TCP checksum | sum of addresses, protocol **and length** | sum of addresses and protocol | as LSOv2 |
//!
//! The sum is folded and not complemented (Windows driver documentation, "Offloading the
//! Segmentation of Large TCP Packets"). It is computed anew here, so the capture's own value does
//! not matter.
//!
//! [`ingest`] makes large sends of TCP; [`ingest_as`] can send the same payload
//! by USO or through a tunnel, and put a VLAN tag into its OOB slot.

mod form;
mod oob;
#[cfg(test)]
mod tests;
mod vlan;

pub use form::{Form, ingest_as};
pub use vlan::Tag;

use checksum::Sum;
use lso::{Headers, IpVersion, Refusal};

use model::Packet;
use reference::{Kind, checksum_addresses};
use testpkt::capture::strip_jumbo_hop_by_hop;
use testpkt::synth::Synth;

/// The fields that differ, in bytes from the start of their header.
mod field {
    use core::ops::Range;

    pub(super) const IPV4_TOTAL_LENGTH: Range<usize> = 2..4;
    pub(super) const IPV4_ADDRESSES: Range<usize> = 12..20;
    pub(super) const IPV6_PAYLOAD_LENGTH: Range<usize> = 4..6;
    pub(super) const IPV6_ADDRESSES: Range<usize> = 8..40;
    pub(super) const TCP_CHECKSUM: Range<usize> = 16..18;
    pub(super) const UDP_LENGTH: Range<usize> = 4..6;
    pub(super) const UDP_CHECKSUM: Range<usize> = 6..8;
}

const IPV6_HEADER_LEN: u32 = 40;
const TCP: u8 = 6;

/// The version of large send offload by which a packet of TCP is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LsoVersion {
    /// IPv4 only, at most 64 KiB: the IP header has the true length.
    V1,
    /// IPv4 and IPv6, of any length: the IP header has a length of 0.
    V2,
}

/// The NIC's large-send sizes that were advertised to the overlying driver, and that it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The version of the offload by which it sends.
    pub lso: LsoVersion,
    /// The least wire packets that a large send makes.
    pub min_segments: u32,
}

impl Terms {
    /// LSOv2 from two packets on: what NICs mostly advertise.
    pub const V2: Self = Self {
        lso: LsoVersion::V2,
        min_segments: 2,
    };
}

/// Why no large send is made of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// For its form: the filter would refuse it.
    Refused(Refusal),
    /// Its checksum is over another address than its IP header has, and the route does not give
    /// it.
    UnknownRoute,
    /// It makes fewer wire packets than the advertised minimum of a large send.
    TooFewSegments,
}

impl From<Refusal> for Unfit {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A large send in the shape of an NDIS send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeSend {
    /// The frame, from its Ethernet header.
    pub frame: Vec<u8>,
    /// The kind of large send, by the OOB information, not by the frame.
    pub kind: Kind,
    /// Bytes of TCP or UDP payload in each wire packet but the last; less than
    /// [`payload`](Self::payload).
    pub mss: u32,
    /// Bytes of TCP or UDP payload.
    pub payload: u32,
    /// The network protocol of the segmented packet; in a tunnel that of the inner frame.
    pub ip: IpVersion,
    /// The version of the offload. LSOv2 in a tunnel; unused with UDP.
    pub lso: LsoVersion,
    /// The VLAN tag that is beside the frame rather than in it.
    pub vlan: Option<Tag>,
    /// Bytes in each of the payload's buffers, but the last.
    pub buffer: u32,
}

impl LargeSend {
    /// The large send of LSOv2 that `synth` is.
    ///
    /// # Panics
    ///
    /// It is none: it is no TCP, is refused, or fits one segment.
    pub fn of(synth: &Synth) -> Self {
        ingest(&synth.frame(false), synth.mss, Terms::V2)
            .expect("a packet that may be split")
            .expect("more payload than the MSS")
    }

    /// The packet as the overlying driver sends it: its headers in the first buffer, its OOB
    /// information in the slots that its kind has.
    pub fn packet(&self) -> Packet {
        let frame = self.frame.clone();
        let packet = match (self.kind, self.lso) {
            (Kind::Tcp, LsoVersion::V1) => Packet::large_send_v1(frame, self.mss),
            (Kind::Tcp, LsoVersion::V2) => Packet::large_send(frame, self.mss),
            (Kind::Udp, _) => Packet::new(frame),
            (Kind::Encapsulated, _) => Packet {
                large_send: self.stale_large_send(),
                ..Packet::new(frame)
            },
        };
        let size = self.buffer.max(1);
        let whole = std::iter::repeat_n(size, (self.payload / size) as usize);
        Packet {
            oob: self.slots(),
            buffers: std::iter::once(self.headers()).chain(whole).collect(),
            ..packet
        }
    }

    /// Bytes of headers in the frame. They lie together in the first buffer.
    pub fn headers(&self) -> u32 {
        self.frame.len() as u32 - self.payload
    }

    /// The same with the outermost VLAN tag of the frame beside it, where that is one of 802.1Q and
    /// is not empty.
    #[must_use]
    pub fn with_tag_beside(mut self) -> Self {
        self.vlan = Tag::take(&mut self.frame);
        self
    }

    /// The frame with all its VLAN tags, as a NIC would send it if it could be
    /// sent whole.
    pub fn whole_frame(&self) -> Vec<u8> {
        let mut frame = self.frame.clone();
        if let Some(tag) = self.vlan {
            tag.put_back(&mut frame);
        }
        frame
    }
}

/// Bytes in a buffer of a large send, by default.
pub const BUFFER: u32 = 64 << 10;

/// The large send that the packet `frame` with an MSS of `mss` bytes is; `None` where its TCP
/// payload is within the MSS, and it is forwarded.
///
/// The length of the frame is the only length believed.
///
/// # Errors
///
/// The packet is no TCP, or is a large send that must not be made: one of the
/// reasons of [`Headers::parse`] and [`Headers::check`], or
/// [`MssZero`](Refusal::MssZero), [`SegmentTooLong`](Refusal::SegmentTooLong)
/// where no IP packet could hold a segment, and
/// [`TooFewSegments`](Unfit::TooFewSegments).
pub fn ingest(frame: &[u8], mss: u32, terms: Terms) -> Result<Option<LargeSend>, Unfit> {
    let mut frame = strip_jumbo_hop_by_hop(frame.to_vec());
    let headers = Headers::parse(&frame)?;
    let payload = frame.len() as u32 - headers.length();
    if payload <= mss {
        return Ok(None);
    }
    let info = lso::LargeSend {
        offload: match terms.lso {
            LsoVersion::V1 => lso::Offload::LsoV1,
            LsoVersion::V2 => lso::Offload::LsoV2,
        },
        ip_version: headers.ip_version(),
        mss,
        framing: lso::Framing::Plain {
            transport: headers.transport_offset(),
        },
    };
    headers.check(&frame, &info)?;
    check_segments(&headers, payload, mss, terms.min_segments)?;
    bring_to_shape(&mut frame, &headers, terms.lso);
    let addresses = checksum_addresses(&frame, Kind::Tcp).map_err(|error| form::unfit(&error))?;
    let seed = address_sum(&addresses, TCP).to_be_bytes();
    frame[headers.transport_offset() as usize..][field::TCP_CHECKSUM].copy_from_slice(&seed);
    Ok(Some(LargeSend {
        frame,
        kind: Kind::Tcp,
        mss,
        payload,
        ip: headers.ip_version(),
        lso: terms.lso,
        vlan: None,
        buffer: BUFFER,
    }))
}

/// Whether the wire can carry segments of `mss`, and the NIC accepts so few.
fn check_segments(headers: &Headers, payload: u32, mss: u32, least: u32) -> Result<(), Unfit> {
    if mss == 0 {
        return Err(Refusal::MssZero.into());
    }
    // An IPv6 payload length does not count the IPv6 header itself.
    let uncounted = match headers.ip_version() {
        IpVersion::V4 => 0,
        IpVersion::V6 => IPV6_HEADER_LEN,
    };
    let ip_and_tcp = headers.length() - headers.ip_offset();
    if u16::try_from(mss.saturating_add(ip_and_tcp - uncounted)).is_err() {
        return Err(Refusal::SegmentTooLong.into());
    }
    if payload.div_ceil(mss) < least {
        return Err(Unfit::TooFewSegments);
    }
    Ok(())
}

/// Writes IP length and TCP checksum as LSO has them.
pub(crate) fn bring_to_shape(frame: &mut [u8], headers: &Headers, lso: LsoVersion) {
    let ip_and_tcp = frame.len() - headers.ip_offset() as usize;
    let stated = match lso {
        LsoVersion::V1 => u16::try_from(ip_and_tcp).unwrap_or(0),
        LsoVersion::V2 => 0,
    };
    let (ip, tcp) = frame[headers.ip_offset() as usize..]
        .split_at_mut((headers.transport_offset() - headers.ip_offset()) as usize);
    let (length, addresses) = match headers.ip_version() {
        IpVersion::V4 => (field::IPV4_TOTAL_LENGTH, field::IPV4_ADDRESSES),
        IpVersion::V6 => (field::IPV6_PAYLOAD_LENGTH, field::IPV6_ADDRESSES),
    };
    ip[length].copy_from_slice(&stated.to_be_bytes());
    let seed = address_sum(&ip[addresses], TCP);
    tcp[field::TCP_CHECKSUM].copy_from_slice(&seed.to_be_bytes());
}

/// The folded sum of addresses and protocol (RFC 1071).
fn address_sum(addresses: &[u8], protocol: u8) -> u16 {
    Sum::of(addresses).and_word(protocol.into()).folded()
}
