//! The NIC as a test describes it: its capabilities, its completions, its answers.

use crate::{LargeSendLimit, LargeSendLimits};

use crate::{
    capabilities::{
        Capabilities, ChecksumOffload, ChecksumOffloads, Enabled, LargeSendOptions, TunnelOffloads,
        UsoLimit, UsoLimits,
    },
    offload::{self, MayAdd, OffloadShape},
};

/// A NIC and how it behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nic {
    /// The large sends that it can take.
    pub limits: LargeSendLimits,
    /// The header options that those may have.
    pub options: LargeSendOptions,
    /// The checksums that it can compute on the way out.
    pub checksum: ChecksumOffloads,
    /// The UDP large sends that it can take.
    pub uso: UsoLimits,
    /// Its capabilities inside tunnels.
    pub tunnels: TunnelOffloads,
    /// When and in which order it completes.
    pub completion: Completion,
    /// Packets that fail, by their number among all that it was given, with their status.
    pub failing: Vec<(u64, i32)>,
    /// Bits of the IPv4 identification that it counts in: 16, or 15.
    pub id_bits: u32,
    /// The subset of these capabilities that is turned on.
    pub enabled: Enabled,
    /// How its NDIS_OFFLOAD looks.
    pub offload: OffloadShape,
    /// Whether it reports the transmit time of every packet, requested or not (AllTransmit).
    pub stamps_all: bool,
    /// Most MDLs of one packet that it accepts.
    pub max_elements: Option<usize>,
    /// When it answers OID requests.
    pub oids: Answering,
    /// OIDs that it supports besides those of task offload, with their values.
    pub answers: Vec<(u32, Vec<u8>)>,
}

/// When a miniport answers OID requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Answering {
    /// Before the call returns, with its status.
    #[default]
    Inline,
    /// It completes the request before the call returns NDIS_STATUS_PENDING.
    Early,
    /// It returns NDIS_STATUS_PENDING, and completes when the test asks the model to.
    Later,
}

impl Nic {
    /// A NIC with LSOv2 of `max_payload` bytes and `min_segments` segments for both IP versions,
    /// LSOv1 likewise up to 64 KiB, USO likewise, and all of that with any options and inside
    /// tunnels; that computes every checksum; and that completes before the send returns.
    #[must_use]
    pub fn new(max_payload: u32, min_segments: u32) -> Self {
        let limit = |max: u32| LargeSendLimit {
            max_payload: max_payload.min(max),
            min_segments,
        };
        let uso = |extensions| UsoLimit {
            max_payload,
            min_segments,
            sub_mss_final: true,
            extensions,
        };
        Self {
            limits: LargeSendLimits {
                v1: limit(0xFFFF),
                v2_ipv4: limit(u32::MAX),
                v2_ipv6: limit(u32::MAX),
            },
            options: LargeSendOptions::ALL,
            checksum: ChecksumOffloads {
                ipv4: ChecksumOffload::ALL,
                ipv6: ChecksumOffload {
                    ip_header: false,
                    ..ChecksumOffload::ALL
                },
            },
            uso: UsoLimits {
                ipv4: uso(false),
                ipv6: uso(true),
            },
            tunnels: TunnelOffloads::ALL,
            completion: Completion::default(),
            failing: Vec::new(),
            id_bits: 16,
            enabled: Enabled::default(),
            offload: OffloadShape::default(),
            stamps_all: false,
            max_elements: None,
            oids: Answering::default(),
            answers: Vec::new(),
        }
    }

    /// The same NIC without large sends of TCP, in a tunnel or not.
    #[must_use]
    pub fn without_lso(self) -> Self {
        Self {
            limits: LargeSendLimits::default(),
            ..self
        }
        .without_tunnels()
    }

    /// The same NIC without large sends of UDP.
    #[must_use]
    pub fn without_uso(self) -> Self {
        Self {
            uso: UsoLimits::default(),
            ..self
        }
    }

    /// The same NIC, which computes no checksum of a packet that is no large send.
    #[must_use]
    pub fn without_checksum_offload(self) -> Self {
        Self {
            checksum: ChecksumOffloads::default(),
            ..self
        }
    }

    /// The same NIC, without tunnel offloads.
    #[must_use]
    pub fn without_tunnels(self) -> Self {
        Self {
            tunnels: TunnelOffloads::NONE,
            ..self
        }
    }

    /// The same NIC, which accepts only packets without options and extension headers as large
    /// sends, as far as NDIS_OFFLOAD has fields for that.
    #[must_use]
    pub fn without_options(mut self) -> Self {
        self.options = LargeSendOptions {
            v1_ip: false,
            v1_tcp: false,
            v2_ipv6_extensions: false,
            v2_ipv6_tcp: false,
        };
        self.uso.ipv6.extensions = false;
        self
    }

    /// The large sends that it accepts now: those that its hardware supports and that are turned
    /// on.
    #[must_use]
    pub fn current(&self) -> LargeSendLimits {
        self.capabilities().large_sends
    }

    /// The UDP large sends that it accepts now.
    #[must_use]
    pub fn current_uso(&self) -> UsoLimits {
        self.capabilities().uso
    }

    /// The capabilities that are in effect now.
    pub(crate) fn capabilities(&self) -> Capabilities {
        self.enabled.applied_to(self.can())
    }

    /// The hardware capabilities, as far as its revision of NDIS_OFFLOAD has fields for them.
    pub(crate) fn can(&self) -> Capabilities {
        offload::known_to(
            self.offload.revision,
            Capabilities {
                large_sends: self.limits,
                options: self.options,
                checksum: self.checksum,
                uso: self.uso,
                tunnels: self.tunnels,
            },
        )
    }

    /// The capabilities that a filter may add to its NDIS_OFFLOAD: LSOv2 for an IP version for
    /// which the NIC has no LSOv2 at all. A capability that is merely turned off stays off.
    pub(crate) fn may_add(&self) -> MayAdd {
        MayAdd {
            v2_ipv4: self.limits.v2_ipv4.max_payload == 0,
            v2_ipv6: self.limits.v2_ipv6.max_payload == 0,
            anyhow: false,
        }
    }

    /// Its NDIS_OFFLOAD: the current configuration.
    pub(crate) fn offload_config(&self) -> Vec<u8> {
        offload::write(&self.capabilities(), &self.offload)
    }

    /// Its NDIS_OFFLOAD: the hardware capabilities.
    pub(crate) fn offload_hardware(&self) -> Vec<u8> {
        offload::write(&self.can(), &self.offload)
    }
}

impl Default for Nic {
    /// The limits that Hyper-V's virtual NIC advertises: 62,780 bytes and 2 segments.
    fn default() -> Self {
        Self::new(62_780, 2)
    }
}

/// How a miniport completes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Completion {
    /// Later, when the test asks the model to deliver, rather than from within the send.
    pub deferred: bool,
    /// The order among NBLs that are completed together.
    pub order: Order,
    /// All in one chain, rather than one call for each NBL.
    pub merged: bool,
    /// On this processor rather than the sender's, unless another thread has it at DISPATCH_LEVEL at
    /// that moment.
    pub on_processor: Option<u32>,
    /// At DISPATCH_LEVEL, with the flag set for it.
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
