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

/// The content of OID_OFFLOAD_ENCAPSULATION: the framing that offloads shall apply to.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_OFFLOAD_ENCAPSULATION {
    pub Header: NDIS_OBJECT_HEADER,
    pub IPv4: NDIS_OFFLOAD_ENCAPSULATION_FAMILY,
    pub IPv6: NDIS_OFFLOAD_ENCAPSULATION_FAMILY,
}

/// The framing of one family.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_OFFLOAD_ENCAPSULATION_FAMILY {
    pub Enabled: u32,
    pub EncapsulationType: u32,
    pub HeaderSize: u32,
}

/// Field of checksum `Bits`, IPv4: packets with IP options too.
pub const CHECKSUM_OFFLOAD_IP_OPTIONS: BitField = BitField::new(0, 2);
/// Field of checksum `Bits`, IPv6: packets with extension headers too.
pub const CHECKSUM_OFFLOAD_IP_EXTENSION_HEADERS: BitField = BitField::new(0, 2);
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
/// None: the offload is not supported.
pub const NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_NOT_SUPPORTED: u32 = 0;
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
/// Field of encapsulated `Bits`: checksums on the way in.
pub const ENCAPSULATED_OFFLOAD_RECEIVE_CHECKSUM: BitField = BitField::new(4, 4);
/// Field of encapsulated `Bits`: large sends.
pub const ENCAPSULATED_OFFLOAD_LSO_V2: BitField = BitField::new(8, 4);
/// Field of encapsulated `Bits`: receive side scaling.
pub const ENCAPSULATED_OFFLOAD_RSS: BitField = BitField::new(12, 4);
/// Field of encapsulated `Bits`: virtual machine queues.
pub const ENCAPSULATED_OFFLOAD_VMQ: BitField = BitField::new(16, 4);
/// Field of encapsulated `Bits`: UDP segmentation.
pub const ENCAPSULATED_OFFLOAD_USO: BitField = BitField::new(20, 4);

layout! {
    NDIS_OFFLOAD: size 216, align 4 {
        Header @ 0: 4,
        Checksum @ 4: 32,
        LsoV1 @ 36: 16,
        IPsecV1 @ 52: 28,
        LsoV2 @ 80: 28,
        Flags @ 108: 4,
        IPsecV2 @ 112: 32,
        Rsc @ 144: 2,
        EncapsulatedPacketTaskOffloadGre @ 148: 8,
        EncapsulatedPacketTaskOffloadVxlan @ 156: 20,
        EncapsulationTypes @ 176: 1,
        Rfc6877Xlat @ 180: 8,
        UdpSegmentation @ 188: 28,
    }
    NDIS_TCP_IP_CHECKSUM_OFFLOAD: size 32, align 4 {
        IPv4Transmit @ 0: 8,
        IPv4Receive @ 8: 8,
        IPv6Transmit @ 16: 8,
        IPv6Receive @ 24: 8,
    }
    NDIS_TCP_IP_CHECKSUM_OFFLOAD_IPV4 in
        "NDIS_TCP_IP_CHECKSUM_OFFLOAD.IPv4Transmit"
        "NDIS_TCP_IP_CHECKSUM_OFFLOAD.IPv4Receive": size 8, align 4 {
        Encapsulation @ 0: 4,
        Bits @ 4: 4 = IpOptionsSupported TcpOptionsSupported TcpChecksum UdpChecksum IpChecksum,
    }
    NDIS_TCP_IP_CHECKSUM_OFFLOAD_IPV6 in
        "NDIS_TCP_IP_CHECKSUM_OFFLOAD.IPv6Transmit"
        "NDIS_TCP_IP_CHECKSUM_OFFLOAD.IPv6Receive": size 8, align 4 {
        Encapsulation @ 0: 4,
        Bits @ 4: 4 = IpExtensionHeadersSupported TcpOptionsSupported TcpChecksum UdpChecksum,
    }
    NDIS_TCP_LARGE_SEND_OFFLOAD_V1: size 16, align 4 {
        IPv4 @ 0: 16,
    }
    NDIS_TCP_LARGE_SEND_OFFLOAD_V1_IPV4 in "NDIS_TCP_LARGE_SEND_OFFLOAD_V1.IPv4": size 16, align 4 {
        Encapsulation @ 0: 4,
        MaxOffLoadSize @ 4: 4,
        MinSegmentCount @ 8: 4,
        Bits @ 12: 4 = TcpOptions IpOptions,
    }
    NDIS_TCP_LARGE_SEND_OFFLOAD_V2: size 28, align 4 {
        IPv4 @ 0: 12,
        IPv6 @ 12: 16,
    }
    NDIS_TCP_LARGE_SEND_OFFLOAD_V2_IPV4 in "NDIS_TCP_LARGE_SEND_OFFLOAD_V2.IPv4": size 12, align 4 {
        Encapsulation @ 0: 4,
        MaxOffLoadSize @ 4: 4,
        MinSegmentCount @ 8: 4,
    }
    NDIS_TCP_LARGE_SEND_OFFLOAD_V2_IPV6 in "NDIS_TCP_LARGE_SEND_OFFLOAD_V2.IPv6": size 16, align 4 {
        Encapsulation @ 0: 4,
        MaxOffLoadSize @ 4: 4,
        MinSegmentCount @ 8: 4,
        Bits @ 12: 4 = IpExtensionHeadersSupported TcpOptionsSupported,
    }
    NDIS_UDP_SEGMENTATION_OFFLOAD: size 28, align 4 {
        IPv4 @ 0: 12,
        IPv6 @ 12: 16,
    }
    NDIS_UDP_SEGMENTATION_OFFLOAD_IPV4 in "NDIS_UDP_SEGMENTATION_OFFLOAD.IPv4": size 12, align 4 {
        Encapsulation @ 0: 4,
        MaxOffLoadSize @ 4: 4,
        SegmentBits @ 8: 4 = MinSegmentCount SubMssFinalSegmentSupported Reserved,
    }
    NDIS_UDP_SEGMENTATION_OFFLOAD_IPV6 in "NDIS_UDP_SEGMENTATION_OFFLOAD.IPv6": size 16, align 4 {
        Encapsulation @ 0: 4,
        MaxOffLoadSize @ 4: 4,
        SegmentBits @ 8: 4 = MinSegmentCount SubMssFinalSegmentSupported Reserved1,
        Bits @ 12: 4 = IpExtensionHeadersSupported Reserved2,
    }
    NDIS_IPSEC_OFFLOAD_V1: size 28, align 4 {
        Supported @ 0: 20,
        IPv4AH @ 20: 4,
        IPv4ESP @ 24: 4,
    }
    NDIS_IPSEC_OFFLOAD_V1_SUPPORTED in "NDIS_IPSEC_OFFLOAD_V1.Supported": size 20, align 4 {
        Encapsulation @ 0: 4,
        AhEspCombined @ 4: 4,
        TransportTunnelCombined @ 8: 4,
        IPv4Options @ 12: 4,
        Flags @ 16: 4,
    }
    NDIS_IPSEC_OFFLOAD_V2: size 32, align 4 {
        Encapsulation @ 0: 4,
        IPv6Supported @ 4: 1,
        IPv4Options @ 5: 1,
        IPv6NonIPsecExtensionHeaders @ 6: 1,
        Ah @ 7: 1,
        Esp @ 8: 1,
        AhEspCombined @ 9: 1,
        Transport @ 10: 1,
        Tunnel @ 11: 1,
        TransportTunnelCombined @ 12: 1,
        LsoSupported @ 13: 1,
        ExtendedSequenceNumbers @ 14: 1,
        UdpEsp @ 16: 4,
        AuthenticationAlgorithms @ 20: 4,
        EncryptionAlgorithms @ 24: 4,
        SaOffloadCapacity @ 28: 4,
    }
    NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD: size 2, align 1 {
        IPv4 @ 0: 1,
        IPv6 @ 1: 1,
    }
    NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD_FAMILY in
        "NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD.IPv4"
        "NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD.IPv6": size 1, align 1 {
        Enabled @ 0: 1,
    }
    NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD: size 8, align 4 {
        Bits @ 0: 4 = TransmitChecksumOffloadSupported ReceiveChecksumOffloadSupported
            LsoV2Supported RssSupported VmqSupported UsoSupported Reserved,
        MaxHeaderSizeSupported @ 4: 4,
    }
    NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_V2: size 20, align 4 {
        Bits @ 0: 4 = TransmitChecksumOffloadSupported ReceiveChecksumOffloadSupported
            LsoV2Supported RssSupported VmqSupported UsoSupported Reserved,
        MaxHeaderSizeSupported @ 4: 4,
        EncapsulationProtocolInfo @ 8: 4,
        Reserved1 @ 12: 4,
        Reserved2 @ 16: 4,
    }
    NDIS_RFC6877_464XLAT_OFFLOAD: size 8, align 4 {
        XlatOffload @ 0: 4,
        Flags @ 4: 4,
    }
    NDIS_OFFLOAD_PARAMETERS: size 36, align 4 {
        Header @ 0: 4,
        IPv4Checksum @ 4: 1,
        TCPIPv4Checksum @ 5: 1,
        UDPIPv4Checksum @ 6: 1,
        TCPIPv6Checksum @ 7: 1,
        UDPIPv6Checksum @ 8: 1,
        LsoV1 @ 9: 1,
        IPsecV1 @ 10: 1,
        LsoV2IPv4 @ 11: 1,
        LsoV2IPv6 @ 12: 1,
        TcpConnectionIPv4 @ 13: 1,
        TcpConnectionIPv6 @ 14: 1,
        Flags @ 16: 4,
        IPsecV2 @ 20: 1,
        IPsecV2IPv4 @ 21: 1,
        RscIPv4 @ 22: 1,
        RscIPv6 @ 23: 1,
        EncapsulatedPacketTaskOffload @ 24: 1,
        EncapsulationTypes @ 25: 1,
        EncapsulationProtocolParameters @ 28: 4,
        UdpSegmentation @ 32: 2,
    }
    NDIS_OFFLOAD_PARAMETERS_UDP_SEGMENTATION in
        "NDIS_OFFLOAD_PARAMETERS.UdpSegmentation": size 2, align 1 {
        IPv4 @ 0: 1,
        IPv6 @ 1: 1,
    }
    NDIS_OFFLOAD_ENCAPSULATION: size 28, align 4 {
        Header @ 0: 4,
        IPv4 @ 4: 12,
        IPv6 @ 16: 12,
    }
    NDIS_OFFLOAD_ENCAPSULATION_FAMILY in
        "NDIS_OFFLOAD_ENCAPSULATION.IPv4"
        "NDIS_OFFLOAD_ENCAPSULATION.IPv6": size 12, align 4 {
        Enabled @ 0: 4,
        EncapsulationType @ 4: 4,
        HeaderSize @ 8: 4,
    }
}

constants! {
    u8 {
        NDIS_OFFLOAD_REVISION_1 = 1;
        NDIS_OFFLOAD_REVISION_2 = 2;
        NDIS_OFFLOAD_REVISION_3 = 3;
        NDIS_OFFLOAD_REVISION_4 = 4;
        NDIS_OFFLOAD_REVISION_5 = 5;
        NDIS_OFFLOAD_REVISION_6 = 6;
        NDIS_OFFLOAD_REVISION_7 = 7;
        NDIS_OFFLOAD_PARAMETERS_REVISION_1 = 1;
        NDIS_OFFLOAD_PARAMETERS_REVISION_2 = 2;
        NDIS_OFFLOAD_PARAMETERS_REVISION_3 = 3;
        NDIS_OFFLOAD_PARAMETERS_REVISION_4 = 4;
        NDIS_OFFLOAD_PARAMETERS_REVISION_5 = 5;
        NDIS_OFFLOAD_ENCAPSULATION_REVISION_1 = 1;

        // Values of the fields of NDIS_OFFLOAD_PARAMETERS.
        NDIS_OFFLOAD_PARAMETERS_NO_CHANGE = 0;
        NDIS_OFFLOAD_PARAMETERS_TX_RX_DISABLED = 1;
        NDIS_OFFLOAD_PARAMETERS_TX_ENABLED_RX_DISABLED = 2;
        NDIS_OFFLOAD_PARAMETERS_RX_ENABLED_TX_DISABLED = 3;
        NDIS_OFFLOAD_PARAMETERS_TX_RX_ENABLED = 4;
        NDIS_OFFLOAD_PARAMETERS_LSOV1_DISABLED = 1;
        NDIS_OFFLOAD_PARAMETERS_LSOV1_ENABLED = 2;
        NDIS_OFFLOAD_PARAMETERS_LSOV2_DISABLED = 1;
        NDIS_OFFLOAD_PARAMETERS_LSOV2_ENABLED = 2;
        NDIS_OFFLOAD_PARAMETERS_RSC_DISABLED = 1;
        NDIS_OFFLOAD_PARAMETERS_RSC_ENABLED = 2;
        NDIS_OFFLOAD_PARAMETERS_USO_DISABLED = 1;
        NDIS_OFFLOAD_PARAMETERS_USO_ENABLED = 2;

        // Bits of EncapsulationTypes.
        NDIS_ENCAPSULATION_TYPE_GRE_MAC = 0x01;
        NDIS_ENCAPSULATION_TYPE_VXLAN = 0x02;
    }
    u16 {
        NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_1 = 112;
        NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_2 = 144;
        NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_3 = 156;
        NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_4 = 177;
        NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_5 = 188;
        NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_6 = 216;
        NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_7 = 216;
        NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_1 = 20;
        NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_2 = 22;
        NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_3 = 26;
        NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_4 = 32;
        NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_5 = 34;
        NDIS_SIZEOF_OFFLOAD_ENCAPSULATION_REVISION_1 = 28;
    }
    u32 {
        NDIS_OFFLOAD_NOT_SUPPORTED = 0;
        NDIS_OFFLOAD_SUPPORTED = 1;
        NDIS_OFFLOAD_SET_NO_CHANGE = 0;
        NDIS_OFFLOAD_SET_ON = 1;
        NDIS_OFFLOAD_SET_OFF = 2;
        NDIS_OFFLOAD_FLAGS_GROUP_CHECKSUM_CAPABILITIES = 0x01;
        NDIS_OFFLOAD_PARAMETERS_SKIP_REGISTRY_UPDATE = 0x01;

        // Bits of Encapsulation: zero means that the family is off.
        NDIS_ENCAPSULATION_NOT_SUPPORTED = 0x00;
        NDIS_ENCAPSULATION_NULL = 0x01;
        NDIS_ENCAPSULATION_IEEE_802_3 = 0x02;
        NDIS_ENCAPSULATION_IEEE_802_3_P_AND_Q = 0x04;
        NDIS_ENCAPSULATION_IEEE_802_3_P_AND_Q_IN_OOB = 0x08;
        NDIS_ENCAPSULATION_IEEE_LLC_SNAP_ROUTED = 0x10;

        /// Bytes from the frame's start to the TCP header that LSO version 1 allows for.
        NDIS_LARGE_SEND_OFFLOAD_MAX_HEADER_LENGTH = 128;
    }
}
