//! An NDIS and a kernel that do nothing: the routines that the filter imports, under their own
//! names, so that linking puts them in the place of `ndis.sys` and `ntoskrnl.exe`.
//!
//! The routines of the data path have the effects that a caller can see and no more: chains are
//! kept for the benchmark to take, slots are copied, partial MDLs get their pages. They take no
//! lock and share nothing between threads, so that any cost of two processors to each other is the
//! filter's. The routines around the data path are simple, and those that the benchmark never
//! reaches end the process.
//!
//! The routines check nothing: the model does that.
#![expect(unsafe_code, reason = "C entry points under fixed names")]

mod data_path;
mod life;
mod memory;
mod thread;
mod unused;

pub(crate) use life::{characteristics, locks_taken, set_parameters, take_context};
pub(crate) use memory::pool_calls;
pub(crate) use thread::{become_processor, take_completed, take_sent};

/// The address of a routine.
pub(crate) struct Routine(
    &'static str,
    #[expect(dead_code, reason = "kept alive")] *const (),
);

// SAFETY: the address of code, which every thread may call.
unsafe impl Sync for Routine {}

/// Whether a symbol is one of these routines.
pub(crate) fn is_routine(symbol: &str) -> bool {
    [data_path::ROUTINES, memory::ROUTINES]
        .into_iter()
        .flatten()
        .any(|routine| routine.0 == symbol)
}

/// Lists a module's routines. Taking their addresses also keeps a compiler that sees the whole
/// program from fitting their signatures to their only caller.
macro_rules! routines {
    ($($name:ident)*) => {
        pub(super) static ROUTINES: &[super::Routine] =
            &[$(super::Routine(stringify!($name), $name as *const ())),*];
    };
}
use routines;
