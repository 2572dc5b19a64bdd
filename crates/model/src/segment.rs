//! The NIC's second stage: a large send becomes the packets of the wire.
//!
//! As hardware does it, and unlike the driver: positions come from the out-of-band information and
//! the bytes, and the TCP checksum is finished from the seed that the sender left in the checksum
//! field, so that a wrong seed shows on the wire. No code is shared with the driver's crates.

/// What the NIC is told about a large send.
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

/// Where the parts of a frame are, in bytes from its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parts {
    /// First byte of the IP header.
    pub ip: usize,
    /// First byte of the TCP header.
    pub tcp: usize,
    /// First byte of the payload.
    pub payload: usize,
    /// Whether the packet is IPv6.
    pub ipv6: bool,
}

/// Finds IP, TCP and payload in a TCP frame; `None` for anything else.
#[must_use]
pub fn parts(frame: &[u8]) -> Option<Parts> {
    let mut ip = 14;
    let mut kind = be16(frame, 12)?;
    while matches!(kind, 0x8100 | 0x88a8 | 0x9100) {
        kind = be16(frame, ip + 2)?;
        ip += 4;
    }
    let (ipv6, tcp) = match kind {
        0x0800 => {
            let length = usize::from(frame.get(ip)? & 15) * 4;
            (*frame.get(ip + 9)? == 6).then_some((false, ip + length))?
        }
        0x86dd => (true, ipv6_tcp(frame, ip)?),
        _ => return None,
    };
    let payload = tcp + usize::from(frame.get(tcp + 12)? >> 4) * 4;
    (payload <= frame.len()).then_some(Parts {
        ip,
        tcp,
        payload,
        ipv6,
    })
}

fn ipv6_tcp(frame: &[u8], ip: usize) -> Option<usize> {
    let mut next = *frame.get(ip + 6)?;
    let mut at = ip + 40;
    while matches!(next, 0 | 43 | 60) {
        next = *frame.get(at)?;
        at += (usize::from(*frame.get(at + 1)?) + 1) * 8;
    }
    (next == 6).then_some(at)
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// The wire packets of a large send, with true lengths and full checksums.
///
/// # Errors
/// What is wrong with the frame, where it is not what the out-of-band information says.
pub fn segment(frame: &[u8], job: Job) -> Result<Vec<Vec<u8>>, String> {
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
    let (header, payload) = frame.split_at(parts.payload);
    let count = payload.len().div_ceil(job.mss).max(1);
    let packet = |index: usize| {
        let start = index * job.mss;
        let bytes = &payload[start..(start + job.mss).min(payload.len())];
        let mut packet = header.to_vec();
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
    Ok((0..count).map(packet).collect())
}

fn patch_ip(ip: &mut [u8], payload: usize, index: usize, id_bits: u32, ipv6: bool) {
    let length = ip.len() + payload;
    if ipv6 {
        ip[4..6].copy_from_slice(&((length - 40) as u16).to_be_bytes());
        return;
    }
    ip[2..4].copy_from_slice(&(length as u16).to_be_bytes());
    let id = u16::from_be_bytes([ip[4], ip[5]]);
    let counting = ((1_u32 << id_bits) - 1) as u16;
    let next = id & !counting | id.wrapping_add(index as u16) & counting;
    ip[4..6].copy_from_slice(&next.to_be_bytes());
    ip[10..12].fill(0);
    let header = usize::from(ip[0] & 15) * 4;
    let sum = !fold(sum(&ip[..header]));
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
}

fn patch_tcp(tcp: &mut [u8], offset: usize, first: bool, last: bool) {
    let sequence = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
    tcp[4..8].copy_from_slice(&sequence.wrapping_add(offset as u32).to_be_bytes());
    if !first {
        tcp[13] &= !0x80;
    }
    if !last {
        tcp[13] &= !0x09;
    }
}

/// The field holds the sum over addresses and protocol; length, header and payload come to it.
fn finish_tcp_checksum(tcp: &mut [u8]) {
    let length = tcp.len() as u64;
    let checksum = !fold(sum(tcp) + length);
    tcp[16..18].copy_from_slice(&checksum.to_be_bytes());
}

fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<2>();
    let words: u64 = words
        .iter()
        .map(|w| u64::from(u16::from_be_bytes(*w)))
        .sum();
    words + rest.first().map_or(0, |byte| u64::from(*byte) << 8)
}

fn fold(mut sum: u64) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
