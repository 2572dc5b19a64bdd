//! An adapter's settings, as the administrator has them in the registry.

use children::MAX_SG_ELEMENTS;
use control::{AttachSettings, MaxSgElements, SettingsChange, Tuning, keyword, utf16};
use lso::IpIdWidth;
use ndis::{Configuration, ModuleHandle, Status};

const _: () = assert!(MaxSgElements::MAX == MAX_SG_ELEMENTS);

static MULTIPLE: [u16; keyword::MULTIPLE.len() + 1] = utf16(keyword::MULTIPLE);
static PROFILE: [u16; keyword::PROFILE.len() + 1] = utf16(keyword::PROFILE);
static CAP_BYTES: [u16; keyword::CAP_BYTES.len() + 1] = utf16(keyword::CAP_BYTES);
static IP_ID_BITS: [u16; keyword::IP_ID_BITS.len() + 1] = utf16(keyword::IP_ID_BITS);
static SOFTWARE_SEGMENTATION: [u16; keyword::SOFTWARE_SEGMENTATION.len() + 1] =
    utf16(keyword::SOFTWARE_SEGMENTATION);
static MAX_SG_ELEMENTS_NAME: [u16; keyword::MAX_SG_ELEMENTS.len() + 1] =
    utf16(keyword::MAX_SG_ELEMENTS);
static MEMORY_BOUND: [u16; keyword::MEMORY_BOUND.len() + 1] = utf16(keyword::MEMORY_BOUND);

/// Names of the parameters, in the order of [`Parameters`]: three of the tuning, four of
/// [`AttachSettings`].
static KEYWORDS: [&[u16]; 7] = [
    &MULTIPLE,
    &PROFILE,
    &CAP_BYTES,
    &IP_ID_BITS,
    &SOFTWARE_SEGMENTATION,
    &MAX_SG_ELEMENTS_NAME,
    &MEMORY_BOUND,
];

/// A value for each parameter; `None` for one that is missing, or not to be written.
type Parameters = [Option<u32>; 7];

/// The settings in the registry: those that a filter module has started with, or will.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) tuning: Tuning,
    /// The settings that stay as they are until the module is detached.
    pub(crate) attach: AttachSettings,
    /// The number of parameters out of range, so that their default is in effect.
    pub(crate) out_of_range: u32,
}

impl Settings {
    /// Reads the settings; a missing or out-of-range one has its default. IRQL PASSIVE_LEVEL.
    ///
    /// # Errors
    /// [`Status::RESOURCES`]: the administrator's settings are unknown, and no default replaces
    /// them.
    #[inline(never)]
    pub(crate) fn read(module: ModuleHandle) -> Result<Self, Status> {
        match Configuration::open(module) {
            Ok(configuration) => Ok(Self::from(read_parameters(&configuration)?)),
            Err(Status::RESOURCES) => Err(Status::RESOURCES),
            Err(_) => Ok(Self::default()),
        }
    }

    /// The width in which the NIC counts the IPv4 identification: in 16 bits, or in 15 where it
    /// follows the LSOv2 page to the letter (Windows driver documentation, "Offloading the
    /// Segmentation of Large TCP Packets"). Children that count otherwise would overlap.
    pub(crate) fn ip_id(&self) -> IpIdWidth {
        match self.attach.ip_id_bits.get() {
            15 => IpIdWidth::Bits15,
            _ => IpIdWidth::Bits16,
        }
    }

    /// Bytes of non-paged pool that the children may have.
    pub(crate) fn memory_bound(&self) -> usize {
        usize::try_from(self.attach.memory_bound.bytes()).unwrap_or(usize::MAX)
    }
}

impl From<Parameters> for Settings {
    fn from(parameters: Parameters) -> Self {
        let [multiple, profile, cap, ip_id, software, elements, memory] = parameters;
        let (tuning, wrong) = Tuning::from_parameters(multiple, profile, cap);
        let (attach, also_wrong) =
            AttachSettings::from_parameters(ip_id, software, elements, memory);
        Self {
            tuning,
            attach,
            out_of_range: wrong.saturating_add(also_wrong),
        }
    }
}

fn read_parameters(configuration: &Configuration) -> Result<Parameters, Status> {
    let mut parameters = [None; 7];
    for (value, keyword) in parameters.iter_mut().zip(KEYWORDS) {
        *value = configuration.integer(keyword)?;
    }
    Ok(parameters)
}

/// Writes `tuning` to the registry, so that it persists after the driver is unloaded, and returns
/// the settings that the next attach will read. IRQL PASSIVE_LEVEL.
///
/// # Errors
/// The status that NDIS returns; nothing is changed then.
pub(crate) fn persist_tuning(module: ModuleHandle, tuning: Tuning) -> Result<Settings, Status> {
    let new = tuning.parameters();
    let [multiple, profile, cap] = [new.multiple, new.profile, new.cap_bytes].map(Some);
    write(module, [multiple, profile, cap, None, None, None, None])
}

/// The same for the settings that `change` names.
///
/// # Errors
/// The status that NDIS returns; nothing is changed then.
pub(crate) fn persist_settings(
    module: ModuleHandle,
    change: SettingsChange,
) -> Result<Settings, Status> {
    let [ip_id, software, elements, memory] = change.parameters();
    write(
        module,
        [None, None, None, ip_id, software, elements, memory],
    )
}

/// Writes these parameters. If one of them cannot be written, those already written are restored.
fn write(module: ModuleHandle, new: Parameters) -> Result<Settings, Status> {
    let configuration = Configuration::open(module)?;
    let before = read_parameters(&configuration)?;
    let mut after = before;
    for (written, keyword) in KEYWORDS.into_iter().enumerate() {
        let Some(value) = new.get(written).copied().flatten() else {
            continue;
        };
        if let Err(status) = configuration.set_integer(keyword, value) {
            restore(&configuration, &before, &new, written);
            return Err(status);
        }
        if let Some(place) = after.get_mut(written) {
            *place = Some(value);
        }
    }
    Ok(after.into())
}

/// Restores the first `written` parameters of those in `new`. A parameter that was missing gets the
/// default, which is equivalent.
fn restore(configuration: &Configuration, before: &Parameters, new: &Parameters, written: usize) {
    let tuning = Tuning::default().parameters();
    let [ip_id, software, elements, memory] =
        SettingsChange::from(AttachSettings::default()).parameters();
    let defaults = [
        Some(tuning.multiple),
        Some(tuning.profile),
        Some(tuning.cap_bytes),
        ip_id,
        software,
        elements,
        memory,
    ];
    let olds = before
        .iter()
        .zip(defaults)
        .map(|(old, default)| old.or(default));
    for ((keyword, old), new) in KEYWORDS.into_iter().zip(olds).zip(new).take(written) {
        if let (Some(old), Some(_)) = (old, new) {
            // A second failure cannot be handled; the first failure is returned.
            let _ = configuration.set_integer(keyword, old);
        }
    }
}
