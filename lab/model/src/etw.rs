//! Event tracing: the one provider that there may be, a session that takes its events, and the
//! decoding of TraceLogging, as a trace viewer does it from the event alone.
//!
//! Format: the Windows SDK's TraceLoggingProvider.h, "How to encode metadata" and "Encoding data".
//! Only the field types that the driver uses are decoded; any other is an error.

use ndis::sys;

/// An event as a session got it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TracedEvent {
    /// Its name.
    pub name: String,
    /// Its level: 2 is an error, 3 a warning, 4 information.
    pub level: u8,
    /// The event's subject, as keyword bits.
    pub keyword: u64,
    /// Its fields by name, in order.
    pub fields: Vec<(String, TracedValue)>,
}

impl TracedEvent {
    /// The first field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&TracedValue> {
        let field = self.fields.iter().find(|(field, _)| field == name);
        field.map(|(_, value)| value)
    }
}

/// The value of an event's field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TracedValue {
    /// A number of 32 or 64 bits.
    Number(u64),
    /// An NTSTATUS.
    Status(i32),
    /// Text, in UTF-8 or in UTF-16.
    Text(String),
}

/// A session: events up to this level with any of these keywords.
#[derive(Clone, Copy)]
pub(crate) struct Session {
    pub(crate) level: u8,
    pub(crate) keyword: u64,
}

impl Session {
    /// A session that takes everything.
    pub(crate) const ALL: Self = Self {
        level: u8::MAX,
        keyword: u64::MAX,
    };

    /// Compares as the comment on EVENT_DESCRIPTOR in evntprov.h defines it.
    fn wants(self, descriptor: &sys::EVENT_DESCRIPTOR) -> bool {
        let level = self.level == 0 || descriptor.Level <= self.level;
        level && (descriptor.Keyword == 0 || descriptor.Keyword & self.keyword != 0)
    }
}

/// A registered provider.
pub(crate) struct Provider {
    pub(crate) id: sys::GUID,
    /// Empty until they are set.
    traits: Vec<u8>,
}

impl Provider {
    pub(crate) fn new(id: sys::GUID) -> Self {
        let traits = Vec::new();
        Self { id, traits }
    }

    /// Keeps the provider's name; false where `traits` is none.
    pub(crate) fn set_traits(&mut self, traits: &[u8]) -> bool {
        let mut reader = Reader(traits);
        let sound = reader.u16().is_ok_and(|size| size == traits.len())
            && reader.name().is_ok()
            && reader.0.is_empty();
        self.traits = traits.to_vec();
        sound
    }

    /// The provider's name.
    pub(crate) fn name(&self) -> Option<String> {
        Reader(self.traits.get(2..)?).name().ok()
    }
}

/// ETW as the machine has it.
pub(crate) struct Tracing {
    pub(crate) provider: Option<Provider>,
    pub(crate) session: Option<Session>,
    pub(crate) events: Vec<TracedEvent>,
}

impl Default for Tracing {
    fn default() -> Self {
        Self {
            provider: None,
            session: Some(Session::ALL),
            events: Vec::new(),
        }
    }
}

impl Tracing {
    /// Whether a session enables such an event.
    pub(crate) fn is_enabled(&self, descriptor: &sys::EVENT_DESCRIPTOR) -> bool {
        self.session
            .is_some_and(|session| session.wants(descriptor))
    }

    /// EtwWriteTransfer with these parts, by their types.
    ///
    /// # Errors
    /// A description of the fault in the event.
    pub(crate) fn write(
        &mut self,
        descriptor: &sys::EVENT_DESCRIPTOR,
        parts: &[(u8, Vec<u8>)],
    ) -> Result<(), String> {
        let traits = self.provider.as_ref().map(|provider| &provider.traits);
        let [(2, provider), (1, metadata), data @ ..] = parts else {
            return Err("not provider metadata, event metadata, data".into());
        };
        if data.iter().any(|(kind, _)| *kind != 0) || descriptor.Channel != CHANNEL {
            return Err("not in the channel of TraceLogging, or metadata among its data".into());
        }
        if provider.is_empty() || Some(provider) != traits {
            return Err("its provider metadata are not the traits that were set".into());
        }
        let data: Vec<_> = data.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let (name, fields) = decode(metadata, &data)?;
        if self.is_enabled(descriptor) {
            self.events.push(TracedEvent {
                name,
                level: descriptor.Level,
                keyword: descriptor.Keyword,
                fields,
            });
        }
        Ok(())
    }
}

/// WINEVENT_CHANNEL_TRACELOGGING.
const CHANNEL: u8 = 11;

type Fields = Vec<(String, TracedValue)>;

/// Name and fields of the event with these metadata and data, both of which must be used up.
fn decode(metadata: &[u8], data: &[u8]) -> Result<(String, Fields), String> {
    let (mut metadata_left, mut data) = (Reader(metadata), Reader(data));
    if metadata_left.u16()? != metadata.len() {
        return Err("its metadata do not have the length that they say".into());
    }
    // A tag of up to 28 bits, seven in a byte.
    while metadata_left.u8()? & 0x80 != 0 {}
    let name = metadata_left.name()?;
    let mut fields = Fields::new();
    while !metadata_left.0.is_empty() {
        let field = metadata_left.name()?;
        let (input, output) = match metadata_left.u8()? {
            input if input & 0x80 != 0 => (input & 0x7F, metadata_left.u8()?),
            input => (input, 0),
        };
        fields.push((field, data.value(input, output)?));
    }
    if !data.0.is_empty() {
        return Err(format!("event {name} has {} bytes too many", data.0.len()));
    }
    Ok((name, fields))
}

/// The bytes that are not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (front, rest) = self
            .0
            .split_at_checked(length)
            .ok_or("it ends within a field or a name")?;
        self.0 = rest;
        Ok(front)
    }

    fn u8(&mut self) -> Result<u8, String> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Result<usize, String> {
        self.take(2)
            .map(|bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])))
    }

    /// UTF-8 up to a zero.
    fn name(&mut self) -> Result<String, String> {
        let length = self.0.iter().position(|byte| *byte == 0);
        let name = self.take(length.ok_or("a name does not end")?)?;
        self.take(1)?;
        utf8(name)
    }

    /// The value of a field with these types: see TlgIn_t and TlgOut_t.
    fn value(&mut self, input: u8, output: u8) -> Result<TracedValue, String> {
        let number = |bytes: &[u8]| {
            let bytes = bytes.iter().rev();
            bytes.fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))
        };
        Ok(match (input, output) {
            (8, 0) => TracedValue::Number(number(self.take(4)?)),
            (10, 0) => TracedValue::Number(number(self.take(8)?)),
            (20, 14) => TracedValue::Status(number(self.take(4)?) as u32 as i32),
            (22, 0) => {
                let length = self.u16()?;
                let (units, half) = self.take(length)?.as_chunks();
                if !half.is_empty() {
                    return Err("half a unit of UTF-16".into());
                }
                let units: Vec<_> = units.iter().copied().map(u16::from_le_bytes).collect();
                TracedValue::Text(String::from_utf16_lossy(&units))
            }
            (23, 35) => {
                let length = self.u16()?;
                TracedValue::Text(utf8(self.take(length)?)?)
            }
            _ => return Err(format!("a field of type {input}, {output}")),
        })
    }
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    Ok(text.into())
}
