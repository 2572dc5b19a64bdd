//! The model of NDIS: the kernel side of every interface between the filter and Windows.
//!
//! It defines the routines of `ndis.sys` and `ntoskrnl.exe` that the driver imports, under their
//! own names, so that the unchanged source of the filter runs on Linux, linked or loaded. Around
//! them it plays an overlying driver, which sends packets and checks how they are completed, and a
//! NIC, which accepts large sends of a settable size, cuts them into wire packets and completes
//! them in any order. Everything that passes is checked against the [`Rule`]s; a broken one is a
//! [`Violation`] that names the rule and the NBL.
//!
//! A [`World`] is one machine. Its life is that of a driver: [`load`](World::load),
//! [`attach`](World::attach), [`restart`](World::restart), any number of [`send`](World::send)s,
//! [`pause`](World::pause), [`detach`](World::detach), [`unload`](World::unload), and the verdict
//! from [`finish`](World::finish). It has two adapters; all of this is of the first, and of the
//! second within [`on_other_adapter`](World::on_other_adapter). Several worlds can live in one
//! process; a thread is in one of them while it runs driver code.
//!
//! Besides packets, the overlying driver makes [`oid`](World::oid) requests and
//! [`ioctl`](World::ioctl)s and learns from status indications how large its large sends may be;
//! [`host`] builds virtual switches with guests on top of it. The driver's Event Tracing for
//! Windows events are in [`events`](World::events). At the rate of a network, the overlying driver
//! sends packets [`Lent`] from where they lie, and a [`Wire`] takes the packets that the NIC sends.
//!
//! The model is for tests and the lab; it panics where a test is wrong, and it trusts no driver.

mod above;
mod attach;
mod cancel_lock;
mod capabilities;
mod chain;
mod clock;
mod config;
mod device;
mod error_log;
mod etw;
mod events;
pub mod exports;
mod findings;
pub mod guard;
mod handles;
mod hidden_nbl;
pub mod host;
mod large_send_limits;
mod limits;
mod live;
mod mdl;
mod memory;
mod miniport;
mod nic;
mod objects;
mod offload;
mod oid;
mod oob;
mod processor_block;
mod processors;
mod race;
mod received;
mod registry;
mod restart;
mod rules;
mod segment;
pub mod shared_page;
mod spin_lock;
mod state;
mod status;
mod suspension;
mod thread;
mod virtual_switch;

mod world;

pub use above::{Completed, Packet};
pub use attach::{
    FILTER_IF_INDEX, FILTER_MODULE_GUID, MINIPORT_IF_INDEX, MINIPORT_INSTANCE_NAME,
    NEIGHBOR_IF_INDEX,
};
pub use capabilities::{
    ChecksumOffload, ChecksumOffloads, Enabled, INNER_IPV4, INNER_IPV6, LargeSendOptions,
    OUTER_IPV4, OUTER_IPV6, TunnelOffload, TunnelOffloads, UsoLimit, UsoLimits,
};
pub use config::{Config, STACK};
pub use device::{Answered, PROTECTION};
pub use error_log::LogEntry;
pub use etw::{TracedEvent, TracedValue};
pub use large_send_limits::{LargeSendLimit, LargeSendLimits};
pub use live::{Outgoing, Pages, Wire};
pub use mdl::Backing;
pub use memory::Failing;
pub use miniport::SentChild;
pub use nic::{Answering, Completion, Nic, Order};
pub use offload::OffloadShape;
pub use oid::{OidCall, OidHeader, OidKind, OidResult};
pub use oob::{ChecksumSlot, SendKind, Slots, TunnelSlot, UsoSlot};
pub use registry::RegistryValue;
pub use rules::{Level, Rule, Violation};
pub use segment::{
    Job, Layout, Parts, Tunnel, TunnelKind, UsoJob, layout, one_stage, parts, segment,
    segment_tunnelled, segment_uso, tunnel,
};
pub use state::ModuleState;
pub use status::{Indication, SeenStatus, StatusSource};
pub use world::{Account, Lent, ReceiveCall, Returned, SendCall, Tamper, World};
