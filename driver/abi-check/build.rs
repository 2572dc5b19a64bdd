//! Writes one comparison with wdk-sys for each structure and constant of `ndis-sys`.

use std::{env, fmt::Write, fs, path::PathBuf};

use ndis_sys::{CONSTANTS, LAYOUTS, Layout};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_WDK").is_none() {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    let path = out.join("comparisons.rs");
    fs::write(path, structures() + &constants()).expect("OUT_DIR can be written to");
}

/// Compares size and alignment. A name that wdk-sys lacks resolves to `Unknown`.
fn structures() -> String {
    let named = || {
        let in_c = |layout: &&Layout| layout.c_names == [layout.name];
        LAYOUTS.iter().filter(in_c)
    };
    let mut code = String::from("mod structures {\nuse super::Unknown;\n");
    for layout in named() {
        line(&mut code, &format!("type {} = Unknown;", layout.name));
    }
    code += "pub const KNOWN: usize = {\nuse wdk_sys::*;\nlet mut known = 0;\n";
    for Layout {
        name, size, align, ..
    } in named()
    {
        line(
            &mut code,
            &format!(
                "if align_of::<{name}>() != align_of::<Unknown>() {{ \
                 assert!(size_of::<{name}>() == {size}, \"size of {name}\"); \
                 assert!(align_of::<{name}>() == {align}, \"alignment of {name}\"); known += 1; }}"
            ),
        );
    }
    code + "known };\n}\n"
}

/// Compares values. A name that wdk-sys lacks resolves to an `i128`, which no constant of C is.
fn constants() -> String {
    let mut code = String::from("mod constants {\n");
    for (name, _) in CONSTANTS {
        line(&mut code, &format!("const {name}: i128 = 0;"));
    }
    code += "pub const KNOWN: usize = {\nuse wdk_sys::*;\n";
    // Enumerations whose constants the driver uses; bindgen generates a module for each.
    for module in [
        "_EVENT_INFO_CLASS",
        "_MEMORY_CACHING_TYPE",
        "_MM_PAGE_PRIORITY",
        "_MODE",
        "_POOL_TYPE",
    ] {
        line(&mut code, &format!("use wdk_sys::{module}::*;"));
    }
    code += "let mut known = 0;\n";
    for (name, value) in CONSTANTS {
        line(
            &mut code,
            &format!(
                "if size_of_val(&{name}) < 16 {{ \
                 assert!({name} as i64 == {value}, \"{name}\"); known += 1; }}"
            ),
        );
    }
    code + "known };\n}\n"
}

fn line(code: &mut String, text: &str) {
    writeln!(code, "{text}").expect("a string takes all");
}
