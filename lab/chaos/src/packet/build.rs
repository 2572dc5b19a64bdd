//! From a send as data to the packet.

use model::{Backing, Packet, TunnelSlot};
use ndis::{LargeSendInfo, sys};

use super::{Damage, Kind, Memory, Shape};
use harness::random::Random;
use reference::layers;
use testpkt::synth::{IpVersion, Synth, Transport, Tunnel};

/// An IPv6 extension header: its protocol number and its bytes, the first of which is filled in.
type Extension = (u8, Vec<u8>);

/// A choice of extension headers.
fn extensions(choice: u8) -> Vec<Extension> {
    let padding = vec![0, 0, 1, 4, 0, 0, 0, 0];
    match choice {
        1 => vec![(0, padding)],
        2 => vec![(60, padding)],
        3 => vec![
            (0, padding.clone()),
            (60, padding),
            (43, vec![0, 0, 4, 0, 0, 0, 0, 0]),
        ],
        // A fragment header, AH, a jumbo payload option, an option that is too long, a header that
        // is too long, and two in the wrong order.
        4 => vec![(44, vec![0; 8])],
        5 => vec![(51, vec![0; 8])],
        6 => vec![(0, vec![0, 0, 0xC2, 4, 0, 1, 0x86, 0xA0])],
        7 => vec![(0, vec![0, 0, 1, 200, 0, 0, 0, 0])],
        8 => {
            let mut long = vec![0, 21, 1, 172];
            long.resize(176, 0);
            vec![(60, long)]
        }
        9 => vec![(60, padding.clone()), (0, padding)],
        _ => Vec::new(),
    }
}

impl Shape {
    /// The packet.
    pub fn packet(&self) -> Packet {
        let synth = self.synth();
        let mut packet = match self.kind {
            Kind::Lso => Packet::large_send(synth.frame(false), self.mss),
            Kind::LsoV1 => Packet::large_send_v1(synth.frame(true), self.mss),
            Kind::Uso => Packet::udp_large_send(synth.frame(self.stated), self.mss),
            Kind::Vxlan | Kind::Nvgre => self.tunnelled(&synth),
            Kind::Tcp | Kind::Udp => Packet::new(synth.frame(true)),
            Kind::Arp => {
                let mut frame = vec![0xFF; 12];
                frame.extend([0x08, 0x06]);
                frame.resize(60, 0);
                Packet::new(frame)
            }
            Kind::Bytes => {
                let mut frame = vec![0; self.payload as usize];
                Random::new(self.seed).fill(&mut frame);
                Packet::new(frame)
            }
        };
        let places = match self.kind {
            Kind::Arp | Kind::Bytes => None,
            _ => layers(&packet.frame, self.reference()).ok(),
        };
        if let Some(places) = &places
            && self.port != 0
        {
            let port = self.port.to_be_bytes();
            packet.frame[places.transport..][..2].copy_from_slice(&port);
        }
        let [header, inner, ip, transport] = places.map_or([0; 4], |places| {
            let inner = places.tunnel.map_or(0, |tunnel| tunnel.inner);
            [places.payload, inner, places.ip, places.transport]
        });
        self.memory.lay_out(&mut packet, header, inner);
        let slots = self.slots.iter();
        packet
            .oob
            .extend(slots.map(|(slot, value)| (usize::from(*slot), *value as usize)));
        packet.nbl_flags = self.nbl_flags;
        for damage in &self.damage {
            damage.inflict(&mut packet, ip, transport);
        }
        packet
    }

    fn reference(&self) -> reference::Kind {
        match self.kind {
            Kind::Uso | Kind::Udp => reference::Kind::Udp,
            Kind::Vxlan | Kind::Nvgre => reference::Kind::Encapsulated,
            _ => reference::Kind::Tcp,
        }
    }

    fn synth(&self) -> Synth {
        let ip = if self.ipv6 {
            IpVersion::V6
        } else {
            IpVersion::V4
        };
        let udp = match self.kind {
            Kind::Uso | Kind::Udp => true,
            Kind::Vxlan | Kind::Nvgre => self.outer.uso,
            _ => false,
        };
        let (ip_options, extensions) = self.options(self.ip_options, self.ipv6);
        Synth {
            ip,
            transport: if udp { Transport::Udp } else { Transport::Tcp },
            vlan: vec![7; self.tags.into()],
            ip_options,
            extensions,
            tcp_options: vec![1; usize::from(self.tcp_options).min(40)],
            flags: 0x10 | self.flags,
            seq: self.seq,
            ip_id: self.ip_id,
            traffic_class: self.class,
            udp_checksum: self.udp_checksum,
            seed: self.seed,
            ..Synth::v4(self.payload, self.mss)
        }
    }

    fn options(&self, choice: u8, ipv6: bool) -> (Vec<u8>, Vec<Extension>) {
        match ipv6 {
            false => (vec![1; 4 * usize::from(choice).min(10)], Vec::new()),
            true => (Vec::new(), extensions(choice)),
        }
    }

    fn tunnelled(&self, synth: &Synth) -> Packet {
        let outer = &self.outer;
        let tunnel = match (self.kind, outer.ipv6) {
            (Kind::Vxlan, false) => Tunnel::vxlan_v4(),
            (Kind::Vxlan, true) => Tunnel::vxlan_v6(),
            (_, false) => Tunnel::nvgre_v4(),
            (_, true) => Tunnel::nvgre_v6(),
        };
        let (ip_options, extensions) = self.options(outer.ip_options, outer.ipv6);
        let tunnel = Tunnel {
            vlan: vec![9; outer.tags.into()],
            ip_options,
            extensions,
            ip_id: self.ip_id,
            traffic_class: self.class,
            udp_checksum: self.udp_checksum,
            stated: self.stated,
            ..tunnel
        };
        let mut packet = if outer.uso {
            Packet::encapsulated_uso(tunnel.around(&synth.frame(self.stated)), self.mss)
        } else {
            Packet::encapsulated(tunnel.around(&synth.frame(false)), self.mss)
        };
        if outer.says_inner && !outer.uso {
            packet.large_send = LargeSendInfo::v2(self.mss, 0, self.ipv6);
        }
        if outer.silent {
            let slot = TunnelSlot {
                encapsulated: true,
                inner_ipv6: self.ipv6,
                ..TunnelSlot::default()
            };
            let supplement = sys::TcpSendOffloadsSupplementalNetBufferListInfo;
            packet = packet.with_slot(supplement, slot.to_raw());
        }
        packet
    }
}

/// Most buffers of one packet: each costs time.
const MOST_BUFFERS: u32 = 100;

impl Memory {
    fn lay_out(self, packet: &mut Packet, header: usize, inner: usize) {
        let (header, inner) = (header as u32, inner as u32);
        let rest = packet.frame.len() as u32 - header;
        if self.own_inner && inner > 0 {
            packet.buffers.push(inner);
        }
        let before: u32 = packet.buffers.iter().sum();
        if self.buffer > 0 {
            let size = self.buffer.max(rest / MOST_BUFFERS);
            let more = if self.own_header { 0 } else { size / 3 };
            packet.buffers.push(header - before + more);
            let count = rest.saturating_sub(more) / size;
            packet.buffers.extend((0..count).map(|_| size));
        }
        packet.data_offset = self.before;
        packet.tail = self.behind;
        packet.page_offset = self.page_offset % sys::PAGE_SIZE;
        packet.backing = if self.locked {
            Backing::LockedPages
        } else {
            Backing::NonPagedPool
        };
    }
}

impl Damage {
    fn inflict(&self, packet: &mut Packet, ip: usize, transport: usize) {
        let mut byte = |at: usize, value: u8| {
            if let Some(place) = packet.frame.get_mut(at) {
                *place = value;
            }
        };
        match *self {
            Self::Frame(at, value) => byte(at as usize, value),
            Self::Ip(at, value) => byte(ip + at as usize, value),
            Self::Transport(at, value) => byte(transport + at as usize, value),
            Self::Slot(slot, value) => packet.oob.push((slot.into(), value as usize)),
            Self::LargeSend(value) => packet.large_send = LargeSendInfo::from_raw(value as usize),
            Self::Longer(more) => {
                packet.extra_length = more;
                // Bytes behind the frame would become a part of it.
                packet.tail = 0;
            }
            Self::Skew(more) => packet.skew = more,
            Self::NetBuffers(count) => packet.net_buffers = count.into(),
            Self::First(length) => packet.buffers = vec![length],
            Self::Cut(length) => packet.frame.truncate(length as usize),
        }
    }
}
