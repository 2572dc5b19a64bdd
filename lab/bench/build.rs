//! Passes the compiler's version to the program, and builds what it has in C: the floor, and the
//! parts that peers need.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let compiler = env::var_os("RUSTC").expect("cargo sets RUSTC");
    let version = Command::new(compiler)
        .arg("--version")
        .output()
        .expect("the compiler runs");
    let version = String::from_utf8(version.stdout).expect("UTF-8");
    println!("cargo::rustc-env=MSLSO_RUSTC={}", version.trim());
    floor();
    #[cfg(feature = "dpdk")]
    dpdk();
}

/// The floor. The C compiler is the one that links Rust programs.
fn floor() {
    println!("cargo::rerun-if-changed=src/floor");
    cc::Build::new()
        .files(["src/floor/floor.c", "src/floor/split.c"])
        .std("gnu11")
        // As a driver is built: for speed, whatever the profile.
        .opt_level(2)
        .compile("mslso_floor");
}

/// The shim, and of DPDK's many libraries those that it needs.
#[cfg(feature = "dpdk")]
fn dpdk() {
    const SHIM: &str = "src/peers/dpdk.c";
    println!("cargo::rerun-if-changed={SHIM}");
    let dpdk = pkg_config::Config::new()
        .cargo_metadata(false)
        .probe("libdpdk")
        .expect("DPDK is not installed: apt-get install libdpdk-dev");
    cc::Build::new()
        .file(SHIM)
        .includes(dpdk.include_paths)
        .flag("-include")
        .flag("rte_config.h")
        .flag("-march=corei7")
        // A checksum over a chain of buffers is new in it.
        .define("ALLOW_EXPERIMENTAL_API", None)
        // By its own headers.
        .flag("-Wno-unused-parameter")
        .opt_level(3)
        .compile("mslso_dpdk");
    for library in ["gso", "net", "mbuf", "mempool", "ring", "eal"] {
        println!("cargo::rustc-link-lib=dylib=rte_{library}");
    }
}
