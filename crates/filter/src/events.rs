//! The driver's events for Event Tracing for Windows: its life, its configuration, and its
//! refusals. Figures are in the [counters](crate::statistics); no event is written for a send that
//! is forwarded or split, and events that a sender can trigger are logged with exponential
//! back-off.
//!
//! [`is_due`] implements the back-off: an event is written when the count that one processor keeps
//! reaches a power of two. The first is always written; a million are written twenty times on each
//! processor. It takes no lock, no clock and no memory beyond the counter that exists anyway.
//! Resetting the statistics starts over.
//!
//! Every function here writes the event that it is named after, with the fields that it names;
//! those about a module begin with its interface index. IRQL ≤ DISPATCH_LEVEL. The driver keeps no
//! list of sessions: see [`Provider`].

use control::{Raise, Tuning};
use lso::Refusal;
use ndis::{Event, Level, Provider, Status, driver::ndis_version, sys};

use crate::{
    advertiser::Advertiser,
    module::{FilterModule, Identity},
    nic_caps::NicCaps,
};

/// The categories of events, by which sessions select them.
mod keyword {
    /// The driver's and the modules' life.
    pub(super) const LIFECYCLE: u64 = 1;
    /// The NIC's capabilities, the advertised sizes, and the adapter's tuning.
    pub(super) const CONFIGURATION: u64 = 2;
    /// Large sends that were refused.
    pub(super) const REFUSAL: u64 = 4;
    /// Large sends for which there was no memory.
    pub(super) const MEMORY: u64 = 8;
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

/// Whether an event is written for the `count`th occurrence.
pub(crate) const fn is_due(count: u64) -> bool {
    count.is_power_of_two()
}

/// The origin of a tuning.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// Read when the module was attached.
    Registry,
    /// Set through the control device until the module is detached.
    ControlDevice,
    /// Set through the control device, and written to the registry.
    ControlDevicePersistent,
}

impl Source {
    const fn name(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::ControlDevice => "control-device",
            Self::ControlDevicePersistent => "control-device-persistent",
        }
    }
}

/// The driver's event provider.
pub(crate) struct Events(Provider);

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

    /// Loading the driver failed.
    #[cold]
    #[inline(never)]
    pub(crate) fn driver_load_failed(&self, status: Status) {
        let (level, keyword) = (Level::Error, keyword::LIFECYCLE);
        self.0
            .write_with("DriverLoadFailed", level, keyword, |event| {
                event.status("Status", status);
            });
    }

    /// The driver is unloaded.
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
        self.0.write_with("AttachFailed", level, keyword, |event| {
            name(event, identity).status("Status", status);
        });
    }
}

impl FilterModule {
    /// The module is attached. The advertised sizes are those that the overlying driver will read
    /// first.
    #[cold]
    #[inline(never)]
    pub(crate) fn event_attach(&self) {
        let (level, keyword) = (Level::Information, keyword::LIFECYCLE);
        let events = &self.driver.events.0;
        events.write_with("Attach", level, keyword, |event| {
            name(event, &self.identity);
            nic(event, &self.advertiser);
            advertised(event, &self.advertiser.last_advertised());
        });
    }

    /// The module accepts sends from now on.
    #[cold]
    #[inline(never)]
    pub(crate) fn event_restart(&self) {
        self.write_plain("Restart");
    }

    /// The module is paused, and every parent is completed.
    #[cold]
    #[inline(never)]
    pub(crate) fn event_pause(&self) {
        self.write_plain("Pause");
    }

    /// The module is about to be detached: the NIC's own limits are advertised to the overlying
    /// driver.
    #[cold]
    #[inline(never)]
    pub(crate) fn event_pre_detach(&self) {
        self.write_plain("PreDetach");
    }

    /// The module is detached.
    #[cold]
    #[inline(never)]
    pub(crate) fn event_detach(&self) {
        self.write_plain("Detach");
    }

    #[inline(never)]
    fn write_plain(&self, name: &str) {
        self.event(name, Level::Information, keyword::LIFECYCLE, |_| {});
    }

    /// The NIC's large-send limits have changed.
    #[cold]
    #[inline(never)]
    pub(crate) fn event_nic_limits(&self) {
        let (level, keyword) = (Level::Information, keyword::CONFIGURATION);
        self.event("NicLimits", level, keyword, |event| {
            nic(event, &self.advertiser)
        });
    }

    /// The advertised size has changed: to a raised one, or back to the NIC's own.
    #[cold]
    #[inline(never)]
    pub(crate) fn event_advertised(&self, caps: &NicCaps) {
        let (level, keyword) = (Level::Information, keyword::CONFIGURATION);
        self.event("Advertised", level, keyword, |event| {
            let nic = self.advertiser.nic();
            advertised(event, caps)
                .u32("NicV2IPv4Max", nic.lso_v2_ipv4.max_payload)
                .u32("NicV2IPv6Max", nic.lso_v2_ipv6.max_payload);
        });
    }

    /// The adapter's tuning was set. The multiple is the one in effect.
    #[cold]
    #[inline(never)]
    pub(crate) fn event_tuning(&self, tuning: Tuning, source: Source) {
        let profile = match tuning.raise {
            Raise::Profile(profile) => profile.name(),
            Raise::Multiple(_) => "none",
        };
        let (level, keyword) = (Level::Information, keyword::CONFIGURATION);
        self.event("Tuning", level, keyword, |event| {
            event
                .text("Source", source.name())
                .u32("Multiple", tuning.multiple())
                .text("Profile", profile)
                .u32("CapBytes", tuning.parameters().cap_bytes);
        });
    }

    /// The statistics were reset to zero.
    #[cold]
    #[inline(never)]
    pub(crate) fn event_statistics_reset(&self) {
        let (level, keyword) = (Level::Information, keyword::CONFIGURATION);
        self.event("StatisticsReset", level, keyword, |_| {});
    }

    /// The miniport reported `count` malformed offload configurations; when [due](is_due).
    #[cold]
    #[inline(never)]
    pub(crate) fn event_malformed_offload(&self, count: u64) {
        self.event(
            "MalformedOffload",
            Level::Warning,
            keyword::CONFIGURATION,
            |event| {
                event.u64("Count", count);
            },
        );
    }

    /// Reports that `count` OID requests arrived without a valid header; when [due](is_due).
    #[cold]
    #[inline(never)]
    pub(crate) fn event_invalid_oid_header(&self, count: u64) {
        self.event(
            "InvalidOidHeader",
            Level::Warning,
            keyword::CONFIGURATION,
            |event| {
                event.u64("Count", count);
            },
        );
    }

    /// `count` large sends were refused for `reason`; when [due](is_due).
    #[cold]
    #[inline(never)]
    pub(crate) fn event_refused(&self, reason: Refusal, count: u64) {
        self.event("Refused", Level::Warning, keyword::REFUSAL, |event| {
            event.text("Reason", reason.name()).u64("Count", count);
        });
    }

    /// For `count` large sends there was no memory; when [due](is_due).
    #[cold]
    #[inline(never)]
    pub(crate) fn event_low_memory(&self, count: u64) {
        self.event("LowMemory", Level::Warning, keyword::MEMORY, |event| {
            event.u64("Count", count);
        });
    }

    /// Writes an event about this module, if somebody listens.
    #[inline]
    fn event(&self, name: &str, level: Level, keyword: u64, fill: impl FnOnce(&mut Event)) {
        self.driver
            .events
            .0
            .write_with(name, level, keyword, |event| {
                event.u32("IfIndex", self.identity.if_index);
                fill(event);
            });
    }
}

fn name<'event>(event: &'event mut Event, identity: &Identity) -> &'event mut Event {
    event
        .u32("IfIndex", identity.if_index)
        .u32("BaseIfIndex", identity.base_if_index)
        .utf16("Adapter", identity.name.units())
}

/// Adds the NIC's limits, in bytes of payload and in segments.
#[inline(never)]
fn nic(event: &mut Event, advertiser: &Advertiser) {
    let nic = advertiser.nic();
    event
        .u32("NicV1Max", nic.lso_v1.max_payload)
        .u32("NicV1MinSegments", nic.lso_v1.min_segments.into())
        .u32("NicV2IPv4Max", nic.lso_v2_ipv4.max_payload)
        .u32("NicV2IPv4MinSegments", nic.lso_v2_ipv4.min_segments.into())
        .u32("NicV2IPv6Max", nic.lso_v2_ipv6.max_payload)
        .u32("NicV2IPv6MinSegments", nic.lso_v2_ipv6.min_segments.into())
        .u32("NicUsoIPv4Max", nic.uso_ipv4.max_payload)
        .u32("NicUsoIPv6Max", nic.uso_ipv6.max_payload);
}

/// Adds the sizes advertised to the overlying driver, in bytes of payload.
fn advertised<'event>(event: &'event mut Event, caps: &NicCaps) -> &'event mut Event {
    event
        .u32("AdvertisedV2IPv4", caps.lso_v2_ipv4.max_payload)
        .u32("AdvertisedV2IPv6", caps.lso_v2_ipv6.max_payload)
        .u32("AdvertisedUsoIPv4", caps.uso_ipv4.max_payload)
        .u32("AdvertisedUsoIPv6", caps.uso_ipv6.max_payload)
}
