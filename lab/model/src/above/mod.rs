//! The overlying driver: a protocol or switch that sends packets and checks how they are completed.
#![expect(unsafe_code, reason = "NBLs and NET_BUFFERs are C structures")]

mod build;
mod packet;

use std::time::Duration;

use ndis::{LargeSendInfo, sys};

use crate::{
    live::Pages,
    mdl::{Buffer, MdlLook},
    memory::Block,
    oob::Slots,
    segment::Layout,
};
pub(crate) use build::{
    BINDING, Parts, UNUSED, build, clones, enter, hidden_part_intact, net_buffer, new_nbl,
};
pub use packet::Packet;

/// The outcome of a packet that the overlying driver sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Completed {
    /// Its status.
    pub status: i32,
    /// Its large-send slot at completion.
    pub large_send: LargeSendInfo,
}

/// The fields of a NET_BUFFER that a filter must leave as they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NbLook {
    pub(crate) next: usize,
    pub(crate) current_mdl: usize,
    pub(crate) current_offset: u32,
    pub(crate) length: u32,
    pub(crate) chain: usize,
    pub(crate) offset: u32,
    /// ProtocolReserved and MiniportReserved.
    pub(crate) reserved: [usize; 10],
}

impl NbLook {
    /// # Safety
    /// `raw` points to a live NET_BUFFER.
    pub(crate) unsafe fn of(raw: *const sys::NET_BUFFER) -> Self {
        // SAFETY: as the caller vouches.
        unsafe {
            Self {
                next: (*raw).Next.addr(),
                current_mdl: (*raw).CurrentMdl.addr(),
                current_offset: (*raw).CurrentMdlOffset,
                length: (*raw).DataLength,
                chain: (*raw).MdlChain.addr(),
                offset: (*raw).DataOffset,
                reserved: {
                    let all = (*raw).ProtocolReserved.iter();
                    let mut all = all.chain(&(*raw).MiniportReserved);
                    std::array::from_fn(|_| all.next().map_or(0, |word| word.addr()))
                },
            }
        }
    }
}

/// A packet that was sent, until the model forgets it.
pub(crate) struct Sent {
    /// The packet that was sent. For a lent packet that is not checked in full, the frame is its
    /// headers alone.
    pub(crate) packet: Packet,
    /// Bytes in the frame.
    pub(crate) length: usize,
    /// Whether every byte of it is looked at on its way.
    pub(crate) fully: bool,
    /// Where the frame of a lent packet lies, until it is completed and taken back.
    pub(crate) pages: Option<Pages>,
    /// The values of its slots.
    pub(crate) slots: Slots,
    /// Where its headers and its payload are, of the inner packet inside a tunnel.
    pub(crate) layout: Option<Layout>,
    /// Bytes of its payload that went down in children, where it is UDP.
    pub(crate) passed: usize,
    pub(crate) nbl: usize,
    pub(crate) net_buffers: Vec<Block>,
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) nb_looks: Vec<NbLook>,
    pub(crate) mdl_looks: Vec<MdlLook>,
    /// Statuses of its children that failed, in the order in which the miniport completed them.
    pub(crate) child_failures: Vec<i32>,
    pub(crate) children: u32,
    /// The value that the miniport left in the timestamp slot of the first NBL sent for it.
    pub(crate) timestamp: Option<usize>,
    /// When it was sent, by the model's clock.
    pub(crate) at: Duration,
    /// The restart since which the module ran when it was sent.
    pub(crate) running_since: Option<u64>,
    /// Whether the miniport failed it, as it was sent, and with which status.
    pub(crate) failed_below: bool,
    pub(crate) status_below: i32,
    /// Whether the filter forwarded it to the miniport.
    pub(crate) forwarded: bool,
    /// The port that it was sent for.
    pub(crate) port: u32,
    /// Whether NDIS is to indicate it back, as a received packet.
    pub(crate) loopback: bool,
    /// Whether the send handler that got it has returned.
    pub(crate) handler_returned: bool,
    /// Digests of the wire packets that came of it.
    pub(crate) wire: Vec<u64>,
    pub(crate) completed: Option<Completed>,
    /// The members of the NBL that only their owners change, as it was sent.
    pub(crate) kept: Kept,
    /// The NBL's bytes when it was completed, to detect later writes.
    pub(crate) after: Vec<u8>,
}

/// The members of an NBL that belong to its owner or to NDIS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Kept {
    pub(crate) first_net_buffer: usize,
    pub(crate) context: usize,
    pub(crate) parent: usize,
    pub(crate) pool: usize,
    pub(crate) protocol_reserved: [usize; 4],
}

impl Kept {
    /// # Safety
    /// `nbl` points to a live NBL.
    pub(crate) unsafe fn of(nbl: *const sys::NET_BUFFER_LIST) -> Self {
        // SAFETY: as the caller vouches.
        unsafe {
            Self {
                first_net_buffer: (*nbl).FirstNetBuffer.addr(),
                context: (*nbl).Context.addr(),
                parent: (*nbl).ParentNetBufferList.addr(),
                pool: (*nbl).NdisPoolHandle.addr(),
                protocol_reserved: (*nbl).ProtocolReserved.map(|word| word.addr()),
            }
        }
    }
}

impl Sent {
    /// Whether it, or a part of it, was sent to the miniport.
    pub(crate) fn went_down(&self) -> bool {
        self.children > 0 || self.forwarded
    }

    /// Applies `change` to the memory of its NET_BUFFERs, its MDLs and its own data.
    pub(crate) fn guarded(&self, change: impl Fn(*const u8)) {
        for net_buffer in &self.net_buffers {
            change(net_buffer.start());
        }
        for buffer in &self.buffers {
            buffer.guarded(&change);
        }
    }
}
