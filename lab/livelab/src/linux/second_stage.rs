//! The NIC's second stage: by the kernel, which gets a [`VnetHeader`] with each large send, or by
//! the model, which segments here.

use std::borrow::Cow;

use checksum::Sum;
use model::{Layout, Outgoing, SendKind, layout, one_stage};

use super::checksum::{TCP_CHECKSUM, UDP_CHECKSUM, finish_checksum, read_checksum_slot};
use super::packet::Message;
use super::vnet::{Segments, VnetHeader, room_hint};
use crate::args::SecondStage;

/// Bits in which the IPv4 identification counts.
const ID_BITS: u32 = 16;

/// Appends what leaves the NIC for `packet`; `None` where it is a large send that cannot be cut.
///
/// A virtio-net header of a packet socket cannot describe a tunnel, so the model segments tunnelled
/// packets.
#[must_use]
pub fn second_stage<'a>(
    stage: SecondStage,
    packet: &Outgoing<'a>,
    messages: &mut Vec<Message<'a>>,
) -> Option<()> {
    match (stage, packet.slots.kind()) {
        (SecondStage::Kernel, SendKind::Packet) => messages.push(as_it_is(packet)),
        (SecondStage::Model, SendKind::Packet) => messages.push(finished(packet)),
        (SecondStage::Kernel, SendKind::LargeSend | SendKind::Uso) => {
            messages.push(for_kernel(packet)?);
        }
        _ => messages.extend(by_model(packet)?),
    }
    Some(())
}

/// A packet that is no large send, with its checksum to be made by the kernel.
fn as_it_is<'a>(packet: &Outgoing<'a>) -> Message<'a> {
    let mut header = VnetHeader::default();
    if let Some((from, at)) = read_checksum_slot(packet.slots.checksum) {
        header.checksum_from = Some(from);
        header.checksum_at = at;
    }
    Message {
        header,
        front: Vec::new(),
        rest: packet.bytes.clone(),
    }
}

/// A packet that is no large send, with its checksum made.
fn finished<'a>(packet: &Outgoing<'a>) -> Message<'a> {
    let mut frame = packet.bytes.concat();
    if let Some((from, at)) = read_checksum_slot(packet.slots.checksum) {
        finish_checksum(&mut frame, usize::from(from), usize::from(at));
    }
    Message::of(frame)
}

/// A large send segmented here. A send that cannot be segmented is dropped, as in hardware.
fn by_model<'a>(packet: &Outgoing<'a>) -> Option<impl Iterator<Item = Message<'a>> + use<'a>> {
    let frame = match packet.bytes[..] {
        [whole] => Cow::Borrowed(whole),
        _ => Cow::Owned(packet.bytes.concat()),
    };
    let packets = one_stage(&frame, &packet.slots, ID_BITS).ok()?;
    Some(packets.into_iter().map(Message::of))
}

/// A large send for the kernel, with the headers that Linux gives its own.
fn for_kernel<'a>(packet: &Outgoing<'a>) -> Option<Message<'a>> {
    let (first, rest) = packet.bytes.split_first()?;
    let length = packet.bytes.iter().map(|part| part.len()).sum();
    let found = layout(first)?;
    let (headers, behind) = first.split_at(found.payload);
    let mut front = headers.to_vec();
    let jumbo = to_linux(&mut front, found, length);
    let ecn = !found.udp && front[found.transport + jumbo + 13] & CWR != 0;
    let header = VnetHeader {
        checksum_from: Some((found.transport + jumbo) as u16),
        checksum_at: if found.udp {
            UDP_CHECKSUM
        } else {
            TCP_CHECKSUM
        } as u16,
        segments: match (found.udp, found.ipv6) {
            (true, _) => Segments::Udp,
            (false, true) => Segments::TcpV6,
            (false, false) => Segments::TcpV4,
        },
        ecn,
        segment_size: packet.slots.mss() as u16,
        headers: room_hint(length + jumbo, front.len()),
    };
    let rest = std::iter::once(behind)
        .chain(rest.iter().copied())
        .collect();
    Some(Message {
        header,
        front,
        rest,
    })
}

const CWR: u8 = 0x80;
/// Bytes of the hop-by-hop header in which Linux keeps a length beyond 16 bits.
const JUMBO: usize = 8;

/// Writes into the headers of a frame of `length` bytes what Linux has there: true lengths, where
/// 16 bits hold them, and a checksum field that counts the length. Returns how many bytes were put
/// in before the TCP header.
fn to_linux(headers: &mut Vec<u8>, found: Layout, length: usize) -> usize {
    let covered = length - found.transport;
    let transport = &mut headers[found.transport..];
    let at = if found.udp {
        // A datagram is never beyond 16 bits.
        transport[4..6].copy_from_slice(&(covered as u16).to_be_bytes());
        UDP_CHECKSUM
    } else {
        TCP_CHECKSUM
    };
    let field = &mut transport[at..at + 2];
    let seed = Sum::default().and_word(u16::from_be_bytes([field[0], field[1]]));
    field.copy_from_slice(&seed.and_words(covered as u32).folded().to_be_bytes());
    let ip = &mut headers[found.ip..found.transport];
    if !found.ipv6 {
        let stated = u16::try_from(length - found.ip).unwrap_or(0);
        ip[2..4].copy_from_slice(&stated.to_be_bytes());
        ip[10..12].fill(0);
        let sum = Sum::of(ip).checksum();
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        return 0;
    }
    let behind = length - found.ip - 40;
    if let Ok(stated) = u16::try_from(behind) {
        ip[4..6].copy_from_slice(&stated.to_be_bytes());
        return 0;
    }
    if ip[6] != TCP {
        // Other extension headers: Linux makes no such large send, and reads no jumbo option here.
        return 0;
    }
    let length = (behind + JUMBO) as u32;
    let mut option = [TCP, 0, 0xC2, 4, 0, 0, 0, 0];
    option[4..].copy_from_slice(&length.to_be_bytes());
    ip[6] = 0;
    headers.splice(found.transport..found.transport, option);
    JUMBO
}

const TCP: u8 = 6;

#[cfg(test)]
mod tests {
    use model::Slots;
    use ndis::LargeSendInfo;

    use super::*;
    use testpkt::capture::strip_jumbo_hop_by_hop;
    use testpkt::synth::Synth;

    fn outgoing<'a>(frame: &'a [u8], mss: u32, tcp: u32, ipv6: bool) -> Outgoing<'a> {
        Outgoing {
            slots: Slots {
                large_send: LargeSendInfo::v2(mss, tcp, ipv6),
                ..Slots::default()
            },
            parent: None,
            bytes: vec![frame],
        }
    }

    /// The packets that a Linux stack would have sent, by the synthesizer, which shares no code
    /// with this.
    #[test]
    fn the_kernel_gets_the_lengths_that_it_has_itself() {
        let frame = Synth::v4(9000, 1448).frame(false);
        let message = for_kernel(&outgoing(&frame, 1448, 34, false)).unwrap();
        let (found, own) = (message.frame(), Synth::v4(9000, 1448).frame(true));
        assert_eq!(found[14..24], own[14..24], "IPv4 up to its checksum");
        // 8984 + 48 bytes of TCP over the seed that holds none.
        let seed = u16::from_be_bytes([frame[50], frame[51]]);
        let with_length = u16::from_be_bytes([found[50], found[51]]);
        let sum = Sum::default().and_word(seed).and_word(9032);
        assert_eq!(with_length, sum.folded());
    }

    #[test]
    fn beyond_16_bits_the_length_is_in_a_jumbo_option() {
        let frame = Synth::v6(100_000, 1428).frame(false);
        let message = for_kernel(&outgoing(&frame, 1428, 54, true)).unwrap();
        assert_eq!(message.header.checksum_from, Some(62));
        let mut back = strip_jumbo_hop_by_hop(message.frame());
        back[70..72].copy_from_slice(&frame[70..72]);
        assert!(back == frame);
    }
}
