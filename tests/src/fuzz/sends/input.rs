//! The steps of a run, from any bytes.

use model::{
    Backing, ChecksumOffload, ChecksumOffloads, Completion, Config, Enabled, LargeSendOptions, Nic,
    Order, Packet, SendCall, TunnelOffload, TunnelOffloads, UsoLimit, UsoLimits,
};
use model::{LargeSendLimit, LargeSendLimits};
use ndis::{LargeSendInfo, sys};

use crate::fuzz::bytes::Bytes;

/// One step of a run.
pub(super) enum Step {
    Send(Vec<Packet>, SendCall),
    Deliver,
    /// The NIC turns offloads on and off, and indicates it.
    Enable(Enabled),
    /// The module is paused and restarted.
    Restart,
}

impl Bytes<'_> {
    /// The machine: its NIC, its MTU, and the number of MDLs that the filter is set to.
    pub(super) fn config(&mut self) -> Config {
        let mut nic = self.nic();
        let most = u32::from(self.u8());
        let chains = match most {
            0 => Vec::new(),
            more => vec![("MaxSgElements", 4 + more % 61)],
        };
        // A child has no room for more than 64.
        nic.max_elements = Some(chains.last().map_or(64, |(_, most)| *most as usize));
        let mtu = self.u16();
        let mut config = Config::with_nic(nic.clone()).counting_ip_id_in(nic.id_bits);
        // A second processor has as many children, which take long to make.
        config.processors = if nic.completion.on_processor.is_some() {
            2
        } else {
            1
        };
        config.mtu = (mtu != 0).then_some(mtu.into());
        for (keyword, value) in chains {
            config.parameters.push((keyword.into(), value));
        }
        config
    }

    fn nic(&mut self) -> Nic {
        let limits = LargeSendLimits {
            v1: self.limit(),
            v2_ipv4: self.limit(),
            v2_ipv6: self.limit(),
        };
        let uso = UsoLimits {
            ipv4: self.uso(),
            ipv6: self.uso(),
        };
        let [
            v1_ip,
            v1_tcp,
            v2_ipv6_extensions,
            v2_ipv6_tcp,
            wide_ids,
            other_port,
        ] = self.bits();
        let other_port = u16::from(other_port);
        Nic {
            limits,
            uso,
            options: LargeSendOptions {
                v1_ip,
                v1_tcp,
                v2_ipv6_extensions,
                v2_ipv6_tcp,
            },
            id_bits: if wide_ids { 16 } else { 15 },
            checksum: ChecksumOffloads {
                ipv4: self.checksum(),
                ipv6: self.checksum(),
            },
            tunnels: TunnelOffloads {
                nvgre: self.tunnel(),
                vxlan: self.tunnel(),
                vxlan_port: TunnelOffloads::VXLAN_PORT ^ other_port,
            },
            enabled: self.enabled(),
            completion: self.completion(),
            failing: self.failing(),
            ..Nic::default()
        }
    }

    fn limit(&mut self) -> LargeSendLimit {
        let (max_payload, min_segments) = (u32::from(self.u16()), u32::from(self.u8()));
        LargeSendLimit {
            // The highest bit stands for far more.
            max_payload: max_payload << (min_segments >> 7 << 2),
            min_segments: min_segments % 64,
        }
    }

    fn uso(&mut self) -> UsoLimit {
        let LargeSendLimit {
            max_payload,
            min_segments,
        } = self.limit();
        let [sub_mss_final, extensions] = self.bits();
        UsoLimit {
            max_payload,
            min_segments,
            sub_mss_final,
            extensions,
        }
    }

    fn checksum(&mut self) -> ChecksumOffload {
        let [ip_header, tcp, udp, ip_options, tcp_options] = self.bits();
        ChecksumOffload {
            ip_header,
            tcp,
            udp,
            ip_options,
            tcp_options,
        }
    }

    fn tunnel(&mut self) -> TunnelOffload {
        let offloads = u32::from(self.u8());
        TunnelOffload {
            lso_v2: offloads % 16,
            uso: offloads / 16,
            transmit_checksum: 0,
            max_header: self.u8().into(),
        }
    }

    /// The offloads that are turned off.
    fn enabled(&mut self) -> Enabled {
        let off: [bool; 11] = self.bits();
        Enabled {
            v1: !off[0],
            v2_ipv4: !off[1],
            v2_ipv6: !off[2],
            uso_ipv4: !off[3],
            uso_ipv6: !off[4],
            ip_header: !off[5],
            tcp_ipv4: !off[6],
            udp_ipv4: !off[7],
            tcp_ipv6: !off[8],
            udp_ipv6: !off[9],
            tunnels: !off[10],
        }
    }

    fn completion(&mut self) -> Completion {
        let [
            deferred,
            shuffled,
            reversed,
            merged,
            other_processor,
            at_dispatch,
        ] = self.bits();
        Completion {
            deferred,
            order: match (shuffled, reversed) {
                (true, _) => Order::Shuffled(self.u8().into()),
                (false, true) => Order::Reversed,
                (false, false) => Order::Sent,
            },
            merged,
            on_processor: other_processor.then_some(1),
            at_dispatch,
        }
    }

    fn failing(&mut self) -> Vec<(u64, i32)> {
        let count = self.u8() % 4;
        (0..count)
            .map(|_| (self.u8().into(), sys::NDIS_STATUS_FAILURE))
            .collect()
    }

    /// The next step on so many processors; `None` where the bytes have ended.
    pub(super) fn step(&mut self, processors: u32) -> Option<Step> {
        if self.0.is_empty() {
            return None;
        }
        let kind = self.u8();
        Some(match kind % 8 {
            5 => Step::Deliver,
            6 => Step::Enable(self.enabled()),
            7 => Step::Restart,
            more => {
                let packets = (0..=more).map(|_| self.packet()).collect();
                let call = SendCall {
                    at_dispatch: kind & 0x40 != 0,
                    processor: u32::from(kind >> 7) % processors,
                };
                Step::Send(packets, call)
            }
        })
    }

    /// Any bytes as headers, some payload, any slots, and any place in memory.
    fn packet(&mut self) -> Packet {
        let [large, uso, tunnel, checksum, buffers, locked, odd, long] = self.bits();
        let header = self.u8().into();
        let mut frame = self.bytes(header);
        let payload = usize::from(self.u16()) << (u32::from(long) << 1);
        frame.extend((0..payload).map(|at| (at ^ at >> 8) as u8));
        let mut packet = Packet::new(frame);
        if large {
            packet.large_send = LargeSendInfo::from_raw(self.u32() as usize);
        }
        let slots = [
            (uso, sys::UdpSegmentationOffloadInfo),
            (tunnel, sys::TcpSendOffloadsSupplementalNetBufferListInfo),
            (checksum, sys::TcpIpChecksumNetBufferListInfo),
        ];
        for (_, slot) in slots.iter().filter(|(given, _)| *given) {
            packet = packet.with_slot(*slot, self.u32() as usize);
        }
        if locked {
            packet.backing = Backing::LockedPages;
        }
        if buffers {
            let count = self.u8() % 32;
            packet.buffers = (0..count).map(|_| self.u16().into()).collect();
            packet.data_offset = (self.u16() % 8192).into();
            packet.page_offset = (self.u16() % 4096).into();
            packet.tail = self.u8().into();
        }
        if odd {
            packet.net_buffers = (self.u8() % 4).into();
            packet.extra_length = u32::from(self.u16()) << (self.u8() % 4);
            packet.skew = self.u16().into();
        }
        packet
    }
}
