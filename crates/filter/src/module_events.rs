//! The [events](crate::events) about a filter module, and the counts of those that are logged with
//! back-off.

use core::sync::atomic::{AtomicU64, Ordering};

use control::{Raise, Tuning};
use lso::Refusal;
use ndis::{Event, Level};

use crate::{
    advertiser::Advertiser,
    events::{keyword, name},
    module::FilterModule,
    nic_caps::NicCaps,
    send_error::SendError,
    statistics::is_due,
};

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

impl FilterModule {
    /// Counts an offload configuration that violates NDIS's definition.
    pub(crate) fn count_malformed_offload(&self) {
        if let Some(count) = count_up(&self.malformed_offloads) {
            self.event_malformed_offload(count);
        }
    }

    /// Counts an OID request without a valid header.
    pub(crate) fn count_invalid_oid_header(&self) {
        if let Some(count) = count_up(&self.invalid_oid_headers) {
            self.event_invalid_oid_header(count);
        }
    }

    /// Counts one send that is completed without being sent. Out of line, off the fast path.
    #[cold]
    #[inline(never)]
    pub(crate) fn count_failed_send(&self, error: SendError) {
        let Some(count) = self.counters.failed(error) else {
            return;
        };
        match error {
            SendError::Refused(reason) => self.event_refused(reason, count),
            SendError::LowMemory => self.event_low_memory(count),
            // No event: sending to a paused module is the overlying driver's error.
            SendError::Paused => {}
        }
    }

    /// The module is attached. The advertised sizes are those that the overlying driver will read
    /// first.
    #[cold]
    #[inline(never)]
    pub(crate) fn event_attach(&self) {
        let (level, keyword) = (Level::Information, keyword::LIFECYCLE);
        let events = &self.driver.events.0;
        events.write_long_with("Attach", level, keyword, |event| {
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
        let events = &self.driver.events.0;
        events.write_long_with("NicLimits", level, keyword, |event| {
            event.u32("IfIndex", self.identity.if_index);
            nic(event, &self.advertiser);
        });
    }

    /// The advertised size has changed: to a raised one, or back to the NIC's own.
    #[cold]
    #[inline(never)]
    pub(crate) fn event_advertised(&self, caps: &NicCaps) {
        let (level, keyword) = (Level::Information, keyword::CONFIGURATION);
        self.event("Advertised", level, keyword, |event| {
            let [ipv4, ipv6] = self.nic_maxima();
            advertised(event, caps)
                .u32("NicV2IPv4Max", ipv4)
                .u32("NicV2IPv6Max", ipv6);
        });
    }

    /// The NIC's maxima of LSOv2 over IPv4 and IPv6. Out of line: the event's frame is long already.
    #[inline(never)]
    fn nic_maxima(&self) -> [u32; 2] {
        let nic = self.advertiser.nic();
        [nic.lso_v2_ipv4.max_payload, nic.lso_v2_ipv6.max_payload]
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
    fn event(&self, name: &str, level: Level, keyword: u64, fill: impl FnOnce(&mut Event<'_>)) {
        self.driver
            .events
            .0
            .write_with(name, level, keyword, |event| {
                event.u32("IfIndex", self.identity.if_index);
                fill(event);
            });
    }
}

/// Increments `counter`. Returns the new count if an [event](is_due) is to be written for it.
fn count_up(counter: &AtomicU64) -> Option<u64> {
    let before = counter.fetch_add(1, Ordering::Relaxed);
    let count = before.saturating_add(1);
    is_due(count).then_some(count)
}

/// Adds the NIC's limits, in bytes of payload and in segments.
#[inline(never)]
fn nic(event: &mut Event<'_>, advertiser: &Advertiser) {
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
fn advertised<'event, 'room>(
    event: &'event mut Event<'room>,
    caps: &NicCaps,
) -> &'event mut Event<'room> {
    event
        .u32("AdvertisedV2IPv4", caps.lso_v2_ipv4.max_payload)
        .u32("AdvertisedV2IPv6", caps.lso_v2_ipv6.max_payload)
        .u32("AdvertisedUsoIPv4", caps.uso_ipv4.max_payload)
        .u32("AdvertisedUsoIPv6", caps.uso_ipv6.max_payload)
}
