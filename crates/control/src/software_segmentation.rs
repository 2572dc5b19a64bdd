//! Whether large sends are offered where the NIC has none.

use crate::Invalid;

/// Whether TCP large sends are advertised to the overlying driver on a NIC that has none, for the
/// filter to cut them into packets. One of them then crosses the virtual switch instead of many
/// packets.
///
/// A large send that arrives although the NIC does not support it is cut in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u32)]
pub enum SoftwareSegmentation {
    /// Only offloads that the NIC has are advertised.
    Never = 0,
    /// On a NIC that computes TCP checksums, so that the payload need not be read, if its hardware is
    /// known to have no large sends, as opposed to having them turned off.
    #[default]
    WithChecksums = 1,
    /// On any NIC, unless its large sends are known to be turned off.
    Always = 2,
}

impl SoftwareSegmentation {
    /// Every choice, at the place of its number.
    pub const ALL: [Self; 3] = [Self::Never, Self::WithChecksums, Self::Always];

    /// The number in messages and in the registry.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The choice of that number.
    ///
    /// # Errors
    /// [`Invalid::SoftwareSegmentation`] where there is none.
    pub fn from_number(number: u32) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|choice| choice.number() == number)
            .ok_or(Invalid::SoftwareSegmentation)
    }

    /// Its name in kebab case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::WithChecksums => "with-checksums",
            Self::Always => "always",
        }
    }
}
