//! A NIC's capabilities besides plain large sends: checksums, USO, large sends inside a tunnel, and
//! the options in a packet's headers that it supports.

use crate::{LargeSendLimit, LargeSendLimits};

/// Checksums that a NIC computes on the way out, for one IP version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ChecksumOffload {
    /// The IPv4 header's.
    pub ip_header: bool,
    /// TCP's.
    pub tcp: bool,
    /// UDP's.
    pub udp: bool,
    /// Also of packets with IPv4 options or IPv6 extension headers.
    pub ip_options: bool,
    /// Also of packets with TCP options.
    pub tcp_options: bool,
}

impl ChecksumOffload {
    /// Every checksum of every packet.
    pub const ALL: Self = Self {
        ip_header: true,
        tcp: true,
        udp: true,
        ip_options: true,
        tcp_options: true,
    };
}

/// Checksum offload of both IP versions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ChecksumOffloads {
    /// Over IPv4.
    pub ipv4: ChecksumOffload,
    /// Over IPv6.
    pub ipv6: ChecksumOffload,
}

impl ChecksumOffloads {
    /// Those of one IP version.
    #[must_use]
    pub fn of(&self, ipv6: bool) -> ChecksumOffload {
        if ipv6 { self.ipv6 } else { self.ipv4 }
    }
}

/// The options that a large send may have. LSOv2 over IPv4 has no such limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LargeSendOptions {
    /// LSOv1: IPv4 options.
    pub v1_ip: bool,
    /// LSOv1: TCP options.
    pub v1_tcp: bool,
    /// LSOv2 over IPv6: extension headers.
    pub v2_ipv6_extensions: bool,
    /// LSOv2 over IPv6: TCP options.
    pub v2_ipv6_tcp: bool,
}

impl LargeSendOptions {
    /// All of them.
    pub const ALL: Self = Self {
        v1_ip: true,
        v1_tcp: true,
        v2_ipv6_extensions: true,
        v2_ipv6_tcp: true,
    };
}

/// A NIC's limits for UDP large sends over one IP version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UsoLimit {
    /// Most bytes of UDP payload; 0 if the kind is not supported.
    pub max_payload: u32,
    /// Least wire packets that a send must make; the field has 6 bits.
    pub min_segments: u32,
    /// Whether the last wire packet may be shorter than the others.
    pub sub_mss_final: bool,
    /// Whether packets may have IPv6 extension headers.
    pub extensions: bool,
}

/// USO of both IP versions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UsoLimits {
    /// Over IPv4.
    pub ipv4: UsoLimit,
    /// Over IPv6.
    pub ipv6: UsoLimit,
}

impl UsoLimits {
    /// The limit for one IP version.
    #[must_use]
    pub fn of(&self, ipv6: bool) -> UsoLimit {
        if ipv6 { self.ipv6 } else { self.ipv4 }
    }
}

/// Flags of [`TunnelOffload`]: a tunnel with IPv4 inside.
pub const INNER_IPV4: u32 = 1;
/// A tunnel over IPv4.
pub const OUTER_IPV4: u32 = 2;
/// A tunnel with IPv6 inside.
pub const INNER_IPV6: u32 = 4;
/// A tunnel over IPv6.
pub const OUTER_IPV6: u32 = 8;

/// A NIC's offloads for packets inside one kind of tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TunnelOffload {
    /// LsoV2Supported: for which IP versions, [`INNER_IPV4`] and its like, which must hold inside
    /// and outside.
    pub lso_v2: u32,
    /// UsoSupported, likewise.
    pub uso: u32,
    /// TransmitChecksumOffloadSupported, likewise.
    pub transmit_checksum: u32,
    /// Most bytes of frame before the payload.
    pub max_header: u32,
}

impl TunnelOffload {
    /// Nothing.
    pub const NONE: Self = Self {
        lso_v2: 0,
        uso: 0,
        transmit_checksum: 0,
        max_header: 0,
    };

    /// Everything, for all headers that Windows recommends to provide for.
    pub const ALL: Self = Self {
        lso_v2: INNER_IPV4 | OUTER_IPV4 | INNER_IPV6 | OUTER_IPV6,
        uso: INNER_IPV4 | OUTER_IPV4 | INNER_IPV6 | OUTER_IPV6,
        transmit_checksum: INNER_IPV4 | OUTER_IPV4 | INNER_IPV6 | OUTER_IPV6,
        max_header: 256,
    };

    /// Whether it cuts large sends of TCP with these IP versions.
    #[must_use]
    pub fn cuts(&self, outer_ipv6: bool, inner_ipv6: bool) -> bool {
        has_both(self.lso_v2, outer_ipv6, inner_ipv6)
    }

    /// Whether it cuts those of UDP.
    #[must_use]
    pub fn cuts_uso(&self, outer_ipv6: bool, inner_ipv6: bool) -> bool {
        has_both(self.uso, outer_ipv6, inner_ipv6)
    }
}

fn has_both(flags: u32, outer_ipv6: bool, inner_ipv6: bool) -> bool {
    let outer = if outer_ipv6 { OUTER_IPV6 } else { OUTER_IPV4 };
    let inner = if inner_ipv6 { INNER_IPV6 } else { INNER_IPV4 };
    flags & outer != 0 && flags & inner != 0
}

/// Tunnels that a NIC supports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TunnelOffloads {
    /// NVGRE.
    pub nvgre: TunnelOffload,
    /// VXLAN.
    pub vxlan: TunnelOffload,
    /// The UDP port by which it recognizes VXLAN.
    pub vxlan_port: u16,
}

impl TunnelOffloads {
    /// The port that IANA gave to VXLAN.
    pub const VXLAN_PORT: u16 = 4789;
    /// All of both.
    pub const ALL: Self = Self {
        nvgre: TunnelOffload::ALL,
        vxlan: TunnelOffload::ALL,
        vxlan_port: Self::VXLAN_PORT,
    };
    /// Neither.
    pub const NONE: Self = Self {
        nvgre: TunnelOffload::NONE,
        vxlan: TunnelOffload::NONE,
        vxlan_port: Self::VXLAN_PORT,
    };
}

/// All of a NIC's send capabilities: its hardware's, or those in effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Capabilities {
    pub(crate) large_sends: LargeSendLimits,
    pub(crate) options: LargeSendOptions,
    pub(crate) checksum: ChecksumOffloads,
    pub(crate) uso: UsoLimits,
    pub(crate) tunnels: TunnelOffloads,
}

/// The offloads that are turned on, as set by OID_TCP_OFFLOAD_PARAMETERS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Enabled {
    /// LSOv1.
    pub v1: bool,
    /// LSOv2 over IPv4.
    pub v2_ipv4: bool,
    /// LSOv2 over IPv6.
    pub v2_ipv6: bool,
    /// USO over IPv4.
    pub uso_ipv4: bool,
    /// USO over IPv6.
    pub uso_ipv6: bool,
    /// Checksums of IPv4 headers.
    pub ip_header: bool,
    /// TCP checksums over IPv4.
    pub tcp_ipv4: bool,
    /// UDP checksums over IPv4.
    pub udp_ipv4: bool,
    /// TCP checksums over IPv6.
    pub tcp_ipv6: bool,
    /// UDP checksums over IPv6.
    pub udp_ipv6: bool,
    /// All that is done inside tunnels.
    pub tunnels: bool,
}

impl Default for Enabled {
    /// All of them.
    fn default() -> Self {
        Self {
            v1: true,
            v2_ipv4: true,
            v2_ipv6: true,
            uso_ipv4: true,
            uso_ipv6: true,
            ip_header: true,
            tcp_ipv4: true,
            udp_ipv4: true,
            tcp_ipv6: true,
            udp_ipv6: true,
            tunnels: true,
        }
    }
}

impl Enabled {
    /// Returns the part of the capabilities `can` that is in effect.
    pub(crate) fn applied_to(&self, can: Capabilities) -> Capabilities {
        let limit = |on: bool, limit: LargeSendLimit| match on && limit.max_payload > 0 {
            true => limit,
            false => LargeSendLimit::default(),
        };
        let uso = |on: bool, limit: UsoLimit| match on && limit.max_payload > 0 {
            true => limit,
            false => UsoLimit::default(),
        };
        let checksum = |tcp: bool, udp: bool, has: ChecksumOffload| ChecksumOffload {
            ip_header: has.ip_header && self.ip_header,
            tcp: has.tcp && tcp,
            udp: has.udp && udp,
            ..has
        };
        Capabilities {
            large_sends: LargeSendLimits {
                v1: limit(self.v1, can.large_sends.v1),
                v2_ipv4: limit(self.v2_ipv4, can.large_sends.v2_ipv4),
                v2_ipv6: limit(self.v2_ipv6, can.large_sends.v2_ipv6),
            },
            options: can.options,
            checksum: ChecksumOffloads {
                ipv4: checksum(self.tcp_ipv4, self.udp_ipv4, can.checksum.ipv4),
                ipv6: checksum(self.tcp_ipv6, self.udp_ipv6, can.checksum.ipv6),
            },
            uso: UsoLimits {
                ipv4: uso(self.uso_ipv4, can.uso.ipv4),
                ipv6: uso(self.uso_ipv6, can.uso.ipv6),
            },
            tunnels: if self.tunnels {
                can.tunnels
            } else {
                TunnelOffloads {
                    vxlan_port: can.tunnels.vxlan_port,
                    ..TunnelOffloads::NONE
                }
            },
        }
    }
}
