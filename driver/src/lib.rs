//! The image `mslso.sys`: entry point, panic, import table, load configuration. All logic is in
//! the crate `filter`.
//!
//! There is something in it only for Windows; elsewhere the crate is empty, so that the workspace
//! builds as a whole. `README.md` tells how to build the image, on Linux too.
#![cfg_attr(windows, no_std)]
#![cfg_attr(
    windows,
    expect(
        unsafe_code,
        reason = "the entry point and what the loader reads have fixed names and forms"
    )
)]

#[cfg(windows)]
mod entry;
#[cfg(windows)]
mod imports;
#[cfg(windows)]
mod load_config;
#[cfg(windows)]
mod panic;
#[cfg(windows)]
mod runtime;
#[cfg(all(windows, feature = "wdk"))]
mod wdk;
