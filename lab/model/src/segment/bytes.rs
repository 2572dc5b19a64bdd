//! Fields of headers: numbers in network order, lengths, identifications, sums.

use checksum::Sum;

/// The 16-bit number at `at`.
pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Writes a 16-bit number.
pub(super) fn put16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// The sum over addresses and protocol, which is the pseudo-header's without the length.
pub(super) fn pseudo_sum(ip: &[u8], ipv6: bool, protocol: u8) -> Sum {
    let addresses = if ipv6 { 8..40 } else { 12..20 };
    Sum::of(&ip[addresses]).and_word(protocol.into())
}

/// Makes the datagram that begins with `ip`, and has `rest` bytes more, wire packet `index` of a
/// send: length, identification and header checksum of its IP header.
pub(super) fn patch_ip(ip: &mut [u8], rest: usize, index: usize, id_bits: u32, ipv6: bool) {
    let length = ip.len() + rest;
    if ipv6 {
        put16(ip, 4, (length - 40) as u16);
        return;
    }
    put16(ip, 2, length as u16);
    let id = u16::from_be_bytes([ip[4], ip[5]]);
    let counting = ((1_u32 << id_bits) - 1) as u16;
    put16(
        ip,
        4,
        id & !counting | id.wrapping_add(index as u16) & counting,
    );
    write_header_checksum(ip);
}

/// Computes the checksum of an IPv4 header.
pub(super) fn write_header_checksum(ip: &mut [u8]) {
    ip[10..12].fill(0);
    let header = usize::from(ip[0] & 15) * 4;
    let checksum = Sum::of(&ip[..header]).checksum();
    put16(ip, 10, checksum);
}
