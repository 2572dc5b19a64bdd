//! The list of adapters.

use crate::{
    Invalid, Name,
    message::{Body, HEADER, Kind, open, put_header},
    wire::{Reader, Writer},
};

/// The request for the list of adapters. It has a header only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListRequest;

impl Body for ListRequest {
    const KIND: Kind = Kind::ListRequest;
    const BODY: usize = 0;

    fn put(&self, _writer: &mut Writer<'_>) -> Result<(), Invalid> {
        Ok(())
    }

    fn get(_reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        Ok(Self)
    }
}

/// One adapter to which the filter is attached.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 4 | `if_index` |
/// | 4 | 4 | `base_if_index` |
/// | 8 | 4 | flags: bit 0 is `running` |
/// | 12 | 4 | UTF-16 units of the name |
/// | 16 | 256 | the name, then zero |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdapterEntry {
    /// The filter module's interface index.
    pub if_index: u32,
    /// The interface index of the adapter beneath all filters.
    pub base_if_index: u32,
    /// Whether the filter accepts sends; otherwise it is paused.
    pub running: bool,
    /// The name of the adapter beneath all filters.
    pub name: Name,
}

const RUNNING: u32 = 1;

impl AdapterEntry {
    /// Bytes of an entry.
    pub const SIZE: usize = 272;

    fn put(&self, writer: &mut Writer<'_>) -> Result<(), Invalid> {
        writer.u32(self.if_index)?;
        writer.u32(self.base_if_index)?;
        writer.u32(if self.running { RUNNING } else { 0 })?;
        let units = self.name.units();
        writer.u32(u32::try_from(units.len()).map_err(|_| Invalid::Name)?)?;
        let padding = core::iter::repeat(&0);
        units
            .iter()
            .chain(padding)
            .take(Name::MAX)
            .try_for_each(|unit| writer.u16(*unit))
    }

    fn get(bytes: &[u8]) -> Result<Self, Invalid> {
        let mut reader = Reader::new(bytes);
        let if_index = reader.u32()?;
        let base_if_index = reader.u32()?;
        let running = reader.flags(RUNNING)? & RUNNING != 0;
        let length = usize::try_from(reader.u32()?).map_err(|_| Invalid::Name)?;
        let mut units = [0; Name::MAX];
        for unit in &mut units {
            *unit = reader.u16()?;
        }
        let (name, padding) = units.split_at_checked(length).ok_or(Invalid::Name)?;
        if padding.iter().any(|unit| *unit != 0) {
            return Err(Invalid::Reserved);
        }
        Ok(Self {
            if_index,
            base_if_index,
            running,
            name: Name::new(name),
        })
    }
}

/// The list of adapters, or as much of it as had room.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 8 | 4 | adapters in all |
/// | 12 | 4 | entries that follow |
/// | 16 | 272 each | [`AdapterEntry`] |
#[derive(Clone, Copy, Debug)]
pub struct ListReply<'a> {
    total: u32,
    entries: &'a [u8],
}

/// Bytes before the entries.
const FRONT: usize = HEADER + 8;

impl<'a> ListReply<'a> {
    /// Bytes of a list of `entries`: the buffer size to retry with if the first reply was
    /// incomplete.
    pub const fn size_of(entries: usize) -> usize {
        AdapterEntry::SIZE
            .saturating_mul(entries)
            .saturating_add(FRONT)
    }

    /// Reads and checks the list that `bytes` are, with all its entries.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Invalid> {
        let mut reader = open(bytes, Kind::ListReply)?;
        if bytes.len() < FRONT {
            return Err(Invalid::Size);
        }
        let total = reader.u32()?;
        let count = reader.u32()?;
        let entries = reader.rest();
        if usize::try_from(count).map(Self::size_of) != Ok(bytes.len()) {
            return Err(Invalid::Size);
        }
        if count > total {
            return Err(Invalid::Count);
        }
        for entry in entries.chunks_exact(AdapterEntry::SIZE) {
            AdapterEntry::get(entry)?;
        }
        Ok(Self { total, entries })
    }

    /// Adapters in all. More than [`iter`](Self::iter) yields where the buffer was too small.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// Whether all adapters are in the list.
    pub fn is_whole(&self) -> bool {
        usize::try_from(self.total) == Ok(self.iter().count())
    }

    /// The adapters in the list.
    pub fn iter(&self) -> impl Iterator<Item = AdapterEntry> + 'a {
        // Every entry was read once already, so none is lost here.
        self.entries
            .chunks_exact(AdapterEntry::SIZE)
            .filter_map(|entry| AdapterEntry::get(entry).ok())
    }
}

/// Writes a [`ListReply`] adapter by adapter.
#[derive(Debug)]
pub struct ListWriter<'a> {
    out: &'a mut [u8],
    total: u32,
    count: u32,
}

impl<'a> ListWriter<'a> {
    /// A list without adapters, in `out`.
    ///
    /// # Errors
    /// [`Invalid::BufferTooSmall`] where there is not even room for such a list.
    pub fn new(out: &'a mut [u8]) -> Result<Self, Invalid> {
        if out.len() < FRONT {
            return Err(Invalid::BufferTooSmall);
        }
        Ok(Self {
            out,
            total: 0,
            count: 0,
        })
    }

    /// Adds an adapter. Without room for it, it is only counted, so that the reader can retry with
    /// a larger buffer.
    pub fn push(&mut self, entry: &AdapterEntry) {
        self.total = self.total.saturating_add(1);
        let start = self.size();
        let room = self.out.get_mut(start..).unwrap_or_default();
        if let Some(place) = room.get_mut(..AdapterEntry::SIZE)
            && entry.put(&mut Writer::new(place)).is_ok()
        {
            self.count = self.count.saturating_add(1);
        }
    }

    /// Completes the list and returns its bytes.
    ///
    /// # Errors
    /// None that [`new`](Self::new) does not return first.
    pub fn finish(self) -> Result<usize, Invalid> {
        let size = self.size();
        let mut writer = Writer::new(self.out);
        put_header(&mut writer, Kind::ListReply, size)?;
        writer.u32(self.total)?;
        writer.u32(self.count)?;
        Ok(size)
    }

    fn size(&self) -> usize {
        ListReply::size_of(usize::try_from(self.count).unwrap_or(usize::MAX))
    }
}
