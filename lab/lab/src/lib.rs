//! The program `mslso-lab`: its command line, its jobs and their reports.
//!
//! It runs the driver's own filter code on any machine, between a model of NDIS that checks every
//! rule and a model NIC that segments. The crates below do the work: `testpkt` builds and reads large
//! sends, `harness` sends each through the driver and judges it against `reference`, `chaos` has
//! everything happen at random, and `livelab` sends live TCP, on Linux.
//!
//! The jobs here are [`main_job`], which needs no arguments, [`split`], which reads a capture file,
//! [`demo`], which shows the sizes that are advertised to guests while things change around them, and
//! [`exercise`], which judges any filter driver. In the first two, a [`session`] sends packets through
//! one machine and writes capture files, and [`report`] prints the result. [`cli`] is the command
//! line.

pub mod cli;
pub mod demo;
pub mod error;
pub mod exercise;
pub mod main_job;
pub mod report;
pub mod session;
pub mod split;
