//! Packets for tests: large sends built to order, and capture files.
//!
//! [`synth`] is the one packet builder of everything that proves the driver; [`capture`] reads large
//! sends from capture files, and writes the children that the NIC got and the packets on the wire.
//! The MSS, which no frame contains, stands beside it in both.

pub mod capture;
pub mod synth;
