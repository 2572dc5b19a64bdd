//! The characteristics that the driver registers with NDIS.

use control::{DEVICE_NAME, SDDL, SYMBOLIC_NAME, utf16};
use ndis::{DeviceNames, Status, driver, sys};

/// The oldest NDIS that the driver runs on: 6.84 is that of Windows 10 2004, the first with
/// ExAllocatePool2. Server 2022 has 6.85.
pub const OLDEST_NDIS: u32 = 6 << 16 | 84;

/// The newest NDIS whose contract the driver was written for. From 6.89 on NDIS turns a NIC's UDP
/// receive coalescing off unless a filter declares support for it (Windows driver documentation,
/// "UDP Receive Segment Coalescing Offload (URO)"). This driver is not on the receive path.
const NEWEST_NDIS: u32 = 6 << 16 | 89;

static FRIENDLY_NAME: [u16; 38] = utf16("Multi-Stage Large Send Offload Filter");
/// The INF's NetCfgInstanceId.
static UNIQUE_NAME: [u16; 39] = utf16("{8f3a1c52-6d7e-4b09-9a41-2f5c7be0d613}");
static SERVICE_NAME: [u16; 6] = utf16("mslso");

static DEVICE: [u16; DEVICE_NAME.len() + 1] = utf16(DEVICE_NAME);
static SYMBOLIC: [u16; SYMBOLIC_NAME.len() + 1] = utf16(SYMBOLIC_NAME);
static PROTECTION: [u16; SDDL.len() + 1] = utf16(SDDL);

/// Names and protection of the control device.
pub(crate) static DEVICE_NAMES: DeviceNames = DeviceNames {
    device: &DEVICE,
    symbolic: &SYMBOLIC,
    sddl: &PROTECTION,
};

/// The NDIS minor version to declare: the machine's, or the newest that the driver supports.
///
/// # Errors
/// [`Status::BAD_VERSION`] where the machine's NDIS is older than [`OLDEST_NDIS`].
pub(crate) fn minor_version() -> Result<u8, Status> {
    let version = driver::ndis_version();
    if version < OLDEST_NDIS {
        return Err(Status::BAD_VERSION);
    }
    let minor = version.min(NEWEST_NDIS) & 0xFF;
    u8::try_from(minor).map_err(|_| Status::BAD_VERSION)
}

/// The driver's characteristics without its handlers. The data path from the NIC upward, canceled
/// sends, and direct and synchronous OIDs have none: NDIS then bypasses the filter for them.
pub(crate) fn characteristics(minor: u8) -> sys::NDIS_FILTER_DRIVER_CHARACTERISTICS {
    let mut characteristics = driver::no_characteristics();
    characteristics.Header = driver::header(
        sys::NDIS_OBJECT_TYPE_FILTER_DRIVER_CHARACTERISTICS,
        sys::NDIS_FILTER_CHARACTERISTICS_REVISION_3,
        sys::NDIS_SIZEOF_FILTER_DRIVER_CHARACTERISTICS_REVISION_3,
    );
    characteristics.MajorNdisVersion = 6;
    characteristics.MinorNdisVersion = minor;
    // See `status`.
    characteristics.Flags = sys::NDIS_FILTER_DRIVER_SUPPORTS_L2_MTU_SIZE_CHANGE;
    characteristics.FriendlyName = driver::unicode_string(&FRIENDLY_NAME);
    characteristics.UniqueName = driver::unicode_string(&UNIQUE_NAME);
    characteristics.ServiceName = driver::unicode_string(&SERVICE_NAME);
    characteristics
}
