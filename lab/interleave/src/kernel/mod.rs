//! The routines of `ndis.sys` and `ntoskrnl.exe` under their own names.
//!
//! Routines by which processors synchronize let the scheduler choose the next thread; the others
//! are as simple as they can be.

mod data_path;
mod life;
mod meeting;
mod memory;

pub(crate) use life::MODULE;
pub use life::child_pool_module;
pub(crate) use memory::leaked;
pub use memory::limit_nbls;
