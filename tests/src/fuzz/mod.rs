//! The bodies of the fuzz targets in the folder `fuzz`, and the properties that must hold for any
//! input.
//!
//! It is here so that the tests can run it as well, on the seeds and on earlier findings.

mod bytes;
pub mod capture;
pub mod inf;
pub mod pe;
pub mod plan;
pub mod script;
pub mod sends;
