//! The lab: where large sends come from, and who judges what became of them.
//!
//! It runs the driver's own filter code on any machine, between a model of
//! NDIS that checks every rule and a model NIC that segments. The way of a
//! large send through it:
//!
//! 1. [`capture`] reads it from a capture file with its MSS beside it, as the
//!    OOB of an NBL would carry it, or [`synth`] builds it;
//! 2. [`ingest`] says whether the packet is a large send, and brings it to the
//!    shape in which LSO hands one down;
//! 3. [`machine`] sends it through the filter and takes what the NIC was given
//!    and what left on the wire;
//! 4. [`mod@reference`] says, on its own, what the wire must then carry: the
//!    same large send cut in one stage straight to MSS. [`judge`] compares
//!    byte for byte;
//! 5. [`mod@bench`] writes both to capture files and counts, [`report`] tells.
//!
//! Around this are the jobs of the program: [`main_job`], which needs nothing,
//! [`split`], which takes a capture file, [`demo`], which shows what guests
//! are told of large sends while things change around them, [`chaos`], which
//! has everything happen at random, and on Linux `traffic`, which has live TCP
//! go through the driver. [`cli`] is their
//! command line. Each runs the [`driver`] that is asked for, the filter linked
//! natively or a finished image, and asks it through its control [`device`].
//!
//! [`mod@reference`] must never depend on the crate `lso`: an error the two shared
//! would be invisible.

pub mod bench;
pub mod capture;
pub mod chaos;
pub mod cli;
pub mod demo;
pub mod device;
pub mod driver;
pub mod failure;
pub mod ingest;
pub mod json;
pub mod judge;
pub mod machine;
pub mod main_job;
pub mod random;
pub mod reference;
pub mod report;
pub mod split;
pub mod synth;
#[cfg(target_os = "linux")]
pub mod traffic;
