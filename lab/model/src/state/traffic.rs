//! Everything that moves through the module: sends, received packets, capabilities, indications.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    LargeSendLimits,
    above::Sent,
    capabilities::UsoLimits,
    limits::Limits,
    miniport::{Held, SentChild},
    offload::MayAdd,
    received::Received,
    status::{Incoming, SeenStatus},
};

/// The sends of the overlying driver.
#[derive(Default)]
pub(crate) struct Sends {
    /// The overlying driver's sends that are not forgotten yet, by number.
    pub(crate) sent: BTreeMap<u64, Sent>,
    pub(crate) next: u64,
    /// The ids for which the overlying driver canceled sends.
    pub(crate) canceled: BTreeSet<usize>,
    /// The ids for which the filter canceled sends below.
    pub(crate) cancels_below: BTreeSet<usize>,
}

/// The NBLs that the miniport has, and those that left it.
#[derive(Default)]
pub(crate) struct MiniportState {
    /// Bits in which the NIC counts the IPv4 identification.
    pub(crate) id_bits: u32,
    /// The NBLs that the miniport holds, in the order in which it will complete them.
    pub(crate) held: VecDeque<Held>,
    pub(crate) children: Vec<SentChild>,
    pub(crate) wire: Vec<Vec<u8>>,
    pub(crate) accepted: u64,
    /// How many packets have left on the wire.
    pub(crate) left: u64,
    /// The latest reading of the miniport's clock.
    pub(crate) clock: usize,
    /// For each flow, the send and sequence offset that went down last.
    pub(crate) flows: BTreeMap<Vec<u8>, (u64, u32)>,
    /// Whether a consumer takes the wire's packets as they leave. Without one, none is kept.
    pub(crate) live: bool,
}

/// Received packets.
#[derive(Default)]
pub(crate) struct Receives {
    /// Received NBLs by address.
    pub(crate) received: BTreeMap<usize, Received>,
    /// Number of the next received NBL.
    pub(crate) next: u64,
    /// Whether the overlying driver keeps the filter's own NBLs, too, that it gets now.
    pub(crate) keeps_own: bool,
}

/// The NIC's capabilities, and what was advertised of them.
#[derive(Default)]
pub(crate) struct Advertised {
    /// The capabilities that the filter may add to the NIC's NDIS_OFFLOAD.
    pub(crate) may_add: MayAdd,
    /// Most bytes of an IP datagram on the wire, where there is a bound.
    pub(crate) mtu: Option<u32>,
    /// The MTU that NDIS passed to the module at a restart.
    pub(crate) mtu_reported: Option<u32>,
    /// The NIC's capabilities, and the limits advertised to the overlying driver.
    pub(crate) limits: Limits,
    /// The NDIS_OFFLOAD that the overlying driver found when it bound.
    pub(crate) binding: Option<Vec<u8>>,
    /// The NDIS_OFFLOAD that the last FilterAttach left.
    pub(crate) left_offload: Option<Vec<u8>>,
    /// The limits advertised to the overlying driver last.
    pub(crate) large_sends: LargeSendLimits,
    /// The same of UDP.
    pub(crate) uso: UsoLimits,
}

/// Status indications and events.
#[derive(Default)]
pub(crate) struct Indications {
    pub(crate) seen: Vec<SeenStatus>,
    /// Indications that FilterStatus has now, each on its thread.
    pub(crate) incoming: Vec<Incoming>,
    pub(crate) event: Option<EventUnderWay>,
    /// The device event under way, and how often it was forwarded.
    pub(crate) device_event: Option<(usize, u32)>,
}

/// An event on its way.
#[derive(Default)]
pub(crate) struct EventUnderWay {
    pub(crate) notification: usize,
    pub(crate) passed_on: u32,
    pub(crate) answer: i32,
}
