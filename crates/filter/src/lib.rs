//! The filter: mslso's logic between the overlying driver and the NIC's miniport.
//!
//! Life of a filter module, one for each NIC that the driver is bound to:
//!
//! 1. [`attach`]: reads the NIC's capabilities, allocates everything, starts paused, and raises the
//!    large-send size that the overlying driver will read: the [`advertiser`];
//! 2. [`pause::restart`]: reinitializes the rundown protection;
//! 3. [`send`]: replaces each large send above the NIC's maximum by children, [`split`] being the
//!    step from one parent to its children;
//! 4. [`complete`]: returns children to the pool, and completes each parent after its last child;
//! 5. [`status`], [`oid`], [`pnp`]: rewrite the large-send size in the NIC's reports on their way
//!    to the overlying driver; [`control`]: the administrator's requests;
//! 6. [`pause::pause`]: runs down and waits until every parent is completed;
//! 7. detach: frees everything.
//!
//! [`events`] reports these steps to Event Tracing for Windows.
//!
//! The files are named after NDIS's verbs. [`callbacks`] holds the handlers that NDIS calls: raw
//! pointers in, owned types out, one call into the logic. Packet arithmetic is in the crate `lso`,
//! kernel objects are in the crate `ndis`, the control protocol in the crate `control`.
//!
//! The same source runs in the kernel and, linked with the model NDIS, on Linux. No `cfg`
//! and no generic parameter distinguishes the two.
#![no_std]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap
)]

mod advertiser;
mod attach;
mod build_children;
mod callbacks;
mod characteristics;
mod complete;
mod control;
mod events;
mod identity;
mod lso_info;
mod module;
mod module_events;
pub mod nic_caps;
pub mod offload;
mod oid;
mod pause;
mod pnp;
mod publish;
mod send;
mod send_error;
mod settings;
mod split;
mod statistics;
mod status;

pub use callbacks::driver_entry;
pub use characteristics::OLDEST_NDIS;
