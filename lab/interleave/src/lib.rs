//! The driver under every interleaving of small cases.
//!
//! Like the model, this crate defines the routines of `ndis.sys` and `ntoskrnl.exe`, so that the
//! very source of the filter is linked with it. Unlike the model it judges little, and decides which
//! processor runs: the threads of a [`case`](explore) are [`shuttle`]'s, all on one thread of the
//! system, and go on in an order that a scheduler chooses. A thread may lose its processor to another
//!
//! 1. in each kernel routine by which processors meet: spin locks, rundown protection, the IRQL,
//!    and every call that leaves the driver;
//! 2. before each atomic operation of the driver, and after each change that is not relaxed, if it
//!    was compiled with `lab/interleave/rustc-atomics`, that is with
//!    `cargo --config lab/interleave/atomics.toml test -p interleave`.
//!
//! The source of the driver is the same for that: LLVM's pass for the thread sanitizer makes each
//! atomic operation a call, those on fields of NBLs as well, and [`atomics`] has the routines that
//! are called. A type of atomics that is another under a `cfg`, as is the custom, would have to be
//! named by all of the driver, and could not stand for a field of NDIS's.
//!
//! [`explore`] runs a case in every order with so many preemptions, or in every order there is;
//! [`sample`] in many random ones. Both do the same each time, so that a case that fails fails
//! again. Neither of them covers memory that processors see in another order than it was written;
//! Miri's runs do.
//!
//! A case has a [`Machine`], on which the driver was loaded, attached and restarted, and which in
//! the end is stopped: then everything must be freed and every parent completed.
#![expect(unsafe_code, reason = "C entry points under fixed names, and handlers")]

pub mod atomics;
mod kernel;
mod machine;
mod offload;
mod parent;
mod points;
mod search;
mod traffic;
mod world;

pub use kernel::{child_pool_module, limit_nbls};
pub use machine::{Machine, finish, on, wait};
pub use offload::Nic;
pub use parent::ParentId;
pub use points::{at_points, driver};
pub use search::{Preemptions, explore, sample};
