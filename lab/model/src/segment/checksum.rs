//! Checksums of single packets: finished by the NIC, and looked at on the wire.

use checksum::Sum;

use super::{
    bytes::{be16, pseudo_sum, write_header_checksum},
    layout::{Layout, TCP, UDP, layout},
    tunnel::{TunnelKind, tunnel},
};
use crate::{
    oob::{ChecksumSlot, Slots},
    segment::{bytes::put16, udp::finish_udp_checksum},
};

/// Where the checksum is in a TCP or UDP header.
fn field(udp: bool) -> usize {
    if udp { 6 } else { 16 }
}

/// Computes the checksum that the slot requests, if the frame matches the slot: the checksum field
/// of TCP or UDP holds the sum of the pseudo-header with the length.
pub(crate) fn finish(frame: &[u8], slot: ChecksumSlot) -> Option<Vec<u8>> {
    let found = layout(frame)?;
    let right_version = (slot.ipv4, slot.ipv6) == (!found.ipv6, found.ipv6);
    let transport = slot.tcp || slot.udp;
    let right_transport = (slot.tcp, slot.udp) == (!found.udp, found.udp)
        && slot.header_offset as usize == found.transport;
    if !right_version || transport && !right_transport || found.payload < found.transport + 8 {
        return None;
    }
    let mut packet = frame.to_vec();
    if slot.ip_header && !found.ipv6 {
        write_header_checksum(&mut packet[found.ip..]);
    }
    if transport {
        let end = end_of(frame, &found)?;
        let segment = &mut packet[found.transport..end];
        if found.udp {
            finish_udp_checksum(segment, 0);
        } else {
            let checksum = Sum::of(segment).checksum();
            put16(segment, field(false), checksum);
        }
    }
    Some(packet)
}

/// Where the packet ends by its IP header: an Ethernet frame may be padded.
fn end_of(frame: &[u8], found: &Layout) -> Option<usize> {
    let length = if found.ipv6 {
        usize::from(be16(frame, found.ip + 4)?) + 40
    } else {
        be16(frame, found.ip + 2)?.into()
    };
    let end = found.ip + length;
    (found.payload..=frame.len()).contains(&end).then_some(end)
}

/// Whether the IPv4 header at `ip` has its checksum.
pub(crate) fn ip_header_right(frame: &[u8], ip: usize) -> bool {
    let header = usize::from(frame[ip] & 15) * 4;
    Sum::of(&frame[ip..ip + header]).folded() == 0xFFFF
}

/// Describes a wrong checksum of a wire packet of TCP or UDP; `None` if all are right.
pub(crate) fn wrong_checksum(frame: &[u8]) -> Option<String> {
    let Some(found) = layout(frame) else {
        return Some("neither TCP nor UDP".into());
    };
    if !found.ipv6 && !ip_header_right(frame, found.ip) {
        return Some("the IPv4 header's checksum is wrong".into());
    }
    let Some(end) = end_of(frame, &found) else {
        return Some("the IP header's length is wrong".into());
    };
    let segment = &frame[found.transport..end];
    if found.udp && segment[6..8] == [0, 0] {
        return None;
    }
    let protocol = if found.udp { UDP } else { TCP };
    let pseudo = pseudo_sum(&frame[found.ip..], found.ipv6, protocol);
    let whole = pseudo.and_words(segment.len() as u32).and(Sum::of(segment));
    (whole.folded() != 0xFFFF).then(|| {
        let name = if found.udp { "UDP" } else { "TCP" };
        format!("the {name} checksum is wrong")
    })
}

/// Describes a wrong checksum in the outer headers of a tunnelled wire packet.
pub(crate) fn tunnel_header_wrong(frame: &[u8]) -> Option<String> {
    let Some(found) = tunnel(frame) else {
        return Some("no tunnelled packet".into());
    };
    match found.kind {
        TunnelKind::Vxlan(_) => wrong_checksum(frame),
        TunnelKind::Nvgre => (!found.ipv6 && !ip_header_right(frame, found.ip))
            .then(|| "the outer IPv4 header's checksum is wrong".into()),
    }
    .or_else(|| wrong_checksum(&frame[found.inner_frame..]))
}

/// Whether the checksum field of a large send holds the value that its sender has to leave there:
/// the folded sum over addresses and protocol, or, with UDP, 0 for none.
pub(crate) fn has_right_seed(frame: &[u8], slots: &Slots) -> bool {
    let seed = |frame: &[u8]| {
        let found = layout(frame)?;
        let protocol = if found.udp { UDP } else { TCP };
        let has = be16(frame, found.transport + field(found.udp))?;
        let right = pseudo_sum(&frame[found.ip..], found.ipv6, protocol).folded();
        Some(has == right || found.udp && has == 0)
    };
    let seeded = match slots.kind() {
        kind if kind.is_tunnelled() => {
            tunnel(frame).and_then(|found| seed(&frame[found.inner_frame..]))
        }
        _ => seed(frame),
    };
    seeded.unwrap_or(false)
}
