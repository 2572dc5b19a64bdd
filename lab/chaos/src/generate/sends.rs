//! Sends of every kind, mostly small and mostly sound.

use ndis::sys;

use super::Generator;
use crate::{
    packet::{Damage, EXTENSIONS, Kind, Memory, Outer, SOUND_EXTENSIONS, Shape},
    step::Sends,
};

/// Slots that a filter carries without a look.
const CARRIED: [usize; 10] = [
    sys::ClassificationHandleNetBufferListInfo,
    sys::Ieee8021QNetBufferListInfo,
    sys::NetBufferListCancelId,
    sys::MediaSpecificInformation,
    sys::NetBufferListProtocolId,
    sys::NetBufferListHashValue,
    sys::NetBufferListHashInfo,
    sys::NetBufferListFilteringInfo,
    sys::VirtualSubnetInfo,
    sys::WfpNetBufferListInfo,
];

/// Flags of an NBL that describe the sent packet.
const NBL_FLAGS: u32 = sys::NDIS_NBL_FLAGS_SEND_READ_ONLY
    | sys::NDIS_NBL_FLAGS_IS_IPV4
    | sys::NDIS_NBL_FLAGS_IS_IPV6
    | sys::NDIS_NBL_FLAGS_IS_TCP
    | sys::NDIS_NBL_FLAGS_IS_UDP
    | sys::NDIS_NBL_FLAGS_IS_LOOPBACK_PACKET
    | sys::NDIS_NBL_FLAGS_CAPTURE_TIMESTAMP_ON_TRANSMIT;
/// TCP flags of which a large send may have any.
const FLAGS: u64 = 0x1C9;
/// Bytes of TCP options that stacks send.
const TCP_OPTIONS: [u8; 6] = [0, 0, 12, 12, 20, 40];

impl Generator {
    /// A chain of up to `most` NBLs.
    pub(super) fn sends(&mut self, most: u64) -> Sends {
        let count = match self.percent(60) {
            true => 1,
            false => 1 + self.below(most),
        };
        Sends {
            packets: (0..count).map(|_| self.shape()).collect(),
            at_dispatch: self.flag(),
            processor: self.below(self.processors) as u32,
        }
    }

    fn shape(&mut self) -> Shape {
        let kind = match self.weighted(&[40, 8, 12, 7, 5, 14, 5, 5, 4]) {
            0 => Kind::Lso,
            1 => Kind::LsoV1,
            2 => Kind::Uso,
            3 => Kind::Vxlan,
            4 => Kind::Nvgre,
            5 => Kind::Tcp,
            6 => Kind::Udp,
            7 => Kind::Arp,
            _ => Kind::Bytes,
        };
        let mut shape = Shape {
            kind,
            ..Shape::default()
        };
        match kind {
            Kind::Arp => {}
            Kind::Bytes => {
                shape.payload = self.from(0, 300);
                shape.seed = self.random.number() >> 32;
            }
            _ => self.fill(&mut shape),
        }
        if self.percent(40) {
            shape.memory = self.memory();
        }
        if self.percent(15) {
            shape.slots = vec![(self.pick(&CARRIED) as u8, self.random.number() as u32)];
        }
        if self.percent(5) {
            shape.nbl_flags = self.random.number() as u32 & NBL_FLAGS;
        }
        if !shape.is_large() && self.percent(20) {
            shape.damage = vec![Damage::NetBuffers(self.from(1, 4) as u8)];
        }
        if self.percent(8) {
            self.damage(&mut shape);
        }
        shape
    }

    /// The packet itself.
    fn fill(&mut self, shape: &mut Shape) {
        shape.ipv6 = shape.kind != Kind::LsoV1 && self.flag();
        (shape.payload, shape.mss) = self.sizes(shape.is_large());
        shape.tcp_options = self.pick(&TCP_OPTIONS);
        shape.flags = (self.random.number() & FLAGS) as u16;
        shape.seq = self.random.number() as u32;
        shape.ip_id = match self.below(3) {
            0 => self.from(0x7FF0, 0x8000) as u16,
            1 => self.from(0xFFF0, 0x1_0000) as u16,
            _ => self.random.number() as u16,
        };
        shape.udp_checksum = self.flag();
        shape.stated = self.flag();
        shape.port = self.from(1, 9) as u16;
        shape.seed = self.below(1 << 16);
        if self.percent(20) {
            shape.tags = self.from(0, 3) as u8;
            shape.class = self.random.number() as u8;
            shape.ip_options = self.options(shape.ipv6);
        }
        if matches!(shape.kind, Kind::Vxlan | Kind::Nvgre) {
            let ipv6 = self.flag();
            shape.outer = Outer {
                ipv6,
                tags: self.pick(&[0, 0, 1, 2]),
                ip_options: if self.percent(10) {
                    self.options(ipv6)
                } else {
                    0
                },
                silent: self.flag(),
                says_inner: self.flag(),
                uso: self.percent(40),
            };
        }
    }

    fn options(&mut self, ipv6: bool) -> u8 {
        let end = if ipv6 { SOUND_EXTENSIONS } else { 6 };
        self.below(end.into()) as u8
    }

    /// Bytes of payload and of one segment.
    fn sizes(&mut self, large: bool) -> (u32, u32) {
        if !large {
            return (self.from(0, 1400), 0);
        }
        let payload = match self.weighted(&[300, 600, 90, 8, 2]) {
            0 => self.from(1, 2000),
            1 => self.from(1, 9000),
            2 => self.from(9000, 30_000),
            3 => self.from(30_000, 70_000),
            _ => self.from(70_000, 300_000),
        };
        let mss = match self.weighted(&[60, 30, 4, 4, 2]) {
            0 => self.from(300, 1440),
            1 => self.pick(&[536, 1220, 1398, 1428, 1440, 1448, 1460, 1472]),
            2 => self.from(1440, 9000),
            3 => self.from(1, 300).max(payload / 200),
            _ => self.from(9000, 80_000),
        };
        (payload, mss.max(payload / 300))
    }

    fn memory(&mut self) -> Memory {
        Memory {
            buffer: match self.weighted(&[20, 30, 30, 15, 5]) {
                0 => 0,
                1 => self.pick(&[1448, 1460, 4096]),
                2 => self.from(300, 3000),
                3 => self.from(20, 300),
                _ => self.from(1, 20),
            },
            own_header: self.flag(),
            own_inner: self.flag(),
            before: match self.below(3) {
                0 => 0,
                1 => self.from(0, 300),
                _ => self.from(4000, 5000),
            },
            behind: if self.percent(30) {
                self.from(0, 500)
            } else {
                0
            },
            page_offset: self.from(0, 4096),
            locked: self.flag(),
        }
    }

    /// Something wrong with a packet, for each of the reasons for which there are refusals, and any
    /// byte of the headers.
    fn damage(&mut self, shape: &mut Shape) {
        let value = self.random.number() as u8;
        let slot = self.random.number() as u32;
        let damage = match self.below(18) {
            0 => Damage::Frame(self.from(0, 100), value),
            1 => Damage::Ip(self.from(0, 40), value),
            2 => Damage::Transport(self.from(0, 20), value),
            3 => Damage::Slot(self.meant_slot(), slot),
            4 => Damage::LargeSend(slot),
            5 => Damage::Longer(self.pick(&[1, 100, 1 << 20])),
            6 => Damage::Skew(self.pick(&[1, 60, 4096])),
            7 => Damage::NetBuffers(self.from(0, 4) as u8),
            8 => Damage::First(self.from(0, 90)),
            9 => Damage::Cut(self.from(0, 120)),
            // The IP version and the protocol, a fragment, the data offset, the flags.
            10 => Damage::Ip(0, self.pick(&[0x44, 0x65, 0x45, 0x60])),
            11 => Damage::Ip(if shape.ipv6 { 6 } else { 9 }, self.pick(&[17, 50, 51, 6])),
            12 => Damage::Ip(6, self.pick(&[0x20, 0x3F])),
            13 => Damage::Transport(12, 0x40),
            14 => Damage::Transport(13, self.pick(&[0x30, 0x12, 0x14])),
            15 => {
                shape.tags = 3;
                return;
            }
            16 => {
                shape.ipv6 = true;
                shape.ip_options = self.from(SOUND_EXTENSIONS.into(), EXTENSIONS.into()) as u8;
                return;
            }
            _ => {
                let sizes = [(0, 1448), (1, 1), (70_000, 70_000), (9000, 1)];
                (shape.payload, shape.mss) = sizes[self.weighted(&[3, 3, 3, 1])];
                return;
            }
        };
        shape.damage.push(damage);
    }

    /// A slot by which the filter and the NIC decide what to do.
    fn meant_slot(&mut self) -> u8 {
        self.pick(&[
            sys::UdpSegmentationOffloadInfo,
            sys::TcpSendOffloadsSupplementalNetBufferListInfo,
            sys::TcpIpChecksumNetBufferListInfo,
        ]) as u8
    }
}
