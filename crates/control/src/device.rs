//! The device: its names, its security descriptor, and its control codes (IOCTLs).

use crate::Invalid;

/// The device object's name, for the driver.
pub const DEVICE_NAME: &str = r"\Device\mslso";

/// The symbolic link's name, for the driver.
pub const SYMBOLIC_NAME: &str = r"\DosDevices\mslso";

/// The name by which user mode opens the device.
pub const WIN32_NAME: &str = r"\\.\mslso";

/// The device's security descriptor: full access for SYSTEM and administrators, none for others.
pub const SDDL: &str = "D:P(A;;GA;;;SY)(A;;GA;;;BA)";

/// UTF-16 of an ASCII text of `N` characters, at compile time, for text that the kernel takes as a
/// UNICODE_STRING:
///
/// ```
/// use control::{DEVICE_NAME, utf16};
/// // With the NUL that the kernel requires after it.
/// static NAME: [u16; DEVICE_NAME.len() + 1] = utf16(DEVICE_NAME);
/// # assert_eq!(NAME[..2], [0x5C, 0x44]);
/// # assert_eq!(NAME.last(), Some(&0));
/// ```
///
/// A shorter text is padded with NUL, a longer one is cut off.
pub const fn utf16<const N: usize>(ascii: &str) -> [u16; N] {
    let mut wide = [0; N];
    let mut left: &mut [u16] = &mut wide;
    let mut text = ascii.as_bytes();
    while let ([byte, more @ ..], [unit, room @ ..]) = (text, left) {
        *unit = *byte as u16;
        (text, left) = (more, room);
    }
    wide
}

/// A control code of the device.
///
/// All are METHOD_BUFFERED: the I/O manager copies request and reply through one kernel buffer, so
/// the driver never touches the caller's memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct IoControl(u32);

impl IoControl {
    /// Lists the adapters.
    pub const LIST: Self = Self::new(0x800, FILE_READ_ACCESS);
    /// Reads an adapter's settings and limits.
    pub const READ: Self = Self::new(0x801, FILE_READ_ACCESS);
    /// Reads an adapter's statistics.
    pub const STATISTICS: Self = Self::new(0x802, FILE_READ_ACCESS);
    /// Sets an adapter's tuning.
    pub const SET: Self = Self::new(0x803, FILE_WRITE_ACCESS);
    /// Resets an adapter's statistics to zero.
    pub const RESET_STATISTICS: Self = Self::new(0x804, FILE_WRITE_ACCESS);
    /// Reads the driver's version. A driver of before this code does not have it.
    pub const DRIVER_VERSION: Self = Self::new(0x805, FILE_READ_ACCESS);

    /// Reads an adapter's settings, in effect and in the registry. A driver of before this code does
    /// not have it.
    pub const READ_SETTINGS: Self = Self::new(0x806, FILE_READ_ACCESS);
    /// Writes settings of an adapter to the registry. A driver of before this code does not have it.
    pub const SET_SETTINGS: Self = Self::new(0x807, FILE_WRITE_ACCESS);

    /// Every code.
    pub const ALL: [Self; 8] = [
        Self::LIST,
        Self::READ,
        Self::STATISTICS,
        Self::SET,
        Self::RESET_STATISTICS,
        Self::DRIVER_VERSION,
        Self::READ_SETTINGS,
        Self::SET_SETTINGS,
    ];

    /// CTL_CODE of the WDK's `wdm.h`. Functions from 0x800 on are free for vendors.
    const fn new(function: u32, access: u32) -> Self {
        Self(FILE_DEVICE_NETWORK << 16 | access << 14 | function << 2 | METHOD_BUFFERED)
    }

    /// The code that DeviceIoControl takes.
    pub const fn code(self) -> u32 {
        self.0
    }

    /// Recognises a code.
    ///
    /// # Errors
    /// [`Invalid::Code`] for one that the protocol does not have.
    pub fn from_code(code: u32) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|known| known.0 == code)
            .ok_or(Invalid::Code)
    }
}

const FILE_DEVICE_NETWORK: u32 = 0x12;
const METHOD_BUFFERED: u32 = 0;
const FILE_READ_ACCESS: u32 = 1;
const FILE_WRITE_ACCESS: u32 = 2;

#[cfg(test)]
mod tests {
    use super::{IoControl, utf16};
    use crate::Invalid;

    #[test]
    fn codes_are_what_ctl_code_makes() {
        let codes = IoControl::ALL.map(IoControl::code);
        let expected = [
            0x12_6000, 0x12_6004, 0x12_6008, 0x12_A00C, 0x12_A010, 0x12_6014, 0x12_6018, 0x12_A01C,
        ];
        assert_eq!(codes, expected);
    }

    #[test]
    fn only_known_codes_are_recognized() {
        for known in IoControl::ALL {
            assert_eq!(IoControl::from_code(known.code()), Ok(known));
            assert_eq!(IoControl::from_code(known.code() | 3), Err(Invalid::Code));
        }
        assert_eq!(IoControl::from_code(0), Err(Invalid::Code));
    }

    #[test]
    fn utf16_widens() {
        assert_eq!(utf16::<3>("abc"), [0x61, 0x62, 0x63]);
        assert_eq!(utf16::<4>("abc"), [0x61, 0x62, 0x63, 0]);
        assert_eq!(utf16::<2>("abc"), [0x61, 0x62]);
    }
}
