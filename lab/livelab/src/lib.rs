//! Live TCP through the driver, between network namespaces of Linux.
//!
//! The module `linux` is all of it. On other systems the crate has the command line, and [`run`]
//! returns [`Error::NotLinux`].

pub mod args;
mod error;
#[cfg(target_os = "linux")]
mod linux;

pub use error::Error;
#[cfg(target_os = "linux")]
pub use linux::run;

#[cfg(not(target_os = "linux"))]
/// Does nothing: there is no live traffic on this system.
pub fn run(_: &args::Command, _: &harness::driver::Build) -> Result<bool, Error> {
    Err(Error::NotLinux)
}
