//! The common part of all messages: the header, and the conversion to bytes.

use crate::{
    Invalid,
    wire::{Reader, Writer},
};

/// The version of the protocol. A change of any message is a new version; another control code with
/// messages of its own is not, for a driver that lacks it refuses it.
pub const VERSION: u16 = 1;

/// Bytes of the header.
pub(crate) const HEADER: usize = 8;

/// The kind of a message, so that none is mistaken for another of the same size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Kind {
    /// [`ListRequest`](crate::ListRequest)
    ListRequest = 1,
    /// [`ListReply`](crate::ListReply)
    ListReply = 2,
    /// [`Select`](crate::Select)
    Select = 3,
    /// [`ReadReply`](crate::ReadReply)
    ReadReply = 4,
    /// [`StatisticsReply`](crate::StatisticsReply)
    StatisticsReply = 5,
    /// [`SetRequest`](crate::SetRequest)
    SetRequest = 6,
    /// [`VersionRequest`](crate::VersionRequest)
    VersionRequest = 7,
    /// [`DriverVersion`](crate::DriverVersion)
    DriverVersion = 8,
    /// [`SettingsReply`](crate::SettingsReply)
    SettingsReply = 9,
    /// [`SetSettingsRequest`](crate::SetSettingsRequest)
    SetSettingsRequest = 10,
}

/// A message of fixed size.
pub trait Message: Body {
    /// Bytes of the message, header included.
    const SIZE: usize = HEADER + Self::BODY;

    /// Writes the message to the front of `out` and returns its bytes.
    ///
    /// # Errors
    /// [`Invalid::BufferTooSmall`] if `out` is shorter than [`SIZE`](Self::SIZE), or the error of a
    /// field.
    fn encode(&self, out: &mut [u8]) -> Result<usize, Invalid> {
        let out = out.get_mut(..Self::SIZE).ok_or(Invalid::BufferTooSmall)?;
        let mut writer = Writer::new(out);
        put_header(&mut writer, Self::KIND, Self::SIZE)?;
        self.put(&mut writer)?;
        Ok(Self::SIZE)
    }

    /// Reads the message that `bytes` contain, neither more nor less.
    ///
    /// # Errors
    /// The first error in the bytes: [`Invalid::Version`] precedes any other that needs a whole
    /// header.
    fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        let mut reader = open(bytes, Self::KIND)?;
        if bytes.len() != Self::SIZE {
            return Err(Invalid::Size);
        }
        Self::get(&mut reader)
    }
}

impl<T: Body> Message for T {}

/// The part after a message's header. Public in name only, so that [`Message`] is sealed.
pub trait Body: Sized {
    /// The message's kind.
    const KIND: Kind;
    /// Bytes after the header.
    const BODY: usize;

    /// Writes [`BODY`](Self::BODY) bytes.
    fn put(&self, writer: &mut Writer<'_>) -> Result<(), Invalid>;

    /// Reads [`BODY`](Self::BODY) bytes.
    fn get(reader: &mut Reader<'_>) -> Result<Self, Invalid>;
}

/// Writes the header: version, kind, bytes of the whole message.
pub(crate) fn put_header(writer: &mut Writer<'_>, kind: Kind, size: usize) -> Result<(), Invalid> {
    writer.u16(VERSION)?;
    writer.u16(kind as u16)?;
    writer.u32(u32::try_from(size).map_err(|_| Invalid::Size)?)
}

/// Checks the header of the message that all of `bytes` should be.
pub(crate) fn open(bytes: &[u8], kind: Kind) -> Result<Reader<'_>, Invalid> {
    let mut reader = Reader::new(bytes);
    if reader.u16()? != VERSION {
        return Err(Invalid::Version);
    }
    let is = reader.u16()?;
    let size = reader.u32()?;
    if is != kind as u16 {
        return Err(Invalid::Kind);
    }
    if usize::try_from(size) != Ok(bytes.len()) {
        return Err(Invalid::Size);
    }
    Ok(reader)
}
