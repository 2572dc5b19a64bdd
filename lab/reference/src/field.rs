//! Fields as they are written into a packet.

use etherparse::checksum::Sum16BitWords;

/// Writes a 16-bit length. The caller checked that it fits before the first cut.
pub(super) fn put_u16(header: &mut [u8], at: usize, value: usize) {
    header[at..][..2].copy_from_slice(&(value as u16).to_be_bytes());
}

/// Fills in the Internet checksum (RFC 1071) of `bytes` on top of `sum`.
pub(super) fn put_checksum(bytes: &mut [u8], at: usize, sum: Sum16BitWords) {
    bytes[at..][..2].fill(0);
    // In the machine's byte order: the crate sums the words as they lie.
    let checksum = sum.add_slice(bytes).ones_complement().to_ne_bytes();
    bytes[at..][..2].copy_from_slice(&checksum);
}

/// The same for UDP, where a 0 would mean that there is none: its other
/// representation, all ones, goes in its place (RFC 768).
pub(super) fn put_udp_checksum(udp: &mut [u8], at: usize, sum: Sum16BitWords) {
    put_checksum(udp, at, sum);
    if udp[at..][..2] == [0, 0] {
        udp[at..][..2].fill(0xFF);
    }
}
