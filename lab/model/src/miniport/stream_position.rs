//! Where a packet belongs: the overlying driver's send, and the offset in its payload.

use super::{Given, GivenPacket};
use crate::{
    rules::Rule,
    segment::{Layout, layout, tunnel},
    state::State,
};

/// A packet's place in its send.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) send: u64,
    /// Bytes of the send's payload before the packet's.
    pub(crate) offset: u32,
    /// Whether it is the end of the send's payload.
    pub(crate) last: bool,
}

/// Where the headers and the payload are that a large send is cut by: with a tunnel those of the
/// inner packet.
pub(crate) fn cut_layout(frame: &[u8], tunnelled: bool) -> Option<Layout> {
    if !tunnelled {
        return layout(frame);
    }
    Some(tunnel(frame)?.inner)
}

impl State {
    /// The layout of a packet of `given`. A part of a tunnelled send is tunnelled, even if its
    /// slots do not mark it so.
    pub(super) fn layout_of(&self, frame: &[u8], given: &Given) -> Option<Layout> {
        let parent = given.send.and_then(|send| self.sends.sent.get(&send));
        let kind = parent.map_or(given.slots.kind(), |sent| sent.slots.kind());
        cut_layout(frame, kind.is_tunnelled())
    }

    /// Finds the packet's place: with TCP by its sequence number, with UDP, which has none, right
    /// behind the part of the send that went down before.
    pub(super) fn place_of(&mut self, given: &Given, packet: &GivenPacket) -> Option<Place> {
        let send = given.send?;
        let found = packet.layout?;
        let sent = self.sends.sent.get_mut(&send)?;
        let whole = sent.layout?;
        let all = sent.payload_length() as usize;
        let offset = if found.udp {
            let payload = &sent.packet.frame[whole.payload..];
            let offset = sent.passed;
            if given.is_child {
                sent.passed += packet.payload;
            }
            let here = payload.get(offset..offset + packet.payload);
            if here != Some(&packet.frame[found.payload..]) {
                let found = format!("its payload is not what follows after {offset} bytes");
                self.violation(Rule::Order, &*given.name, found);
                return None;
            }
            offset as u32
        } else {
            let base = sequence(&sent.packet.frame, whole);
            sequence(&packet.frame, found).wrapping_sub(base)
        };
        Some(Place {
            send,
            offset,
            last: offset as usize + packet.payload == all,
        })
    }
}

fn sequence(frame: &[u8], layout: Layout) -> u32 {
    frame
        .get(layout.transport + 4..layout.transport + 8)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}
