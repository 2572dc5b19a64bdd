//! Self-describing events for Event Tracing for Windows: TraceLogging.
//!
//! Such an event carries its name and the names and types of its fields, so that every tool decodes
//! it without a manifest. The format is that of the Windows SDK's TraceLoggingProvider.h, "How to
//! initialize a TraceLogging provider" and the sections after it; the provider's GUID is derived
//! from its name, as for all TraceLogging providers.
//!
//! A provider is a value and not a global: a driver that is loaded into two models of one process
//! has two. It has no enable callback and keeps no state of sessions: ETW itself drops events that
//! no session enables. The event is built in any case, so this suits rare events only; to keep the
//! image small, none of it is inlined.

use core::ptr;

use crate::{status::Status, sys};

/// The severity of an event. A session receives those up to its own level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Level {
    /// An operation failed.
    Error = 2,
    /// A condition that an administrator may want to investigate.
    Warning = 3,
    /// Normal operation.
    Information = 4,
}

/// WINEVENT_CHANNEL_TRACELOGGING: the event describes itself.
const CHANNEL_TRACELOGGING: u8 = 11;

// Types of fields, from TlgIn_t and TlgOut_t of TraceLoggingProvider.h.
const IN_UINT32: u8 = 8;
const IN_UINT64: u8 = 10;
/// A number of 32 bits, to be shown in hexadecimal digits.
const IN_HEXINT32: u8 = 20;
/// UTF-16 after its length in bytes.
const IN_COUNTED_STRING: u8 = 22;
/// Bytes of text after their number.
const IN_COUNTED_ANSI_STRING: u8 = 23;
const OUT_NTSTATUS: u8 = 14;
const OUT_UTF8: u8 = 35;
/// An output type follows the input type.
const CHAIN: u8 = 0x80;

/// Parts that an event is handed over in.
const PARTS: u32 = 3;
/// The room of most events, in bytes.
pub type ShortEventRoom = EventRoom<128, 56>;
/// The room of an event with an adapter's name, or with many fields, in bytes.
pub type LongEventRoom = EventRoom<256, 384>;

/// An event provider, registered with ETW from [`register`](Self::register) until it is dropped.
pub struct Provider {
    /// Zero if registering failed.
    registration: sys::REGHANDLE,
    traits: &'static [u8],
}

impl Provider {
    /// Registers a provider: its GUID, and its name in TraceLogging's format, which is a length of
    /// 16 bits that counts itself, UTF-8, and a zero. If registering fails, no events are written:
    /// no driver should fail for that. IRQL PASSIVE_LEVEL, at which it must be dropped as well.
    #[must_use]
    pub fn register(id: &sys::GUID, traits: &'static [u8]) -> Self {
        let mut provider = Self {
            registration: 0,
            traits,
        };
        let Ok(length) = u32::try_from(traits.len()) else {
            return provider;
        };
        let mut registration = 0;
        // SAFETY: the GUID and the place for the registration live during the call. There is no
        // callback, so that ETW keeps no pointer to this driver.
        let status =
            unsafe { sys::EtwRegister(id, ptr::null(), ptr::null_mut(), &raw mut registration) };
        if !Status(status).is_success() {
            return provider;
        }
        provider.registration = registration;
        // SAFETY: registered above; the name is a constant, of that length.
        let status = unsafe {
            sys::EtwSetInformation(
                registration,
                sys::EventProviderSetTraits,
                traits.as_ptr().cast(),
                length,
            )
        };
        if !Status(status).is_success() {
            // ETW would take the names of fields for their values.
            provider.unregister();
        }
        provider
    }

    /// Writes an event of that name to every session that enables it, with the fields that `fill` adds.
    /// It is built only if there is one. The bits of `keyword` are its categories. IRQL ≤
    /// DISPATCH_LEVEL.
    #[inline]
    pub fn write_with(
        &self,
        name: &str,
        level: Level,
        keyword: u64,
        fill: impl FnOnce(&mut Event<'_>),
    ) {
        if !self.is_enabled(level, keyword) {
            return;
        }
        let mut room = ShortEventRoom::new();
        let mut event = room.begin(name, event_descriptor(level, keyword));
        fill(&mut event);
        self.write(&event);
    }

    /// The same for an event with an adapter's name, or with many fields, which takes more of the
    /// stack.
    #[inline]
    pub fn write_long_with(
        &self,
        name: &str,
        level: Level,
        keyword: u64,
        fill: impl FnOnce(&mut Event<'_>),
    ) {
        if !self.is_enabled(level, keyword) {
            return;
        }
        let mut room = LongEventRoom::new();
        let mut event = room.begin(name, event_descriptor(level, keyword));
        fill(&mut event);
        self.write(&event);
    }

    /// Whether a session enables events like this.
    #[inline(never)]
    fn is_enabled(&self, level: Level, keyword: u64) -> bool {
        let descriptor = event_descriptor(level, keyword);
        // SAFETY: registered until `self` is dropped, unless it is 0; the descriptor lives during
        // the call.
        self.registration != 0
            && unsafe { sys::EtwEventEnabled(self.registration, &raw const descriptor) } != 0
    }

    /// Writes `event` to every session that enables it. IRQL ≤ DISPATCH_LEVEL.
    #[inline(never)]
    pub fn write(&self, event: &Event<'_>) {
        if self.registration == 0 {
            return;
        }
        let parts: [_; PARTS as usize] = [
            part(
                self.traits,
                sys::EVENT_DATA_DESCRIPTOR_TYPE_PROVIDER_METADATA,
            ),
            part(
                event.metadata(),
                sys::EVENT_DATA_DESCRIPTOR_TYPE_EVENT_METADATA,
            ),
            part(event.data(), sys::EVENT_DATA_DESCRIPTOR_TYPE_NONE),
        ];
        // SAFETY: registered until `self` is dropped. The parts and the data they point to live
        // during the call, in the image, which is not pageable, and on the stack, which is not at
        // raised IRQL. An event that a session has no room for is lost, which the session counts.
        unsafe {
            sys::EtwWriteTransfer(
                self.registration,
                &raw const event.descriptor,
                ptr::null(),
                ptr::null(),
                PARTS,
                parts.as_ptr(),
            )
        };
    }

    fn unregister(&mut self) {
        if self.registration != 0 {
            // SAFETY: registered, and from here on no longer; there is no concurrent writer,
            // because `self` is borrowed exclusively.
            unsafe { sys::EtwUnregister(self.registration) };
            self.registration = 0;
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.unregister();
    }
}

/// One part of an event's data. All of them are shorter than 64 KiB.
fn part(bytes: &[u8], kind: u8) -> sys::EVENT_DATA_DESCRIPTOR {
    sys::EVENT_DATA_DESCRIPTOR {
        Ptr: bytes.as_ptr().cast(),
        Size: u32::try_from(bytes.len()).unwrap_or_default(),
        Type: kind,
        Reserved1: 0,
        Reserved2: 0,
    }
}

/// The descriptor of a self-describing event. The bits of `keyword` are its categories.
pub fn event_descriptor(level: Level, keyword: u64) -> sys::EVENT_DESCRIPTOR {
    sys::EVENT_DESCRIPTOR {
        Id: 0,
        Version: 0,
        Channel: CHANNEL_TRACELOGGING,
        Level: level as u8,
        Opcode: 0,
        Task: 0,
        Keyword: keyword,
    }
}

/// An event in the making.
pub struct Event<'room> {
    descriptor: sys::EVENT_DESCRIPTOR,
    /// Its own length in 16 bits, a tag of zero, the event's name; of each field name and type.
    metadata: Bytes<'room>,
    /// The fields' values, with nothing between.
    data: Bytes<'room>,
}

/// Memory in which an event is built: for its names and types, and for its values. It is on the
/// stack.
pub struct EventRoom<const METADATA: usize, const DATA: usize> {
    metadata: [u8; METADATA],
    data: [u8; DATA],
}

impl<const METADATA: usize, const DATA: usize> EventRoom<METADATA, DATA> {
    /// An empty room.
    pub const fn new() -> Self {
        Self {
            metadata: [0; METADATA],
            data: [0; DATA],
        }
    }

    /// Begins an event of that name, without fields.
    #[must_use]
    #[inline(always)]
    pub fn begin(&mut self, name: &str, descriptor: sys::EVENT_DESCRIPTOR) -> Event<'_> {
        let mut event = Event {
            descriptor,
            metadata: Bytes::new(&mut self.metadata),
            data: Bytes::new(&mut self.data),
        };
        event.begin(name);
        event
    }
}

impl<const METADATA: usize, const DATA: usize> Default for EventRoom<METADATA, DATA> {
    fn default() -> Self {
        Self::new()
    }
}

impl Event<'_> {
    #[inline(never)]
    fn begin(&mut self, name: &str) {
        self.metadata.push(&[0, 0, 0]);
        self.metadata.push(name.as_bytes());
        self.metadata.push(&[0]);
        self.metadata.write_length();
    }

    /// The descriptor that sessions filter it by.
    pub fn descriptor(&self) -> &sys::EVENT_DESCRIPTOR {
        &self.descriptor
    }

    /// Its name, and names and types of its fields.
    pub fn metadata(&self) -> &[u8] {
        self.metadata.bytes()
    }

    /// Its fields' values.
    pub fn data(&self) -> &[u8] {
        self.data.bytes()
    }

    /// Adds a number.
    #[inline(never)]
    pub fn u32(&mut self, name: &str, value: u32) -> &mut Self {
        self.field(name, &[IN_UINT32], &[&value.to_le_bytes()])
    }

    /// Adds a longer number.
    #[inline(never)]
    pub fn u64(&mut self, name: &str, value: u64) -> &mut Self {
        self.field(name, &[IN_UINT64], &[&value.to_le_bytes()])
    }

    /// Adds a status, which tools show by its name.
    #[inline(never)]
    pub fn status(&mut self, name: &str, status: Status) -> &mut Self {
        let types = [IN_HEXINT32 | CHAIN, OUT_NTSTATUS];
        self.field(name, &types, &[&status.0.to_le_bytes()])
    }

    /// Adds text.
    #[inline(never)]
    pub fn text(&mut self, name: &str, text: &str) -> &mut Self {
        let types = [IN_COUNTED_ANSI_STRING | CHAIN, OUT_UTF8];
        let Ok(length) = u16::try_from(text.len()) else {
            return self;
        };
        self.field(name, &types, &[&length.to_le_bytes(), text.as_bytes()])
    }

    /// Adds text in UTF-16.
    #[inline(never)]
    pub fn utf16(&mut self, name: &str, text: &[u16]) -> &mut Self {
        let Ok(length) = u16::try_from(size_of_val(text)) else {
            return self;
        };
        let before = (self.metadata.length, self.data.length);
        let mut fits =
            self.describe(name, &[IN_COUNTED_STRING]) && self.data.push(&length.to_le_bytes());
        for unit in text {
            fits = fits && self.data.push(&unit.to_le_bytes());
        }
        self.end_field(before, fits)
    }

    /// Adds a field, whole, or leaves it out where there is no room for all of it.
    #[inline(always)]
    fn field(&mut self, name: &str, types: &[u8], value: &[&[u8]]) -> &mut Self {
        let before = (self.metadata.length, self.data.length);
        let mut fits = self.describe(name, types);
        for part in value {
            fits = fits && self.data.push(part);
        }
        self.end_field(before, fits)
    }

    /// Adds a field's name and type; returns whether there was room.
    fn describe(&mut self, name: &str, types: &[u8]) -> bool {
        self.metadata.push(name.as_bytes()) && self.metadata.push(&[0]) && self.metadata.push(types)
    }

    /// Ends a field, or removes it if there was no room, down to the lengths before it.
    fn end_field(&mut self, before: (usize, usize), fits: bool) -> &mut Self {
        if !fits {
            (self.metadata.length, self.data.length) = before;
        }
        self.metadata.write_length();
        self
    }
}

/// The first `length` bytes of a room.
struct Bytes<'room> {
    room: &'room mut [u8],
    length: usize,
}

impl<'room> Bytes<'room> {
    const fn new(room: &'room mut [u8]) -> Self {
        Self { room, length: 0 }
    }

    fn bytes(&self) -> &[u8] {
        self.room.get(..self.length).unwrap_or_default()
    }

    /// Adds `more`, or nothing if there is no room for it; returns whether it was added.
    #[inline(never)]
    fn push(&mut self, more: &[u8]) -> bool {
        let end = self.length.saturating_add(more.len());
        let Some(place) = self.room.get_mut(self.length..end) else {
            return false;
        };
        // Not copy_from_slice: whether its lengths agree is not for the optimizer to find out.
        for (to, from) in place.iter_mut().zip(more) {
            *to = *from;
        }
        self.length = end;
        true
    }

    /// Writes the length into the first two bytes.
    fn write_length(&mut self) {
        let length = u16::try_from(self.length).unwrap_or_default();
        if let Some(place) = self.room.first_chunk_mut() {
            *place = length.to_le_bytes();
        }
    }
}
