//! An adapter's settings, as the administrator has them in the registry.

use lso::IpIdWidth;
use ndis::{Configuration, ModuleHandle};

use crate::driver::utf16;

/// Bits in which the NIC counts the IPv4 identification of its segments: 16, or 15 for a NIC that
/// follows the LSOv2 page to the letter (Windows driver documentation, "Offloading the
/// Segmentation of Large TCP Packets"). Children that count otherwise than the NIC would overlap.
static IP_ID_BITS: [u16; 8] = utf16(b"IpIdBits");

/// The settings of one filter module.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) ip_id: IpIdWidth,
}

impl Settings {
    /// Reads the settings; what is missing or out of range has its default. IRQL PASSIVE_LEVEL.
    pub(crate) fn read(module: ModuleHandle) -> Self {
        let Ok(configuration) = Configuration::open(module) else {
            return Self::default();
        };
        Self {
            ip_id: match configuration.integer(&IP_ID_BITS) {
                Some(15) => IpIdWidth::Bits15,
                _ => IpIdWidth::default(),
            },
        }
    }
}
