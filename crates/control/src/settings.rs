//! The settings that the filter reads when it attaches, and keeps until it detaches.

use crate::{
    Invalid, SoftwareSegmentation, Tuning,
    message::{Body, Kind},
    select::checked,
    wire::{Reader, Writer},
};

/// Bits in which the NIC counts the IPv4 identification of its segments: 15 or 16, by default 16.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct IpIdBits(u32);

impl IpIdBits {
    /// A width that there is.
    ///
    /// # Errors
    /// [`Invalid::IpIdBits`] for any but 15 and 16.
    pub const fn new(bits: u32) -> Result<Self, Invalid> {
        match bits {
            15 | 16 => Ok(Self(bits)),
            _ => Err(Invalid::IpIdBits),
        }
    }

    /// The width in bits.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for IpIdBits {
    fn default() -> Self {
        Self(16)
    }
}

/// Maximum number of MDLs of a packet for the NIC, its header's included: 4 to 64, by default 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MaxSgElements(u32);

impl MaxSgElements {
    /// The least: the header and three buffers, so that a window is not copied for being in two
    /// buffers and ending in a third.
    pub const MIN: u32 = 4;
    /// The most, and the default.
    pub const MAX: u32 = 64;

    /// A number in range.
    ///
    /// # Errors
    /// [`Invalid::MaxSgElements`] outside [`MIN`](Self::MIN) to [`MAX`](Self::MAX).
    pub const fn new(elements: u32) -> Result<Self, Invalid> {
        match elements {
            Self::MIN..=Self::MAX => Ok(Self(elements)),
            _ => Err(Invalid::MaxSgElements),
        }
    }

    /// The number of MDLs.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The registry has 0 for the most.
    fn from_parameter(parameter: u32) -> Result<Self, Invalid> {
        match parameter {
            0 => Ok(Self::default()),
            elements => Self::new(elements),
        }
    }
}

impl Default for MaxSgElements {
    fn default() -> Self {
        Self(Self::MAX)
    }
}

/// Maximum of non-paged pool for the children of an adapter, in MiB: 4 to 4096, by default 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MemoryBound(u32);

impl MemoryBound {
    /// The least in MiB: enough for one large send of the largest advertised size, 1 MiB, cut in
    /// software into segments of 536 bytes, which TCP may use on any path (RFC 9293, section 3.7.1).
    pub const MIN: u32 = 4;
    /// The most in MiB.
    pub const MAX: u32 = 4096;

    /// A bound in range.
    ///
    /// # Errors
    /// [`Invalid::MemoryBound`] outside [`MIN`](Self::MIN) to [`MAX`](Self::MAX).
    pub const fn new(mebibytes: u32) -> Result<Self, Invalid> {
        match mebibytes {
            Self::MIN..=Self::MAX => Ok(Self(mebibytes)),
            _ => Err(Invalid::MemoryBound),
        }
    }

    /// The bound of so many bytes.
    ///
    /// # Errors
    /// [`Invalid::MemoryBound`] if it is no whole number of MiB, or out of range.
    pub fn from_bytes(bytes: u64) -> Result<Self, Invalid> {
        if bytes & MIB.wrapping_sub(1) != 0 {
            return Err(Invalid::MemoryBound);
        }
        let mebibytes = bytes.checked_div(MIB).map(u32::try_from);
        mebibytes
            .and_then(Result::ok)
            .map_or(Err(Invalid::MemoryBound), Self::new)
    }

    /// The bound in MiB, as messages and the registry have it.
    pub const fn mebibytes(self) -> u32 {
        self.0
    }

    /// The bound in bytes.
    pub fn bytes(self) -> u64 {
        u64::from(self.0).saturating_mul(MIB)
    }
}

impl Default for MemoryBound {
    fn default() -> Self {
        Self(64)
    }
}

/// Bytes in a mebibyte.
const MIB: u64 = 1 << 20;

/// The settings that the filter reads when it attaches to an adapter, and keeps until it detaches.
///
/// In a message they are in this order, four bytes each, with the numbers of the registry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AttachSettings {
    /// Bits in which the NIC counts the IPv4 identification of its segments.
    pub ip_id_bits: IpIdBits,
    /// The condition for advertising large sends on a NIC that has none.
    pub software: SoftwareSegmentation,
    /// Maximum number of MDLs of a packet for the NIC.
    pub max_sg_elements: MaxSgElements,
    /// Maximum of non-paged pool for the children.
    pub memory_bound: MemoryBound,
}

impl AttachSettings {
    /// The settings for the registry's parameters. A missing one has its default; so has one that is
    /// out of range, and the number of those is the second value.
    pub fn from_parameters(
        ip_id_bits: Option<u32>,
        software: Option<u32>,
        max_sg_elements: Option<u32>,
        memory_bound: Option<u32>,
    ) -> (Self, u32) {
        let mut wrong = 0_u32;
        let settings = Self {
            ip_id_bits: or_default(ip_id_bits, IpIdBits::new, &mut wrong),
            software: or_default(software, SoftwareSegmentation::from_number, &mut wrong),
            max_sg_elements: or_default(max_sg_elements, MaxSgElements::from_parameter, &mut wrong),
            memory_bound: or_default(memory_bound, MemoryBound::new, &mut wrong),
        };
        (settings, wrong)
    }

    fn put(self, writer: &mut Writer<'_>) -> Result<(), Invalid> {
        SettingsChange::from(self)
            .parameters()
            .into_iter()
            .try_for_each(|value| writer.u32(value.unwrap_or_default()))
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            ip_id_bits: IpIdBits::new(reader.u32()?)?,
            software: SoftwareSegmentation::from_number(reader.u32()?)?,
            max_sg_elements: MaxSgElements::new(reader.u32()?)?,
            memory_bound: MemoryBound::new(reader.u32()?)?,
        })
    }
}

/// The value of a parameter; its default if it is missing, or out of range, which is counted.
fn or_default<T: Default>(
    parameter: Option<u32>,
    value: impl Fn(u32) -> Result<T, Invalid>,
    wrong: &mut u32,
) -> T {
    parameter.map(value).transpose().map_or_else(
        |_| {
            *wrong = wrong.saturating_add(1);
            T::default()
        },
        Option::unwrap_or_default,
    )
}

/// New values of settings; `None` leaves one as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SettingsChange {
    /// Replaces [`AttachSettings::ip_id_bits`].
    pub ip_id_bits: Option<IpIdBits>,
    /// Replaces [`AttachSettings::software`].
    pub software: Option<SoftwareSegmentation>,
    /// Replaces [`AttachSettings::max_sg_elements`].
    pub max_sg_elements: Option<MaxSgElements>,
    /// Replaces [`AttachSettings::memory_bound`].
    pub memory_bound: Option<MemoryBound>,
}

impl SettingsChange {
    /// The new values in the numbers of the registry, in the order of the fields.
    pub fn parameters(self) -> [Option<u32>; 4] {
        [
            self.ip_id_bits.map(IpIdBits::get),
            self.software.map(SoftwareSegmentation::number),
            self.max_sg_elements.map(MaxSgElements::get),
            self.memory_bound.map(MemoryBound::mebibytes),
        ]
    }
}

impl From<AttachSettings> for SettingsChange {
    fn from(settings: AttachSettings) -> Self {
        Self {
            ip_id_bits: Some(settings.ip_id_bits),
            software: Some(settings.software),
            max_sg_elements: Some(settings.max_sg_elements),
            memory_bound: Some(settings.memory_bound),
        }
    }
}

/// An adapter's settings, in effect and in the registry.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 8 | 16 | `in_effect` |
/// | 24 | 12 | `registry_tuning`, as its [`Parameters`](crate::Parameters) |
/// | 36 | 16 | `registry` |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SettingsReply {
    /// The settings that the filter attached with.
    pub in_effect: AttachSettings,
    /// The tuning that the filter will attach with next.
    pub registry_tuning: Tuning,
    /// The settings that the filter will attach with next.
    pub registry: AttachSettings,
}

impl Body for SettingsReply {
    const KIND: Kind = Kind::SettingsReply;
    const BODY: usize = 44;

    fn put(&self, writer: &mut Writer<'_>) -> Result<(), Invalid> {
        self.in_effect.put(writer)?;
        self.registry_tuning.put(writer)?;
        self.registry.put(writer)
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            in_effect: AttachSettings::get(reader)?,
            registry_tuning: Tuning::get(reader)?,
            registry: AttachSettings::get(reader)?,
        })
    }
}

/// The request that writes settings of an adapter to the registry. They take effect when the filter
/// attaches next.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 8 | 4 | `if_index` |
/// | 12 | 4 | flags: bits 0 to 3, in the order of [`SettingsChange`], are set for new values |
/// | 16 | 16 | the new values, in that order, with the numbers of the registry; 0 where there is none |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetSettingsRequest {
    /// The filter module's interface index, or that of the adapter beneath all filters. Never 0.
    pub if_index: u32,
    /// The new values. If the registry refuses one, none is changed.
    pub change: SettingsChange,
}

impl Body for SetSettingsRequest {
    const KIND: Kind = Kind::SetSettingsRequest;
    const BODY: usize = 24;

    fn put(&self, writer: &mut Writer<'_>) -> Result<(), Invalid> {
        let values = self.change.parameters();
        let flags = values
            .iter()
            .zip(FLAGS)
            .map(|(value, flag)| if value.is_some() { flag } else { 0 })
            .fold(0, |all, flag| all | flag);
        writer.u32(checked(self.if_index)?)?;
        writer.u32(flags)?;
        values
            .into_iter()
            .try_for_each(|value| writer.u32(value.unwrap_or_default()))
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let if_index = checked(reader.u32()?)?;
        let flags = reader.flags(FLAGS.into_iter().fold(0, |all, flag| all | flag))?;
        let mut values = FLAGS.map(|flag| (flags & flag != 0).then_some(0));
        for value in &mut values {
            match (reader.u32()?, value) {
                (0, None) => {}
                (_, None) => return Err(Invalid::Reserved),
                (number, Some(value)) => *value = number,
            }
        }
        let [ip_id_bits, software, max_sg_elements, memory_bound] = values;
        Ok(Self {
            if_index,
            change: SettingsChange {
                ip_id_bits: ip_id_bits.map(IpIdBits::new).transpose()?,
                software: software
                    .map(SoftwareSegmentation::from_number)
                    .transpose()?,
                max_sg_elements: max_sg_elements.map(MaxSgElements::new).transpose()?,
                memory_bound: memory_bound.map(MemoryBound::new).transpose()?,
            },
        })
    }
}

/// The flag of each value, in the order of [`SettingsChange`].
const FLAGS: [u32; 4] = [1, 2, 4, 8];
