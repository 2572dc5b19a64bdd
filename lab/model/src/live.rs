//! Live traffic: packets that stay where they were received, and a wire that a consumer reads.
//!
//! Tests give the model a copy of each packet, and compare copies of the packets that left. At the
//! rate of a network that is too much copying, so here a [`Lent`](crate::Lent) packet brings its own [`Pages`],
//! over which its MDLs are built, and gets them back when it is completed; and a [`Wire`] is shown
//! each packet at the moment when the miniport would have read it by DMA: after the filter sent it
//! and before it is completed.
//!
//! Every rule is checked for every packet with two exceptions: the checks that no byte of payload
//! changes in flight, and that the wire carries the result of a single stage (rules 4 and 10), are
//! made only if the packet requests them, since either costs more than all others together.
#![expect(unsafe_code, reason = "MDLs are built over memory that is lent")]

use std::slice;

use ndis::sys;

use crate::{memory::Block, oob::Slots};

/// Page-aligned memory to receive a packet into.
#[derive(Debug)]
pub struct Pages {
    block: Block,
}

impl Pages {
    /// `size` bytes of zeroes.
    ///
    /// # Panics
    /// If this machine has no memory left.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self {
            block: Block::new(size, sys::PAGE_SIZE as usize),
        }
    }

    /// The memory.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the block was zeroed when it was allocated, and `self` is its only owner.
        unsafe { slice::from_raw_parts(self.block.start(), self.block.size()) }
    }

    /// The memory, to be written.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and it is borrowed for writing.
        unsafe { slice::from_raw_parts_mut(self.block.start(), self.block.size()) }
    }
}

/// A packet that leaves the NIC, before its second stage.
pub struct Outgoing<'a> {
    /// Its slots.
    pub slots: Slots,
    /// Number of the overlying driver's send that it is a part of, if the filter made it.
    pub parent: Option<u64>,
    /// Its bytes, in order. The first slice holds all headers of a large send.
    pub bytes: Vec<&'a [u8]>,
}

/// Where packets leave.
pub trait Wire: Send {
    /// Takes packets that the miniport is about to complete, in the order in which they were sent.
    /// It is called on the thread that completes them, and must not call the model.
    fn transmit(&mut self, packets: &[Outgoing<'_>]);
}
