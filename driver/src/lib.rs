//! The image `mslso.sys`: entry point, panic, import table, load configuration. All logic is in
//! the crate `filter`.
//!
//! The crate is empty on systems other than Windows, and in profiles that unwind, such as dev and
//! release, where it cannot define a panic handler. The workspace therefore builds as a whole on
//! each system. `README.md` describes how to build the image, on Linux too.
#![cfg_attr(all(windows, panic = "abort"), no_std)]
#![cfg_attr(
    all(windows, panic = "abort"),
    expect(
        unsafe_code,
        reason = "the entry point and what the loader reads have fixed names and forms"
    )
)]

#[cfg(all(windows, panic = "abort", feature = "checked"))]
mod checked;
#[cfg(all(windows, panic = "abort"))]
mod entry;
#[cfg(all(windows, panic = "abort"))]
mod imports;
#[cfg(all(windows, panic = "abort"))]
mod load_config;
#[cfg(all(windows, panic = "abort"))]
mod panic;
// wdk-sys, which the checked build links, has these symbols.
#[cfg(all(windows, panic = "abort", not(feature = "checked")))]
mod runtime;
