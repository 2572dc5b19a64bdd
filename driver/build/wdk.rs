//! The part of the build that needs the Windows Driver Kit.

use std::{env, fs, path::PathBuf};

use wdk_build::Config;

use crate::assertions;

/// Lets wdk-build configure the link of an image, and the WDK's compiler check `ndis-sys` against
/// `ndis.h`.
pub fn configure(is_image: bool) {
    let config = Config::from_env_auto().expect(
        "the Windows Driver Kit; install it and run this from its build environment \
         (\"Building Rust drivers\" in the Windows driver documentation)",
    );
    if is_image {
        config
            .configure_binary_build()
            .expect("a link that the WDK configures; crt-static must be on, which .cargo/config.toml sees to \
                 unless the environment variable RUSTFLAGS is set");
    }
    compare(&config);
}

fn compare(config: &Config) {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    let file = out.join("ndis_layouts.c");
    fs::write(&file, assertions::source()).expect("OUT_DIR can be written to");
    let mut build = cc::Build::new();
    // The object is not linked: it only has to compile. No `/std` option: see assertions.rs.
    build
        .file(file)
        .cargo_metadata(false)
        .define("NDIS_WDM", "1")
        .define("NDIS685", "1");
    for folder in config.include_paths().expect("the WDK's include folders") {
        build.include(folder);
    }
    for (name, value) in config.preprocessor_definitions() {
        build.define(&name, value.as_deref());
    }
    build
        .try_compile_intermediates()
        .expect("ndis-sys differs from the installed ndis.h where the compiler says so above");
}
