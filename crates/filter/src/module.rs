//! A filter module: one NIC's instance of the filter.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use children::ChildPool;
use control::Name;
use ndis::{
    DriverRef, ModuleHandle, PoolBox, RundownGuard, RundownRef, SpinLock,
    oid::{OffloadQuery, RequestId},
};

use crate::{
    advertiser::Advertiser,
    driver::Driver,
    events::is_due,
    settings::Settings,
    split::SendError,
    statistics::{Counters, Statistics},
};

/// See the module.
pub(crate) struct FilterModule {
    pub(crate) driver: DriverRef<Driver>,
    pub(crate) handle: ModuleHandle,
    pub(crate) identity: Identity,
    /// Can be acquired while the module runs. A send call holds it until it returns, a child until
    /// the call that completed it returns.
    pub(crate) rundown: RundownRef,
    pub(crate) running: AtomicBool,
    /// The NIC's capabilities and those advertised to the overlying driver.
    pub(crate) advertiser: PoolBox<Advertiser>,
    pub(crate) settings: Settings,
    pub(crate) children: ChildPool,
    pub(crate) counters: Counters,
    /// The OID request that is on its way below; NDIS sends one at a time.
    pub(crate) pending_oid: SpinLock<Option<RequestId>>,
    /// The module's query of the NIC's current configuration.
    pub(crate) current_query: OffloadQuery,
    /// The module's query of the capabilities of the NIC's hardware, enabled or not.
    pub(crate) hardware_query: OffloadQuery,
    /// Settings in the registry that are out of range.
    pub(crate) settings_out_of_range: AtomicU32,
    /// Offload configurations from the miniport that violated NDIS's rules.
    pub(crate) malformed_offloads: AtomicU64,
    /// OID requests that arrived without a valid header.
    pub(crate) invalid_oid_headers: AtomicU64,
    /// Maximum number of bytes of an IP packet on this adapter, as NDIS reported at the module's
    /// last restart, or the miniport since; 0 if neither did.
    pub(crate) mtu: AtomicU32,
}

/// The identifiers by which an administrator selects the adapter.
#[derive(Clone, Copy)]
pub(crate) struct Identity {
    /// The filter module's interface index.
    pub(crate) if_index: u32,
    /// The interface index of the adapter beneath all filters.
    pub(crate) base_if_index: u32,
    pub(crate) name: Name,
}

impl Identity {
    /// Whether `if_index` names this adapter.
    pub(crate) fn matches(&self, if_index: u32) -> bool {
        [self.if_index, self.base_if_index].contains(&if_index)
    }
}

impl FilterModule {
    /// The handle that releases the module's rundown protection.
    pub(crate) fn rundown_guard(&self) -> RundownGuard {
        self.rundown.guard()
    }

    /// The module's counters since it was attached, or since the last reset.
    pub(crate) fn statistics(&self) -> Statistics {
        self.counters.sum(self.children.allocations())
    }

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
}

/// Increments `counter`. Returns the new count if an [event](is_due) is to be written for it.
fn count_up(counter: &AtomicU64) -> Option<u64> {
    let before = counter.fetch_add(1, Ordering::Relaxed);
    let count = before.saturating_add(1);
    is_due(count).then_some(count)
}
