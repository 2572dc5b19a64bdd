//! Out-of-band data of a NET_BUFFER_LIST: the slots, and the bits inside their values.
//!
//! A slot is as wide as a pointer and holds a pointer or a packed word; the packed words use the
//! lower 32 bits.

constants! {
    usize {
        TcpIpChecksumNetBufferListInfo = 0;
        IPsecOffloadV1NetBufferListInfo = 1;
        TcpLargeSendNetBufferListInfo = 2;
        ClassificationHandleNetBufferListInfo = 3;
        Ieee8021QNetBufferListInfo = 4;
        NetBufferListCancelId = 5;
        MediaSpecificInformation = 6;
        NetBufferListProtocolId = 7;
        NetBufferListHashValue = 8;
        NetBufferListHashInfo = 9;
        WfpNetBufferListInfo = 10;
        IPsecOffloadV2TunnelNetBufferListInfo = 11;
        IPsecOffloadV2HeaderNetBufferListInfo = 12;
        NetBufferListFilteringInfo = 14;
        MediaSpecificInformationEx = 15;
        SwitchForwardingDetail = 19;
        VirtualSubnetInfo = 20;
        UdpSegmentationOffloadInfo = 22;
        TcpSendOffloadsSupplementalNetBufferListInfo = 23;
        GftOffloadInformation = 24;
        GftFlowEntryId = 25;
        /// The transmit or receive time of the packet, if it was requested: see nbltimestamp.h.
        NetBufferListInfoReserved3 = 26;
        /// Number of slots that a driver sees; ndis.sys has more behind them.
        MaxNetBufferListInfo = 27;
    }
    u32 {
        // Values of LSO_TYPE and of LSO_IP_VERSION.
        NDIS_TCP_LARGE_SEND_OFFLOAD_V1_TYPE = 0;
        NDIS_TCP_LARGE_SEND_OFFLOAD_V2_TYPE = 1;
        NDIS_TCP_LARGE_SEND_OFFLOAD_IPv4 = 0;
        NDIS_TCP_LARGE_SEND_OFFLOAD_IPv6 = 1;
    }
}

/// A run of bits in a word: the first bit's number and all the bits as a mask, in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitField {
    pub shift: u32,
    pub mask: u32,
}

impl BitField {
    /// The `width` bits from bit `shift` upward, counted from the least significant one.
    pub const fn new(shift: u32, width: u32) -> Self {
        assert!(width > 0 && shift + width <= u32::BITS);
        Self {
            shift,
            mask: (u32::MAX >> (u32::BITS - width)) << shift,
        }
    }

    /// The field's value in `word`.
    pub const fn get(self, word: u32) -> u32 {
        (word & self.mask) >> self.shift
    }

    /// `word` with the field replaced; bits of `value` that don't fit are dropped.
    #[must_use]
    pub const fn with(self, word: u32, value: u32) -> u32 {
        word & !self.mask | value << self.shift & self.mask
    }
}

// TcpLargeSendNetBufferListInfo on the way down.
/// Bytes of TCP payload per packet on the wire.
pub const LSO_MSS: BitField = BitField::new(0, 20);
/// Bytes from the start of the frame to the TCP header.
pub const LSO_TCP_HEADER_OFFSET: BitField = BitField::new(20, 10);
/// `NDIS_TCP_LARGE_SEND_OFFLOAD_V1_TYPE` or `…_V2_TYPE`.
pub const LSO_TYPE: BitField = BitField::new(30, 1);
/// `NDIS_TCP_LARGE_SEND_OFFLOAD_IPv4` or `…_IPv6`; version 2 only, reserved in version 1.
pub const LSO_IP_VERSION: BitField = BitField::new(31, 1);
/// The same slot on the way up, version 1: bytes of payload sent. Zero in version 2.
pub const LSO_V1_COMPLETE_TCP_PAYLOAD: BitField = BitField::new(0, 30);

// TcpIpChecksumNetBufferListInfo on the way down.
pub const CHECKSUM_IS_IPV4: BitField = BitField::new(0, 1);
pub const CHECKSUM_IS_IPV6: BitField = BitField::new(1, 1);
pub const CHECKSUM_TCP: BitField = BitField::new(2, 1);
pub const CHECKSUM_UDP: BitField = BitField::new(3, 1);
pub const CHECKSUM_IP_HEADER: BitField = BitField::new(4, 1);
/// Bytes from the start of the frame to the TCP or UDP header.
pub const CHECKSUM_TCP_HEADER_OFFSET: BitField = BitField::new(16, 10);

// Ieee8021QNetBufferListInfo.
pub const IEEE8021Q_USER_PRIORITY: BitField = BitField::new(0, 3);
pub const IEEE8021Q_VLAN_ID: BitField = BitField::new(4, 12);

// UdpSegmentationOffloadInfo on the way down.
/// Bytes of UDP payload per packet on the wire.
pub const USO_MSS: BitField = BitField::new(0, 20);
/// Bytes from the start of the frame to the UDP header.
pub const USO_UDP_HEADER_OFFSET: BitField = BitField::new(20, 10);
/// `NDIS_UDP_SEGMENTATION_OFFLOAD_IPV4` or `…_IPV6`. The bit before it is reserved.
pub const USO_IP_VERSION: BitField = BitField::new(31, 1);
/// A value of [`USO_IP_VERSION`].
pub const NDIS_UDP_SEGMENTATION_OFFLOAD_IPV4: u32 = 0;
/// A value of [`USO_IP_VERSION`].
pub const NDIS_UDP_SEGMENTATION_OFFLOAD_IPV6: u32 = 1;

// TcpSendOffloadsSupplementalNetBufferListInfo: where the inner headers of a tunnelled packet are.
pub const SUPPLEMENTAL_IS_ENCAPSULATED_PACKET: BitField = BitField::new(0, 1);
pub const SUPPLEMENTAL_OFFSETS_VALID: BitField = BitField::new(1, 1);
/// Bytes from the start of the frame to the inner frame.
pub const SUPPLEMENTAL_INNER_FRAME_OFFSET: BitField = BitField::new(2, 8);
/// Bytes from the inner frame to its IP header.
pub const SUPPLEMENTAL_TRANSPORT_IP_HEADER_RELATIVE_OFFSET: BitField = BitField::new(10, 6);
/// Bytes from the inner IP header to the inner transport header, TCP or not: the documentation page
/// counts them from the header at TransportIpHeaderRelativeOffset.
pub const SUPPLEMENTAL_TCP_HEADER_RELATIVE_OFFSET: BitField = BitField::new(16, 10);
pub const SUPPLEMENTAL_IS_INNER_IPV6: BitField = BitField::new(26, 1);
pub const SUPPLEMENTAL_TCP_OPTIONS_PRESENT: BitField = BitField::new(27, 1);
