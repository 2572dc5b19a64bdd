//! An adapter's settings, as the administrator has them in the registry.

use children::{Chains, MAX_SG_ELEMENTS};
use control::{SoftwareSegmentation, Tuning, keyword, utf16};
use lso::IpIdWidth;
use ndis::{Configuration, ModuleHandle, Status};

static MULTIPLE: [u16; keyword::MULTIPLE.len() + 1] = utf16(keyword::MULTIPLE);
static PROFILE: [u16; keyword::PROFILE.len() + 1] = utf16(keyword::PROFILE);
static CAP_BYTES: [u16; keyword::CAP_BYTES.len() + 1] = utf16(keyword::CAP_BYTES);
static IP_ID_BITS: [u16; keyword::IP_ID_BITS.len() + 1] = utf16(keyword::IP_ID_BITS);
static SOFTWARE_SEGMENTATION: [u16; keyword::SOFTWARE_SEGMENTATION.len() + 1] =
    utf16(keyword::SOFTWARE_SEGMENTATION);
static ENDED_CHAINS: [u16; keyword::ENDED_CHAINS.len() + 1] = utf16(keyword::ENDED_CHAINS);
static MAX_ELEMENTS: [u16; keyword::MAX_ELEMENTS.len() + 1] = utf16(keyword::MAX_ELEMENTS);

/// Smallest bound of elements that can be set: the header and three buffers, so that a window is not
/// copied for being in two buffers and ending in a third.
const MIN_SG_ELEMENTS: u32 = 4;

/// The settings that a filter module started with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) tuning: Tuning,
    /// The width in which the NIC counts the IPv4 identification: in 16 bits, or in 15 where it
    /// follows the LSOv2 page to the letter (Windows driver documentation, "Offloading the
    /// Segmentation of Large TCP Packets"). Children that count otherwise would overlap.
    pub(crate) ip_id: IpIdWidth,
    /// The condition for advertising large sends on a NIC that has none.
    pub(crate) software: SoftwareSegmentation,
    /// The end of the children's MDL chains: trimmed to the packet for drivers that walk chains to
    /// their end, and to a number of elements for a NIC that accepts no more.
    pub(crate) chains: Chains,
    /// The number of tuning parameters out of range, so that their default is in effect.
    pub(crate) tuning_out_of_range: u32,
    /// The same of all others.
    pub(crate) others_out_of_range: u32,
}

impl Settings {
    /// Reads the settings; a missing or out-of-range one has its default. IRQL PASSIVE_LEVEL.
    ///
    /// # Errors
    /// [`Status::RESOURCES`]: the administrator's settings are unknown, and no default replaces
    /// them.
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
        let (chains, wrong_chains) = chains(
            configuration.integer(&ENDED_CHAINS)?,
            configuration.integer(&MAX_ELEMENTS)?,
        );
        Ok(Self {
            tuning,
            ip_id,
            software,
            chains,
            tuning_out_of_range: wrong,
            others_out_of_range: wrong_chains
                .saturating_add(wrong_width)
                .saturating_add(wrong_software),
        })
    }

    /// The number of settings out of range.
    pub(crate) fn out_of_range(&self) -> u32 {
        self.tuning_out_of_range
            .saturating_add(self.others_out_of_range)
    }
}

/// The chains that the two parameters select, and how many of these are out of range. A bound trims
/// chains regardless of the other parameter, because only a trimmed chain can be bounded.
fn chains(ended: Option<u32>, most: Option<u32>) -> (Chains, u32) {
    let (ended, wrong_ended) = match ended {
        None | Some(0) => (false, 0),
        Some(1) => (true, 0),
        Some(_) => (false, 1),
    };
    let (max_sg_elements, wrong_most): (_, u32) = match most {
        None | Some(0) => (None, 0),
        Some(most) if (MIN_SG_ELEMENTS..=MAX_SG_ELEMENTS).contains(&most) => (Some(most), 0),
        Some(_) => (None, 1),
    };
    let chains = if ended || max_sg_elements.is_some() {
        Chains::Trimmed { max_sg_elements }
    } else {
        Chains::Shared
    };
    (chains, wrong_most.saturating_add(wrong_ended))
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
