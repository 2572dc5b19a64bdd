//! Offload configurations: what a NIC takes, and the copy that NDIS lends at attach.

use core::{marker::PhantomData, ptr::NonNull};

use crate::sys;

/// What a NIC takes of one kind of large send.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LargeSendLimit {
    /// Most bytes of TCP payload in one large send; 0 where the NIC takes none of this kind.
    pub max_payload: u32,
    /// Least wire segments that a large send must make.
    pub min_segments: u32,
}

/// The three kinds of large sends, each on its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LargeSendLimits {
    /// LSOv1, which is IPv4 only.
    pub v1: LargeSendLimit,
    /// LSOv2 over IPv4.
    pub v2_ipv4: LargeSendLimit,
    /// LSOv2 over IPv6.
    pub v2_ipv6: LargeSendLimit,
}

/// All that a NIC says it does now of what the filter asks for. By default it does nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Capabilities {
    /// LSOv1, which is IPv4 only.
    pub lso_v1: LsoV1Capability,
    /// LSOv2 over IPv4.
    pub v2_ipv4: LargeSendLimit,
    /// LSOv2 over IPv6.
    pub v2_ipv6: LsoV2Ipv6Capability,
    /// UDP segmentation over IPv4.
    pub uso_ipv4: UsoCapability,
    /// UDP segmentation over IPv6.
    pub uso_ipv6: UsoCapability,
    /// Checksums of IPv4 packets on the way out.
    pub checksum_ipv4: ChecksumIpv4Capability,
    /// Checksums of IPv6 packets on the way out.
    pub checksum_ipv6: ChecksumIpv6Capability,
    /// Offloads inside NVGRE.
    pub nvgre: TunnelCapability,
    /// Offloads inside VXLAN.
    pub vxlan: TunnelCapability,
}

/// What a NIC takes of LSOv1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LsoV1Capability {
    /// Most bytes of TCP payload in one large send; 0 where it takes none.
    pub max_payload: u32,
    /// Least wire segments that a large send must make.
    pub min_segments: u32,
    /// The IP header may have options.
    pub ip_options: bool,
    /// The TCP header may have options.
    pub tcp_options: bool,
}

/// What a NIC takes of LSOv2 over IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LsoV2Ipv6Capability {
    /// Most bytes of TCP payload in one large send; 0 where it takes none.
    pub max_payload: u32,
    /// Least wire segments that a large send must make.
    pub min_segments: u32,
    /// There may be IPv6 extension headers.
    pub extension_headers: bool,
    /// The TCP header may have options.
    pub tcp_options: bool,
}

/// What a NIC takes of UDP segmentation over one IP version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UsoCapability {
    /// Most bytes of UDP payload in one send; 0 where it takes none.
    pub max_payload: u32,
    /// Least wire segments that a send must make.
    pub min_segments: u32,
    /// The last segment may be shorter than the others.
    pub sub_mss_final: bool,
    /// There may be IPv6 extension headers; without a meaning for IPv4.
    pub extension_headers: bool,
}

/// Which checksums of IPv4 packets a NIC computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ChecksumIpv4Capability {
    /// TCP's.
    pub tcp: bool,
    /// UDP's.
    pub udp: bool,
    /// Also where the IP header has options.
    pub ip_options: bool,
    /// Also where the TCP header has options.
    pub tcp_options: bool,
}

/// Which checksums of IPv6 packets a NIC computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ChecksumIpv6Capability {
    /// TCP's.
    pub tcp: bool,
    /// UDP's.
    pub udp: bool,
    /// Also where the TCP header has options.
    pub tcp_options: bool,
    /// Also where there are extension headers.
    pub extension_headers: bool,
}

/// What a NIC does for frames in one kind of tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TunnelCapability {
    /// LSOv2, for packets with these IP headers.
    pub lso_v2: TunnelIp,
    /// UDP segmentation, likewise; NDIS 6.85 has the bits.
    pub uso: TunnelIp,
    /// Most bytes of header, from the packet's first byte to its inner payload.
    pub max_header: u32,
    /// The UDP port by which it knows VXLAN; 0 for NVGRE.
    pub port: u16,
}

/// For which IP headers, outer and inner, a NIC does an offload inside a tunnel: the bits
/// NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_XXX. By default for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TunnelIp(u32);

impl TunnelIp {
    /// The four bits of one offload.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether the offload is done for packets with these IP versions.
    #[must_use]
    pub const fn covers(self, outer_ipv6: bool, inner_ipv6: bool) -> bool {
        let outer = if outer_ipv6 {
            sys::NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_OUTER_IPV6
        } else {
            sys::NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_OUTER_IPV4
        };
        let inner = if inner_ipv6 {
            sys::NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_INNER_IPV6
        } else {
            sys::NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_INNER_IPV4
        };
        self.0 & outer != 0 && self.0 & inner != 0
    }
}

impl Capabilities {
    /// The limits of TCP's large sends alone.
    #[must_use]
    pub const fn large_sends(&self) -> LargeSendLimits {
        LargeSendLimits {
            v1: LargeSendLimit {
                max_payload: self.lso_v1.max_payload,
                min_segments: self.lso_v1.min_segments,
            },
            v2_ipv4: self.v2_ipv4,
            v2_ipv6: LargeSendLimit {
                max_payload: self.v2_ipv6.max_payload,
                min_segments: self.v2_ipv6.min_segments,
            },
        }
    }
}

/// The offload configuration that NDIS lends to FilterAttach, for the filter to modify if it needs
/// to (Windows driver documentation, NDIS_FILTER_ATTACH_PARAMETERS).
pub struct AttachOffload<'call> {
    raw: NonNull<sys::NDIS_OFFLOAD>,
    call: PhantomData<&'call mut ()>,
}

impl AttachOffload<'_> {
    /// # Safety
    /// `raw` is DefaultOffloadConfiguration of what NDIS passed to FilterAttach, which has not
    /// returned.
    #[must_use]
    pub const unsafe fn from_raw(raw: NonNull<sys::NDIS_OFFLOAD>) -> Self {
        Self {
            raw,
            call: PhantomData,
        }
    }

    /// The configuration's bytes, as many as its header says.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: lent for the call and for modification. Every NDIS object is at least as long as
        // its header, and at least as long as the header says.
        unsafe {
            let length = usize::from((*self.raw.as_ptr()).Header.Size);
            core::slice::from_raw_parts_mut(self.raw.as_ptr().cast(), length)
        }
    }
}
