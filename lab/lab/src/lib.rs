//! The lab: makes large sends, runs them through the filter, and judges the result.
//!
//! It runs the driver's own filter code on any machine, between a model of
//! NDIS that checks every rule and a model NIC that segments. The path of a
//! large send through it:
//!
//! 1. [`capture`] reads it from a capture file with its MSS beside it, as the
//!    OOB of an NBL would carry it, or [`synth`] builds it;
//! 2. [`ingest`] decides whether the packet is a large send, and brings it to the
//!    shape that NDIS requires of one;
//! 3. [`machine`] sends it through the filter and collects the children that the NIC got
//!    and the packets on the wire;
//! 4. [`mod@reference`] computes independently the packets that the wire must carry: the
//!    same large send segmented in one stage straight to MSS. [`judge`] compares
//!    byte for byte;
//! 5. [`mod@bench`] writes both to capture files and counts, [`report`] prints the result.
//!
//! Around this are the jobs of the program: [`main_job`], which needs no arguments, [`split`],
//! which reads a capture file, [`demo`], which shows the sizes that are advertised to guests while
//! things change around them, [`chaos`], which runs random steps, [`exercise`], which judges any
//! filter driver, and on Linux `traffic`, which sends live TCP through the driver. [`cli`] is their command line. Each runs the chosen
//! [`driver`], the filter linked natively or a finished image, and queries it through its control
//! [`device`].
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
pub mod exercise;
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
