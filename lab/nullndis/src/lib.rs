//! The routines of `ndis.sys` and `ntoskrnl.exe` that do next to nothing, under their own names.
//!
//! The benchmark and the interleavings each link the filter with an NDIS of their own. They differ in
//! the routines that they are about: what the data path costs, and where processors meet. This crate
//! has the others: the driver's registration, with which a [`Driver`] is loaded and attached; pools and
//! memory blocks, a registry with one profile, no event session. It asks the crate above by three
//! [`hooks`], which are linked by name as the routines are.
//!
//! It has no atomic operation, so that it need not be compiled as the driver is for interleavings.
#![expect(unsafe_code, reason = "C entry points under fixed names")]

mod lifecycle;
mod memory;
mod registration;
mod unused;

pub use memory::ROUTINES;
use memory::free_extension;
pub use registration::{Driver, MODULE, load, loaded, no_offload};
pub use unused::unreached;

/// The functions that the crate above defines.
pub mod hooks {
    use std::ffi::c_void;

    unsafe extern "Rust" {
        #[link_name = "nullndis_allocate"]
        /// Returns zeroed memory, aligned to a cache line.
        pub safe fn allocate(size: usize) -> *mut c_void;
        #[link_name = "nullndis_free"]
        /// Frees memory.
        ///
        /// # Safety
        ///
        /// `memory` is of [`allocate`], and is not in use any more.
        pub fn free(memory: *mut c_void);
        #[link_name = "nullndis_may_allocate_nbl"]
        /// Whether there is memory for one more NBL.
        pub safe fn may_allocate_nbl() -> bool;
    }
}

/// The address of a routine.
pub struct Routine(
    #[doc(hidden)] pub &'static str,
    #[doc(hidden)] pub *const (),
);

// SAFETY: the address of code, which every thread may call.
unsafe impl Sync for Routine {}

impl Routine {
    /// Its symbol.
    pub fn symbol(&self) -> &'static str {
        self.0
    }
}

/// Lists a module's routines. Taking their addresses also keeps a compiler that sees the whole
/// program from fitting their signatures to their only caller.
#[macro_export]
macro_rules! routines {
    ($($name:ident)*) => {
        /// The routines of this module.
        pub static ROUTINES: &[$crate::Routine] =
            &[$($crate::Routine(stringify!($name), $name as *const ())),*];
    };
}
