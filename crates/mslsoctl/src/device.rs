//! The device as the tool sees it: messages in, messages out, and why not.

use control::IoControl;

/// The bytes of a reply, or the reason why the driver did not answer, or its error status.
pub type Answer = Result<usize, DeviceError>;

/// A device that answers the driver's control codes.
pub trait Device {
    /// Sends a request. The reply's bytes are then at the front of `output`.
    fn control(&mut self, code: IoControl, input: &[u8], output: &mut [u8]) -> Answer;
}

/// A device that is opened for each request and closed after it: Windows unloads the driver only
/// once every handle to its device is closed, and a program that samples for hours must not prevent
/// that. The field opens the device.
pub struct PerRequest<Open>(pub Open);

impl<D: Device, Open: FnMut() -> Result<D, DeviceError>> Device for PerRequest<Open> {
    fn control(&mut self, code: IoControl, input: &[u8], output: &mut [u8]) -> Answer {
        (self.0)()?.control(code, input, output)
    }
}

/// The reason why the device cannot be opened or a request to it failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what it is")]
pub enum DeviceError {
    #[error("the driver's device exists on Windows only; run mslsoctl on the Windows host")]
    NotWindows,
    #[error(
        "the driver is not installed or not loaded; install it with \
         `netcfg -v -l mslso.inf -c s -i mslso_lwf`, or start it with `sc.exe start mslso`"
    )]
    NotInstalled,
    #[error("access denied; run mslsoctl from an elevated prompt (Run as administrator)")]
    AccessDenied,
    #[error("the adapter is gone; `mslsoctl list` shows those that are attached")]
    NoSuchAdapter,
    #[error("the driver reports a value out of range; see `mslsoctl set --help` for the ranges")]
    InvalidParameter,
    #[error(
        "the driver has another version of the protocol; use the mslsoctl that came with the driver"
    )]
    Version,
    #[error("the driver does not support this command; use the mslsoctl that came with the driver")]
    UnknownCode,
    #[error(
        "the driver's answer is longer than expected; use the mslsoctl that came with the driver"
    )]
    BufferTooSmall,
    #[error("the driver had no memory for the answer; try again")]
    NoMemory,
    #[error("the driver failed with Windows error {0} ({0:#x})")]
    Other(u32),
}

impl DeviceError {
    /// The meaning of an error code of Windows, which `winerror.h` has.
    pub const fn from_win32(code: u32) -> Self {
        match code {
            1 | 50 => Self::UnknownCode, // ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED
            2 | 3 => Self::NotInstalled, // ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND
            5 => Self::AccessDenied,     // ERROR_ACCESS_DENIED
            8 | 14 | 1450 => Self::NoMemory, // …MEMORY, ERROR_NO_SYSTEM_RESOURCES
            24 | 87 | 1784 => Self::InvalidParameter, // ERROR_BAD_LENGTH, …PARAMETER, …USER_BUFFER
            122 | 234 => Self::BufferTooSmall, // ERROR_INSUFFICIENT_BUFFER, ERROR_MORE_DATA
            1168 => Self::NoSuchAdapter, // ERROR_NOT_FOUND
            1306 => Self::Version,       // ERROR_REVISION_MISMATCH
            other => Self::Other(other),
        }
    }

    /// The meaning of the NTSTATUS with which the driver completes a control code, as Windows would
    /// pass it on: for a device that is reached without Windows.
    pub const fn from_status(status: i32) -> Self {
        match status.cast_unsigned() {
            0xC000_0010 | 0xC000_00BB => Self::UnknownCode, // INVALID_DEVICE_REQUEST, NOT_SUPPORTED
            0xC000_0022 => Self::AccessDenied,
            0xC000_0034 => Self::NotInstalled, // OBJECT_NAME_NOT_FOUND
            0xC000_0017 | 0xC000_009A => Self::NoMemory, // NO_MEMORY, INSUFFICIENT_RESOURCES
            // INFO_LENGTH_MISMATCH, INVALID_PARAMETER, INVALID_BUFFER_SIZE
            0xC000_0004 | 0xC000_000D | 0xC000_0206 => Self::InvalidParameter,
            0x8000_0005 | 0xC000_0023 => Self::BufferTooSmall, // BUFFER_OVERFLOW, BUFFER_TOO_SMALL
            0xC000_0225 => Self::NoSuchAdapter,                // NOT_FOUND
            0xC000_0059 => Self::Version,                      // REVISION_MISMATCH
            other => Self::Other(other),
        }
    }

    /// A short identifier in kebab case, for JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotWindows => "not-windows",
            Self::NotInstalled => "driver-not-installed",
            Self::AccessDenied => "access-denied",
            Self::NoSuchAdapter => "no-such-adapter",
            Self::InvalidParameter => "out-of-range",
            Self::Version => "version-mismatch",
            Self::UnknownCode => "unknown-code",
            Self::BufferTooSmall => "buffer-too-small",
            Self::NoMemory => "no-memory",
            Self::Other(_) => "driver-error",
        }
    }
}
