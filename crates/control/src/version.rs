//! The driver's version.

use core::fmt;

use crate::{
    Invalid,
    message::{Body, Kind},
    wire::{Reader, Writer},
};

/// The request for the driver's version. It has a header only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VersionRequest;

impl Body for VersionRequest {
    const KIND: Kind = Kind::VersionRequest;
    const BODY: usize = 0;

    fn put(&self, _writer: &mut Writer<'_>) -> Result<(), Invalid> {
        Ok(())
    }

    fn get(_reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        Ok(Self)
    }
}

/// The version of the driver, or of the tool: `major.minor.patch`, as in DriverVer.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 8 | 4 | `major` |
/// | 12 | 4 | `minor` |
/// | 16 | 4 | `patch` |
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DriverVersion {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number.
    pub patch: u32,
}

/// A number of Cargo.toml's version, which Cargo has checked.
const fn number(digits: &str) -> u32 {
    match u32::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => 0,
    }
}

impl DriverVersion {
    /// The version that is being built. Driver and tool have the workspace's.
    pub const BUILT: Self = Self {
        major: number(env!("CARGO_PKG_VERSION_MAJOR")),
        minor: number(env!("CARGO_PKG_VERSION_MINOR")),
        patch: number(env!("CARGO_PKG_VERSION_PATCH")),
    };
}

impl fmt::Display for DriverVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Body for DriverVersion {
    const KIND: Kind = Kind::DriverVersion;
    const BODY: usize = 12;

    fn put(&self, writer: &mut Writer<'_>) -> Result<(), Invalid> {
        writer.u32(self.major)?;
        writer.u32(self.minor)?;
        writer.u32(self.patch)
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            major: reader.u32()?,
            minor: reader.u32()?,
            patch: reader.u32()?,
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::DriverVersion;

    #[test]
    fn it_is_the_workspaces() {
        assert_eq!(DriverVersion::BUILT.to_string(), env!("CARGO_PKG_VERSION"));
    }
}
