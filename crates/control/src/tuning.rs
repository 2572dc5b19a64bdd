//! The factor by which the NIC's maximum is raised, and its registry parameters.

use crate::{
    Invalid,
    wire::{Reader, Writer},
};

/// The adapter's parameters in the registry that hold its settings, each a number.
pub mod keyword {
    /// The multiple: 0 for the profile's, or 1 to 16.
    pub const MULTIPLE: &str = "Multiple";
    /// The profile, where the multiple is 0: 0 to 3.
    pub const PROFILE: &str = "Profile";
    /// The cap in bytes: 0 for none.
    pub const CAP_BYTES: &str = "CapBytes";
    /// Bits in which the NIC counts the IPv4 identification of its segments: 15 or 16.
    pub const IP_ID_BITS: &str = "IpIdBits";
    /// The condition for large sends in software on a NIC without them: 0 to 2.
    pub const SOFTWARE_SEGMENTATION: &str = "SoftwareSegmentation";
    /// Maximum number of MDLs of a packet for the NIC: 0 for 64, the most there is, or 4 to 64.
    pub const MAX_SG_ELEMENTS: &str = "MaxSgElements";
    /// Maximum of non-paged pool for child NBLs, in MiB: 4 to 4096.
    pub const MEMORY_BOUND: &str = "MemoryBound";
}

/// A named compromise between CPU time saved and the time that a small packet waits behind a large
/// send.
///
/// Larger sends cost the sender less work per byte: docs/tune.md has figures of a Linux machine. But a
/// queue transmits each of its entries without interruption: 62,780 bytes, a common
/// maximum, occupy a wire of 10 Gbit/s for 0.05 ms, 2 of them for 0.1 ms, and 16 for 0.8 ms. None
/// of this was measured on Windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u32)]
pub enum Profile {
    /// No size is raised: the NIC's own maximum is advertised to the overlying driver. So it is until
    /// the administrator chooses a profile: installing the driver raises no size.
    #[default]
    Off = 0,
    /// Twice the maximum: half as many sends, and a small packet waits 0.1 ms more at most.
    Latency = 1,
    /// Eight times: about 512 KiB, close to the most that a Linux guest's device sends.
    Throughput = 2,
    /// Sixteen times, as much as there is: about 1 MiB, the fewest sends, and the longest wait.
    Cpu = 3,
}

impl Profile {
    /// Every profile, at the place of its number.
    pub const ALL: [Self; 4] = [Self::Off, Self::Latency, Self::Throughput, Self::Cpu];

    /// First-stage size in units of the NIC's maximum.
    pub const fn multiple(self) -> u32 {
        match self {
            Self::Off => 1,
            Self::Latency => 2,
            Self::Throughput => 8,
            Self::Cpu => 16,
        }
    }

    /// The profile's number in messages and in the registry.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The profile of that number.
    ///
    /// # Errors
    /// [`Invalid::Profile`] where there is none.
    pub fn from_number(number: u32) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.number() == number)
            .ok_or(Invalid::Profile)
    }

    /// The profile's name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Latency => "latency",
            Self::Throughput => "throughput",
            Self::Cpu => "cpu",
        }
    }
}

/// First-stage size in units of the NIC's maximum: 1 to 16.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Multiple(u32);

impl Multiple {
    /// The least: nothing is raised.
    pub const MIN: u32 = 1;
    /// The most.
    pub const MAX: u32 = 16;

    /// A multiple in range.
    ///
    /// # Errors
    /// [`Invalid::Multiple`] outside [`MIN`](Self::MIN) to [`MAX`](Self::MAX).
    pub const fn new(multiple: u32) -> Result<Self, Invalid> {
        match multiple {
            Self::MIN..=Self::MAX => Ok(Self(multiple)),
            _ => Err(Invalid::Multiple),
        }
    }

    /// The multiple as a number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Largest TCP or UDP payload in bytes that may be advertised, regardless of the multiple.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cap(u32);

impl Cap {
    /// The minimum in bytes. A smaller number is more likely a size in KiB.
    pub const MIN: u32 = 4096;
    /// The most in bytes: 16 MiB, far beyond 16 times any NIC's maximum.
    pub const MAX: u32 = 16 << 20;

    /// A cap in range.
    ///
    /// # Errors
    /// [`Invalid::Cap`] outside [`MIN`](Self::MIN) to [`MAX`](Self::MAX).
    pub const fn new(bytes: u32) -> Result<Self, Invalid> {
        match bytes {
            Self::MIN..=Self::MAX => Ok(Self(bytes)),
            _ => Err(Invalid::Cap),
        }
    }

    /// The cap in bytes.
    pub const fn bytes(self) -> u32 {
        self.0
    }
}

/// The factor by which the NIC's maximum is raised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Raise {
    /// As the profile defines.
    Profile(Profile),
    /// By the administrator's factor.
    Multiple(Multiple),
}

impl Default for Raise {
    fn default() -> Self {
        Self::Profile(Profile::default())
    }
}

/// An adapter's tuning by the administrator. By default, [`Profile::Off`] with no cap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tuning {
    /// The factor by which the NIC's maximum is raised.
    pub raise: Raise,
    /// The most that it is raised to.
    pub cap: Option<Cap>,
}

/// A tuning in the numeric form of messages and the registry.
///
/// In a message they are in this order, four bytes each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameters {
    /// Value of [`keyword::MULTIPLE`].
    pub multiple: u32,
    /// Value of [`keyword::PROFILE`].
    pub profile: u32,
    /// Value of [`keyword::CAP_BYTES`].
    pub cap_bytes: u32,
}

impl Tuning {
    /// First-stage size in units of the NIC's maximum, before the cap.
    pub const fn multiple(self) -> u32 {
        match self.raise {
            Raise::Profile(profile) => profile.multiple(),
            Raise::Multiple(multiple) => multiple.get(),
        }
    }

    /// The tuning for the registry's parameters. A missing one has its default; so has one that is
    /// out of range, and the number of those is the second value.
    pub fn from_parameters(
        multiple: Option<u32>,
        profile: Option<u32>,
        cap: Option<u32>,
    ) -> (Self, u32) {
        let multiple = multiple.map_or(Ok(None), multiple_of);
        let profile = profile.map_or(Ok(Profile::default()), Profile::from_number);
        let cap = cap.map_or(Ok(None), cap_of);
        let wrong = [multiple.is_err(), profile.is_err(), cap.is_err()];
        let tuning = Self {
            raise: match (multiple, profile) {
                (Ok(Some(multiple)), _) => Raise::Multiple(multiple),
                (_, profile) => Raise::Profile(profile.unwrap_or_default()),
            },
            cap: cap.unwrap_or_default(),
        };
        (tuning, wrong.into_iter().map(u32::from).sum())
    }

    /// The parameters for this tuning. With a multiple, the profile is the default one, which then
    /// has no effect.
    pub fn parameters(self) -> Parameters {
        let (multiple, profile) = match self.raise {
            Raise::Profile(profile) => (0, profile),
            Raise::Multiple(multiple) => (multiple.get(), Profile::default()),
        };
        Parameters {
            multiple,
            profile: profile.number(),
            cap_bytes: self.cap.map_or(0, Cap::bytes),
        }
    }

    pub(crate) fn put(self, writer: &mut Writer<'_>) -> Result<(), Invalid> {
        let parameters = self.parameters();
        writer.u32(parameters.multiple)?;
        writer.u32(parameters.profile)?;
        writer.u32(parameters.cap_bytes)
    }

    pub(crate) fn get(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let multiple = multiple_of(reader.u32()?)?;
        let profile = Profile::from_number(reader.u32()?)?;
        let cap = cap_of(reader.u32()?)?;
        let raise = multiple.map_or(Raise::Profile(profile), Raise::Multiple);
        Ok(Self { raise, cap })
    }
}

fn multiple_of(parameter: u32) -> Result<Option<Multiple>, Invalid> {
    match parameter {
        0 => Ok(None),
        multiple => Multiple::new(multiple).map(Some),
    }
}

fn cap_of(parameter: u32) -> Result<Option<Cap>, Invalid> {
    match parameter {
        0 => Ok(None),
        bytes => Cap::new(bytes).map(Some),
    }
}

/// The advertised TCP or UDP payload in bytes for a NIC whose own maximum is `nic_max`.
///
/// Never less than that maximum, and 0 if it is 0: a disabled offload stays disabled.
pub fn first_stage_size(nic_max: u32, tuning: Tuning) -> u32 {
    if nic_max == 0 {
        return 0;
    }
    let most = tuning.cap.map_or(u32::MAX, Cap::bytes);
    nic_max
        .saturating_mul(tuning.multiple())
        .min(most)
        .max(nic_max)
}
