//! Setting an adapter's tuning.

use crate::{
    Invalid, Tuning,
    message::{Body, Kind},
    select::checked,
    wire::{Reader, Writer},
};

/// The request that sets an adapter's tuning, at once.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 8 | 4 | `if_index` |
/// | 12 | 12 | `tuning`, as its [`Parameters`](crate::Parameters) |
/// | 24 | 4 | flags: bit 0 is `persist` |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetRequest {
    /// The filter module's interface index, or that of the adapter beneath all filters. Never 0.
    pub if_index: u32,
    /// The tuning to put into effect.
    pub tuning: Tuning,
    /// Writes the tuning to the registry too, so that it outlasts the driver. The driver writes
    /// first: where the registry refuses, nothing changes.
    pub persist: bool,
}

const PERSIST: u32 = 1;

impl Body for SetRequest {
    const KIND: Kind = Kind::SetRequest;
    const BODY: usize = 20;

    fn put(&self, writer: &mut Writer<'_>) -> Result<(), Invalid> {
        writer.u32(checked(self.if_index)?)?;
        self.tuning.put(writer)?;
        writer.u32(if self.persist { PERSIST } else { 0 })
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            if_index: checked(reader.u32()?)?,
            tuning: Tuning::get(reader)?,
            persist: reader.flags(PERSIST)? & PERSIST != 0,
        })
    }
}
