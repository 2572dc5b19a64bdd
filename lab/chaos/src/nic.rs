//! A NIC as data.

use std::mem::offset_of;

use model::{
    ChecksumOffload, ChecksumOffloads, Enabled, LargeSendOptions, Nic, OffloadShape, TunnelOffload,
    TunnelOffloads, UsoLimit, UsoLimits,
};
use model::{LargeSendLimit, LargeSendLimits};
use ndis::sys;
use serde::{Deserialize, Serialize};

/// The most bytes of payload and the least segments of one kind of large send.
pub type Limit = [u32; 2];

/// The offload capabilities of a NIC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Offer {
    /// LSOv1.
    pub v1: Limit,
    /// LSOv2 over IPv4 and IPv6.
    pub v2: [Limit; 2],
    /// USO over IPv4 and IPv6.
    pub uso: [Limit; 2],
    /// Bits: whether the last wire packet of USO may be shorter, for IPv4 and IPv6, and whether it
    /// may have extension headers.
    pub uso_bits: u8,
    /// Bits: the options that large sends may have, in the order of [`LargeSendOptions`].
    pub options: u8,
    /// Bits: the checksums for IPv4 and IPv6, in the order of [`ChecksumOffload`].
    pub checksum: [u8; 2],
    /// IP versions, four bits for LSOv2 and then four for USO, and most bytes of headers inside NVGRE
    /// and VXLAN.
    pub tunnels: [[u32; 2]; 2],
    /// The port of VXLAN, where it is not the usual one.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub vxlan_port: u16,
    /// Bits of the offloads that are turned off, in the order of [`Enabled`].
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub off: u16,
    /// The revision of NDIS_OFFLOAD, or 0 for the newest.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub revision: u8,
    /// Bytes of NDIS_OFFLOAD beyond those of its revision.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub longer: u16,
    /// Whether what it does not have is NDIS_OFFLOAD_SET_OFF.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub set_off: bool,
}

impl Default for Offer {
    /// All of everything, and large sends of a few packets.
    fn default() -> Self {
        Self {
            v1: [4000, 2],
            v2: [[4000, 2]; 2],
            uso: [[4000, 2]; 2],
            uso_bits: 7,
            options: 15,
            checksum: [31; 2],
            tunnels: [[0xFF, 256]; 2],
            vxlan_port: 0,
            off: 0,
            revision: 0,
            longer: 0,
            set_off: false,
        }
    }
}

/// Bytes of NDIS_OFFLOAD by its revision, from 1 on.
const SIZES: [u16; 7] = [112, 144, 156, 176, 188, 216, 216];

impl Offer {
    /// Makes `nic` one that offers this.
    pub fn apply(&self, nic: &mut Nic) {
        let [v1, v2_ipv4, v2_ipv6] = [self.v1, self.v2[0], self.v2[1]].map(limit);
        nic.limits = LargeSendLimits {
            v1,
            v2_ipv4,
            v2_ipv6,
        };
        nic.uso = UsoLimits {
            ipv4: uso(self.uso[0], self.uso_bits & 1 != 0, false),
            ipv6: uso(self.uso[1], self.uso_bits & 2 != 0, self.uso_bits & 4 != 0),
        };
        let bit = |bit: u8| self.options >> bit & 1 != 0;
        nic.options = LargeSendOptions {
            v1_ip: bit(0),
            v1_tcp: bit(1),
            v2_ipv6_extensions: bit(2),
            v2_ipv6_tcp: bit(3),
        };
        let [ipv4, ipv6] = self.checksum.map(checksum);
        nic.checksum = ChecksumOffloads { ipv4, ipv6 };
        let [nvgre, vxlan] = self.tunnels.map(|[offloads, max_header]| TunnelOffload {
            lso_v2: offloads % 16,
            uso: offloads / 16 % 16,
            transmit_checksum: 0,
            max_header,
        });
        nic.tunnels = TunnelOffloads {
            nvgre,
            vxlan,
            vxlan_port: match self.vxlan_port {
                0 => TunnelOffloads::VXLAN_PORT,
                port => port,
            },
        };
        nic.enabled = enabled(self.off);
        nic.offload = self.shape();
    }

    fn shape(&self) -> OffloadShape {
        let newest = OffloadShape::default();
        let known = SIZES.get(usize::from(self.revision).wrapping_sub(1));
        OffloadShape {
            revision: known.map_or(newest.revision, |_| self.revision),
            size: known.unwrap_or(&newest.size) + self.longer,
            words: Vec::new(),
            set_off: self.set_off,
        }
    }
}

fn limit([max_payload, min_segments]: Limit) -> LargeSendLimit {
    LargeSendLimit {
        max_payload,
        min_segments,
    }
}

fn uso([max_payload, min_segments]: Limit, sub_mss_final: bool, extensions: bool) -> UsoLimit {
    UsoLimit {
        max_payload,
        min_segments: min_segments % 64,
        sub_mss_final,
        extensions,
    }
}

fn checksum(bits: u8) -> ChecksumOffload {
    let bit = |bit: u8| bits >> bit & 1 != 0;
    ChecksumOffload {
        ip_header: bit(0),
        tcp: bit(1),
        udp: bit(2),
        ip_options: bit(3),
        tcp_options: bit(4),
    }
}

/// The enabled offloads: all but those in `off`.
pub fn enabled(off: u16) -> Enabled {
    let on = |bit: u16| off >> bit & 1 == 0;
    Enabled {
        v1: on(0),
        v2_ipv4: on(1),
        v2_ipv6: on(2),
        uso_ipv4: on(3),
        uso_ipv6: on(4),
        ip_header: on(5),
        tcp_ipv4: on(6),
        udp_ipv4: on(7),
        tcp_ipv6: on(8),
        udp_ipv6: on(9),
        tunnels: on(10),
    }
}

/// NDIS_OFFLOAD_PARAMETERS that turn off the offloads of these bits, and all others on.
pub fn parameters(off: u16) -> Vec<u8> {
    use sys::NDIS_OFFLOAD_PARAMETERS as Parameters;
    let size = sys::NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_5;
    let mut bytes = vec![0; size.into()];
    bytes[0] = sys::NDIS_OBJECT_TYPE_DEFAULT;
    bytes[1] = sys::NDIS_OFFLOAD_PARAMETERS_REVISION_5;
    bytes[2..4].copy_from_slice(&size.to_le_bytes());
    let large = [
        offset_of!(Parameters, LsoV1),
        offset_of!(Parameters, LsoV2IPv4),
        offset_of!(Parameters, LsoV2IPv6),
        offset_of!(Parameters, UdpSegmentation.IPv4),
        offset_of!(Parameters, UdpSegmentation.IPv6),
    ];
    let checksums = [
        offset_of!(Parameters, IPv4Checksum),
        offset_of!(Parameters, TCPIPv4Checksum),
        offset_of!(Parameters, UDPIPv4Checksum),
        offset_of!(Parameters, TCPIPv6Checksum),
        offset_of!(Parameters, UDPIPv6Checksum),
    ];
    for (bit, at) in large.into_iter().chain(checksums).enumerate() {
        bytes[at] = match (off >> bit & 1 == 0, bit < large.len()) {
            (true, true) => sys::NDIS_OFFLOAD_PARAMETERS_LSOV2_ENABLED,
            (false, true) => sys::NDIS_OFFLOAD_PARAMETERS_LSOV2_DISABLED,
            (true, false) => sys::NDIS_OFFLOAD_PARAMETERS_TX_RX_ENABLED,
            (false, false) => sys::NDIS_OFFLOAD_PARAMETERS_TX_RX_DISABLED,
        };
    }
    bytes
}
