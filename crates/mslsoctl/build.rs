//! Adds the version resource, which Explorer and `Get-Item` show, to a program for Windows.

use std::env;

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |part: &str| env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    // Elsewhere there is a resource compiler for the GNU tools only; for the others, code is checked
    // but no program is linked.
    let has_compiler = cfg!(windows) || target("ENV") == "gnu";
    if target("OS") != "windows" || !has_compiler {
        return Ok(());
    }
    let package = |name: &str| env::var(format!("CARGO_PKG_{name}")).unwrap_or_default();
    winresource::WindowsResource::new()
        .set("CompanyName", "The mslso authors")
        .set(
            "LegalCopyright",
            &format!("Licence: {}", package("LICENSE")),
        )
        .set("FileDescription", &package("DESCRIPTION"))
        .set("InternalName", "mslsoctl.exe")
        .set("OriginalFilename", "mslsoctl.exe")
        .set("ProductName", "mslso")
        .compile_for("mslsoctl")
}
