//! The device on a system that has none.

use control::IoControl;

pub use crate::connections::Unnamed as Host;
use crate::device::{Answer, Device, DeviceError};

/// The driver's device. A request fails with [`DeviceError::NotWindows`].
pub const fn device() -> impl Device {
    Missing
}

/// A device that does not exist.
struct Missing;

impl Device for Missing {
    fn control(&mut self, _code: IoControl, _input: &[u8], _output: &mut [u8]) -> Answer {
        Err(DeviceError::NotWindows)
    }
}
