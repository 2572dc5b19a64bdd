//! The routines of `ndis.sys` and `ntoskrnl.exe` under their own names.
//!
//! Routines by which processors synchronize let the scheduler choose the next thread; the others
//! are as simple as they can be.

mod data_path;
mod lifecycle;
mod memory;
mod synchronization;

pub use lifecycle::child_pool_module;
pub(crate) use memory::leaked;
pub use memory::limit_nbls;
