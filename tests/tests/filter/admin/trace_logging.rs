//! The driver's events against Microsoft's own encoder, the crate `tracelogging`: its macros hand
//! the same bytes to ETW as `ndis::Event` makes.
//!
//! The driver cannot use that crate itself. In kernel mode it needs rpcrt4.lib, its `register` can
//! panic, and its providers are globals, of which two models in one process would share one; and
//! except on Windows it writes nothing. But its macros expand to paths by the crate's name, so that
//! this program can take that name, and record the bytes that would go to ETW.
#![expect(
    unsafe_code,
    reason = "looks into the descriptors that are meant for ETW"
)]

use std::{cell::RefCell, mem::size_of_val, slice};

use ::ndis::{
    Event, Level as OurLevel, LongEventRoom, ShortEventRoom, Status,
    event_descriptor as descriptor, sys,
};
pub use microsoft::{Channel, Guid, InType, Level, Opcode, OutType};

/// The names that the macros look up under the crate's name.
#[doc(hidden)]
pub mod _internal {
    pub use super::{provider_new, provider_write_transfer};
    pub use microsoft::_internal::{
        EventDataDescriptor, EventDescriptor, counted_size, meta_as_bytes, tag_encode, tag_size,
    };
}

/// A provider that every session wants.
pub struct Provider {
    traits: &'static [u8],
    id: Guid,
}

impl Provider {
    const fn raw_meta(&self) -> &[u8] {
        self.traits
    }

    const fn enabled(&self, _: Level, _: u64) -> bool {
        true
    }
}

#[doc(hidden)]
pub const unsafe fn provider_new(traits: &'static [u8], id: &Guid) -> Provider {
    Provider { traits, id: *id }
}

/// An event's parts as ETW gets them: the fields that it is filtered by, and its bytes.
#[derive(PartialEq, Eq, Debug)]
struct Written {
    channel: u8,
    level: u8,
    opcode: u8,
    keyword: u64,
    metadata: Vec<u8>,
    data: Vec<u8>,
}

thread_local! {
    static WRITTEN: RefCell<Option<Written>> = const { RefCell::new(None) };
}

#[doc(hidden)]
pub fn provider_write_transfer(
    provider: &Provider,
    descriptor: &_internal::EventDescriptor,
    _activity: Option<&[u8; 16]>,
    _related: Option<&[u8; 16]>,
    data: &[_internal::EventDataDescriptor<'_>],
) -> u32 {
    assert_eq!(
        size_of_val(data),
        data.len() * size_of::<sys::EVENT_DATA_DESCRIPTOR>()
    );
    // SAFETY: both are ETW's EVENT_DATA_DESCRIPTOR, as C has it.
    let data = unsafe {
        slice::from_raw_parts(
            data.as_ptr().cast::<sys::EVENT_DATA_DESCRIPTOR>(),
            data.len(),
        )
    };
    let parts = data.iter().map(|part| {
        let start = std::ptr::with_exposed_provenance::<u8>(part.Ptr.addr());
        // SAFETY: the macro made the descriptor for bytes that live during this call.
        let bytes = unsafe { slice::from_raw_parts(start, part.Size as usize) };
        (part.Type, bytes.to_vec())
    });
    let mut parts = parts.collect::<Vec<_>>().into_iter();
    assert_eq!(parts.next(), Some((2, provider.traits.to_vec())));
    let (kind, metadata) = parts.next().expect("metadata");
    assert_eq!(kind, 1);
    let written = Written {
        channel: descriptor.channel.as_int(),
        level: descriptor.level.as_int(),
        opcode: descriptor.opcode.as_int(),
        keyword: descriptor.keyword,
        metadata,
        data: parts.flat_map(|(_, bytes)| bytes).collect(),
    };
    WRITTEN.set(Some(written));
    0
}

microsoft::define_provider!(PROVIDER, "mslso");

/// The event that `ndis` writes for this one.
fn ours(event: &Event<'_>) -> Option<Written> {
    let descriptor = event.descriptor();
    Some(Written {
        channel: descriptor.Channel,
        level: descriptor.Level,
        opcode: descriptor.Opcode,
        keyword: descriptor.Keyword,
        metadata: event.metadata().to_vec(),
        data: event.data().to_vec(),
    })
}

#[test]
fn the_provider_has_the_guid_that_its_name_makes() {
    let machine = scenarios::Machine::start(model::Config::default());
    let (id, name) = machine.world.trace_provider().expect("a provider");
    assert_eq!(id, format!("{:?}", PROVIDER.id));
    assert_eq!(id, format!("{:?}", Guid::from_name(&name)));
    assert_eq!(PROVIDER.raw_meta(), b"\x08\0mslso\0");
    machine.stop_clean();
}

#[test]
fn an_event_without_fields_is_the_same() {
    microsoft::write_event!(PROVIDER, "Plain", level(Error), keyword(1));
    let mut event_room = ShortEventRoom::new();
    let event = event_room.begin("Plain", descriptor(OurLevel::Error, 1));
    assert_eq!(WRITTEN.take(), ours(&event));
}

#[test]
fn fields_of_every_type_are_the_same() {
    let adapter: Vec<u16> = "Großer Adapter 𝄞".encode_utf16().collect();
    microsoft::write_event!(
        PROVIDER,
        "Everything",
        level(Warning),
        keyword(0x8000_0000_0000_0004),
        u32("Number", &0x1234_5678),
        u64("Count", &0x1234_5678_9ABC_DEF0),
        win_ntstatus("Status", &sys::NDIS_STATUS_RESOURCES),
        str8("Reason", "größer"),
        str16("Adapter", &adapter),
        str8("Nothing", ""),
    );
    let mut event_room = LongEventRoom::new();
    let mut event = event_room.begin(
        "Everything",
        descriptor(OurLevel::Warning, 0x8000_0000_0000_0004),
    );
    event
        .u32("Number", 0x1234_5678)
        .u64("Count", 0x1234_5678_9ABC_DEF0)
        .status("Status", Status::RESOURCES)
        .text("Reason", "größer")
        .utf16("Adapter", &adapter)
        .text("Nothing", "");
    assert_eq!(WRITTEN.take(), ours(&event));
}

#[test]
fn a_field_that_has_no_room_is_left_out_whole() {
    let mut event_room = LongEventRoom::new();
    let mut event = event_room.begin("Long", descriptor(OurLevel::Information, 1));
    event.u32("First", 1);
    let before = ours(&event);
    event.text("TooLong", &"x".repeat(400));
    event.utf16("TooLong", &[0x78; 200]);
    event.u32(&"n".repeat(400), 2);
    event.text("LongerThanALengthCanSay", &"x".repeat(70_000));
    assert_eq!(ours(&event), before);
    event.u32("Last", 3);
    let mut short_room = LongEventRoom::new();
    let mut short = short_room.begin("Long", descriptor(OurLevel::Information, 1));
    short.u32("First", 1).u32("Last", 3);
    assert_eq!(ours(&event), ours(&short));
}

#[test]
fn the_longest_event_has_room_for_all_its_fields() {
    // An attach of an adapter with the longest name that is kept: see control::Name.
    let mut event_room = LongEventRoom::new();
    let mut event = event_room.begin("Attach", descriptor(OurLevel::Information, 1));
    event.u32("IfIndex", 7).u32("BaseIfIndex", 5);
    event.utf16("Adapter", &[0x41; control::Name::MAX]);
    let (metadata, data) = (event.metadata().len(), event.data().len());
    assert_eq!(data, 2 * 4 + 2 + 2 * 128);
    for name in [
        "NicV1Max",
        "NicV1MinSegments",
        "NicV2IPv4Max",
        "NicV2IPv4MinSegments",
        "NicV2IPv6Max",
        "NicV2IPv6MinSegments",
        "NicUsoIPv4Max",
        "NicUsoIPv6Max",
        "AdvertisedV2IPv4",
        "AdvertisedV2IPv6",
        "AdvertisedUsoIPv4",
        "AdvertisedUsoIPv6",
    ] {
        event.u32(name, 1);
    }
    assert_eq!(event.data().len(), data + 12 * 4);
    assert!(event.metadata().len() > metadata);
}

#[test]
fn the_longest_of_the_other_events_have_room_for_all_their_fields() {
    let metadata = |fields: &[&str]| {
        let mut room = ShortEventRoom::new();
        let mut event = room.begin("Advertised", descriptor(OurLevel::Error, 1));
        for name in fields {
            event.u32(name, 1);
        }
        assert_eq!(event.data().len(), fields.len() * 4, "{fields:?}");
    };
    metadata(&[
        "IfIndex",
        "AdvertisedV2IPv4",
        "AdvertisedV2IPv6",
        "AdvertisedUsoIPv4",
        "AdvertisedUsoIPv6",
        "NicV2IPv4Max",
        "NicV2IPv6Max",
    ]);
    for reason in lso::Refusal::ALL {
        let mut room = ShortEventRoom::new();
        let mut event = room.begin("Refused", descriptor(OurLevel::Warning, 4));
        event.u32("IfIndex", 7).text("Reason", reason.name());
        event.u64("Count", 1);
        assert_eq!(event.data().len(), 4 + 2 + reason.name().len() + 8);
    }
    for profile in control::Profile::ALL {
        let mut room = ShortEventRoom::new();
        let mut event = room.begin("Tuning", descriptor(OurLevel::Information, 2));
        let source = "control-device-persistent";
        event.u32("IfIndex", 7).text("Source", source);
        event
            .u32("Multiple", 1)
            .text("Profile", profile.name())
            .u32("CapBytes", 1);
        let texts = 2 + source.len() + 2 + profile.name().len();
        assert_eq!(event.data().len(), 3 * 4 + texts);
    }
}
