//! The driver's device, by DeviceIoControl.
#![expect(unsafe_code, reason = "DeviceIoControl takes raw buffers")]

mod connections;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::io::AsRawHandle;
use std::ptr;

use control::{IoControl, WIN32_NAME};
use windows_sys::Win32::System::IO::DeviceIoControl;

use crate::device::{Answer, Device, DeviceError, PerRequest};

pub use connections::Host;

/// The driver's device. A request fails with [`DeviceError::NotInstalled`] if there is none, and with
/// [`DeviceError::AccessDenied`] if the user is no administrator.
pub fn device() -> impl Device {
    PerRequest(open)
}

fn open() -> Result<Driver, DeviceError> {
    let opened = OpenOptions::new().read(true).write(true).open(WIN32_NAME);
    opened.map(Driver).map_err(|error| error_of(&error))
}

/// The device, open for reading and writing.
struct Driver(File);

impl Device for Driver {
    fn control(&mut self, code: IoControl, input: &[u8], output: &mut [u8]) -> Answer {
        let too_long = |_| DeviceError::InvalidParameter;
        let input_length = u32::try_from(input.len()).map_err(too_long)?;
        let output_length = u32::try_from(output.len()).map_err(too_long)?;
        let mut returned = 0;
        // SAFETY: the handle is the open file's. Every code is METHOD_BUFFERED, so that input is
        // only read, output only written, each within the length given with its slice; without an
        // OVERLAPPED the call has ended with both when it returns.
        let done = unsafe {
            DeviceIoControl(
                self.0.as_raw_handle(),
                code.code(),
                input.as_ptr().cast(),
                input_length,
                output.as_mut_ptr().cast(),
                output_length,
                &raw mut returned,
                ptr::null_mut(),
            )
        };
        if done == 0 {
            return Err(error_of(&io::Error::last_os_error()));
        }
        Ok(usize::try_from(returned).unwrap_or(usize::MAX))
    }
}

fn error_of(error: &io::Error) -> DeviceError {
    let code = error.raw_os_error().unwrap_or_default();
    DeviceError::from_win32(code.cast_unsigned())
}
