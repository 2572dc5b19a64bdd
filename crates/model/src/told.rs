//! Rule 32: a large send of any size that was ever advertised is accepted, even stale.

use ndis::{LargeSendLimit, sys};

use crate::{
    above::{Completed, Sent},
    limits::limit_for,
    segment::{Parts, parts},
    state::{ModuleState, State},
};

impl State {
    /// Why a large send should not have come back as it did; `None` where all is well, or where it
    /// is one that may be refused.
    pub(crate) fn refused_wrongly(&self, sent: &Sent, completed: Completed) -> Option<String> {
        let excused = completed.status == sys::NDIS_STATUS_SUCCESS
            || completed.status == sys::NDIS_STATUS_RESOURCES && self.memory.failed > 0
            // The module was paused when it came, whatever it is now.
            || completed.status == sys::NDIS_STATUS_PAUSED
            || self.module != ModuleState::Running;
        let told = self.limits.told_for(sent.packet.large_send);
        let nic = limit_for(self.limits.newest(), sent.packet.large_send);
        if excused || !sound(sent, told, nic) {
            return None;
        }
        let payload = sent.payload_length();
        Some(format!(
            "{payload} bytes of payload, {} were advertised, came back with status {:#x}",
            told.max_payload, completed.status
        ))
    }
}

/// Whether a large send is one that no filter may refuse: as plain as TCP sends it, not above what
/// the layer above was `told`, and such that the NIC can take it in parts.
fn sound(sent: &Sent, told: LargeSendLimit, nic: LargeSendLimit) -> bool {
    let packet = &sent.packet;
    let Some(parts) = parts(&packet.frame) else {
        return false;
    };
    let (frame, info) = (&packet.frame, packet.large_send);
    let payload = sent.payload_length();
    let first = packet
        .buffers
        .first()
        .map_or(sent.length, |first| *first as usize);
    info.mss() > 0
        && payload > 0
        && payload <= told.max_payload
        && info.tcp_header_offset() as usize == parts.tcp
        && info.is_ipv6() == parts.ipv6
        && packet.net_buffers == 1
        && packet.extra_length == 0
        && first >= parts.payload
        && plain(frame, parts)
        && divides(payload.div_ceil(info.mss()), nic, info.mss())
}

/// No options, extension headers or fragments, no stack of tags, no URG, SYN or RST.
fn plain(frame: &[u8], parts: Parts) -> bool {
    const URG_SYN_RST: u8 = 0x26;
    let ip = &frame[parts.ip..];
    let network = if parts.ipv6 {
        ip[0] >> 4 == 6 && parts.tcp == parts.ip + 40
    } else {
        let fragment = u16::from_be_bytes([ip[6], ip[7]]) & 0x3FFF;
        ip[0] == 0x45 && fragment == 0
    };
    let tcp = &frame[parts.tcp..];
    network && parts.ip <= 22 && tcp[12] >> 4 >= 5 && tcp[13] & URG_SYN_RST == 0
}

/// Whether `segments` of `mss` can be dealt out in large sends that the NIC takes.
fn divides(segments: u32, nic: LargeSendLimit, mss: u32) -> bool {
    let most = nic.max_payload / mss;
    let least = nic.min_segments.max(1);
    most >= least && segments.div_ceil(most) * least <= segments
}
