//! An adapter's statistics.

use crate::{
    Invalid,
    message::{Body, Kind},
    wire::{Reader, Writer},
};

/// The filter's counters on an adapter since it was attached, or since the last reset.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 8 | 96 | the twelve counters, in the order below |
/// | 104 | 4 | reasons of refusal |
/// | 108 | 4 | reserved, zero |
/// | 112 | 256 | large sends refused, by reason, then zero |
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StatisticsReply {
    /// NET_BUFFER_LISTs that the overlying driver sent.
    pub sends: u64,
    /// Large sends among them, whether or not they had to be split.
    pub large_sends: u64,
    /// Large sends that went down as children.
    pub split: u64,
    /// Children that went down.
    pub children: u64,
    /// Children among them that were single packets, which the NIC does not cut.
    pub packets: u64,
    /// Bytes of TCP or UDP payload sent in children.
    pub bytes: u64,
    /// Longest large send from the overlying driver, in bytes of frame: only this counter shows
    /// whether the advertised size is used.
    pub largest_large_send: u64,
    /// Parents that were completed, each after its last child.
    pub completed: u64,
    /// Parents among them of which a child failed.
    pub failed: u64,
    /// Large sends completed with RESOURCES, because no children or no mapping could be had.
    pub low_memory: u64,
    /// NET_BUFFER_LISTs that arrived while the filter was paused.
    pub paused: u64,
    /// Children ever allocated, not affected by a reset: constant in steady state.
    pub children_allocated: u64,
    /// Large sends refused, by reason.
    pub refused: Refused,
}

impl Body for StatisticsReply {
    const KIND: Kind = Kind::StatisticsReply;
    const BODY: usize = 360;

    fn put(&self, writer: &mut Writer<'_>) -> Result<(), Invalid> {
        writer.u64(self.sends)?;
        writer.u64(self.large_sends)?;
        writer.u64(self.split)?;
        writer.u64(self.children)?;
        writer.u64(self.packets)?;
        writer.u64(self.bytes)?;
        writer.u64(self.largest_large_send)?;
        writer.u64(self.completed)?;
        writer.u64(self.failed)?;
        writer.u64(self.low_memory)?;
        writer.u64(self.paused)?;
        writer.u64(self.children_allocated)?;
        self.refused.put(writer)
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            sends: reader.u64()?,
            large_sends: reader.u64()?,
            split: reader.u64()?,
            children: reader.u64()?,
            packets: reader.u64()?,
            bytes: reader.u64()?,
            largest_large_send: reader.u64()?,
            completed: reader.u64()?,
            failed: reader.u64()?,
            low_memory: reader.u64()?,
            paused: reader.u64()?,
            children_allocated: reader.u64()?,
            refused: Refused::get(reader)?,
        })
    }
}

/// Counters of large sends refused, one for each of the driver's reasons, in its order. The
/// protocol does not name the reasons, so that a tool can show those of a newer driver by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Refused {
    counters: [u64; Self::MAX],
    reasons: u32,
}

impl Refused {
    /// Reasons that a message has room for.
    pub const MAX: usize = 32;

    /// One counter for each reason.
    ///
    /// # Errors
    /// [`Invalid::Refusals`] for more than [`MAX`](Self::MAX).
    pub fn new(counters: &[u64]) -> Result<Self, Invalid> {
        if counters.len() > Self::MAX {
            return Err(Invalid::Refusals);
        }
        let mut refused = Self::default();
        for (place, counter) in refused.counters.iter_mut().zip(counters) {
            *place = *counter;
            refused.reasons = refused.reasons.saturating_add(1);
        }
        Ok(refused)
    }

    /// The counters, one for each reason.
    pub fn counters(&self) -> &[u64] {
        let reasons = usize::try_from(self.reasons).unwrap_or(Self::MAX);
        self.counters.get(..reasons).unwrap_or(&self.counters)
    }

    /// Large sends refused for any reason.
    pub fn in_all(&self) -> u64 {
        self.counters
            .iter()
            .fold(0, |sum, n| sum.saturating_add(*n))
    }

    fn put(&self, writer: &mut Writer<'_>) -> Result<(), Invalid> {
        writer.u32(self.reasons)?;
        writer.u32(0)?;
        self.counters.iter().try_for_each(|n| writer.u64(*n))
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let reasons = usize::try_from(reader.u32()?).map_err(|_| Invalid::Refusals)?;
        reader.flags(0)?;
        let mut counters = [0; Self::MAX];
        for counter in &mut counters {
            *counter = reader.u64()?;
        }
        let (known, rest) = counters
            .split_at_checked(reasons)
            .ok_or(Invalid::Refusals)?;
        if rest.iter().any(|counter| *counter != 0) {
            return Err(Invalid::Reserved);
        }
        Self::new(known)
    }
}

/// One counter for each of `N` reasons; more than [`Refused::MAX`] do not compile.
impl<const N: usize> From<[u64; N]> for Refused {
    fn from(counters: [u64; N]) -> Self {
        const { assert!(N <= Self::MAX) };
        // Cannot fail: the assertion above has compiled.
        Self::new(&counters).unwrap_or_default()
    }
}
