//! The administrator's tool: lists the adapters that mslso filters, shows and sets how far their
//! large sends are raised, and reads the counters of their outcomes.
//!
//! # The way of a command
//!
//! 1. [`cli`] reads the command line; values out of range end there.
//! 2. [`device::Device`] carries messages of the crate `control` to the driver: `windows` by
//!    DeviceIoControl, a test by calling the filter it has loaded.
//! 3. [`connections::Connections`] carries names of the host's connections: [`Host`] asks Windows.
//! 4. [`run`] runs the command: [`driver`] implements the protocol, [`select`] finds the selected
//!    adapter, and a file of `commands` for each command prints the reply.
//! 5. An error is a [`failure::Failure`], which has a sentence and an exit code.

pub mod adapter;
pub mod cli;
mod commands;
pub mod connections;
pub mod device;
pub mod driver;
pub mod failure;
pub mod json;
mod refusal_advice;
pub mod select;
mod text;

#[cfg(not(windows))]
mod non_windows;
#[cfg(windows)]
mod windows;

#[cfg(not(windows))]
pub use non_windows::{Host, device};
#[cfg(windows)]
pub use windows::{Host, device};

pub use commands::run;

/// The number of the form that all JSON has, in its field `schema`. A field that is added leaves it;
/// one that is removed, renamed or gets another meaning is a new number.
pub const SCHEMA: u32 = 1;
