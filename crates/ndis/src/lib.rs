//! Owning types for the objects of NDIS and of the Windows kernel.
//!
//! There is one type for each kernel object that the filter uses, named after it, with every
//! obligation that the compiler can check moved into a type and every other one named in a
//! `# Safety` section. What allocates fails with [`Status::RESOURCES`] where there is no memory. The
//! raw ABI is the crate `ndis-sys`.
//!
//! The crates `children` and `filter` build on this one, and the model NDIS that plays the other
//! side on Linux uses its types of values.
#![no_std]
#![expect(
    unsafe_code,
    reason = "kernel objects are raw pointers; this crate turns them into owning types"
)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap
)]

/// The raw ABI that these types wrap.
pub use ndis_sys as sys;

mod configuration;
mod critical_region;
mod device;
pub mod driver;
mod error_log;
mod event;
mod event_lock;
mod filter_module;
mod indication;
mod kernel_event;
pub mod mdl;
mod module_list;
mod nbl;
mod object;
mod offload;
pub mod oid;
mod oob;
mod pnp;
mod pool;
mod pool_tag;
mod processor;
mod restart;
mod rundown;
mod seq_lock;
mod spin_lock;
mod status;

pub use configuration::Configuration;
pub use critical_region::CriticalRegion;
pub use device::{DeviceCall, DeviceNames, DeviceRequest};
pub use error_log::{ErrorLog, Insertion};
pub use event::{
    Event, EventRoom, Level, LongEventRoom, Provider, ShortEventRoom, event_descriptor,
};
pub use event_lock::{EventGuard, EventLock};
pub use filter_module::{CompleteFlags, ModuleHandle, Port, SendFlags};
pub use indication::{Indication, indicate};
pub use kernel_event::KernelEvent;
pub use mdl::{BufferError, MdlRun, PayloadCursor};
pub use module_list::{ModuleEntry, ModuleList, ModuleRef, UnwrittenEntry};
pub use nbl::{Nbl, NblChain, NblQueue, NetBuffer};
pub use offload::{AttachOffload, Malformed, OffloadConfig};
pub use oob::{ChecksumInfo, EncapsulationInfo, InnerOffsets, LargeSendInfo, UdpSendInfo};
pub use pnp::NetPnpEvent;
pub use pool::{DriverRef, PoolBox, PoolSlice, allocate_bytes, free_bytes};
pub use pool_tag::Tag;
pub use processor::{AtDispatch, PerProcessor, current_processor, processor_counts};
pub use restart::RestartParameters;
pub use rundown::{RundownGuard, RundownRef};
pub use seq_lock::{SeqLock, Words};
pub use spin_lock::{SpinGuard, SpinLock};
pub use status::Status;
