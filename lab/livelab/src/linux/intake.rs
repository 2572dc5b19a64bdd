//! The virtual NIC: turns a packet of a guest's stack into a send of a switch.
//!
//! Both describe the same send in different formats (see [`harness::ingest`]), so only headers
//! change: the payload stays where it was received.

use checksum::Sum;
use model::{LargeSendLimits, Layout, SendKind, Slots, UsoLimits, UsoSlot, layout, tunnel};
use ndis::{LargeSendInfo, sys};

use super::checksum::{TCP_CHECKSUM, UDP_CHECKSUM, finish_checksum};
use super::vnet::{Segments, VnetHeader};
use testpkt::capture::strip_jumbo_in_place;

/// A packet from a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intake {
    /// The kind of packet.
    pub kind: Kind,
    /// Bytes before the frame that no longer belong to it.
    pub skipped: usize,
}

/// The kind of a guest's packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A large send.
    LargeSend(Large),
    /// Any other packet, with its checksum slot.
    Packet(usize),
    /// A large send of a kind that NDIS has no offload for, with its header.
    Odd(VnetHeader),
}

/// A large send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Large {
    /// The slots it has: LSOv2, LSOv2 in a tunnel, or USO.
    pub slots: Slots,
    /// Bytes of payload.
    pub payload: u32,
}

/// Brings the packet in `frame` with its `header` into the shape that NDIS sends have.
pub fn intake(frame: &mut [u8], header: VnetHeader) -> Intake {
    if header.segments == Segments::None {
        let kind = Kind::Packet(checksum_slot(frame, header));
        return Intake { kind, skipped: 0 };
    }
    let skipped = strip_jumbo_in_place(frame);
    let header = VnetHeader {
        checksum_from: header.checksum_from.map(|from| from - skipped as u16),
        ..header
    };
    let kind = large_send(&mut frame[skipped..], header).unwrap_or(Kind::Odd(header));
    Intake { kind, skipped }
}

fn large_send(frame: &mut [u8], header: VnetHeader) -> Option<Kind> {
    let from = usize::from(header.checksum_from?);
    let outer = layout(frame).filter(|found| found.transport == from);
    let (found, slots) = match outer {
        Some(found) => (found, slots_of(found, header)?),
        None => in_tunnel(frame, header)?,
    };
    let payload = (frame.len() - found.payload) as u32;
    if payload <= u32::from(header.segment_size) {
        return Some(Kind::Packet(checksum_slot(frame, header)));
    }
    bring_to_shape(frame, found);
    Some(Kind::LargeSend(Large { slots, payload }))
}

/// The slots of a packet without a tunnel.
fn slots_of(found: Layout, header: VnetHeader) -> Option<Slots> {
    let mss = u32::from(header.segment_size);
    let transport = found.transport as u32;
    let mut slots = Slots::default();
    match (header.segments, found.udp) {
        (Segments::TcpV4 | Segments::TcpV6, false) => {
            slots.large_send = LargeSendInfo::v2(mss, transport, found.ipv6);
        }
        (Segments::Udp, true) => {
            slots.uso = UsoSlot {
                mss,
                udp_header_offset: transport,
                ipv6: found.ipv6,
            };
        }
        _ => return None,
    }
    Some(slots)
}

/// The layout and slots of a large send in a tunnel that NDIS has offloads for. For a tunnel the
/// kernel gives only the place of the inner checksum.
fn in_tunnel(frame: &[u8], header: VnetHeader) -> Option<(Layout, Slots)> {
    let around = tunnel(frame)?;
    let found = around.inner;
    let tcp = matches!(header.segments, Segments::TcpV4 | Segments::TcpV6);
    if !tcp || found.udp || Some(found.transport as u16) != header.checksum_from {
        return None;
    }
    let slots = Slots {
        large_send: LargeSendInfo::v2(header.segment_size.into(), 0, around.ipv6),
        tunnel: around.slot(),
        ..Slots::default()
    };
    Some((found, slots))
}

/// Writes lengths of 0, and takes the length out of the sum that the guest left in the checksum
/// field. The rest of that sum is kept: where a source route has addresses still to visit, it is
/// over the last of them, not over the one in the header (RFC 8200, section 8.1).
fn bring_to_shape(frame: &mut [u8], found: Layout) {
    let covered = (frame.len() - found.transport) as u32;
    let (ip, transport) = frame[found.ip..].split_at_mut(found.transport - found.ip);
    let length = if found.ipv6 { 4..6 } else { 2..4 };
    ip[length].fill(0);
    let at = if found.udp {
        transport[4..6].fill(0);
        UDP_CHECKSUM
    } else {
        TCP_CHECKSUM
    };
    let field = &mut transport[at..at + 2];
    let sum = Sum::default().and_word(u16::from_be_bytes([field[0], field[1]]));
    // Ones' complement: to take a number away is to add its complement.
    let seed = sum.and_words(!covered).folded();
    field.copy_from_slice(&seed.to_be_bytes());
}

/// The checksum slot of a packet whose checksum is still to be made. A checksum that the slot
/// cannot express, as in a tunnel, is made here.
fn checksum_slot(frame: &mut [u8], header: VnetHeader) -> usize {
    let Some(from) = header.checksum_from else {
        return 0;
    };
    let (from, at) = (usize::from(from), usize::from(header.checksum_at));
    let found = layout(frame).filter(|found| found.transport == from);
    let version = |found: Layout| match found.ipv6 {
        true => sys::CHECKSUM_IS_IPV6,
        false => sys::CHECKSUM_IS_IPV4,
    };
    let word = match found {
        Some(found) if found.udp && at == UDP_CHECKSUM => {
            sys::CHECKSUM_UDP.with(version(found).with(0, 1), 1)
        }
        Some(found) if !found.udp && at == TCP_CHECKSUM => {
            sys::CHECKSUM_TCP.with(version(found).with(0, 1), 1)
        }
        _ => {
            finish_checksum(frame, from, at);
            return 0;
        }
    };
    sys::CHECKSUM_TCP_HEADER_OFFSET.with(word, from as u32) as usize
}

/// The most payload of such a large send and its least segments, by the advertised limits.
pub fn limit(slots: Slots, limits: LargeSendLimits, uso: UsoLimits) -> (u32, u32) {
    let of = match (slots.kind(), slots.uso.ipv6) {
        (SendKind::Uso, true) => return (uso.ipv6.max_payload, uso.ipv6.min_segments),
        (SendKind::Uso, false) => return (uso.ipv4.max_payload, uso.ipv4.min_segments),
        _ if slots.large_send.is_ipv6() => limits.v2_ipv6,
        _ => limits.v2_ipv4,
    };
    (of.max_payload, of.min_segments)
}

/// Whether the advertised limits allow a large send of this kind in so many segments, so that the
/// switch need not segment it itself. TCP's may exceed the current size, as a guest applies a new
/// size a moment later.
pub fn may_go_down(large: &Large, limits: LargeSendLimits, uso: UsoLimits) -> bool {
    let (most, least) = limit(large.slots, limits, uso);
    let fits = large.slots.kind() == SendKind::LargeSend || large.payload <= most;
    let mss = large.slots.mss().max(1);
    most > 0 && fits && large.payload.div_ceil(mss) >= least
}

#[cfg(test)]
mod tests {
    use super::super::checksum::read_checksum_slot;
    use super::*;
    use model::ChecksumSlot;
    use testpkt::synth::Synth;

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
        let Kind::LargeSend(large) = found.kind else {
            panic!("{found:?}");
        };
        let info = LargeSendInfo::v2(1428, 54, true);
        assert_eq!((large.slots.large_send, large.payload), (info, 70_000));
        assert_eq!(found.skipped, 8);
        // All but the checksum field, in which the synthesizer had no length to take out.
        assert!(frame[8..78] == send.frame(false)[..70]);
        assert!(frame[80..] == send.frame(false)[72..]);
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
        assert_eq!(
            read_checksum_slot(ChecksumSlot::from_raw(slot)),
            Some((34, 16))
        );
        assert_eq!(slot & 0b1_1111, 0b0_0101);
        let plain = intake(&mut frame, VnetHeader::default());
        assert_eq!(plain.kind, Kind::Packet(0));
        assert_eq!(read_checksum_slot(ChecksumSlot::default()), None);
    }

    /// The sum over addresses that are not the header's, as with a source route, stays.
    #[test]
    fn the_guests_own_sum_stays_but_for_the_length() {
        for (mut frame, at, mss) in [
            (Synth::v4(9000, 1448).frame(true), 34, 1448),
            (Synth::v6(9000, 1428).frame(true), 54, 1428),
        ] {
            let covered = Sum::default().and_words((frame.len() - at) as u32);
            let sum = covered.and_word(0x1234).folded();
            frame[at + 16..at + 18].copy_from_slice(&sum.to_be_bytes());
            let segments = if at == 34 {
                Segments::TcpV4
            } else {
                Segments::TcpV6
            };
            let header = VnetHeader {
                segments,
                segment_size: mss,
                checksum_from: Some(at as u16),
                checksum_at: 16,
                ..VnetHeader::default()
            };
            assert!(matches!(
                intake(&mut frame, header).kind,
                Kind::LargeSend(_)
            ));
            assert_eq!(frame[at + 16..at + 18], [0x12, 0x34]);
        }
    }
}
