//! The steps of a machine, as data. A run is a list of these; any sublist is a run too, because a
//! step that is not possible in the current state does nothing.

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use super::{nic::Offer, packet::Shape};

/// The machine on which a run takes place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Machine {
    /// Active processors.
    pub processors: u32,
    /// The NIC at the start.
    pub offer: Offer,
    /// The MTU at the start, where NDIS reports one.
    pub mtu: Option<u32>,
    /// Whether the miniport has an offload configuration.
    pub has_offload: bool,
    /// The minor version of NDIS 6.
    pub ndis_minor: u32,
    /// The filter's settings at the start.
    pub settings: Settings,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            processors: 2,
            offer: Offer::default(),
            mtu: Some(1500),
            has_offload: true,
            ndis_minor: 85,
            settings: Settings::default(),
        }
    }
}

/// The filter module's parameters in the registry; where there is none, the default holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Settings {
    /// Bits in which NIC and filter count the IPv4 identification; 0 means 16.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub ip_id_bits: u32,
    /// SoftwareSegmentation.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub software: Option<u32>,
    /// MaxSgElements.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub max_sg_elements: Option<u32>,
    /// Multiple, Profile and CapBytes, as they are there.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub tuning: Option<[u32; 3]>,
}

/// When and how the NIC completes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Completing {
    /// On a later step, rather than from within the send.
    pub deferred: bool,
    /// 0 as sent, 1 reversed, else mixed by this seed.
    pub order: u64,
    /// All in one chain.
    pub merged: bool,
    /// On which processor, where it is not the sender's.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub on_processor: Option<u32>,
    /// At DISPATCH_LEVEL.
    pub at_dispatch: bool,
}

/// A send call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Sends {
    /// The packets of the chain, in order.
    pub packets: Vec<Shape>,
    /// At DISPATCH_LEVEL.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub at_dispatch: bool,
    /// On this processor.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub processor: u32,
}

/// An OID request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Oid {
    /// 0 a query, 1 statistics, 2 a setting, else a method of this number less 3.
    pub kind: u32,
    /// The object.
    pub oid: u32,
    /// The input.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub input: Vec<u8>,
    /// Room for the answer.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub room: u32,
    /// PortNumber.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub port: u32,
    /// At DISPATCH_LEVEL.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub at_dispatch: bool,
    /// Its header, by its place in [`model::OidHeader::ALL`].
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub header: u32,
}

/// A status indication of the miniport.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Status {
    /// StatusCode.
    pub code: i32,
    /// The status buffer.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub bytes: Vec<u8>,
    /// PortNumber.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub port: u32,
    /// At DISPATCH_LEVEL.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub at_dispatch: bool,
}

/// A request to the control device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Control {
    /// The control code.
    pub code: u32,
    /// The input.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub input: Vec<u8>,
    /// The length of the output buffer.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub room: u32,
}

/// A network event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct NetEvent {
    /// The event.
    pub event: i32,
    /// Its buffer.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub bytes: Vec<u8>,
    /// The answer.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub answer: i32,
}

/// One thing that happens. Scripts and reports have the same names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Step {
    /// The overlying driver sends a chain.
    Send(Sends),
    /// It sends this from within the next completion that it gets.
    SendOnCompletion(Sends),
    /// The NIC completes all that it holds.
    Deliver,
    /// The NIC completes otherwise from now on.
    Completing(Completing),
    /// Some of the next sends to the NIC fail: their numbers, and their status.
    FailSends(Vec<(u32, i32)>),
    /// The NIC changes, and indicates it.
    NicChanges(Box<Offer>),
    /// The overlying driver turns offloads off, by these bits, and all others on.
    Enable(u16),
    /// The miniport indicates its configuration again, or the capabilities of its hardware.
    IndicateAgain {
        /// The hardware.
        hardware: bool,
    },
    /// The miniport indicates something else, or an offload configuration that is malformed.
    Status(Status),
    /// An administrator tunes the adapter: Multiple, Profile, CapBytes, and whether to keep it.
    Tune([u32; 3], bool),
    /// A program makes a request to the control device.
    Control(Control),
    /// The statistics are put back to zero.
    ResetStatistics,
    /// No operation is in flight, and every counter must be right.
    CheckCounters,
    /// The overlying driver makes an OID request.
    Oid(Oid),
    /// It gives up on the last one.
    CancelOid,
    /// The miniport answers the requests that it holds.
    AnswerOids,
    /// The miniport answers at once (0), early (1), or on a later step (2).
    Answering(u8),
    /// A network event goes through the filter.
    NetEvent(NetEvent),
    /// The recording session: a level and any of these keywords; or none.
    Tracing(Option<(u8, u64)>),
    /// The module is paused.
    Pause,
    /// The module is made to run, with this MTU: loaded and attached first where it is not.
    Restart(Option<u32>),
    /// The coming detach is signaled (NetEventFilterPreDetach).
    PreDetach,
    /// The module is detached, paused first where it runs. These are its settings from then on.
    Detach(Settings),
    /// The driver is unloaded, its module detached first.
    Unload,
    /// The driver is loaded, and its module attached, but not restarted.
    Attach,
    /// An allocation fails: the next but so many.
    FailAllocation(u64),
    /// An allocation of the next attach fails: the last but so many of those that the attach before
    /// made.
    FailAttach(u64),
    /// All allocations fail from the next but so many on.
    Starve(u64),
    /// No allocation fails any more.
    Feed,
    /// A guest arrives to which another host advertised other sizes: LSOv1, LSOv2 and USO over IPv4
    /// and IPv6.
    Migrate([u32; 5]),
}
