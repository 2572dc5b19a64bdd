//! Lent packets, and the wire that they leave through.
#![expect(unsafe_code, reason = "MDLs are built over memory that is lent")]

use std::{slice, sync::Arc};

use ndis::LargeSendInfo;

use super::{SendCall, World, lock};
use crate::{
    above::{self, Completed, Packet, Parts},
    guard,
    live::{Outgoing, Pages, Wire},
    mdl::{Backing, Buffer},
    miniport::{Held, Piece, reorder},
    nic::Order,
    segment::parts,
    state::State,
};

/// A packet that is sent from the pages in which it lies.
#[derive(Debug)]
pub struct Lent {
    /// The pages; they are returned by [`World::take_returned`].
    pub pages: Pages,
    /// Where in them its frame starts, which has the shape that LSO asks for.
    pub start: usize,
    /// Bytes in the frame.
    pub length: usize,
    /// Contents of the large-send slot; the default for a packet that is not a large send.
    pub large_send: LargeSendInfo,
    /// Further out-of-band slots and their values.
    pub oob: Vec<(usize, usize)>,
    /// Bytes in each of the MDLs behind the one with the headers, but the last.
    pub buffer: u32,
    /// How their pages are held.
    pub backing: Backing,
    /// Whether every byte is looked at on its way. A packet that is not TCP always is.
    pub fully: bool,
}

/// A lent packet that is completed.
#[derive(Debug)]
pub struct Returned {
    /// The send's number.
    pub number: u64,
    /// How it was completed.
    pub completed: Completed,
    /// Where it lay.
    pub pages: Pages,
}

impl World {
    /// From now on packets leave through `wire`, and none is kept for
    /// [`take_wire`](Self::take_wire) and [`take_children`](Self::take_children).
    pub fn set_wire(&self, wire: impl Wire + 'static) {
        *lock(&self.wire) = Some(Box::new(wire));
        self.state().miniport.live = true;
    }

    /// Sends lent packets as one chain, and returns their numbers.
    pub fn send_lent(self: &Arc<Self>, packets: Vec<Lent>, call: SendCall) -> Vec<u64> {
        let (numbers, chain, failed_before) = self.build_chain(packets.into_iter(), build);
        self.send_chain(&numbers, chain, failed_before, 0, call);
        numbers
    }

    /// The lent packets that were completed since the last call.
    #[must_use]
    pub fn take_returned(&self) -> Vec<Returned> {
        let mut state = self.state();
        let sent = state.sends.sent.iter_mut();
        sent.filter_map(|(number, sent)| {
            let completed = sent.completed?;
            let pages = sent.take_pages()?;
            Some(Returned {
                number: *number,
                completed,
                pages,
            })
        })
        .collect()
    }

    /// How many packets the NIC was given so far; the next has this number in
    /// [`Nic::failing`](crate::Nic::failing).
    #[must_use]
    pub fn given_to_nic(&self) -> u64 {
        self.state().miniport.accepted
    }

    /// Takes the NBLs that the miniport holds in the order of their completion; they leave through
    /// the wire, if there is one.
    pub(crate) fn take_held(&self, order: Order) -> Vec<Held> {
        // Taken before the packets are: else another thread's could overtake them.
        let mut wire = lock(&self.wire);
        let mut held = self.state().take_held();
        if let Some(wire) = wire.as_mut() {
            for piece in held.iter().flat_map(|one| one.pieces.iter().flatten()) {
                guard::open(std::ptr::with_exposed_provenance(piece.address));
            }
            let leaving = held.iter().filter(|one| one.status == 0);
            let leaving: Vec<_> = leaving.flat_map(Outgoing::all_of).collect();
            if !leaving.is_empty() {
                wire.transmit(&leaving);
            }
        }
        drop(wire);
        reorder(&mut held, order);
        held
    }
}

impl<'a> Outgoing<'a> {
    /// The packets of an NBL.
    fn all_of(held: &'a Held) -> impl Iterator<Item = Self> {
        held.pieces.iter().map(|pieces| Self::of(held, pieces))
    }

    fn of(held: &'a Held, pieces: &[Piece]) -> Self {
        let bytes = |piece: &Piece| {
            let address = std::ptr::with_exposed_provenance(piece.address);
            // SAFETY: mapped and read when the filter sent it, and until it is completed the
            // miniport's.
            unsafe { slice::from_raw_parts(address, piece.length) }
        };
        Self {
            slots: held.slots,
            parent: held.parent,
            bytes: pieces.iter().map(bytes).collect(),
        }
    }
}

/// Makes an NBL of `lent` and enters it into the ledger as the overlying driver's.
fn build(state: &mut State, mut lent: Lent) -> u64 {
    let range = lent.start..lent.start + lent.length;
    let frame = &mut lent.pages.bytes_mut()[range];
    let headers = parts(frame).map(|parts| parts.payload);
    let fully = lent.fully || headers.is_none();
    let known = headers.filter(|_| !fully).unwrap_or(frame.len());
    let header = headers.unwrap_or(frame.len());
    let packet = Packet {
        large_send: lent.large_send,
        buffers: vec![header as u32],
        oob: lent.oob,
        ..Packet::new(frame[..known].to_vec())
    };
    let step = lent.buffer.max(1) as usize;
    let (first, rest) = frame.split_at_mut(header);
    let over = |bytes: &mut [u8]| {
        // SAFETY: the pages are kept in the `Sent` until its buffers have forgotten them.
        unsafe { Buffer::over(bytes.as_mut_ptr(), bytes.len(), lent.backing) }
    };
    let buffers: Vec<_> = std::iter::once(first)
        .chain(rest.chunks_mut(step))
        .map(over)
        .collect();
    let parts = Parts {
        length: lent.length,
        fully,
        net_buffers: vec![above::net_buffer(&buffers, 0, 0, lent.length as u32)],
        buffers,
        pages: Some(lent.pages),
    };
    above::enter(state, packet, parts)
}
