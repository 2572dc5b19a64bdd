//! Checksums that are still to be made: where they are, and how they are finished.

use checksum::Sum;
use model::ChecksumSlot;

/// Where the checksum is in either header.
pub(super) const TCP_CHECKSUM: usize = 16;
pub(super) const UDP_CHECKSUM: usize = 6;

/// The content of the checksum slot for a NIC: where the checksum starts, and where behind that it
/// is.
pub(super) fn read_checksum_slot(slot: ChecksumSlot) -> Option<(u16, u16)> {
    let at = match (slot.tcp, slot.udp) {
        (true, _) => TCP_CHECKSUM,
        (_, true) => UDP_CHECKSUM,
        _ => return None,
    };
    Some((slot.header_offset as u16, at as u16))
}

/// Makes the checksum over all from `from` on; its field holds the sum of the pseudo header.
pub(super) fn finish_checksum(frame: &mut [u8], from: usize, at: usize) {
    let Some(covered) = frame.get_mut(from..) else {
        return;
    };
    let sum = Sum::of(covered).checksum();
    if let Some(field) = covered.get_mut(at..at + 2) {
        // With UDP, 0 would mean that there is no checksum.
        let sum = if sum == 0 { 0xFFFF } else { sum };
        field.copy_from_slice(&sum.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use model::{Job, segment};
    use testpkt::synth::Synth;

    use super::*;

    #[test]
    fn a_checksum_is_finished() {
        let whole = Synth::v4(1000, 1448).frame(true);
        let job = Job {
            mss: 1448,
            tcp: 34,
            ipv6: false,
            id_bits: 16,
        };
        let right = segment(&Synth::v4(1000, 1448).frame(false), job).unwrap();
        let mut frame = whole;
        let seed = u16::from_be_bytes([frame[50], frame[51]]);
        let seed = Sum::default().and_word(seed).and_word(1032).folded();
        frame[50..52].copy_from_slice(&seed.to_be_bytes());
        finish_checksum(&mut frame, 34, 16);
        assert_eq!(frame[50..52], right[0][50..52]);
    }
}
