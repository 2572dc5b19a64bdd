//! The Windows kernel and NDIS in Rust.
//!
//! [`sys`] is the raw ABI, checked against the WDK's layouts by assertions. The other modules are
//! owning types: one for each kernel object that the filter uses, named after it, with every
//! obligation that the compiler can check moved into a type and every other one named in a
//! `# Safety` section.
//!
//! All unsafe code of the data path lives here. Three crates may depend on this one: the filter,
//! the driver, and the model NDIS that plays the other side on Linux.
//!
//! The routines in [`sys`] are declared without a library to link with. In the driver they are
//! imports of `ndis.sys` and `ntoskrnl.exe`; in tests the model defines them.
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

// Here and not in the module: build scripts of the driver compile it as well, for its tables, and
// other lints hold there.
#[expect(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    reason = "the names are the WDK's own and documented there"
)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_wrap,
    clippy::indexing_slicing,
    reason = "the tables are computed at compile time, where an error stops the build"
)]
pub mod sys;

mod chains;
mod child;
mod child_pool;
mod configuration;
mod critical_region;
mod device;
pub mod driver;
mod event;
mod event_lock;
mod filter_module;
mod indication;
mod kernel_event;
mod mdl;
mod nbl;
mod offload;
pub mod oid;
mod oob;
mod pnp;
mod pool;
mod processor;
mod registry;
mod restart;
mod rundown;
mod seq_lock;
mod siblings;
mod spin_lock;
mod status;
mod sum;

pub use chains::{Chains, MOST_ELEMENTS};
pub use child::{BACKFILL, Child, Children, HEADER_CAPACITY};
pub use child_pool::{ChildPool, MOST_CHILDREN};
pub use configuration::Configuration;
pub use critical_region::CriticalRegion;
pub use device::{DeviceCall, DeviceNames, DeviceRequest};
pub use event::{Event, Level, Provider};
pub use event_lock::{EventGuard, EventLock};
pub use filter_module::{CompleteFlags, ModuleHandle, Port, SendFlags};
pub use indication::{Indication, indicate};
pub use kernel_event::KernelEvent;
pub use mdl::{BufferError, PayloadCursor};
pub use nbl::{Nbl, NblChain, NblQueue, NetBuffer};
pub use offload::{AttachOffload, Malformed, OffloadConfig};
pub use oob::{ChecksumInfo, EncapsulationInfo, InnerOffsets, LargeSendInfo, UdpSendInfo};
pub use pnp::NetPnpEvent;
pub use pool::{Lent, PoolBox, PoolSlice, Tag};
pub use processor::{AtDispatch, PerProcessor, current_processor, processor_counts};
pub use registry::{Borrowed, Listed, Registry};
pub use restart::RestartParameters;
pub use rundown::{Exit, Gate};
pub use seq_lock::{SeqLock, Words};
pub use siblings::{Siblings, WaitingParent};
pub use spin_lock::{SpinGuard, SpinLock};
pub use status::Status;
