//! The names of the package's files, its version, and the processors it can be for.

/// The driver's name in the package.
pub const SYS: &str = "mslso.sys";
/// The INF's name in the package.
pub const INF: &str = "mslso.inf";
/// The catalog's name in the package.
pub const CAT: &str = "mslso.cat";
/// The tool's name in the package.
pub const CTL: &str = "mslsoctl.exe";
/// The certificate's name in the package.
pub const CERTIFICATE: &str = "mslso-test.cer";

/// The version in DriverVer.
pub const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION_MAJOR"),
    ".",
    env!("CARGO_PKG_VERSION_MINOR"),
    ".",
    env!("CARGO_PKG_VERSION_PATCH"),
    ".0"
);

/// A processor, as three tools name it.
#[derive(Clone, Copy, Debug)]
pub struct Platform {
    /// In an INF, and for stampinf.
    pub inf: &'static str,
    /// In a catalog's `OS`.
    pub systems: &'static str,
    /// For inf2cat.
    pub inf2cat: &'static str,
}

/// x64.
pub const X64: Platform = Platform {
    inf: "amd64",
    systems: "_v100_X64,Server_v100_X64",
    inf2cat: "10_X64,Server10_X64",
};

/// Arm64.
pub const ARM64: Platform = Platform {
    inf: "arm64",
    systems: "_v100_ARM64,Server_v100_ARM64",
    inf2cat: "10_ARM64,Server10_ARM64",
};
