//! The virtual NIC: a packet as a guest's stack hands it over becomes what a switch hands down.
//!
//! The two say the same in different words (see [`crate::ingest`]), so nothing but headers changes:
//! the payload stays where it was received.

use lso::Headers;
use model::LargeSendLimits;
use ndis::{LargeSendInfo, sys};

use super::vnet::{Segments, VnetHeader};
use crate::capture::strip_jumbo_in_place;
use crate::ingest::{LsoVersion, bring_to_shape};

/// What a guest handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intake {
    /// What it is.
    pub kind: Kind,
    /// Bytes before the frame that are no longer part of it.
    pub skipped: usize,
}

/// What a packet of a guest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A large send, with its slot and bytes of payload.
    LargeSend(LargeSendInfo, u32),
    /// Any other packet, with what is in its checksum slot.
    Packet(usize),
    /// A large send of a kind that the switch did not offer.
    Odd,
}

/// Brings the packet in `frame` with its `header` into the shape in which it goes down.
#[must_use]
pub fn intake(frame: &mut [u8], header: VnetHeader) -> Intake {
    if header.segments == Segments::None {
        let kind = Kind::Packet(checksum_slot(frame, header));
        return Intake { kind, skipped: 0 };
    }
    let skipped = strip_jumbo_in_place(frame);
    let frame = &mut frame[skipped..];
    let kind = match header.segments {
        Segments::TcpV4 | Segments::TcpV6 => large_send(frame, header),
        _ => Kind::Odd,
    };
    Intake { kind, skipped }
}

fn large_send(frame: &mut [u8], header: VnetHeader) -> Kind {
    let Ok(headers) = Headers::parse(frame) else {
        return Kind::Odd;
    };
    let payload = frame.len() as u32 - headers.length();
    if payload <= u32::from(header.segment_size) {
        return Kind::Packet(checksum_slot(frame, header));
    }
    let ipv6 = header.segments == Segments::TcpV6;
    bring_to_shape(frame, &headers, LsoVersion::V2);
    let mss = u32::from(header.segment_size);
    Kind::LargeSend(
        LargeSendInfo::v2(mss, headers.transport_offset(), ipv6),
        payload,
    )
}

/// What the checksum slot says of a packet whose checksum is still to be made.
fn checksum_slot(frame: &[u8], header: VnetHeader) -> usize {
    /// Where the checksum is in a UDP header; in TCP's it is at 16.
    const UDP: u16 = 6;
    let Some(from) = header.checksum_from else {
        return 0;
    };
    let version = match frame.get(12..14) {
        Some([0x86, 0xDD]) => sys::CHECKSUM_IS_IPV6,
        _ => sys::CHECKSUM_IS_IPV4,
    };
    let protocol = if header.checksum_at == UDP {
        sys::CHECKSUM_UDP
    } else {
        sys::CHECKSUM_TCP
    };
    let word = version.with(protocol.with(0, 1), 1);
    sys::CHECKSUM_TCP_HEADER_OFFSET.with(word, from.into()) as usize
}

/// What a NIC reads in the checksum slot: where the checksum starts, and where behind that it is.
#[must_use]
pub fn read_checksum_slot(slot: usize) -> Option<(u16, u16)> {
    let word = slot as u32;
    let at = match (sys::CHECKSUM_TCP.get(word), sys::CHECKSUM_UDP.get(word)) {
        (1, _) => 16,
        (_, 1) => 6,
        _ => return None,
    };
    Some((sys::CHECKSUM_TCP_HEADER_OFFSET.get(word) as u16, at))
}

/// Whether the layer above was told that it may make a large send of this kind in so many segments,
/// so that the switch need not cut it itself.
#[must_use]
pub fn may_go_down(info: LargeSendInfo, payload: u32, limits: LargeSendLimits) -> bool {
    let limit = if info.is_ipv6() {
        limits.v2_ipv6
    } else {
        limits.v2_ipv4
    };
    limit.max_payload > 0 && payload.div_ceil(info.mss().max(1)) >= limit.min_segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::Synth;

    #[test]
    fn a_large_send_loses_its_jumbo_option_and_its_length() {
        let send = Synth::v6(70_000, 1428);
        let length = (8_u32 + 32 + 70_000).to_be_bytes();
        let jumbo = [&[0, 0, 0xC2, 4][..], &length].concat();
        let mut frame = send.clone().extension(0, &jumbo).frame(false);
        let header = VnetHeader {
            segments: Segments::TcpV6,
            segment_size: 1428,
            checksum_from: Some(62),
            checksum_at: 16,
            ..VnetHeader::default()
        };
        let found = intake(&mut frame, header);
        let info = LargeSendInfo::v2(1428, 54, true);
        let kind = Kind::LargeSend(info, 70_000);
        assert_eq!(found, Intake { kind, skipped: 8 });
        assert!(frame[8..] == send.frame(false));
    }

    #[test]
    fn a_checksum_still_to_be_made_is_in_its_slot() {
        let mut frame = Synth::v4(100, 1448).frame(true);
        let header = VnetHeader {
            checksum_from: Some(34),
            checksum_at: 16,
            ..VnetHeader::default()
        };
        let Kind::Packet(slot) = intake(&mut frame, header).kind else {
            panic!("no large send");
        };
        assert_eq!(read_checksum_slot(slot), Some((34, 16)));
        assert_eq!(slot & 0b1_1111, 0b0_0101);
        let plain = intake(&mut frame, VnetHeader::default());
        assert_eq!(plain.kind, Kind::Packet(0));
        assert_eq!(read_checksum_slot(0), None);
    }
}
