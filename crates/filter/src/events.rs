//! The driver's events for Event Tracing for Windows: its life here, those of a filter module in
//! [`module_events`](crate::module_events). Figures are in the [counters](crate::statistics); no
//! event is written for a send that is forwarded or split, and events that a sender can trigger are
//! logged with exponential back-off: [`is_due`](crate::statistics::is_due).
//!
//! Every function writes the event that it is named after, with the fields that it names; those about
//! a module begin with its interface index. IRQL ≤ DISPATCH_LEVEL. The driver keeps no list of
//! sessions: see [`Provider`].

use ndis::{Event, Level, Provider, Status, driver::ndis_version, sys};

use crate::identity::Identity;

/// The categories of events, by which sessions select them.
pub(crate) mod keyword {
    /// The driver's and the modules' life.
    pub(crate) const LIFECYCLE: u64 = 1;
    /// The NIC's capabilities, the advertised sizes, and the adapter's tuning.
    pub(crate) const CONFIGURATION: u64 = 2;
    /// Large sends that were refused.
    pub(crate) const REFUSAL: u64 = 4;
    /// Large sends for which there was no memory.
    pub(crate) const MEMORY: u64 = 8;
}

/// The provider's name, with its length and end.
const TRAITS: &[u8; 8] = b"\x08\0mslso\0";

/// The GUID that TraceLogging derives from that name: {05247842-e8ea-5b1a-55d4-9ce2493e738d}.
static ID: sys::GUID = sys::GUID {
    Data1: 0x0524_7842,
    Data2: 0xE8EA,
    Data3: 0x5B1A,
    Data4: [0x55, 0xD4, 0x9C, 0xE2, 0x49, 0x3E, 0x73, 0x8D],
};

/// The driver's event provider.
pub(crate) struct Events(pub(crate) Provider);

impl Events {
    /// Events go to ETW from here on, until this is dropped. IRQL PASSIVE_LEVEL.
    pub(crate) fn begin() -> Self {
        Self(Provider::register(&ID, TRAITS))
    }

    /// The driver is being loaded.
    #[cold]
    #[inline(never)]
    pub(crate) fn driver_load(&self) {
        let ndis = ndis_version();
        let (level, keyword) = (Level::Information, keyword::LIFECYCLE);
        self.0.write_with("DriverLoad", level, keyword, |event| {
            event
                .text("Version", env!("CARGO_PKG_VERSION"))
                .u32("NdisMajor", ndis >> 16)
                .u32("NdisMinor", ndis & 0xFFFF);
        });
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn driver_load_failed(&self, status: Status) {
        let (level, keyword) = (Level::Error, keyword::LIFECYCLE);
        self.0
            .write_with("DriverLoadFailed", level, keyword, |event| {
                event.status("Status", status);
            });
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn driver_unload(&self) {
        let (level, keyword) = (Level::Information, keyword::LIFECYCLE);
        self.0.write_with("DriverUnload", level, keyword, |_| {});
    }

    /// No module was made for an adapter.
    #[cold]
    #[inline(never)]
    pub(crate) fn attach_failed(&self, identity: &Identity, status: Status) {
        let (level, keyword) = (Level::Error, keyword::LIFECYCLE);
        self.0
            .write_long_with("AttachFailed", level, keyword, |event| {
                name(event, identity).status("Status", status);
            });
    }
}

/// Adds the adapter's identifiers.
pub(crate) fn name<'event, 'room>(
    event: &'event mut Event<'room>,
    identity: &Identity,
) -> &'event mut Event<'room> {
    event
        .u32("IfIndex", identity.if_index)
        .u32("BaseIfIndex", identity.base_if_index)
        .utf16("Adapter", identity.name.units())
}
