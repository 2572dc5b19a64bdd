//! Tells the linker what kind of image a Windows driver is, gives it the version resource, and,
//! where the Windows Driver Kit is used, has its compiler judge the structures of `ndis::sys`.
#![expect(
    clippy::print_stdout,
    reason = "Cargo reads what a build script prints"
)]

#[cfg(windows)]
mod assertions;
mod version;
#[cfg(windows)]
mod wdk;

/// `ndis::sys` for its tables alone. The crate itself cannot be a dependency of a build script:
/// its routines exist only in the kernel and in the model.
#[cfg(windows)]
#[path = "../../crates/ndis/src/sys/mod.rs"]
#[expect(
    dead_code,
    unsafe_code,
    unused_imports,
    reason = "of all that the ABI has, only its tables matter here"
)]
mod sys;

use std::{env, fs, path::PathBuf};

/// Options of the image, the same for Microsoft's linker and LLVM's.
const OPTIONS: [&str; 10] = [
    "/DRIVER",
    "/SUBSYSTEM:NATIVE,10.0",
    "/ENTRY:DriverEntry",
    "/NODEFAULTLIB",
    "/NXCOMPAT",
    "/DYNAMICBASE",
    "/INTEGRITYCHECK",
    // A checksum, which the loader verifies.
    "/RELEASE",
    // No time stamps: the same source in the same place makes the same bytes.
    "/Brepro",
    "/INCLUDE:_load_config_used",
];

fn main() {
    println!("cargo:rerun-if-changed=build");
    if !env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "windows") {
        return;
    }
    if env::var_os("CARGO_FEATURE_WDK").is_some() {
        with_wdk();
    }
    for option in OPTIONS {
        println!("cargo:rustc-cdylib-link-arg={option}");
    }
    let out = env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR");
    let resource = PathBuf::from(out).join("version.res");
    fs::write(&resource, version::resource()).expect("OUT_DIR can be written to");
    println!("cargo:rustc-cdylib-link-arg={}", resource.display());
}

#[cfg(windows)]
fn with_wdk() {
    wdk::configure();
}

#[cfg(not(windows))]
fn with_wdk() {
    panic!("feature wdk needs Windows with the Windows Driver Kit; leave it out elsewhere");
}
