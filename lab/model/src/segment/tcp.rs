//! Large sends of TCP.

use checksum::Sum;

use super::{
    bytes::{patch_ip, put16},
    layout::parts,
};

/// The NIC's input for a large send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Job {
    /// Bytes of payload in each wire packet but the last.
    pub mss: usize,
    /// Bytes of frame before the TCP header.
    pub tcp: usize,
    /// Whether the packet is IPv6.
    pub ipv6: bool,
    /// How many bits of the IPv4 identification count: 16, or 15.
    pub id_bits: u32,
}

/// The wire packets of a large send, with true lengths and full checksums.
///
/// # Errors
/// A description of the difference, if the frame is not as the out-of-band information describes
/// it.
pub fn segment(frame: &[u8], job: Job) -> Result<Vec<Vec<u8>>, String> {
    segments(frame, job).map(Iterator::collect)
}

/// [`segment`], one packet at a time.
pub(super) fn segments(
    frame: &[u8],
    job: Job,
) -> Result<impl Iterator<Item = Vec<u8>> + use<'_>, String> {
    let parts = parts(frame).ok_or("the frame is not a TCP packet")?;
    if parts.tcp != job.tcp || parts.ipv6 != job.ipv6 {
        return Err(format!(
            "out-of-band information says TCP at {} (IPv6: {}), the frame has it at {} (IPv6: {})",
            job.tcp, job.ipv6, parts.tcp, parts.ipv6
        ));
    }
    if job.mss == 0 {
        return Err("MSS is 0".into());
    }
    if parts.payload < parts.tcp + 20 {
        return Err("the TCP header is shorter than 20 bytes".into());
    }
    let (header, payload) = frame.split_at(parts.payload);
    let count = payload.len().div_ceil(job.mss).max(1);
    let packet = move |index: usize| {
        let start = index * job.mss;
        let bytes = &payload[start..(start + job.mss).min(payload.len())];
        let mut packet = Vec::with_capacity(header.len() + bytes.len());
        packet.extend_from_slice(header);
        patch_ip(
            &mut packet[parts.ip..],
            bytes.len(),
            index,
            job.id_bits,
            parts.ipv6,
        );
        patch_tcp(
            &mut packet[parts.tcp..],
            start,
            index == 0,
            index + 1 == count,
        );
        packet.extend_from_slice(bytes);
        finish_tcp_checksum(&mut packet[parts.tcp..]);
        packet
    };
    Ok((0..count).map(packet))
}

pub(super) fn patch_tcp(tcp: &mut [u8], offset: usize, first: bool, last: bool) {
    let sequence = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
    tcp[4..8].copy_from_slice(&sequence.wrapping_add(offset as u32).to_be_bytes());
    if !first {
        tcp[13] &= !0x80;
    }
    if !last {
        tcp[13] &= !0x09;
    }
}

/// Finishes the checksum of a whole segment, in which the field holds the sum over addresses and
/// protocol: length, header and payload come to it.
pub(super) fn finish_tcp_checksum(tcp: &mut [u8]) {
    let length = tcp.len() as u32;
    let checksum = Sum::of(tcp).and_words(length).checksum();
    put16(tcp, 16, checksum);
}
