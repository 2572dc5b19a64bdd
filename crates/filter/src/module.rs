//! The driver's state, and that of its filter modules: each is one NIC's instance of the filter.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};

use children::ChildPool;
use ndis::{
    DriverRef, ErrorLog, EventLock, ModuleHandle, ModuleList, PoolBox, RundownGuard, RundownRef,
    SpinLock, Status, Tag,
    oid::{OffloadQuery, RequestId},
};

use crate::{
    advertiser::Advertiser,
    events::Events,
    identity::Identity,
    settings::Settings,
    statistics::{Counters, Statistics},
};

/// The driver's state from load to unload.
pub(crate) struct Driver {
    pub(crate) modules: ModuleList<FilterModule>,
    pub(crate) events: Events,
    pub(crate) error_log: ErrorLog,
    /// Held while settings in the registry are read or written, or a tuning is put into effect:
    /// NDIS requires its configuration routines to be called one after the other, and the tuning
    /// written last must be the one in effect.
    pub(crate) settings: EventLock,
}

impl Driver {
    /// A driver that is attached to nothing, in the pool, where its locks stay.
    /// IRQL PASSIVE_LEVEL.
    pub(crate) fn try_new(error_log: ErrorLog) -> Result<PoolBox<Self>, Status> {
        let driver = PoolBox::try_new(
            Tag::DRIVER,
            Self {
                modules: ModuleList::new(),
                events: Events::begin(),
                error_log,
                settings: EventLock::new(),
            },
        )?;
        driver.modules.initialize();
        driver.settings.initialize();
        Ok(driver)
    }
}

pub(crate) struct FilterModule {
    pub(crate) driver: DriverRef<Driver>,
    pub(crate) handle: ModuleHandle,
    /// In an allocation of its own: it is long, and copied in a frame of its own.
    pub(crate) identity: PoolBox<Identity>,
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

impl FilterModule {
    /// The handle that releases the module's rundown protection.
    pub(crate) fn rundown_guard(&self) -> RundownGuard {
        self.rundown.guard()
    }

    /// The module's counters since it was attached, or since the last reset.
    pub(crate) fn statistics(&self) -> Statistics {
        self.counters.sum(self.children.allocations())
    }
}
