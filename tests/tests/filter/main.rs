//! The filter over the model of NDIS: each test starts a machine with it, and has it send, be asked
//! and be reconfigured. They run as well against a built image: see `scenarios::driver`.
//!
//! The tests share one process, which is the reason that none sets a variable of the environment, a
//! signal's handler or a panic hook: each has a machine of its own, and no other state.

mod admin;
mod advertise;
mod child_nbls;
mod memory;
mod miri;
mod module;
mod oids;
mod send;

// The macros of the crate `tracelogging` name it from the root: see admin/trace_logging.rs.
extern crate self as tracelogging;
#[doc(hidden)]
pub use admin::trace_logging::{
    _internal, Channel, Guid, InType, Level, Opcode, OutType, Provider,
};
