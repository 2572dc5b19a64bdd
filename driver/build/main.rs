//! Sets the linker options of a Windows driver image, adds the resources, and, where the
//! Windows Driver Kit is used, has its compiler check the structures of `ndis-sys`.
#![expect(
    clippy::print_stdout,
    reason = "Cargo reads what a build script prints"
)]

#[cfg(windows)]
mod assertions;
mod messages;
mod resources;
#[cfg(windows)]
mod wdk;

use std::{
    env, fs,
    path::{Component, Path, PathBuf},
};

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
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    let is_image = is_profile_of_image(&out);
    if env::var_os("CARGO_FEATURE_WDK").is_some() {
        with_wdk(is_image);
    }
    if !is_image {
        return;
    }
    for option in OPTIONS {
        println!("cargo:rustc-cdylib-link-arg={option}");
    }
    let resource = out.join("mslso.res");
    fs::write(&resource, resources::file()).expect("OUT_DIR can be written to");
    println!("cargo:rustc-cdylib-link-arg={}", resource.display());
}

/// Whether the profile is one that aborts on a panic. In the others the crate is empty, and options
/// of a driver would break the link. Cargo passes a build script the panic strategy of the target,
/// not that of the profile, so the profile is determined by its folder.
fn is_profile_of_image(out: &Path) -> bool {
    let mut folders = out.components().rev().map(Component::as_os_str);
    folders.any(|name| name == "build")
        && folders
            .next()
            .is_some_and(|profile| profile == "sys" || profile == "checked")
}

#[cfg(windows)]
fn with_wdk(is_image: bool) {
    wdk::configure(is_image);
}

#[cfg(not(windows))]
fn with_wdk(_: bool) {
    panic!("feature wdk needs Windows with the Windows Driver Kit; leave it out elsewhere");
}
