//! Task offload: the capabilities of a NIC, and the settings of a protocol.

use crate::{BitField, NDIS_OBJECT_HEADER};

/// The task offload capabilities of a NIC, or its enabled ones.
///
/// Revision 1 ends with `Flags`; every later one only adds.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_OFFLOAD {
    pub Header: NDIS_OBJECT_HEADER,
    pub Checksum: NDIS_TCP_IP_CHECKSUM_OFFLOAD,
    pub LsoV1: NDIS_TCP_LARGE_SEND_OFFLOAD_V1,
    pub IPsecV1: NDIS_IPSEC_OFFLOAD_V1,
    pub LsoV2: NDIS_TCP_LARGE_SEND_OFFLOAD_V2,
    pub Flags: u32,
    pub IPsecV2: NDIS_IPSEC_OFFLOAD_V2,
    pub Rsc: NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD,
    pub EncapsulatedPacketTaskOffloadGre: NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD,
    pub EncapsulatedPacketTaskOffloadVxlan: NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_V2,
    pub EncapsulationTypes: u8,
    pub Rfc6877Xlat: NDIS_RFC6877_464XLAT_OFFLOAD,
    pub UdpSegmentation: NDIS_UDP_SEGMENTATION_OFFLOAD,
}

/// Checksums computed or verified by the NIC.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_TCP_IP_CHECKSUM_OFFLOAD {
    pub IPv4Transmit: NDIS_TCP_IP_CHECKSUM_OFFLOAD_IPV4,
    pub IPv4Receive: NDIS_TCP_IP_CHECKSUM_OFFLOAD_IPV4,
    pub IPv6Transmit: NDIS_TCP_IP_CHECKSUM_OFFLOAD_IPV6,
    pub IPv6Receive: NDIS_TCP_IP_CHECKSUM_OFFLOAD_IPV6,
}

/// One direction of IPv4 checksums; `Bits` as in `CHECKSUM_OFFLOAD_…`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_TCP_IP_CHECKSUM_OFFLOAD_IPV4 {
    pub Encapsulation: u32,
    pub Bits: u32,
}

/// One direction of IPv6 checksums; `Bits` as in `CHECKSUM_OFFLOAD_…`, without an IP checksum.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_TCP_IP_CHECKSUM_OFFLOAD_IPV6 {
    pub Encapsulation: u32,
    pub Bits: u32,
}

/// Large sends of the first version: IPv4, at most 64 KiB.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_TCP_LARGE_SEND_OFFLOAD_V1 {
    pub IPv4: NDIS_TCP_LARGE_SEND_OFFLOAD_V1_IPV4,
}

/// IPv4 large sends of the first version; `Bits` as in `LSO_V1_OFFLOAD_…`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_TCP_LARGE_SEND_OFFLOAD_V1_IPV4 {
    pub Encapsulation: u32,
    pub MaxOffLoadSize: u32,
    pub MinSegmentCount: u32,
    pub Bits: u32,
}

/// Large sends of the second version, for both families.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_TCP_LARGE_SEND_OFFLOAD_V2 {
    pub IPv4: NDIS_TCP_LARGE_SEND_OFFLOAD_V2_IPV4,
    pub IPv6: NDIS_TCP_LARGE_SEND_OFFLOAD_V2_IPV6,
}

/// IPv4 large sends: the largest TCP payload in bytes, and the fewest packets worth it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_TCP_LARGE_SEND_OFFLOAD_V2_IPV4 {
    pub Encapsulation: u32,
    pub MaxOffLoadSize: u32,
    pub MinSegmentCount: u32,
}

/// IPv6 large sends; `Bits` as in `LSO_V2_OFFLOAD_…`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_TCP_LARGE_SEND_OFFLOAD_V2_IPV6 {
    pub Encapsulation: u32,
    pub MaxOffLoadSize: u32,
    pub MinSegmentCount: u32,
    pub Bits: u32,
}

/// UDP segmentation, for both families.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_UDP_SEGMENTATION_OFFLOAD {
    pub IPv4: NDIS_UDP_SEGMENTATION_OFFLOAD_IPV4,
    pub IPv6: NDIS_UDP_SEGMENTATION_OFFLOAD_IPV6,
}

/// IPv4 UDP segmentation; `SegmentBits` as in `USO_OFFLOAD_…`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_UDP_SEGMENTATION_OFFLOAD_IPV4 {
    pub Encapsulation: u32,
    pub MaxOffLoadSize: u32,
    pub SegmentBits: u32,
}

/// IPv6 UDP segmentation; both words as in `USO_OFFLOAD_…`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_UDP_SEGMENTATION_OFFLOAD_IPV6 {
    pub Encapsulation: u32,
    pub MaxOffLoadSize: u32,
    pub SegmentBits: u32,
    pub Bits: u32,
}

/// IPsec of the first version. `IPv4AH` and `IPv4ESP` are bits this crate only carries along.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_IPSEC_OFFLOAD_V1 {
    pub Supported: NDIS_IPSEC_OFFLOAD_V1_SUPPORTED,
    pub IPv4AH: u32,
    pub IPv4ESP: u32,
}

/// The general capabilities of the IPsec offload of the first version.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_IPSEC_OFFLOAD_V1_SUPPORTED {
    pub Encapsulation: u32,
    pub AhEspCombined: u32,
    pub TransportTunnelCombined: u32,
    pub IPv4Options: u32,
    pub Flags: u32,
}

/// IPsec of the second version.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_IPSEC_OFFLOAD_V2 {
    pub Encapsulation: u32,
    pub IPv6Supported: u8,
    pub IPv4Options: u8,
    pub IPv6NonIPsecExtensionHeaders: u8,
    pub Ah: u8,
    pub Esp: u8,
    pub AhEspCombined: u8,
    pub Transport: u8,
    pub Tunnel: u8,
    pub TransportTunnelCombined: u8,
    pub LsoSupported: u8,
    pub ExtendedSequenceNumbers: u8,
    pub UdpEsp: u32,
    pub AuthenticationAlgorithms: u32,
    pub EncryptionAlgorithms: u32,
    pub SaOffloadCapacity: u32,
}

/// Receive segment coalescing, for both families.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD {
    pub IPv4: NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD_FAMILY,
    pub IPv6: NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD_FAMILY,
}

/// Receive segment coalescing of one family.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD_FAMILY {
    pub Enabled: u8,
}

/// Offload inside GRE; `Bits` as in `ENCAPSULATED_OFFLOAD_…`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD {
    pub Bits: u32,
    pub MaxHeaderSizeSupported: u32,
}

/// Offload inside VXLAN; `Bits` as in `ENCAPSULATED_OFFLOAD_…`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_V2 {
    pub Bits: u32,
    pub MaxHeaderSizeSupported: u32,
    /// The UDP port, and whether it can be chosen: a union of the encapsulation types.
    pub EncapsulationProtocolInfo: u32,
    pub Reserved1: u32,
    pub Reserved2: u32,
}

/// Translation between IPv4 and IPv6 in the NIC.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_RFC6877_464XLAT_OFFLOAD {
    pub XlatOffload: i32,
    pub Flags: u32,
}

/// The content of OID_TCP_OFFLOAD_PARAMETERS: which offloads are on. It carries no sizes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_OFFLOAD_PARAMETERS {
    pub Header: NDIS_OBJECT_HEADER,
    pub IPv4Checksum: u8,
    pub TCPIPv4Checksum: u8,
    pub UDPIPv4Checksum: u8,
    pub TCPIPv6Checksum: u8,
    pub UDPIPv6Checksum: u8,
    pub LsoV1: u8,
    pub IPsecV1: u8,
    pub LsoV2IPv4: u8,
    pub LsoV2IPv6: u8,
    pub TcpConnectionIPv4: u8,
    pub TcpConnectionIPv6: u8,
    pub Flags: u32,
    pub IPsecV2: u8,
    pub IPsecV2IPv4: u8,
    pub RscIPv4: u8,
    pub RscIPv6: u8,
    pub EncapsulatedPacketTaskOffload: u8,
    pub EncapsulationTypes: u8,
    /// The VXLAN UDP port: a union of the encapsulation types.
    pub EncapsulationProtocolParameters: u32,
    pub UdpSegmentation: NDIS_OFFLOAD_PARAMETERS_UDP_SEGMENTATION,
}

/// The UDP segmentation part of [`NDIS_OFFLOAD_PARAMETERS`].
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_OFFLOAD_PARAMETERS_UDP_SEGMENTATION {
    pub IPv4: u8,
    pub IPv6: u8,
}

/// Field of checksum `Bits`, IPv4: packets with IP options too.
pub const CHECKSUM_OFFLOAD_IP_OPTIONS: BitField = BitField::new(0, 2);
/// Field of checksum `Bits`: packets with TCP options too.
pub const CHECKSUM_OFFLOAD_TCP_OPTIONS: BitField = BitField::new(2, 2);
/// Field of checksum `Bits`: the TCP checksum.
pub const CHECKSUM_OFFLOAD_TCP: BitField = BitField::new(4, 2);
/// Field of checksum `Bits`: the UDP checksum.
pub const CHECKSUM_OFFLOAD_UDP: BitField = BitField::new(6, 2);
/// Field of checksum `Bits`, IPv4 only: the header's checksum.
pub const CHECKSUM_OFFLOAD_IP: BitField = BitField::new(8, 2);
/// Field of LSOv1 `Bits`: packets with TCP options too.
pub const LSO_V1_OFFLOAD_TCP_OPTIONS: BitField = BitField::new(0, 2);
/// Field of LSOv1 `Bits`: packets with IP options too.
pub const LSO_V1_OFFLOAD_IP_OPTIONS: BitField = BitField::new(2, 2);
/// Field of LSOv2 `Bits`: packets with extension headers too.
pub const LSO_V2_OFFLOAD_IP_EXTENSION_HEADERS: BitField = BitField::new(0, 2);
/// Field of LSOv2 `Bits`: packets with TCP options too.
pub const LSO_V2_OFFLOAD_TCP_OPTIONS: BitField = BitField::new(2, 2);
/// Field of USO `SegmentBits`: the fewest packets worth it.
pub const USO_OFFLOAD_MIN_SEGMENT_COUNT: BitField = BitField::new(0, 6);
/// Field of USO `SegmentBits`: the last packet may be shorter than the others.
pub const USO_OFFLOAD_SUB_MSS_FINAL_SEGMENT: BitField = BitField::new(6, 1);
/// Field of USO `Bits`: packets with extension headers too.
pub const USO_OFFLOAD_IP_EXTENSION_HEADERS: BitField = BitField::new(0, 2);
// The values of the fields of encapsulated `Bits`: which IP headers the offload is for.
/// The inner IP header may be IPv4.
pub const NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_INNER_IPV4: u32 = 1;
/// The outer IP header may be IPv4.
pub const NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_OUTER_IPV4: u32 = 2;
/// The inner IP header may be IPv6.
pub const NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_INNER_IPV6: u32 = 4;
/// The outer IP header may be IPv6.
pub const NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_OUTER_IPV6: u32 = 8;

/// Field of encapsulated `Bits`: checksums on the way out.
pub const ENCAPSULATED_OFFLOAD_TRANSMIT_CHECKSUM: BitField = BitField::new(0, 4);
/// Field of encapsulated `Bits`: large sends.
pub const ENCAPSULATED_OFFLOAD_LSO_V2: BitField = BitField::new(8, 4);
/// Field of encapsulated `Bits`: UDP segmentation.
pub const ENCAPSULATED_OFFLOAD_USO: BitField = BitField::new(20, 4);

layout! {
    NDIS_OFFLOAD: size 216, align 4 {
        Header, Checksum, LsoV1, IPsecV1, LsoV2, Flags, IPsecV2, Rsc,
        EncapsulatedPacketTaskOffloadGre, EncapsulatedPacketTaskOffloadVxlan, EncapsulationTypes,
        Rfc6877Xlat, UdpSegmentation,
    }
    NDIS_TCP_IP_CHECKSUM_OFFLOAD: size 32, align 4 {
        IPv4Transmit, IPv4Receive, IPv6Transmit, IPv6Receive,
    }
    NDIS_TCP_IP_CHECKSUM_OFFLOAD_IPV4 in
        "NDIS_TCP_IP_CHECKSUM_OFFLOAD.IPv4Transmit"
        "NDIS_TCP_IP_CHECKSUM_OFFLOAD.IPv4Receive": size 8, align 4 {
        Encapsulation,
        Bits = IpOptionsSupported TcpOptionsSupported TcpChecksum UdpChecksum IpChecksum,
    }
    NDIS_TCP_IP_CHECKSUM_OFFLOAD_IPV6 in
        "NDIS_TCP_IP_CHECKSUM_OFFLOAD.IPv6Transmit"
        "NDIS_TCP_IP_CHECKSUM_OFFLOAD.IPv6Receive": size 8, align 4 {
        Encapsulation,
        Bits = IpExtensionHeadersSupported TcpOptionsSupported TcpChecksum UdpChecksum,
    }
    NDIS_TCP_LARGE_SEND_OFFLOAD_V1: size 16, align 4 { IPv4 }
    NDIS_TCP_LARGE_SEND_OFFLOAD_V1_IPV4 in "NDIS_TCP_LARGE_SEND_OFFLOAD_V1.IPv4": size 16, align 4 {
        Encapsulation, MaxOffLoadSize, MinSegmentCount, Bits = TcpOptions IpOptions,
    }
    NDIS_TCP_LARGE_SEND_OFFLOAD_V2: size 28, align 4 { IPv4, IPv6 }
    NDIS_TCP_LARGE_SEND_OFFLOAD_V2_IPV4 in "NDIS_TCP_LARGE_SEND_OFFLOAD_V2.IPv4": size 12, align 4 {
        Encapsulation, MaxOffLoadSize, MinSegmentCount,
    }
    NDIS_TCP_LARGE_SEND_OFFLOAD_V2_IPV6 in "NDIS_TCP_LARGE_SEND_OFFLOAD_V2.IPv6": size 16, align 4 {
        Encapsulation, MaxOffLoadSize, MinSegmentCount,
        Bits = IpExtensionHeadersSupported TcpOptionsSupported,
    }
    NDIS_UDP_SEGMENTATION_OFFLOAD: size 28, align 4 { IPv4, IPv6 }
    NDIS_UDP_SEGMENTATION_OFFLOAD_IPV4 in "NDIS_UDP_SEGMENTATION_OFFLOAD.IPv4": size 12, align 4 {
        Encapsulation, MaxOffLoadSize,
        SegmentBits = MinSegmentCount SubMssFinalSegmentSupported Reserved,
    }
    NDIS_UDP_SEGMENTATION_OFFLOAD_IPV6 in "NDIS_UDP_SEGMENTATION_OFFLOAD.IPv6": size 16, align 4 {
        Encapsulation, MaxOffLoadSize,
        SegmentBits = MinSegmentCount SubMssFinalSegmentSupported Reserved1,
        Bits = IpExtensionHeadersSupported Reserved2,
    }
    NDIS_IPSEC_OFFLOAD_V1: size 28, align 4 { Supported, IPv4AH, IPv4ESP }
    NDIS_IPSEC_OFFLOAD_V1_SUPPORTED in "NDIS_IPSEC_OFFLOAD_V1.Supported": size 20, align 4 {
        Encapsulation, AhEspCombined, TransportTunnelCombined, IPv4Options, Flags,
    }
    NDIS_IPSEC_OFFLOAD_V2: size 32, align 4 {
        Encapsulation, IPv6Supported, IPv4Options, IPv6NonIPsecExtensionHeaders, Ah, Esp,
        AhEspCombined, Transport, Tunnel, TransportTunnelCombined, LsoSupported,
        ExtendedSequenceNumbers, UdpEsp, AuthenticationAlgorithms, EncryptionAlgorithms,
        SaOffloadCapacity,
    }
    NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD: size 2, align 1 { IPv4, IPv6 }
    NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD_FAMILY in
        "NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD.IPv4"
        "NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD.IPv6": size 1, align 1 {
        Enabled,
    }
    NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD: size 8, align 4 {
        Bits = TransmitChecksumOffloadSupported ReceiveChecksumOffloadSupported LsoV2Supported
            RssSupported VmqSupported UsoSupported Reserved,
        MaxHeaderSizeSupported,
    }
    NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_V2: size 20, align 4 {
        Bits = TransmitChecksumOffloadSupported ReceiveChecksumOffloadSupported LsoV2Supported
            RssSupported VmqSupported UsoSupported Reserved,
        MaxHeaderSizeSupported, EncapsulationProtocolInfo, Reserved1, Reserved2,
    }
    NDIS_RFC6877_464XLAT_OFFLOAD: size 8, align 4 { XlatOffload, Flags }
    NDIS_OFFLOAD_PARAMETERS: size 36, align 4 {
        Header, IPv4Checksum, TCPIPv4Checksum, UDPIPv4Checksum, TCPIPv6Checksum, UDPIPv6Checksum,
        LsoV1, IPsecV1, LsoV2IPv4, LsoV2IPv6, TcpConnectionIPv4, TcpConnectionIPv6, Flags, IPsecV2,
        IPsecV2IPv4, RscIPv4, RscIPv6, EncapsulatedPacketTaskOffload, EncapsulationTypes,
        EncapsulationProtocolParameters, UdpSegmentation,
    }
    NDIS_OFFLOAD_PARAMETERS_UDP_SEGMENTATION in
        "NDIS_OFFLOAD_PARAMETERS.UdpSegmentation": size 2, align 1 {
        IPv4, IPv6,
    }
}

constants! {
    u8 {
        NDIS_OFFLOAD_REVISION_1 = 1;
        NDIS_OFFLOAD_REVISION_3 = 3;
        NDIS_OFFLOAD_REVISION_4 = 4;
        NDIS_OFFLOAD_REVISION_6 = 6;
        NDIS_OFFLOAD_REVISION_7 = 7;
        NDIS_OFFLOAD_PARAMETERS_REVISION_1 = 1;
        NDIS_OFFLOAD_PARAMETERS_REVISION_5 = 5;

        // Values of the fields of NDIS_OFFLOAD_PARAMETERS.
        NDIS_OFFLOAD_PARAMETERS_TX_RX_DISABLED = 1;
        NDIS_OFFLOAD_PARAMETERS_TX_ENABLED_RX_DISABLED = 2;
        NDIS_OFFLOAD_PARAMETERS_RX_ENABLED_TX_DISABLED = 3;
        NDIS_OFFLOAD_PARAMETERS_TX_RX_ENABLED = 4;
        NDIS_OFFLOAD_PARAMETERS_LSOV2_DISABLED = 1;
        NDIS_OFFLOAD_PARAMETERS_LSOV2_ENABLED = 2;

        // Bits of EncapsulationTypes.
        NDIS_ENCAPSULATION_TYPE_GRE_MAC = 0x01;
        NDIS_ENCAPSULATION_TYPE_VXLAN = 0x02;
    }
    u16 {
        NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_1 = 112;
        NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_5 = 188;
        NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_7 = 216;
        NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_1 = 20;
        NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_5 = 34;
    }
    u32 {
        NDIS_OFFLOAD_NOT_SUPPORTED = 0;
        NDIS_OFFLOAD_SUPPORTED = 1;
        // The same in indications.
        NDIS_OFFLOAD_SET_ON = 1;
        NDIS_OFFLOAD_SET_OFF = 2;

        // Bits of Encapsulation: zero means that the family is off.
        NDIS_ENCAPSULATION_NOT_SUPPORTED = 0x00;
        NDIS_ENCAPSULATION_IEEE_802_3 = 0x02;
    }
}
