//! An adapter's settings, as the administrator has them in the registry.

use control::{SoftwareSegmentation, Tuning, keyword, utf16};
use lso::IpIdWidth;
use ndis::{Configuration, ModuleHandle, Status};

static MULTIPLE: [u16; keyword::MULTIPLE.len()] = utf16(keyword::MULTIPLE);
static PROFILE: [u16; keyword::PROFILE.len()] = utf16(keyword::PROFILE);
static CAP_BYTES: [u16; keyword::CAP_BYTES.len()] = utf16(keyword::CAP_BYTES);
static IP_ID_BITS: [u16; keyword::IP_ID_BITS.len()] = utf16(keyword::IP_ID_BITS);
static SOFTWARE_SEGMENTATION: [u16; keyword::SOFTWARE_SEGMENTATION.len()] =
    utf16(keyword::SOFTWARE_SEGMENTATION);

/// The settings that a filter module started with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) tuning: Tuning,
    /// How the NIC counts the IPv4 identification of its segments: in 16 bits, or in 15 where it
    /// follows the LSOv2 page to the letter (Windows driver documentation, "Offloading the
    /// Segmentation of Large TCP Packets"). Children that count otherwise would overlap.
    pub(crate) ip_id: IpIdWidth,
    pub(crate) software: SoftwareSegmentation,
    /// How many parameters of the tuning were out of range, so that their default is in effect.
    pub(crate) tuning_out_of_range: u32,
    /// The same of the settings that only the registry has.
    pub(crate) others_out_of_range: u32,
}

impl Settings {
    /// Reads the settings; what is missing or out of range has its default. IRQL PASSIVE_LEVEL.
    ///
    /// # Errors
    /// [`Status::RESOURCES`]: what the administrator set is not known, and no default stands in.
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
        Ok(Self {
            tuning,
            ip_id,
            software,
            tuning_out_of_range: wrong,
            others_out_of_range: u32::saturating_add(wrong_width, wrong_software),
        })
    }

    /// How many settings were out of range.
    pub(crate) fn out_of_range(&self) -> u32 {
        self.tuning_out_of_range
            .saturating_add(self.others_out_of_range)
    }
}

/// Writes `tuning` to the registry, so that it outlasts the driver. Where one of its parameters
/// cannot be written, those that were are put back. IRQL PASSIVE_LEVEL.
///
/// # Errors
/// What NDIS answers.
pub(crate) fn persist(module: ModuleHandle, tuning: Tuning) -> Result<(), Status> {
    let configuration = Configuration::open(module)?;
    let new = tuning.parameters();
    // What is missing means the same as the default.
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
                // If this fails as well there is no more to be done; the first failure is told.
                let _ = configuration.set_integer(keyword, *old);
            }
            return Err(status);
        }
    }
    Ok(())
}
