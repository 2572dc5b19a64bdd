//! An NDIS and a kernel that do nothing: the routines that the filter imports, under their own
//! names, so that linking puts them in the place of `ndis.sys` and `ntoskrnl.exe`.
//!
//! The routines of the data path have the effects that a caller can see and no more: chains are
//! kept for the benchmark to take, slots are copied, partial MDLs get their pages. They take no
//! lock and share nothing between threads, so that any cost of two processors to each other is the
//! filter's. The routines around the data path are simple, and those that the benchmark never
//! reaches end the process.
//!
//! The routines check nothing: the model does that. Those that are the same for interleavings are in
//! the crate `nullndis`.
#![expect(unsafe_code, reason = "C entry points under fixed names")]

mod data_path;
mod lifecycle;
mod memory;
mod thread;
mod unused;

pub(crate) use lifecycle::locks_taken;
pub(crate) use memory::pool_calls;
pub(crate) use thread::{become_processor, take_completed, take_sent};

/// Whether a symbol is one of these routines.
pub(crate) fn is_routine(symbol: &str) -> bool {
    [data_path::ROUTINES, memory::ROUTINES, nullndis::ROUTINES]
        .into_iter()
        .flatten()
        .any(|routine| routine.symbol() == symbol)
}
