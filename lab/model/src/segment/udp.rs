//! Large sends of UDP.

use checksum::Sum;

use super::{
    bytes::{patch_ip, put16},
    layout::layout,
};

/// The NIC's input for a large send of UDP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UsoJob {
    /// Bytes of payload in each wire packet but the last.
    pub mss: usize,
    /// Bytes of frame before the UDP header.
    pub udp: usize,
    /// Whether the packet is IPv6.
    pub ipv6: bool,
}

/// The wire packets of a USO send, with true lengths and full checksums, or none if the send has
/// none. The IPv4 identification counts in 16 bits.
///
/// # Errors
/// A description of the difference, if the frame is not as the out-of-band information describes
/// it.
pub fn segment_uso(frame: &[u8], job: UsoJob) -> Result<Vec<Vec<u8>>, String> {
    let found = layout(frame)
        .filter(|layout| layout.udp)
        .ok_or("the frame is not a UDP packet")?;
    if found.transport != job.udp || found.ipv6 != job.ipv6 {
        return Err(format!(
            "out-of-band information says UDP at {} (IPv6: {}), the frame has it at {} (IPv6: {})",
            job.udp, job.ipv6, found.transport, found.ipv6
        ));
    }
    if job.mss == 0 {
        return Err("MSS is 0".into());
    }
    let (header, payload) = frame.split_at(found.payload);
    let count = payload.len().div_ceil(job.mss).max(1);
    let packet = |index: usize| {
        let start = index * job.mss;
        let bytes = &payload[start..(start + job.mss).min(payload.len())];
        let mut packet = header.to_vec();
        patch_ip(&mut packet[found.ip..], bytes.len(), index, 16, found.ipv6);
        packet.extend_from_slice(bytes);
        let udp = &mut packet[found.transport..];
        let length = udp.len() as u16;
        put16(udp, 4, length);
        finish_udp_checksum(udp, length);
        packet
    };
    Ok((0..count).map(packet).collect())
}

/// Computes the checksum of a whole datagram, in which the field holds the folded sum over the
/// bytes that are not in it except for `more`; 0 stays 0, and a sum of 0 is sent as 0xFFFF (RFC
/// 768).
pub(super) fn finish_udp_checksum(udp: &mut [u8], more: u16) {
    if udp[6..8] == [0, 0] {
        return;
    }
    let checksum = match Sum::of(udp).and_word(more).checksum() {
        0 => 0xFFFF,
        checksum => checksum,
    };
    put16(udp, 6, checksum);
}
