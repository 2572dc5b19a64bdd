//! What the driver tells NDIS about itself.

use ndis::{Status, driver, sys};

/// The oldest NDIS that the driver runs on: 6.83 is that of Windows 10 2004, the first with
/// ExAllocatePool2. Server 2022 has 6.85.
pub const OLDEST_NDIS: u32 = 6 << 16 | 83;

/// The newest NDIS whose contract the driver was written for.
const NEWEST_NDIS: u32 = 6 << 16 | 85;

/// UTF-16 of an ASCII text, at compile time.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated by the compiler, where a panic is a failed build"
)]
pub(crate) const fn utf16<const N: usize>(text: &[u8; N]) -> [u16; N] {
    let mut wide = [0; N];
    let mut index = 0;
    while index < N {
        wide[index] = text[index] as u16;
        index += 1;
    }
    wide
}

static FRIENDLY_NAME: [u16; 37] = utf16(b"Multi-Stage Large Send Offload Filter");
/// The INF's NetCfgInstanceId.
static UNIQUE_NAME: [u16; 38] = utf16(b"{8f3a1c52-6d7e-4b09-9a41-2f5c7be0d613}");
static SERVICE_NAME: [u16; 5] = utf16(b"mslso");

/// The NDIS minor version to declare: the machine's, or the newest that the driver knows.
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

/// The driver's characteristics without its handlers. The data path from the NIC upward, cancelled
/// sends and direct OIDs have none: NDIS then bypasses the filter for them.
pub(crate) fn characteristics(minor: u8) -> sys::NDIS_FILTER_DRIVER_CHARACTERISTICS {
    let mut characteristics = driver::no_characteristics();
    characteristics.Header = driver::header(
        sys::NDIS_OBJECT_TYPE_FILTER_DRIVER_CHARACTERISTICS,
        sys::NDIS_FILTER_CHARACTERISTICS_REVISION_3,
        sys::NDIS_SIZEOF_FILTER_DRIVER_CHARACTERISTICS_REVISION_3,
    );
    characteristics.MajorNdisVersion = 6;
    characteristics.MinorNdisVersion = minor;
    characteristics.FriendlyName = driver::unicode_string(&FRIENDLY_NAME);
    characteristics.UniqueName = driver::unicode_string(&UNIQUE_NAME);
    characteristics.ServiceName = driver::unicode_string(&SERVICE_NAME);
    characteristics
}
