//! What the NIC takes, readable by every processor without a lock.

use core::sync::atomic::{AtomicU64, Ordering};

use lso::{
    Headers, IpVersion, LargeSend, Limit, MAX_HEADER, Offload, Transport, Tunnel, TunnelKind,
};
use ndis::{
    Capabilities, ChecksumIpv4Capability, ChecksumIpv6Capability, LargeSendLimit, LsoV1Capability,
    LsoV2Ipv6Capability, Nbl, TunnelCapability, TunnelIp, UsoCapability,
};

/// What the NIC reported last. Each kind of large send is one word, so that a reader never sees the
/// maximum of one report with the minimum of another.
pub(crate) struct Limits {
    lso_v1: AtomicU64,
    v2_ipv4: AtomicU64,
    v2_ipv6: AtomicU64,
    uso_ipv4: AtomicU64,
    uso_ipv6: AtomicU64,
    others: AtomicU64,
}

impl Limits {
    /// Limits as the NIC reported them.
    pub(crate) fn new(nic: &Capabilities) -> Self {
        let limits = Self {
            lso_v1: AtomicU64::new(0),
            v2_ipv4: AtomicU64::new(0),
            v2_ipv6: AtomicU64::new(0),
            uso_ipv4: AtomicU64::new(0),
            uso_ipv6: AtomicU64::new(0),
            others: AtomicU64::new(0),
        };
        limits.set(nic);
        limits
    }

    /// The NIC reports something else.
    pub(crate) fn set(&self, nic: &Capabilities) {
        let words = Snapshot::of(nic);
        self.lso_v1.store(words.lso_v1.0, Ordering::Relaxed);
        self.v2_ipv4.store(words.v2_ipv4.0, Ordering::Relaxed);
        self.v2_ipv6.store(words.v2_ipv6.0, Ordering::Relaxed);
        self.uso_ipv4.store(words.uso_ipv4.0, Ordering::Relaxed);
        self.uso_ipv6.store(words.uso_ipv6.0, Ordering::Relaxed);
        self.others.store(words.others.0, Ordering::Relaxed);
    }

    /// What the NIC takes now.
    pub(crate) fn nic(&self) -> Capabilities {
        self.snapshot().capabilities()
    }

    /// The limits as they are now. One snapshot serves one send call.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            lso_v1: Word(self.lso_v1.load(Ordering::Relaxed)),
            v2_ipv4: Word(self.v2_ipv4.load(Ordering::Relaxed)),
            v2_ipv6: Word(self.v2_ipv6.load(Ordering::Relaxed)),
            uso_ipv4: Word(self.uso_ipv4.load(Ordering::Relaxed)),
            uso_ipv6: Word(self.uso_ipv6.load(Ordering::Relaxed)),
            others: Others(self.others.load(Ordering::Relaxed)),
        }
    }
}

/// The limits of one moment.
pub(crate) struct Snapshot {
    lso_v1: Word,
    v2_ipv4: Word,
    v2_ipv6: Word,
    uso_ipv4: Word,
    uso_ipv6: Word,
    others: Others,
}

/// What the NIC takes of one large send.
pub(crate) struct Takes {
    /// As large sends. The maximum is 0 where it does not take this one.
    pub(crate) limit: Limit,
    /// The last segment of such a large send may be shorter than the others.
    pub(crate) short_final: bool,
}

impl Takes {
    /// Whether a large send of `payload` bytes goes down as it is.
    pub(crate) fn fits(&self, payload: u32, mss: u32) -> bool {
        let limit = &self.limit;
        (1..=limit.max_payload).contains(&payload)
            && payload > all_but_one(limit.min_segments, mss)
            && (self.short_final || payload.checked_rem(mss) == Some(0))
    }
}

/// Bytes of payload in all segments of so many but one: who has more makes as many.
#[inline]
fn all_but_one(segments: u32, mss: u32) -> u32 {
    segments.saturating_sub(1).saturating_mul(mss)
}

impl Snapshot {
    /// What the NIC takes of large sends of the kind that `nbl` says it is, and the MSS; `None` for
    /// what is no large send.
    #[inline]
    pub(crate) fn of_kind(&self, nbl: &Nbl) -> Option<(Word, u32)> {
        let tcp = nbl.large_send();
        if tcp.mss() != 0 {
            let word = match (tcp.is_v2(), tcp.is_ipv6()) {
                (false, _) => self.lso_v1,
                (true, false) => self.v2_ipv4,
                (true, true) => self.v2_ipv6,
            };
            return Some((word, tcp.mss()));
        }
        let udp = nbl.udp_send();
        (!udp.is_none()).then(|| (self.uso(udp.is_ipv6()), udp.mss()))
    }

    /// What the NIC takes of the large send `send` with these headers.
    pub(crate) fn takes(&self, send: &LargeSend, headers: &Headers) -> Takes {
        let word = match (send.offload, headers.tunnel()) {
            (Offload::LsoV1, _) => self.lso_v1,
            (Offload::LsoV2, None) => self.v2(headers.ip_version()),
            (Offload::LsoV2, Some(tunnel)) => self.in_tunnel(tunnel, send, headers),
            (Offload::Uso, None) => self.uso(headers.ip_version() == IpVersion::V6),
            (Offload::Uso, Some(tunnel)) => self.in_tunnel(tunnel, send, headers),
        };
        let can = word.takes_options(headers);
        Takes {
            limit: Limit {
                max_payload: if can { word.max_payload() } else { 0 },
                min_segments: word.min_segments(),
            },
            short_final: headers.transport() == Transport::Tcp || word.has(SHORT_FINAL),
        }
    }

    /// Whether the NIC makes the TCP or UDP checksum of packets with these headers.
    pub(crate) fn makes_checksum(&self, headers: &Headers) -> bool {
        let (shift, transport) = match (headers.ip_version(), headers.transport()) {
            (IpVersion::V4, Transport::Tcp) => (CHECKSUM_IPV4, CHECKSUM_TCP),
            (IpVersion::V4, Transport::Udp) => (CHECKSUM_IPV4, CHECKSUM_UDP),
            (IpVersion::V6, Transport::Tcp) => (CHECKSUM_IPV6, CHECKSUM_TCP),
            (IpVersion::V6, Transport::Udp) => (CHECKSUM_IPV6, CHECKSUM_UDP),
        };
        let has = |flag: u64| (self.others.0 >> shift) & flag != 0;
        headers.tunnel().is_none()
            && has(transport)
            && (!headers.has_ip_options() || has(IP_OPTIONS))
            && (!headers.has_tcp_options() || has(TCP_OPTIONS))
    }

    fn v2(&self, version: IpVersion) -> Word {
        match version {
            IpVersion::V4 => self.v2_ipv4,
            IpVersion::V6 => self.v2_ipv6,
        }
    }

    fn uso(&self, ipv6: bool) -> Word {
        if ipv6 { self.uso_ipv6 } else { self.uso_ipv4 }
    }

    /// An encapsulated large send has no limits of its own. Whether its IP version means the inner
    /// or the outer header is not documented; whichever it is, the NIC reads the same bit.
    fn in_tunnel(&self, tunnel: Tunnel, send: &LargeSend, headers: &Headers) -> Word {
        let (outer, inner) = (tunnel.ip_version(), headers.ip_version());
        let offered = self.others.tunnel(tunnel.kind());
        let (packets, word) = match headers.transport() {
            Transport::Tcp => (offered.lso_v2, self.v2(send.ip_version)),
            Transport::Udp => (offered.uso, self.uso(send.ip_version == IpVersion::V6)),
        };
        let covered = packets.covers(outer == IpVersion::V6, inner == IpVersion::V6);
        // A NIC that names no port of VXLAN's has no particular one.
        let known_port = offered.port == 0 || offered.port == tunnel.port();
        if covered && known_port && headers.length() <= offered.max_header {
            word
        } else {
            Word(0)
        }
    }

    fn of(nic: &Capabilities) -> Self {
        let both = |flags: [(bool, u64); 3]| {
            flags
                .iter()
                .filter(|(set, _)| *set)
                .fold(0, |all, (_, flag)| all | flag)
        };
        let v1 = &nic.lso_v1;
        let v6 = &nic.v2_ipv6;
        let uso = |uso: &UsoCapability| {
            let flags = [
                (uso.sub_mss_final, SHORT_FINAL),
                (uso.extension_headers, IP_OPTIONS),
                (true, TCP_OPTIONS),
            ];
            Word::new(uso.max_payload, uso.min_segments, both(flags))
        };
        Self {
            // An LSOv1 send says its length in 16 bits, so it is never longer, whatever the NIC
            // says.
            lso_v1: Word::new(
                v1.max_payload.min(u16::MAX.into()),
                v1.min_segments,
                both([
                    (v1.ip_options, IP_OPTIONS),
                    (v1.tcp_options, TCP_OPTIONS),
                    (true, SHORT_FINAL),
                ]),
            ),
            // With LSOv2, a NIC must copy all options of IPv4 and TCP (Windows driver
            // documentation, "Offloading the Segmentation of Large TCP Packets").
            v2_ipv4: Word::new(
                nic.v2_ipv4.max_payload,
                nic.v2_ipv4.min_segments,
                IP_OPTIONS | TCP_OPTIONS | SHORT_FINAL,
            ),
            v2_ipv6: Word::new(
                v6.max_payload,
                v6.min_segments,
                both([
                    (v6.extension_headers, IP_OPTIONS),
                    (v6.tcp_options, TCP_OPTIONS),
                    (true, SHORT_FINAL),
                ]),
            ),
            // The same holds of USO over IPv4.
            uso_ipv4: uso(&UsoCapability {
                extension_headers: true,
                ..nic.uso_ipv4
            }),
            uso_ipv6: uso(&nic.uso_ipv6),
            others: Others::of(nic),
        }
    }

    fn capabilities(&self) -> Capabilities {
        let uso = |word: Word| UsoCapability {
            max_payload: word.max_payload(),
            min_segments: word.min_segments(),
            sub_mss_final: word.has(SHORT_FINAL),
            extension_headers: word.has(IP_OPTIONS),
        };
        let has = |shift: u32, flag: u64| (self.others.0 >> shift) & flag != 0;
        Capabilities {
            lso_v1: LsoV1Capability {
                max_payload: self.lso_v1.max_payload(),
                min_segments: self.lso_v1.min_segments(),
                ip_options: self.lso_v1.has(IP_OPTIONS),
                tcp_options: self.lso_v1.has(TCP_OPTIONS),
            },
            v2_ipv4: LargeSendLimit {
                max_payload: self.v2_ipv4.max_payload(),
                min_segments: self.v2_ipv4.min_segments(),
            },
            v2_ipv6: LsoV2Ipv6Capability {
                max_payload: self.v2_ipv6.max_payload(),
                min_segments: self.v2_ipv6.min_segments(),
                extension_headers: self.v2_ipv6.has(IP_OPTIONS),
                tcp_options: self.v2_ipv6.has(TCP_OPTIONS),
            },
            uso_ipv4: uso(self.uso_ipv4),
            uso_ipv6: uso(self.uso_ipv6),
            checksum_ipv4: ChecksumIpv4Capability {
                tcp: has(CHECKSUM_IPV4, CHECKSUM_TCP),
                udp: has(CHECKSUM_IPV4, CHECKSUM_UDP),
                ip_options: has(CHECKSUM_IPV4, IP_OPTIONS),
                tcp_options: has(CHECKSUM_IPV4, TCP_OPTIONS),
            },
            checksum_ipv6: ChecksumIpv6Capability {
                tcp: has(CHECKSUM_IPV6, CHECKSUM_TCP),
                udp: has(CHECKSUM_IPV6, CHECKSUM_UDP),
                tcp_options: has(CHECKSUM_IPV6, TCP_OPTIONS),
                extension_headers: has(CHECKSUM_IPV6, IP_OPTIONS),
            },
            nvgre: self.others.tunnel(TunnelKind::Nvgre),
            vxlan: self.others.tunnel(TunnelKind::Vxlan),
        }
    }
}

/// IPv4 options, or IPv6 extension headers, may be there.
const IP_OPTIONS: u64 = 1;
/// TCP options may be there.
const TCP_OPTIONS: u64 = 2;
/// The last segment may be shorter than the others.
const SHORT_FINAL: u64 = 4;

#[expect(clippy::cast_possible_truncation, reason = "it is 256")]
const LONGEST_HEADER: u32 = MAX_HEADER as u32;

/// What the NIC takes of one kind of large send: the maximum in the upper half, the minimum in the
/// next 16 bits, then flags.
#[derive(Clone, Copy)]
pub(crate) struct Word(u64);

impl Word {
    fn new(max_payload: u32, min_segments: u32, flags: u64) -> Self {
        let min_segments = u64::from(min_segments.min(u16::MAX.into()));
        Self(u64::from(max_payload) << 32 | min_segments << 16 | flags)
    }

    /// Most bytes of payload; 0 where the NIC takes none of the kind.
    #[inline]
    pub(crate) fn max_payload(self) -> u32 {
        upper(self.0)
    }

    /// Whether the NIC takes every such large send of `length` bytes of frame, whatever is in its
    /// headers.
    #[inline]
    pub(crate) fn surely_takes(self, length: u32, mss: u32) -> bool {
        let least_payload = length.saturating_sub(LONGEST_HEADER);
        self.has_all(IP_OPTIONS | TCP_OPTIONS | SHORT_FINAL)
            && length <= self.max_payload()
            && least_payload >= all_but_one(self.min_segments(), mss)
    }

    #[inline]
    fn min_segments(self) -> u32 {
        upper(self.0 << 32) >> 16
    }

    fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    #[inline]
    fn has_all(self, flags: u64) -> bool {
        self.0 & flags == flags
    }

    fn takes_options(self, headers: &Headers) -> bool {
        (!headers.has_ip_options() || self.has(IP_OPTIONS))
            && (!headers.has_tcp_options() || self.has(TCP_OPTIONS))
    }
}

#[inline]
const fn upper(word: u64) -> u32 {
    (word >> 32) as u32
}

/// Checksums and tunnels: four bits for each IP version, for each kind of tunnel twice four bits and
/// 12 of longest header, which is far more than [`MAX_HEADER`], and 16 of VXLAN's port.
#[derive(Clone, Copy)]
struct Others(u64);

const CHECKSUM_IPV4: u32 = 0;
const CHECKSUM_IPV6: u32 = 4;
const NVGRE: u32 = 8;
const VXLAN: u32 = 28;
const VXLAN_PORT: u32 = 48;
/// As many bytes as can be said of a tunnel's longest header.
const MOST_HEADER: u32 = 0xFFF;
const _: () = assert!(MOST_HEADER > LONGEST_HEADER);

/// Beside [`IP_OPTIONS`] and [`TCP_OPTIONS`].
const CHECKSUM_TCP: u64 = 4;
const CHECKSUM_UDP: u64 = 8;

impl Others {
    fn of(nic: &Capabilities) -> Self {
        let (v4, v6) = (&nic.checksum_ipv4, &nic.checksum_ipv6);
        let bits = [
            (v4.ip_options, IP_OPTIONS << CHECKSUM_IPV4),
            (v4.tcp_options, TCP_OPTIONS << CHECKSUM_IPV4),
            (v4.tcp, CHECKSUM_TCP << CHECKSUM_IPV4),
            (v4.udp, CHECKSUM_UDP << CHECKSUM_IPV4),
            (v6.extension_headers, IP_OPTIONS << CHECKSUM_IPV6),
            (v6.tcp_options, TCP_OPTIONS << CHECKSUM_IPV6),
            (v6.tcp, CHECKSUM_TCP << CHECKSUM_IPV6),
            (v6.udp, CHECKSUM_UDP << CHECKSUM_IPV6),
        ];
        let tunnel = |tunnel: TunnelCapability| {
            u64::from(tunnel.max_header.min(MOST_HEADER)) << 8
                | u64::from(tunnel.uso.bits() & 0xF) << 4
                | u64::from(tunnel.lso_v2.bits() & 0xF)
        };
        let checksums = bits
            .iter()
            .filter(|(set, _)| *set)
            .fold(0, |all, (_, bit)| all | bit);
        let port = u64::from(nic.vxlan.port) << VXLAN_PORT;
        Self(checksums | tunnel(nic.nvgre) << NVGRE | tunnel(nic.vxlan) << VXLAN | port)
    }

    fn tunnel(self, kind: TunnelKind) -> TunnelCapability {
        let (bits, port) = match kind {
            TunnelKind::Nvgre => (self.0 >> NVGRE, 0),
            TunnelKind::Vxlan => (self.0 >> VXLAN, self.0 >> VXLAN_PORT),
        };
        TunnelCapability {
            lso_v2: TunnelIp::from_bits(upper(bits << 32) & 0xF),
            uso: TunnelIp::from_bits(upper(bits << 28) & 0xF),
            max_header: upper(bits << 24) & MOST_HEADER,
            #[expect(clippy::cast_possible_truncation, reason = "16 bits are left")]
            port: port as u16,
        }
    }
}
