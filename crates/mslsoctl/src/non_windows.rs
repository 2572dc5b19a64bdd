//! The device on a system that has none.

use control::IoControl;

pub use crate::connections::Unnamed as Host;
use crate::device::{Device, DeviceError};

/// Opens the driver's device.
///
/// # Errors
/// Always [`DeviceError::NotWindows`].
pub fn open() -> Result<impl Device, DeviceError> {
    Err::<Never, _>(DeviceError::NotWindows)
}

/// A device that cannot be had.
enum Never {}

impl Device for Never {
    fn control(
        &mut self,
        _code: IoControl,
        _input: &[u8],
        _output: &mut [u8],
    ) -> Result<usize, DeviceError> {
        match *self {}
    }
}
