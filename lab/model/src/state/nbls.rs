//! NBLs and MDLs: the ledger of those that exist, with their owners.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    hidden_nbl::HiddenNbls,
    mdl::{Buffer, Clone as NblClone},
    memory::Block,
};

/// The owner of an NBL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    /// The overlying driver, before it sends the NBL or after the NBL was completed.
    Above,
    /// The filter: sent to it, or allocated by it.
    Filter,
    /// The miniport.
    Miniport,
}

/// The model's record of an NBL that exists.
pub(crate) struct Known {
    pub(crate) owner: Owner,
    pub(crate) origin: Origin,
    /// For messages.
    pub(crate) name: String,
}

impl Known {
    /// Whether the overlying driver has it as a received one of the filter's.
    pub(crate) fn is_indicated(&self) -> bool {
        matches!(self.origin, Origin::Pool(_)) && self.owner == Owner::Above
    }
}

/// Where an NBL comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// The overlying driver, as its send of this number.
    Above(u64),
    /// The filter's pool with this handle.
    Pool(usize),
}

/// The NBLs that exist, and their pools.
#[derive(Default)]
pub(crate) struct Nbls {
    pub(crate) known: BTreeMap<usize, Known>,
    pub(crate) pools: BTreeMap<usize, NblPool>,
    /// NBL memory of `known`, by address.
    pub(crate) memory: BTreeMap<usize, Block>,
    /// What NDIS allocated with the filter's NBLs, by the NBL's address.
    pub(crate) parts: BTreeMap<usize, NblParts>,
    /// The filter's NET_BUFFERs without an NBL of their own, by address, with their pool.
    pub(crate) net_buffers: BTreeMap<usize, (Block, usize)>,
    /// The MDLs and data that NDIS has allocated with some of them.
    pub(crate) net_buffer_data: BTreeMap<usize, Buffer>,
    /// The NBLs among the filter's that NDIS cloned.
    pub(crate) clones: BTreeMap<usize, NblClone>,
    /// Context space that was added to NBLs, by address.
    pub(crate) contexts: BTreeMap<usize, Block>,
    /// Number of the next NBL that the filter allocates.
    pub(crate) next: u64,
    pub(crate) hidden: HiddenNbls,
}

/// What NDIS allocated with an NBL of the filter's pool.
pub(crate) struct NblParts {
    pub(crate) net_buffer: Option<Block>,
    /// MDL and data.
    pub(crate) _buffer: Option<Buffer>,
    pub(crate) _context: Block,
}

/// What NDIS allocates from a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Allocates {
    /// An NBL.
    Nbl,
    /// An NBL with a NET_BUFFER.
    NetBuffer,
    /// An NBL with a NET_BUFFER, an MDL and this many bytes of data.
    Data(u32),
    /// NET_BUFFERs without NBLs, with an MDL and this many bytes of data each, or none.
    NetBuffersAlone(u32),
}

/// An NBL pool of the filter.
pub(crate) struct NblPool {
    pub(crate) allocates: Allocates,
    pub(crate) context_size: u16,
    pub(crate) live: usize,
    /// The handle that it was allocated with.
    pub(crate) owner: usize,
    pub(crate) memory: Block,
}

/// MDLs that are mapped, partial, or in flight.
#[derive(Default)]
pub(crate) struct Mdls {
    pub(crate) partials: BTreeMap<usize, Partial>,
    /// Whether the driver has mapped an MDL at DISPATCH_LEVEL.
    pub(crate) mapped_at_dispatch: bool,
    /// MDLs that are mapped now.
    pub(crate) mapped: BTreeMap<usize, usize>,
    /// MDLs inside the windows of packets in flight, with the NBL that has them.
    pub(crate) windows: BTreeMap<usize, usize>,
    /// MDLs whose pages the driver has locked.
    pub(crate) locked: BTreeSet<usize>,
    /// MDLs before others that a retreat has added, with those of NDIS; the others are the driver's.
    pub(crate) retreated: BTreeMap<usize, Option<Buffer>>,
}

/// A partial MDL and the MDL that it was built from.
pub(crate) struct Partial {
    pub(crate) source: usize,
}
