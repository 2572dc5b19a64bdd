//! The NIC as a test describes it: what it takes, when it completes, what it answers.

use ndis::{LargeSendLimit, LargeSendLimits};

use crate::offload::{self, OffloadShape};

/// A NIC and how it behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nic {
    /// The large sends that it takes.
    pub limits: LargeSendLimits,
    /// When and in which order it completes.
    pub completion: Completion,
    /// Packets that fail, by their number among all that it was given, with their status.
    pub failing: Vec<(u64, i32)>,
    /// Bits of the IPv4 identification that it counts in: 16, or 15.
    pub id_bits: u32,
    /// Which kinds of large sends are turned on.
    pub enabled: Enabled,
    /// How its NDIS_OFFLOAD looks.
    pub offload: OffloadShape,
    /// Whether it, or what stands before it, walks MDL chains to their end.
    pub walks_to_end: bool,
    /// Most MDLs that it takes of one packet.
    pub max_elements: Option<usize>,
    /// When it answers OID requests.
    pub oids: Answering,
    /// OIDs that it knows besides those of task offload, with their values.
    pub answers: Vec<(u32, Vec<u8>)>,
}

/// Which kinds of large sends are turned on, as OID_TCP_OFFLOAD_PARAMETERS says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Enabled {
    /// LSOv1.
    pub v1: bool,
    /// LSOv2 over IPv4.
    pub v2_ipv4: bool,
    /// LSOv2 over IPv6.
    pub v2_ipv6: bool,
}

/// When a miniport answers OID requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Answering {
    /// Before the call returns, with its status.
    #[default]
    Inline,
    /// It completes the request before the call returns NDIS_STATUS_PENDING.
    Early,
    /// It returns NDIS_STATUS_PENDING, and completes when the model is told to.
    Later,
}

impl Nic {
    /// A NIC that takes LSOv2 of `max_payload` bytes and `min_segments` segments for both IP
    /// versions, LSOv1 likewise up to 64 KiB, and completes before the send returns.
    #[must_use]
    pub fn new(max_payload: u32, min_segments: u32) -> Self {
        let limit = |max: u32| LargeSendLimit {
            max_payload: max_payload.min(max),
            min_segments,
        };
        Self {
            limits: LargeSendLimits {
                v1: limit(0xFFFF),
                v2_ipv4: limit(u32::MAX),
                v2_ipv6: limit(u32::MAX),
            },
            completion: Completion::default(),
            failing: Vec::new(),
            id_bits: 16,
            enabled: Enabled {
                v1: true,
                v2_ipv4: true,
                v2_ipv6: true,
            },
            offload: OffloadShape::default(),
            walks_to_end: false,
            max_elements: None,
            oids: Answering::default(),
            answers: Vec::new(),
        }
    }

    /// The large sends that it takes now: those that it can do and that are turned on.
    #[must_use]
    pub fn current(&self) -> LargeSendLimits {
        let on = |on: bool, limit: LargeSendLimit| {
            if on && limit.max_payload > 0 {
                limit
            } else {
                LargeSendLimit::default()
            }
        };
        LargeSendLimits {
            v1: on(self.enabled.v1, self.limits.v1),
            v2_ipv4: on(self.enabled.v2_ipv4, self.limits.v2_ipv4),
            v2_ipv6: on(self.enabled.v2_ipv6, self.limits.v2_ipv6),
        }
    }

    /// Its NDIS_OFFLOAD: what it does now.
    pub(crate) fn offload_config(&self) -> Vec<u8> {
        offload::write(self.current(), &self.offload)
    }

    /// Its NDIS_OFFLOAD: what it can do.
    pub(crate) fn offload_hardware(&self) -> Vec<u8> {
        offload::write(self.limits, &self.offload)
    }
}

impl Default for Nic {
    /// What Hyper-V's virtual NIC says: 62,780 bytes and 2 segments.
    fn default() -> Self {
        Self::new(62_780, 2)
    }
}

/// How a miniport completes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Completion {
    /// Later, when the model is told to deliver, rather than from within the send.
    pub deferred: bool,
    /// The order among what is completed together.
    pub order: Order,
    /// All in one chain, rather than one call for each NBL.
    pub merged: bool,
    /// From this processor, where it is not the sender's.
    pub on_processor: Option<u32>,
    /// At DISPATCH_LEVEL, with the flag that says so.
    pub at_dispatch: bool,
}

/// The order of completions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// As they were sent.
    #[default]
    Sent,
    /// The other way round.
    Reversed,
    /// Mixed, by this seed.
    Shuffled(u64),
}
