//! A machine for tests: a build of the driver, the model of NDIS around it, and the verdict.
//!
//! The path of a large send through it:
//!
//! 1. [`ingest`] decides whether a packet, captured or built, is a large send, and brings it to the
//!    form that NDIS requires of one;
//! 2. [`machine`] sends it through the filter of the chosen [`driver`], linked natively or a finished
//!    image, and collects the children that the NIC got and the packets on the wire;
//! 3. the crate `reference` computes independently the packets that the wire must carry, and
//!    [`judge`] compares byte for byte.
//!
//! A [`worker`] is a process in which a driver may do anything. [`device`] queries the driver through its control device. [`random`] numbers are the same run
//! after run. [`text`], [`chart`], [`json`], [`output`] and [`size`] are what the programs over this share of
//! reading sizes and printing results.

pub mod chart;
pub mod device;
pub mod driver;
mod error;
pub mod ingest;
pub mod json;
pub mod judge;
pub mod machine;
pub mod output;
pub mod random;
pub mod size;
pub mod text;
pub mod worker;

pub use error::Error;
