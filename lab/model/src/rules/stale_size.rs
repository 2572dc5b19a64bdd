//! Rule 32: a large send of any size that was ever advertised is accepted, even stale.
//!
//! The filter has no excuse: a send that the NIC does not accept as a large send can go down as
//! packets.

use ndis::sys;

use crate::{
    above::{Completed, Sent},
    oob::SendKind,
    segment::{Layout, tunnel},
    state::{ModuleState, State},
};

/// Bytes of payload that may always be sent: as much as one IP packet holds.
const ALWAYS: u32 = 0xFFFF;
/// Most wire packets that a send may make.
const MOST_PACKETS: u32 = 4096;

impl State {
    /// Describes why a large send was wrongly refused; `None` if all is well, or if it is one that
    /// may be refused.
    pub(crate) fn refused_wrongly(&self, sent: &Sent, completed: Completed) -> Option<String> {
        let excused = completed.status == sys::NDIS_STATUS_SUCCESS
            || completed.status == sys::NDIS_STATUS_RESOURCES && self.kernel.memory.failed > 0
            // The module was paused when the send arrived, whatever its state is now.
            || completed.status == sys::NDIS_STATUS_PAUSED
            || self.life.module != ModuleState::Running;
        if excused || !self.sound(sent) {
            return None;
        }
        let payload = sent.payload_length();
        Some(format!(
            "{payload} bytes of payload, {} were advertised, came back with status {:#x}",
            self.most_advertised(sent),
            completed.status
        ))
    }

    /// Most bytes of payload ever advertised to the overlying driver for sends like this one.
    fn most_advertised(&self, sent: &Sent) -> u32 {
        match sent.slots.kind() {
            SendKind::Packet => 0,
            SendKind::Uso | SendKind::TunnelledUso => {
                self.advertised
                    .limits
                    .most_uso()
                    .of(sent.slots.uso.ipv6)
                    .max_payload
            }
            _ => {
                self.advertised
                    .limits
                    .most_for(sent.slots.large_send)
                    .max_payload
            }
        }
    }

    /// Whether a large send is one that no filter may refuse: as plain as a stack sends it, not
    /// above the advertised size, and of segments that the medium carries.
    pub(crate) fn sound(&self, sent: &Sent) -> bool {
        let (Some(layout), packet) = (sent.layout, &sent.packet) else {
            return false;
        };
        let (payload, mss) = (sent.payload_length(), sent.slots.mss());
        let most = self.most_advertised(sent);
        let first_ip = tunnel(&packet.frame)
            .filter(|_| sent.slots.kind().is_tunnelled())
            .map_or(layout.ip, |tunnel| tunnel.ip);
        let segment = |ip| layout.payload - ip + mss.min(payload) as usize;
        mss > 0
            && payload > 0
            && packet.net_buffers == 1
            && packet.extra_length == 0
            && packet.skew == 0
            && contiguous(sent, layout)
            && slots_match(sent, layout)
            && plain(&packet.frame, layout)
            && payload <= most.max(ALWAYS)
            && payload.div_ceil(mss) <= MOST_PACKETS
            && self
                .advertised
                .mtu
                .is_none_or(|mtu| segment(layout.ip) <= mtu as usize)
            && segment(first_ip) <= u16::MAX.into()
    }
}

/// Whether the headers are in one MDL, or inside a tunnel those of the encapsulation in the first
/// and those of the inner frame in one.
fn contiguous(sent: &Sent, layout: Layout) -> bool {
    let packet = &sent.packet;
    let tunnelled = sent.slots.kind().is_tunnelled();
    let inner = tunnel(&packet.frame).filter(|_| tunnelled);
    let inner = inner.map_or(0, |tunnel| tunnel.inner_frame);
    let mut start = 0;
    for length in packet.buffers.iter().map(|length| *length as usize) {
        let end = start + length;
        if start == 0 && (end == 0 || end < inner) {
            return false;
        }
        if end > inner {
            return start <= inner && end >= layout.payload;
        }
        start = end;
    }
    true
}

/// Whether the slots match the frame.
fn slots_match(sent: &Sent, layout: Layout) -> bool {
    let (slots, frame) = (&sent.slots, &sent.packet.frame);
    match slots.kind() {
        SendKind::Packet => false,
        SendKind::LargeSend => {
            !layout.udp
                && slots.large_send.tcp_header_offset() as usize == layout.transport
                && slots.large_send.is_ipv6() == layout.ipv6
        }
        SendKind::Uso => {
            layout.udp
                && slots.uso.udp_header_offset as usize == layout.transport
                && slots.uso.ipv6 == layout.ipv6
        }
        kind => tunnel(frame).is_some_and(|found| {
            found.inner.udp == kind.is_uso()
                && (kind.is_uso() || slots.large_send.is_v2())
                && slots.tunnel == found.slot()
                && plain_network(frame, found.ip, found.ipv6, found.transport)
        }),
    }
}

/// No options, extension headers or fragments, no stack of tags, no URG, SYN or RST.
fn plain(frame: &[u8], layout: Layout) -> bool {
    const URG_SYN_RST: u8 = 0x26;
    let transport = &frame[layout.transport..];
    let inner_start = tunnel(frame).map_or(0, |tunnel| tunnel.inner_frame);
    let flags = layout.udp || transport[12] >> 4 >= 5 && transport[13] & URG_SYN_RST == 0;
    flags
        && layout.ip <= inner_start + 22
        && plain_network(frame, layout.ip, layout.ipv6, layout.transport)
}

/// An IP header without options, extension headers and fragments.
fn plain_network(frame: &[u8], ip: usize, ipv6: bool, transport: usize) -> bool {
    let header = &frame[ip..];
    if ipv6 {
        return header[0] >> 4 == 6 && transport == ip + 40;
    }
    let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3FFF;
    header[0] == 0x45 && fragment == 0
}
