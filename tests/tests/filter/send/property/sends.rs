//! Sends of every kind, and how they are handed down.

use model::{Backing, Packet, TunnelSlot, UsoSlot};
use ndis::{LargeSendInfo, sys};
use proptest::{collection::vec, prelude::*, sample::select};
use reference::{Kind, layers};
use scenarios::packets::{arp, large, large_v1, on_port, small};
use testpkt::synth::{Encapsulation, IpVersion, Synth, Transport, Tunnel, flag};

/// The contents of one NBL that the overlying driver sends.
#[derive(Clone, Debug)]
pub enum Send {
    Large(Box<LargeSend>),
    /// No large send: TCP or not, in so many NET_BUFFERs.
    Plain {
        tcp: bool,
        net_buffers: usize,
    },
}

/// A large send, and how it is handed down.
#[derive(Clone, Debug)]
pub struct LargeSend {
    pub synth: Synth,
    pub v1: bool,
    /// Whether a USO send states its lengths.
    stated: bool,
    /// The description of a tunnel: where the inner headers are, and the inner IP version in the
    /// large send's slot, which may as well be the outer one.
    has_offset: bool,
    has_inner_offsets: bool,
    /// The content of the 802.1Q slot.
    tag: Option<usize>,
    port: u16,
    memory: Memory,
}

/// How a packet lies in memory.
#[derive(Clone, Copy, Debug)]
struct Memory {
    /// Bytes in each buffer but the first and the last; all in one buffer where there is none.
    buffer: Option<u32>,
    /// Whether the headers have MDLs of their own.
    own_header: bool,
    /// Whether the contents of a tunnel begin in another MDL than the outer headers.
    own_inner: bool,
    data_offset: u32,
    tail: u32,
    page_offset: u32,
    backing: Backing,
}

impl Send {
    pub fn packet(&self) -> Packet {
        match self {
            Self::Large(large) => large.packet(),
            Self::Plain { tcp, net_buffers } => Packet {
                net_buffers: *net_buffers,
                ..if *tcp { small() } else { arp() }
            },
        }
    }
}

impl LargeSend {
    fn packet(&self) -> Packet {
        let synth = &self.synth;
        let packet = match synth.kind() {
            Kind::Tcp if self.v1 => on_port(large_v1(synth), self.port),
            Kind::Tcp => on_port(large(synth), self.port),
            Kind::Udp => Packet::udp_large_send(synth.frame(self.stated), synth.mss),
            Kind::Encapsulated => self.tunnelled(),
        };
        let mut packet = self.memory.lay_out(packet, synth.kind());
        if let Some(tag) = self.tag {
            packet = packet.with_slot(sys::Ieee8021QNetBufferListInfo, tag);
        }
        packet
    }

    fn tunnelled(&self) -> Packet {
        let synth = &self.synth;
        let ipv6 = synth.ip == IpVersion::V6;
        let mut packet = if synth.transport == Transport::Udp {
            Packet::encapsulated_uso(synth.frame(self.stated), synth.mss)
        } else {
            Packet::encapsulated(synth.frame(false), synth.mss)
        };
        match synth.transport {
            Transport::Tcp if self.has_inner_offsets => {
                packet.large_send = LargeSendInfo::v2(synth.mss, 0, ipv6);
            }
            Transport::Udp if self.has_inner_offsets => {
                let slot = UsoSlot {
                    ipv6,
                    ..packet.slots().uso
                };
                packet = packet.with_slot(sys::UdpSegmentationOffloadInfo, slot.to_raw());
            }
            _ => {}
        }
        if !self.has_offset {
            let slot = TunnelSlot {
                encapsulated: true,
                inner_ipv6: ipv6,
                ..TunnelSlot::default()
            };
            let supplement = sys::TcpSendOffloadsSupplementalNetBufferListInfo;
            packet = packet.with_slot(supplement, slot.to_raw());
        }
        packet
    }
}

impl Memory {
    fn lay_out(self, mut packet: Packet, kind: Kind) -> Packet {
        let found = layers(&packet.frame, kind).expect("a large send");
        let header = found.payload as u32;
        let inner = found.tunnel.map_or(0, |tunnel| tunnel.inner as u32);
        let rest = packet.frame.len() as u32 - header;
        if self.own_inner && inner > 0 {
            packet.buffers.push(inner);
        }
        let before: u32 = packet.buffers.iter().sum();
        if let Some(size) = self.buffer {
            // Debug builds are slow: at most so many.
            let size = size.max(rest / 2000);
            let more = if self.own_header { 0 } else { size / 3 };
            packet.buffers.push(header - before + more);
            let count = rest.saturating_sub(more) / size;
            packet.buffers.extend((0..count).map(|_| size));
        }
        Packet {
            data_offset: self.data_offset,
            tail: self.tail,
            page_offset: self.page_offset,
            backing: self.backing,
            ..packet
        }
    }
}

prop_compose! {
    fn memory()(
        buffer in prop_oneof![
            Just(None),
            Just(Some(1)),
            Just(Some(4096)),
            Just(Some(64 << 10)),
            Just(Some(1 << 20)),
            (2..300_u32).prop_map(Some),
            (300..9_000_u32).prop_map(Some),
        ],
        (own_header, own_inner) in any::<(bool, bool)>(),
        data_offset in prop_oneof![0..300_u32, 4000..9000_u32],
        tail in prop_oneof![Just(0), 0..5000_u32],
        page_offset in 0..4096_u32,
        backing in select(vec![Backing::NonPagedPool, Backing::LockedPages]),
    ) -> Memory {
        Memory { buffer, own_header, own_inner, data_offset, tail, page_offset, backing }
    }
}

/// Payload in bytes: mostly short, for speed.
fn payload() -> impl Strategy<Value = u32> {
    prop_oneof![
        2 => 1..2_000_u32,
        6 => 1..20_000_u32,
        3 => 20_000..100_000_u32,
        1 => 100_000..=1_u32 << 20,
    ]
}

fn mss() -> impl Strategy<Value = u32> {
    prop_oneof![
        select(vec![536, 1220, 1398, 1428, 1440, 1448, 1460, 1472, 8948]),
        536..=9_000_u32
    ]
}

fn extensions() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let padding = vec![0, 0, 1, 4, 0, 0, 0, 0];
    let routing = vec![0, 0, 4, 0, 0, 0, 0, 0];
    select(vec![
        Vec::new(),
        Vec::new(),
        vec![(0, padding.clone())],
        vec![(60, padding.clone())],
        vec![(0, padding.clone()), (60, padding.clone()), (43, routing)],
        vec![(60, [&[0, 2, 1, 20][..], &[7; 20]].concat())],
    ])
}

/// NOPs: as many as come.
fn options() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(Vec::new()), vec(Just(1_u8), 1..=40)]
}

fn flags() -> impl Strategy<Value = u16> {
    let kept = flag::FIN | flag::PSH | flag::ECE | flag::CWR | flag::AE;
    any::<u16>().prop_map(move |bits| flag::ACK | bits & kept)
}

/// Often about to wrap, in 15 bits or in 16.
fn ip_id() -> impl Strategy<Value = u16> {
    prop_oneof![any::<u16>(), 0x7FF0..0x8000_u16, 0xFFF0..=0xFFFF_u16]
}

prop_compose! {
    fn tunnel()(
        encapsulation in select(vec![Encapsulation::Vxlan, Encapsulation::Nvgre]),
        v6 in any::<bool>(),
        vlan in vec(any::<u16>(), 0..=2),
        (ip_options, extensions) in (options(), extensions()),
        ip_id in ip_id(),
        traffic_class in any::<u8>(),
        network in 0..1_u32 << 24,
        (udp_checksum, stated) in any::<(bool, bool)>(),
    ) -> Tunnel {
        let tunnel = if v6 { Tunnel::vxlan_v6() } else { Tunnel::vxlan_v4() };
        Tunnel {
            encapsulation, vlan, ip_options, extensions, ip_id, traffic_class, network,
            udp_checksum, stated, ..tunnel
        }
    }
}

prop_compose! {
    fn synth()(
        (ip, transport) in (
            select(vec![IpVersion::V4, IpVersion::V6]),
            select(vec![Transport::Tcp, Transport::Tcp, Transport::Udp]),
        ),
        tunnel in prop::option::weighted(0.35, tunnel()),
        (payload, mss) in (payload(), mss()),
        vlan in vec(any::<u16>(), 0..=2),
        (ip_options, extensions, tcp_options) in (options(), extensions(), options()),
        flags in flags(),
        (seq, ip_id) in (any::<u32>(), ip_id()),
        (traffic_class, flow_label) in (any::<u8>(), 0..1_u32 << 20),
        (udp_checksum, seed) in any::<(bool, u64)>(),
    ) -> Synth {
        Synth {
            ip, transport, tunnel, vlan, ip_options, extensions, tcp_options, flags, seq, ip_id,
            traffic_class, flow_label, udp_checksum, seed,
            ..Synth::v4(payload, mss)
        }
    }
}

/// A header of no more than 256 bytes: the filter need not accept longer ones.
fn is_short(synth: &Synth) -> bool {
    let frame = Synth {
        payload: 1,
        ..synth.clone()
    };
    frame.frame(false).len() <= 257
}

prop_compose! {
    fn large_send()(
        synth in synth().prop_filter("a header that is too long", is_short),
        v1 in prop::bool::weighted(0.2),
        (stated, has_offset, has_inner_offsets) in any::<(bool, bool, bool)>(),
        tag in prop::option::of(0..0x1_0000_usize),
        port in 1..4_u16,
        memory in memory(),
    ) -> LargeSend {
        let v1 = v1 && synth.ip == IpVersion::V4 && synth.kind() == Kind::Tcp;
        LargeSend { synth, v1, stated, has_offset, has_inner_offsets, tag, port, memory }
    }
}

prop_compose! {
    fn plain()(tcp in any::<bool>(), net_buffers in 1..4_usize) -> Send {
        Send::Plain { tcp, net_buffers }
    }
}

/// Any send.
pub fn send() -> impl Strategy<Value = Send> {
    prop_oneof![
        5 => large_send().prop_map(|large| Send::Large(Box::new(large))),
        1 => plain(),
    ]
}
