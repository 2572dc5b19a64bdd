//! The choice of an adapter.

use crate::{
    Invalid,
    message::{Body, Kind},
    wire::{Reader, Writer},
};

/// The request that names an adapter and nothing else.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 8 | 4 | `if_index` |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Select {
    /// The filter module's interface index, or that of the adapter beneath all filters. Never 0.
    pub if_index: u32,
}

impl Body for Select {
    const KIND: Kind = Kind::Select;
    const BODY: usize = 4;

    fn put(&self, writer: &mut Writer<'_>) -> Result<(), Invalid> {
        writer.u32(checked(self.if_index)?)
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let if_index = checked(reader.u32()?)?;
        Ok(Self { if_index })
    }
}

/// An interface index that can name an adapter: NET_IFINDEX_UNSPECIFIED, 0, does not.
pub(crate) fn checked(if_index: u32) -> Result<u32, Invalid> {
    match if_index {
        0 => Err(Invalid::InterfaceIndex),
        _ => Ok(if_index),
    }
}
