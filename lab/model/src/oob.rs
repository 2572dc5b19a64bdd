//! The packed words of out-of-band slots, as a NIC reads them.
//!
//! Layouts: `nbllso.h`, `nbluso.h`, `nblchecksum.h`, and `ndis.h` for the supplement that describes
//! tunnels. Large sends of TCP are [`ndis::LargeSendInfo`].

use ndis::{LargeSendInfo, sys};

/// `UdpSegmentationOffloadInfo` on the way down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UsoSlot {
    /// Bytes of payload in each wire packet; 0 if this is no USO send.
    pub mss: u32,
    /// Bytes of frame before the UDP header.
    pub udp_header_offset: u32,
    /// Whether the packet is IPv6.
    pub ipv6: bool,
}

impl UsoSlot {
    /// The slot's value.
    #[must_use]
    pub fn to_raw(self) -> usize {
        let word = sys::USO_MSS.with(0, self.mss);
        let word = sys::USO_UDP_HEADER_OFFSET.with(word, self.udp_header_offset);
        sys::USO_IP_VERSION.with(word, self.ipv6.into()) as usize
    }

    /// Reads the slot's value.
    #[must_use]
    pub fn from_raw(raw: usize) -> Self {
        let word = raw as u32;
        Self {
            mss: sys::USO_MSS.get(word),
            udp_header_offset: sys::USO_UDP_HEADER_OFFSET.get(word),
            ipv6: sys::USO_IP_VERSION.get(word) != 0,
        }
    }
}

/// `TcpIpChecksumNetBufferListInfo` on the way down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ChecksumSlot {
    /// IsIPv4.
    pub ipv4: bool,
    /// IsIPv6.
    pub ipv6: bool,
    /// TcpChecksum.
    pub tcp: bool,
    /// UdpChecksum.
    pub udp: bool,
    /// IpHeaderChecksum.
    pub ip_header: bool,
    /// TcpHeaderOffset, of UDP too: bytes of frame before the header.
    pub header_offset: u32,
}

impl ChecksumSlot {
    /// The slot's value.
    #[must_use]
    pub fn to_raw(self) -> usize {
        let word = sys::CHECKSUM_IS_IPV4.with(0, self.ipv4.into());
        let word = sys::CHECKSUM_IS_IPV6.with(word, self.ipv6.into());
        let word = sys::CHECKSUM_TCP.with(word, self.tcp.into());
        let word = sys::CHECKSUM_UDP.with(word, self.udp.into());
        let word = sys::CHECKSUM_IP_HEADER.with(word, self.ip_header.into());
        sys::CHECKSUM_TCP_HEADER_OFFSET.with(word, self.header_offset) as usize
    }

    /// Reads the slot's value.
    #[must_use]
    pub fn from_raw(raw: usize) -> Self {
        let word = raw as u32;
        Self {
            ipv4: sys::CHECKSUM_IS_IPV4.get(word) != 0,
            ipv6: sys::CHECKSUM_IS_IPV6.get(word) != 0,
            tcp: sys::CHECKSUM_TCP.get(word) != 0,
            udp: sys::CHECKSUM_UDP.get(word) != 0,
            ip_header: sys::CHECKSUM_IP_HEADER.get(word) != 0,
            header_offset: sys::CHECKSUM_TCP_HEADER_OFFSET.get(word),
        }
    }
}

/// `TcpSendOffloadsSupplementalNetBufferListInfo`: where the headers inside a tunnel are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TunnelSlot {
    /// IsEncapsulatedPacket; the other fields are meaningless without it.
    pub encapsulated: bool,
    /// EncapsulatedPacketOffsetsValid, for the three offsets.
    pub offsets_valid: bool,
    /// Bytes of frame before the inner frame.
    pub inner_frame: u32,
    /// Bytes from there to the inner IP header.
    pub ip: u32,
    /// Bytes from there to the inner TCP or UDP header.
    pub tcp: u32,
    /// IsInnerIPv6.
    pub inner_ipv6: bool,
    /// TcpOptionsPresent.
    pub tcp_options: bool,
}

impl TunnelSlot {
    /// The slot's value.
    #[must_use]
    pub fn to_raw(self) -> usize {
        let fields = [
            (
                sys::SUPPLEMENTAL_IS_ENCAPSULATED_PACKET,
                self.encapsulated.into(),
            ),
            (sys::SUPPLEMENTAL_OFFSETS_VALID, self.offsets_valid.into()),
            (sys::SUPPLEMENTAL_INNER_FRAME_OFFSET, self.inner_frame),
            (
                sys::SUPPLEMENTAL_TRANSPORT_IP_HEADER_RELATIVE_OFFSET,
                self.ip,
            ),
            (sys::SUPPLEMENTAL_TCP_HEADER_RELATIVE_OFFSET, self.tcp),
            (sys::SUPPLEMENTAL_IS_INNER_IPV6, self.inner_ipv6.into()),
            (
                sys::SUPPLEMENTAL_TCP_OPTIONS_PRESENT,
                self.tcp_options.into(),
            ),
        ];
        fields
            .into_iter()
            .fold(0, |word, (field, value)| field.with(word, value)) as usize
    }

    /// Reads the slot's value.
    #[must_use]
    pub fn from_raw(raw: usize) -> Self {
        let word = raw as u32;
        Self {
            encapsulated: sys::SUPPLEMENTAL_IS_ENCAPSULATED_PACKET.get(word) != 0,
            offsets_valid: sys::SUPPLEMENTAL_OFFSETS_VALID.get(word) != 0,
            inner_frame: sys::SUPPLEMENTAL_INNER_FRAME_OFFSET.get(word),
            ip: sys::SUPPLEMENTAL_TRANSPORT_IP_HEADER_RELATIVE_OFFSET.get(word),
            tcp: sys::SUPPLEMENTAL_TCP_HEADER_RELATIVE_OFFSET.get(word),
            inner_ipv6: sys::SUPPLEMENTAL_IS_INNER_IPV6.get(word) != 0,
            tcp_options: sys::SUPPLEMENTAL_TCP_OPTIONS_PRESENT.get(word) != 0,
        }
    }
}

/// The slots that a NIC acts on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Slots {
    /// Large sends of TCP.
    pub large_send: LargeSendInfo,
    /// Large sends of UDP.
    pub uso: UsoSlot,
    /// Tunnels.
    pub tunnel: TunnelSlot,
    /// Checksums of packets that are no large sends.
    pub checksum: ChecksumSlot,
}

/// The kind of send that the slots request for a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendKind {
    /// One packet of the wire.
    Packet,
    /// LSOv1 or LSOv2.
    LargeSend,
    /// LSOv2 inside a tunnel.
    Tunnelled,
    /// USO.
    Uso,
    /// USO inside a tunnel.
    TunnelledUso,
}

impl SendKind {
    /// Whether it is cut by the headers inside a tunnel.
    #[must_use]
    pub fn is_tunnelled(self) -> bool {
        matches!(self, Self::Tunnelled | Self::TunnelledUso)
    }

    /// Whether it is UDP.
    #[must_use]
    pub fn is_uso(self) -> bool {
        matches!(self, Self::Uso | Self::TunnelledUso)
    }
}

impl Slots {
    /// Reads the slots, where `slot` returns the value of each.
    pub(crate) fn read(slot: impl Fn(usize) -> usize) -> Self {
        Self {
            large_send: LargeSendInfo::from_raw(slot(sys::TcpLargeSendNetBufferListInfo)),
            uso: UsoSlot::from_raw(slot(sys::UdpSegmentationOffloadInfo)),
            tunnel: TunnelSlot::from_raw(slot(sys::TcpSendOffloadsSupplementalNetBufferListInfo)),
            checksum: ChecksumSlot::from_raw(slot(sys::TcpIpChecksumNetBufferListInfo)),
        }
    }

    /// The kind of send that it is.
    #[must_use]
    pub fn kind(&self) -> SendKind {
        match (self.large_send.mss(), self.uso.mss) {
            (0, 0) => SendKind::Packet,
            (0, _) if self.tunnel.encapsulated => SendKind::TunnelledUso,
            (0, _) => SendKind::Uso,
            _ if self.tunnel.encapsulated => SendKind::Tunnelled,
            _ => SendKind::LargeSend,
        }
    }

    /// Bytes of payload in each wire packet; 0 if it is no large send.
    #[must_use]
    pub fn mss(&self) -> u32 {
        if self.kind().is_uso() {
            self.uso.mss
        } else {
            self.large_send.mss()
        }
    }
}
