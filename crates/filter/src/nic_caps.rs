//! The NIC's limits and capabilities, in one plain structure from the configuration that the
//! miniport reports to the control reply. The data path reads a consistent copy of it from a
//! sequence lock. [`status`](crate::status) stores new ones, such as lowered limits.
#![expect(unsafe_code, reason = "the sequence lock copies words")]

use lso::{Headers, IpVersion, LargeSend, Limit, MAX_HEADER, Offload, Transport, TunnelKind};
use ndis::{
    Nbl, OffloadConfig, Words,
    sys::{self, BitField},
};

/// The capabilities of a NIC that the filter needs. By default there are none.
#[derive(Clone, Copy, Eq, Debug, Default)]
#[repr(C, align(8))]
pub struct NicCaps {
    /// LSOv1, which is IPv4 only.
    pub lso_v1: LargeSendSupport,
    /// LSOv2 over IPv4.
    pub lso_v2_ipv4: LargeSendSupport,
    /// LSOv2 over IPv6.
    pub lso_v2_ipv6: LargeSendSupport,
    /// UDP segmentation over IPv4.
    pub uso_ipv4: LargeSendSupport,
    /// UDP segmentation over IPv6.
    pub uso_ipv6: LargeSendSupport,
    /// Transmit checksums over IPv4.
    pub checksum_ipv4: ChecksumSupport,
    /// Transmit checksums over IPv6.
    pub checksum_ipv6: ChecksumSupport,
    /// Offloads inside NVGRE.
    pub nvgre: TunnelSupport,
    /// Offloads inside VXLAN.
    pub vxlan: TunnelSupport,
}

// SAFETY: only integers, 64 bytes without padding, as the assertion checks.
unsafe impl Words for NicCaps {}
const _: () = assert!(size_of::<NicCaps>() == 5 * 8 + 2 * 4 + 2 * 8);

impl PartialEq for NicCaps {
    /// Without branches: a chain of comparisons would be compiled to a call of `memcmp`, which the
    /// image does not import.
    fn eq(&self, other: &Self) -> bool {
        (self.lso_v1 == other.lso_v1)
            & (self.lso_v2_ipv4 == other.lso_v2_ipv4)
            & (self.lso_v2_ipv6 == other.lso_v2_ipv6)
            & (self.uso_ipv4 == other.uso_ipv4)
            & (self.uso_ipv6 == other.uso_ipv6)
            & (self.checksum_ipv4 == other.checksum_ipv4)
            & (self.checksum_ipv6 == other.checksum_ipv6)
            & (self.nvgre == other.nvgre)
            & (self.vxlan == other.vxlan)
    }
}

/// Support of one kind of large send.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct LargeSendSupport {
    /// Maximum number of bytes of TCP or UDP payload in one large send; 0 if the kind is not
    /// supported.
    pub max_payload: u32,
    /// Minimum number of wire segments of a large send.
    pub min_segments: u16,
    /// Variations that such a large send may have.
    pub variations: Variations,
}

/// Variations of a large send: a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(transparent)]
pub struct Variations(u16);

impl Variations {
    /// None.
    pub const NONE: Self = Self(0);
    /// IPv4 options or IPv6 extension headers.
    pub const IP_OPTIONS: Self = Self(1);
    /// TCP options.
    pub const TCP_OPTIONS: Self = Self(2);
    /// A last segment that is shorter than the others.
    pub const SHORT_FINAL: Self = Self(4);
    /// All of them.
    pub const ALL: Self = Self(7);

    /// The variations that are in at least one of the two.
    #[must_use]
    pub const fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// The same set if `condition` holds, or the empty one.
    pub const fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::NONE }
    }

    /// Whether all of `other` are among these.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the options in `headers` are among these.
    fn cover(self, headers: &Headers) -> bool {
        // Most NICs support all options, whatever the headers have.
        self.contains(Self::IP_OPTIONS.and(Self::TCP_OPTIONS))
            || self.contains(
                Self::IP_OPTIONS
                    .when(headers.has_ip_options())
                    .and(Self::TCP_OPTIONS.when(headers.has_tcp_options())),
            )
    }
}

/// The checksums that a NIC computes for one IP version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct ChecksumSupport {
    tcp: u8,
    udp: u8,
    variations: Variations,
}

impl ChecksumSupport {
    /// Whether TCP checksums are computed, of packets without options at least.
    pub const fn has_tcp(self) -> bool {
        self.tcp != 0
    }
}

/// Offloads for frames in one kind of tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct TunnelSupport {
    /// Maximum number of bytes of header, from the frame's first byte to the inner payload.
    pub max_header: u32,
    /// The UDP port of VXLAN; 0 for NVGRE, and for any port.
    pub port: u16,
    /// LSOv2, for packets with these IP headers.
    pub lso_v2: TunnelIp,
    /// UDP segmentation, likewise; NDIS 6.85 has the bits.
    pub uso: TunnelIp,
}

/// The IP headers, outer and inner, for which a NIC does an offload inside a tunnel: the bits
/// NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_XXX. By default none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(transparent)]
pub struct TunnelIp(u8);

impl TunnelIp {
    /// The four bits of one offload.
    pub const fn from_bits(bits: u32) -> Self {
        Self((bits & 0xF) as u8)
    }

    /// Whether the offload is done for packets with these IP versions.
    pub const fn covers(self, outer: IpVersion, inner: IpVersion) -> bool {
        let outer = match outer {
            IpVersion::V4 => sys::NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_OUTER_IPV4,
            IpVersion::V6 => sys::NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_OUTER_IPV6,
        };
        let inner = match inner {
            IpVersion::V4 => sys::NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_INNER_IPV4,
            IpVersion::V6 => sys::NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_INNER_IPV6,
        };
        self.0 as u32 & outer != 0 && self.0 as u32 & inner != 0
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it is 256")]
const LONGEST_HEADER: u32 = MAX_HEADER as u32;

impl LargeSendSupport {
    /// Whether the NIC accepts every large send whose payload is between `least` and `most` bytes.
    #[inline]
    fn fits(self, least: u32, most: u32, mss: u32) -> bool {
        // More than `min_segments - 1` full segments of payload yields at least `min_segments`
        // segments.
        let all_but_one = u32::from(self.min_segments)
            .saturating_sub(1)
            .saturating_mul(mss);
        least > all_but_one && most <= self.max_payload
    }

    /// Whether the NIC accepts every large send in a frame of `length` bytes, regardless of its
    /// headers.
    #[inline]
    pub(crate) fn fits_any_headers(self, length: u32, mss: u32) -> bool {
        // A large send has payload.
        let least = length.saturating_sub(LONGEST_HEADER).max(1);
        self.variations == Variations::ALL && self.fits(least, length, mss)
    }

    /// Whether the NIC accepts a large send of `payload` bytes, with headers that it supports.
    pub(crate) fn fits_payload(self, payload: u32, mss: u32) -> bool {
        self.fits(payload, payload, mss)
            && (self.short_final() || payload.checked_rem(mss) == Some(0))
    }

    /// Whether the last segment may be shorter than the others.
    pub(crate) const fn short_final(self) -> bool {
        self.variations.contains(Variations::SHORT_FINAL)
    }

    /// The limit that large sends are planned for; children carry at most `capacity` bytes.
    pub(crate) fn limit(self, capacity: u32) -> Limit {
        Limit {
            max_payload: self.max_payload.min(capacity),
            min_segments: self.min_segments.into(),
        }
    }

    const fn reported(encapsulation: u32, max: u32, min: u32, variations: Variations) -> Self {
        // An offload without an encapsulation is not supported, regardless of its other fields.
        if encapsulation == 0 {
            return Self {
                max_payload: 0,
                min_segments: 0,
                variations,
            };
        }
        #[expect(clippy::cast_possible_truncation, reason = "it is at most u16::MAX")]
        let min_segments = if min < u16::MAX as u32 {
            min as u16
        } else {
            u16::MAX
        };
        Self {
            max_payload: max,
            min_segments,
            variations,
        }
    }
}

impl NicCaps {
    /// The support of large sends of the kind that the out-of-band data of `nbl` names, and the MSS;
    /// `None` where `nbl` is no large send.
    #[inline]
    pub(crate) fn of_kind(&self, nbl: &Nbl) -> Option<(LargeSendSupport, u32)> {
        let tcp = nbl.large_send();
        if tcp.mss() != 0 {
            let support = match (tcp.is_v2(), tcp.is_ipv6()) {
                (false, _) => self.lso_v1,
                (true, false) => self.lso_v2_ipv4,
                (true, true) => self.lso_v2_ipv6,
            };
            return Some((support, tcp.mss()));
        }
        let udp = nbl.udp_send();
        let support = if udp.is_ipv6() {
            self.uso_ipv6
        } else {
            self.uso_ipv4
        };
        (!udp.is_none()).then_some((support, udp.mss()))
    }

    /// The support of large sends like `send` with these headers. The maximum is 0 where the NIC
    /// does not accept the headers.
    pub(crate) fn support(&self, send: &LargeSend, headers: &Headers) -> LargeSendSupport {
        let mut support = match (send.offload, headers.tunnel()) {
            (Offload::LsoV1, _) => self.lso_v1,
            (_, None) => self.of_version(headers.transport(), headers.ip_version()),
            // An encapsulated large send has no limits of its own. Whether its IP version means the
            // inner or the outer header is not documented; the NIC reads the same bit in any case.
            (_, Some(_)) if self.supports_tunnel(headers) => {
                self.of_version(headers.transport(), send.ip_version)
            }
            (_, Some(_)) => LargeSendSupport::default(),
        };
        if headers.transport() == Transport::Tcp {
            support.variations = support.variations.and(Variations::SHORT_FINAL);
        }
        if !support.variations.cover(headers) {
            support.max_payload = 0;
        }
        if send.offload == Offload::LsoV1 {
            // The IPv4 header of an LSOv1 send has its length.
            support.max_payload = support.max_payload.min(headers.max_payload());
        }
        support
    }

    const fn of_version(&self, transport: Transport, version: IpVersion) -> LargeSendSupport {
        match (transport, version) {
            (Transport::Tcp, IpVersion::V4) => self.lso_v2_ipv4,
            (Transport::Tcp, IpVersion::V6) => self.lso_v2_ipv6,
            (Transport::Udp, IpVersion::V4) => self.uso_ipv4,
            (Transport::Udp, IpVersion::V6) => self.uso_ipv6,
        }
    }

    fn supports_tunnel(&self, headers: &Headers) -> bool {
        let Some(tunnel) = headers.tunnel() else {
            return false;
        };
        let support = match tunnel.kind() {
            TunnelKind::Nvgre => self.nvgre,
            TunnelKind::Vxlan => self.vxlan,
        };
        let offload = match headers.transport() {
            Transport::Tcp => support.lso_v2,
            Transport::Udp => support.uso,
        };
        offload.covers(tunnel.ip_version(), headers.ip_version())
            && (support.port == 0 || support.port == tunnel.port())
            && headers.length() <= support.max_header
    }

    /// Whether the NIC computes the TCP or UDP checksum of packets with these headers.
    pub(crate) fn computes_checksum(&self, headers: &Headers) -> bool {
        let support = match headers.ip_version() {
            IpVersion::V4 => self.checksum_ipv4,
            IpVersion::V6 => self.checksum_ipv6,
        };
        let transport = match headers.transport() {
            Transport::Tcp => support.tcp,
            Transport::Udp => support.udp,
        };
        headers.tunnel().is_none() && transport != 0 && support.variations.cover(headers)
    }
}

impl From<&OffloadConfig> for NicCaps {
    fn from(config: &OffloadConfig) -> Self {
        let fields = config.fields();
        let has = |bits: u32, field: BitField| is_on(field.get(bits));
        let options = |ip: bool, tcp: bool| {
            Variations::IP_OPTIONS
                .when(ip)
                .and(Variations::TCP_OPTIONS.when(tcp))
        };
        let short_final = Variations::SHORT_FINAL;
        let v1 = &fields.LsoV1.IPv4;
        let v1_options = options(
            has(v1.Bits, sys::LSO_V1_OFFLOAD_IP_OPTIONS),
            has(v1.Bits, sys::LSO_V1_OFFLOAD_TCP_OPTIONS),
        );
        let (v2, v2_ipv6) = (&fields.LsoV2.IPv4, &fields.LsoV2.IPv6);
        let v2_ipv6_options = options(
            has(v2_ipv6.Bits, sys::LSO_V2_OFFLOAD_IP_EXTENSION_HEADERS),
            has(v2_ipv6.Bits, sys::LSO_V2_OFFLOAD_TCP_OPTIONS),
        );
        let uso = |encapsulation, max, segments, ip_options| {
            let min = sys::USO_OFFLOAD_MIN_SEGMENT_COUNT.get(segments);
            let is_short = has(segments, sys::USO_OFFLOAD_SUB_MSS_FINAL_SEGMENT);
            let variations = options(ip_options, true).and(short_final.when(is_short));
            LargeSendSupport::reported(encapsulation, max, min, variations)
        };
        let (uso_ipv4, uso_ipv6) = (&fields.UdpSegmentation.IPv4, &fields.UdpSegmentation.IPv6);
        let nvgre = &fields.EncapsulatedPacketTaskOffloadGre;
        let vxlan = &fields.EncapsulatedPacketTaskOffloadVxlan;
        Self {
            // An LSOv1 send has its length in 16 bits, so that a larger reported maximum is of no
            // use.
            lso_v1: LargeSendSupport::reported(
                v1.Encapsulation,
                v1.MaxOffLoadSize.min(u16::MAX.into()),
                v1.MinSegmentCount,
                v1_options.and(short_final),
            ),
            // With LSOv2 a NIC must copy all options of IPv4 and TCP (Windows driver documentation,
            // "Offloading the Segmentation of Large TCP Packets").
            lso_v2_ipv4: LargeSendSupport::reported(
                v2.Encapsulation,
                v2.MaxOffLoadSize,
                v2.MinSegmentCount,
                Variations::ALL,
            ),
            lso_v2_ipv6: LargeSendSupport::reported(
                v2_ipv6.Encapsulation,
                v2_ipv6.MaxOffLoadSize,
                v2_ipv6.MinSegmentCount,
                v2_ipv6_options.and(short_final),
            ),
            // The same holds of USO over IPv4.
            uso_ipv4: uso(
                uso_ipv4.Encapsulation,
                uso_ipv4.MaxOffLoadSize,
                uso_ipv4.SegmentBits,
                true,
            ),
            uso_ipv6: uso(
                uso_ipv6.Encapsulation,
                uso_ipv6.MaxOffLoadSize,
                uso_ipv6.SegmentBits,
                has(uso_ipv6.Bits, sys::USO_OFFLOAD_IP_EXTENSION_HEADERS),
            ),
            checksum_ipv4: checksum(
                fields.Checksum.IPv4Transmit.Encapsulation,
                fields.Checksum.IPv4Transmit.Bits,
            ),
            checksum_ipv6: checksum(
                fields.Checksum.IPv6Transmit.Encapsulation,
                fields.Checksum.IPv6Transmit.Bits,
            ),
            nvgre: tunnel(nvgre.Bits, nvgre.MaxHeaderSizeSupported, 0),
            vxlan: tunnel(
                vxlan.Bits,
                vxlan.MaxHeaderSizeSupported,
                // The lower half of the word is the UDP port.
                vxlan.EncapsulationProtocolInfo & 0xFFFF,
            ),
        }
    }
}

/// Whether a feature is supported and turned on. In an indication a feature that is turned off is
/// NDIS_OFFLOAD_SET_OFF, which is not 0 (Windows driver documentation, NDIS_TCP_IP_CHECKSUM_OFFLOAD).
const fn is_on(value: u32) -> bool {
    value == sys::NDIS_OFFLOAD_SET_ON
}

/// The bits of both IP versions are at the same places: IPv4 options and IPv6 extension headers
/// share theirs.
fn checksum(encapsulation: u32, bits: u32) -> ChecksumSupport {
    let has = |field: BitField| encapsulation != 0 && is_on(field.get(bits));
    ChecksumSupport {
        tcp: has(sys::CHECKSUM_OFFLOAD_TCP).into(),
        udp: has(sys::CHECKSUM_OFFLOAD_UDP).into(),
        variations: Variations::IP_OPTIONS
            .when(has(sys::CHECKSUM_OFFLOAD_IP_OPTIONS))
            .and(Variations::TCP_OPTIONS.when(has(sys::CHECKSUM_OFFLOAD_TCP_OPTIONS))),
    }
}

fn tunnel(bits: u32, max_header: u32, port: u32) -> TunnelSupport {
    TunnelSupport {
        max_header,
        #[expect(clippy::cast_possible_truncation, reason = "16 bits are left")]
        port: port as u16,
        lso_v2: TunnelIp::from_bits(sys::ENCAPSULATED_OFFLOAD_LSO_V2.get(bits)),
        uso: TunnelIp::from_bits(sys::ENCAPSULATED_OFFLOAD_USO.get(bits)),
    }
}
