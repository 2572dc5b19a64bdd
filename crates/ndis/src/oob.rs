//! Out-of-band information of a NET_BUFFER_LIST: the slots of the offloads as values.
//!
//! Layouts: NDIS_TCP_LARGE_SEND_OFFLOAD_NET_BUFFER_LIST_INFO,
//! NDIS_UDP_SEGMENTATION_OFFLOAD_NET_BUFFER_LIST_INFO, NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO,
//! NDIS_TCP_SEND_OFFLOADS_SUPPLEMENTAL_NET_BUFFER_LIST_INFO; the bits are in [`sys`]. Only the
//! lower 32 bits of each slot carry a meaning.

use crate::sys;

/// The content of `TcpLargeSendNetBufferListInfo`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LargeSendInfo(u32);

impl LargeSendInfo {
    /// An LSOv2 send: `mss` in bytes of payload, `tcp_header_offset` in bytes from the frame's
    /// first byte.
    pub const fn v2(mss: u32, tcp_header_offset: u32, ipv6: bool) -> Self {
        let version = if ipv6 {
            sys::NDIS_TCP_LARGE_SEND_OFFLOAD_IPv6
        } else {
            sys::NDIS_TCP_LARGE_SEND_OFFLOAD_IPv4
        };
        let word = sys::LSO_TYPE.with(
            Self::v1(mss, tcp_header_offset).0,
            sys::NDIS_TCP_LARGE_SEND_OFFLOAD_V2_TYPE,
        );
        Self(sys::LSO_IP_VERSION.with(word, version))
    }

    /// An LSOv1 send, which is always IPv4.
    pub const fn v1(mss: u32, tcp_header_offset: u32) -> Self {
        let word = sys::LSO_MSS.with(0, mss);
        Self(sys::LSO_TCP_HEADER_OFFSET.with(word, tcp_header_offset))
    }

    /// The same send with its TCP header offset filled in, if the sender left it 0.
    #[must_use]
    pub const fn with_tcp_header_offset(self, tcp_header_offset: u32) -> Self {
        Self(sys::LSO_TCP_HEADER_OFFSET.with(self.0, tcp_header_offset))
    }

    /// The slot's content at completion: for LSOv2 the type alone, for LSOv1 the number of bytes of
    /// TCP payload sent.
    #[must_use]
    pub const fn transmit_complete(self, payload_sent: u32) -> Self {
        if self.is_v2() {
            Self(sys::LSO_TYPE.with(0, sys::NDIS_TCP_LARGE_SEND_OFFLOAD_V2_TYPE))
        } else {
            Self(sys::LSO_V1_COMPLETE_TCP_PAYLOAD.with(0, payload_sent))
        }
    }

    /// The slot's value.
    pub const fn to_raw(self) -> usize {
        self.0 as usize
    }

    /// Reads the slot's value.
    pub const fn from_raw(raw: usize) -> Self {
        Self(lower_half(raw))
    }

    /// Bytes of payload in each wire segment; 0 means that this is no large send.
    pub const fn mss(self) -> u32 {
        sys::LSO_MSS.get(self.0)
    }

    /// Bytes of frame before the TCP header.
    pub const fn tcp_header_offset(self) -> u32 {
        sys::LSO_TCP_HEADER_OFFSET.get(self.0)
    }

    /// LSOv2, or else LSOv1.
    pub const fn is_v2(self) -> bool {
        sys::LSO_TYPE.get(self.0) == sys::NDIS_TCP_LARGE_SEND_OFFLOAD_V2_TYPE
    }

    /// IPv6, which only LSOv2 supports.
    pub const fn is_ipv6(self) -> bool {
        self.is_v2() && sys::LSO_IP_VERSION.get(self.0) == sys::NDIS_TCP_LARGE_SEND_OFFLOAD_IPv6
    }
}

/// The content of `UdpSegmentationOffloadInfo` on the way down. The slot has another meaning on the
/// way up, which a forwarded packet may still carry: see [`Nbl::udp_send`](crate::Nbl::udp_send).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UdpSendInfo(u32);

impl UdpSendInfo {
    /// A UDP segmentation send: `mss` in bytes of payload, `udp_header_offset` in bytes from the
    /// frame's first byte.
    pub const fn new(mss: u32, udp_header_offset: u32, ipv6: bool) -> Self {
        let version = if ipv6 {
            sys::NDIS_UDP_SEGMENTATION_OFFLOAD_IPV6
        } else {
            sys::NDIS_UDP_SEGMENTATION_OFFLOAD_IPV4
        };
        let word = sys::USO_MSS.with(0, mss);
        let word = sys::USO_UDP_HEADER_OFFSET.with(word, udp_header_offset);
        Self(sys::USO_IP_VERSION.with(word, version))
    }

    /// The slot's value.
    pub const fn to_raw(self) -> usize {
        self.0 as usize
    }

    /// Reads the slot's value.
    pub const fn from_raw(raw: usize) -> Self {
        Self(lower_half(raw))
    }

    /// Whether this is no UDP segmentation send.
    pub const fn is_none(self) -> bool {
        self.mss() == 0
    }

    /// Bytes of payload in each wire segment; 0 means that this is no UDP segmentation send.
    pub const fn mss(self) -> u32 {
        sys::USO_MSS.get(self.0)
    }

    /// Bytes of frame before the UDP header.
    pub const fn udp_header_offset(self) -> u32 {
        sys::USO_UDP_HEADER_OFFSET.get(self.0)
    }

    /// IPv6, or else IPv4.
    pub const fn is_ipv6(self) -> bool {
        sys::USO_IP_VERSION.get(self.0) == sys::NDIS_UDP_SEGMENTATION_OFFLOAD_IPV6
    }
}

/// The content of `TcpIpChecksumNetBufferListInfo` on a send: the checksum that the NIC is to
/// compute. The default requests none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ChecksumInfo(u32);

impl ChecksumInfo {
    /// The TCP checksum of a packet whose TCP header starts `tcp_header_offset` bytes into the
    /// frame. The IP header's checksum is not requested.
    pub const fn tcp(ipv6: bool, tcp_header_offset: u32) -> Self {
        Self::transport(sys::CHECKSUM_TCP, ipv6, tcp_header_offset)
    }

    /// The UDP checksum of a packet whose UDP header starts `udp_header_offset` bytes into the
    /// frame. The IP header's checksum is not requested.
    pub const fn udp(ipv6: bool, udp_header_offset: u32) -> Self {
        Self::transport(sys::CHECKSUM_UDP, ipv6, udp_header_offset)
    }

    const fn transport(checksum: sys::BitField, ipv6: bool, header_offset: u32) -> Self {
        let version = if ipv6 {
            sys::CHECKSUM_IS_IPV6
        } else {
            sys::CHECKSUM_IS_IPV4
        };
        let word = checksum.with(version.with(0, 1), 1);
        Self(sys::CHECKSUM_TCP_HEADER_OFFSET.with(word, header_offset))
    }

    /// The slot's value.
    pub const fn to_raw(self) -> usize {
        self.0 as usize
    }
}

/// The content of `TcpSendOffloadsSupplementalNetBufferListInfo`: whether the packet is a frame in
/// a tunnel, and the offsets of that frame's headers. By default it is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EncapsulationInfo(u32);

/// The offsets of the headers of a frame in a tunnel, in bytes from the packet's first one.
///
/// In the slot each offset except the first is relative to the one before (Windows driver
/// documentation, NDIS_TCP_SEND_OFFLOADS_SUPPLEMENTAL_NET_BUFFER_LIST_INFO); here they are summed
/// up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InnerOffsets {
    /// The inner Ethernet header.
    pub frame: u32,
    /// The inner IP header.
    pub ip: u32,
    /// The inner TCP header, or that of another transport protocol.
    pub transport: u32,
}

impl EncapsulationInfo {
    /// A frame in a tunnel with its headers at `inner`. An offset that is not greater than the
    /// previous one or that its field cannot hold is cut down to the field's bits.
    pub const fn new(inner: InnerOffsets, ipv6: bool, tcp_options: bool) -> Self {
        let ip = inner.ip.wrapping_sub(inner.frame);
        let transport = inner.transport.wrapping_sub(inner.ip);
        let word = sys::SUPPLEMENTAL_IS_ENCAPSULATED_PACKET.with(0, 1);
        let word = sys::SUPPLEMENTAL_OFFSETS_VALID.with(word, 1);
        let word = sys::SUPPLEMENTAL_INNER_FRAME_OFFSET.with(word, inner.frame);
        let word = sys::SUPPLEMENTAL_TRANSPORT_IP_HEADER_RELATIVE_OFFSET.with(word, ip);
        let word = sys::SUPPLEMENTAL_TCP_HEADER_RELATIVE_OFFSET.with(word, transport);
        let word = sys::SUPPLEMENTAL_IS_INNER_IPV6.with(word, ipv6 as u32);
        Self(sys::SUPPLEMENTAL_TCP_OPTIONS_PRESENT.with(word, tcp_options as u32))
    }

    /// The slot's value.
    pub const fn to_raw(self) -> usize {
        self.0 as usize
    }

    /// Reads the slot's value.
    pub const fn from_raw(raw: usize) -> Self {
        Self(lower_half(raw))
    }

    /// Whether the packet is a frame in a tunnel. Its other slots' header offsets are not valid
    /// then.
    pub const fn is_encapsulated(self) -> bool {
        sys::SUPPLEMENTAL_IS_ENCAPSULATED_PACKET.get(self.0) != 0
    }

    /// The offsets of the inner headers; `None` if the sender does not provide them.
    pub const fn offsets(self) -> Option<InnerOffsets> {
        if !self.is_encapsulated() || sys::SUPPLEMENTAL_OFFSETS_VALID.get(self.0) == 0 {
            return None;
        }
        // Fields of 8, 6 and 10 bits: no sum saturates.
        let frame = sys::SUPPLEMENTAL_INNER_FRAME_OFFSET.get(self.0);
        let ip =
            frame.saturating_add(sys::SUPPLEMENTAL_TRANSPORT_IP_HEADER_RELATIVE_OFFSET.get(self.0));
        let transport = ip.saturating_add(sys::SUPPLEMENTAL_TCP_HEADER_RELATIVE_OFFSET.get(self.0));
        Some(InnerOffsets {
            frame,
            ip,
            transport,
        })
    }

    /// The inner IP header is IPv6, or else IPv4.
    pub const fn is_inner_ipv6(self) -> bool {
        sys::SUPPLEMENTAL_IS_INNER_IPV6.get(self.0) != 0
    }

    /// The inner TCP header has options.
    pub const fn has_tcp_options(self) -> bool {
        sys::SUPPLEMENTAL_TCP_OPTIONS_PRESENT.get(self.0) != 0
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the headers define the lower 32 bits of a slot only"
)]
const fn lower_half(raw: usize) -> u32 {
    raw as u32
}
