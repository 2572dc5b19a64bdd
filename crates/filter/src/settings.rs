//! An adapter's settings, as the administrator has them in the registry.

use children::MAX_SG_ELEMENTS;
use control::{SoftwareSegmentation, Tuning, keyword, utf16};
use lso::IpIdWidth;
use ndis::{Configuration, ModuleHandle, Status};

static MULTIPLE: [u16; keyword::MULTIPLE.len() + 1] = utf16(keyword::MULTIPLE);
static PROFILE: [u16; keyword::PROFILE.len() + 1] = utf16(keyword::PROFILE);
static CAP_BYTES: [u16; keyword::CAP_BYTES.len() + 1] = utf16(keyword::CAP_BYTES);
static IP_ID_BITS: [u16; keyword::IP_ID_BITS.len() + 1] = utf16(keyword::IP_ID_BITS);
static SOFTWARE_SEGMENTATION: [u16; keyword::SOFTWARE_SEGMENTATION.len() + 1] =
    utf16(keyword::SOFTWARE_SEGMENTATION);
static MAX_SG_ELEMENTS_NAME: [u16; keyword::MAX_SG_ELEMENTS.len() + 1] =
    utf16(keyword::MAX_SG_ELEMENTS);
static MEMORY_BOUND: [u16; keyword::MEMORY_BOUND.len() + 1] = utf16(keyword::MEMORY_BOUND);

/// Smallest bound of elements that can be set: the header and three buffers, so that a window is not
/// copied for being in two buffers and ending in a third.
const MIN_SG_ELEMENTS: u32 = 4;

/// The bound on the memory of the children, in MiB: where nothing is set, and what can be set. The
/// least is enough for one large send of the largest advertised size, 1 MiB, cut in software into
/// segments of 536 bytes, which TCP may use on any path (RFC 9293, section 3.7.1).
const MEMORY_BOUND_DEFAULT: u32 = 64;
const MEMORY_BOUND_RANGE: core::ops::RangeInclusive<u32> = 4..=4096;

/// Bytes in a mebibyte.
const MIB: usize = 1 << 20;

/// The settings that a filter module started with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Settings {
    pub(crate) tuning: Tuning,
    /// The width in which the NIC counts the IPv4 identification: in 16 bits, or in 15 where it
    /// follows the LSOv2 page to the letter (Windows driver documentation, "Offloading the
    /// Segmentation of Large TCP Packets"). Children that count otherwise would overlap.
    pub(crate) ip_id: IpIdWidth,
    /// The condition for advertising large sends on a NIC that has none.
    pub(crate) software: SoftwareSegmentation,
    /// Maximum number of MDLs of a packet, for a NIC that accepts no more.
    pub(crate) max_sg_elements: u32,
    /// Bytes of non-paged pool that the children may have.
    pub(crate) memory_bound: usize,
    /// The number of tuning parameters out of range, so that their default is in effect.
    pub(crate) tuning_out_of_range: u32,
    /// The same of all others.
    pub(crate) others_out_of_range: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tuning: Tuning::default(),
            ip_id: IpIdWidth::default(),
            software: SoftwareSegmentation::default(),
            max_sg_elements: MAX_SG_ELEMENTS,
            memory_bound: bytes(MEMORY_BOUND_DEFAULT),
            tuning_out_of_range: 0,
            others_out_of_range: 0,
        }
    }
}

impl Settings {
    /// Reads the settings; a missing or out-of-range one has its default. IRQL PASSIVE_LEVEL.
    ///
    /// # Errors
    /// [`Status::RESOURCES`]: the administrator's settings are unknown, and no default replaces
    /// them.
    #[inline(never)]
    pub(crate) fn read(module: ModuleHandle) -> Result<Self, Status> {
        let configuration = match Configuration::open(module) {
            Ok(configuration) => configuration,
            Err(Status::RESOURCES) => return Err(Status::RESOURCES),
            Err(_) => return Ok(Self::default()),
        };
        let (tuning, wrong) = Tuning::from_parameters(
            configuration.integer(&MULTIPLE)?,
            configuration.integer(&PROFILE)?,
            configuration.integer(&CAP_BYTES)?,
        );
        let (ip_id, wrong_width) = match configuration.integer(&IP_ID_BITS)? {
            None | Some(16) => (IpIdWidth::Bits16, 0),
            Some(15) => (IpIdWidth::Bits15, 0),
            Some(_) => (IpIdWidth::Bits16, 1),
        };
        let (software, wrong_software) = match configuration.integer(&SOFTWARE_SEGMENTATION)? {
            None => (SoftwareSegmentation::default(), 0),
            Some(number) => SoftwareSegmentation::from_number(number)
                .map_or((SoftwareSegmentation::default(), 1), |choice| (choice, 0)),
        };
        let (max_sg_elements, wrong_elements) =
            max_sg_elements(configuration.integer(&MAX_SG_ELEMENTS_NAME)?);
        let (memory_bound, wrong_memory) = memory_bound(configuration.integer(&MEMORY_BOUND)?);
        let others_out_of_range = [wrong_width, wrong_software, wrong_elements, wrong_memory]
            .into_iter()
            .fold(0, u32::saturating_add);
        Ok(Self {
            tuning,
            ip_id,
            software,
            max_sg_elements,
            memory_bound,
            tuning_out_of_range: wrong,
            others_out_of_range,
        })
    }

    /// The number of settings out of range.
    pub(crate) fn out_of_range(&self) -> u32 {
        self.tuning_out_of_range
            .saturating_add(self.others_out_of_range)
    }
}

/// The maximum number of MDLs that the parameter selects, and 1 if it is out of range.
fn max_sg_elements(most: Option<u32>) -> (u32, u32) {
    match most {
        None | Some(0) => (MAX_SG_ELEMENTS, 0),
        Some(most) if (MIN_SG_ELEMENTS..=MAX_SG_ELEMENTS).contains(&most) => (most, 0),
        Some(_) => (MAX_SG_ELEMENTS, 1),
    }
}

/// The bound in bytes that the parameter selects, and 1 if it is out of range.
fn memory_bound(mebibytes: Option<u32>) -> (usize, u32) {
    match mebibytes {
        None => (bytes(MEMORY_BOUND_DEFAULT), 0),
        Some(bound) if MEMORY_BOUND_RANGE.contains(&bound) => (bytes(bound), 0),
        Some(_) => (bytes(MEMORY_BOUND_DEFAULT), 1),
    }
}

fn bytes(mebibytes: u32) -> usize {
    (mebibytes as usize).saturating_mul(MIB)
}

/// Writes `tuning` to the registry, so that it persists after the driver is unloaded. If one of its
/// parameters cannot be written, those already written are restored. IRQL PASSIVE_LEVEL.
///
/// # Errors
/// The status that NDIS returns.
pub(crate) fn persist(module: ModuleHandle, tuning: Tuning) -> Result<(), Status> {
    let configuration = Configuration::open(module)?;
    let new = tuning.parameters();
    // A missing parameter is equivalent to the default.
    let default = Tuning::default().parameters();
    let parameters: [(&'static [u16], u32, u32); 3] = [
        (&MULTIPLE, new.multiple, default.multiple),
        (&PROFILE, new.profile, default.profile),
        (&CAP_BYTES, new.cap_bytes, default.cap_bytes),
    ];
    let mut before = [0; 3];
    for (old, (keyword, _, default)) in before.iter_mut().zip(&parameters) {
        *old = configuration.integer(keyword)?.unwrap_or(*default);
    }
    for (written, (keyword, value, _)) in parameters.iter().enumerate() {
        if let Err(status) = configuration.set_integer(keyword, *value) {
            for ((keyword, ..), old) in parameters.iter().zip(&before).take(written) {
                // A second failure cannot be handled; the first failure is returned.
                let _ = configuration.set_integer(keyword, *old);
            }
            return Err(status);
        }
    }
    Ok(())
}
