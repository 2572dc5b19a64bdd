//! Tells the linker what kind of image a Windows driver is, and gives it the version resource.

mod version;

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
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "windows") {
        for option in OPTIONS {
            println!("cargo:rustc-cdylib-link-arg={option}");
        }
        let out = env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR");
        let resource = PathBuf::from(out).join("version.res");
        fs::write(&resource, version::resource()).expect("OUT_DIR can be written to");
        println!("cargo:rustc-cdylib-link-arg={}", resource.display());
    }
}
