//! Indications of the newest offload configuration: what the [advertiser](crate::advertiser) decides,
//! sent to NDIS and logged.

use ndis::{OffloadConfig, indicate, sys};

use crate::{module::FilterModule, nic_caps::NicCaps};

impl FilterModule {
    /// Advertises the tuning's sizes again, for a module that restarts. Such a module is not about to
    /// be detached, even after a pre-detach event: it may have been for another filter.
    pub(crate) fn resume_advertising(&self) {
        self.advertiser.allow_indications(false);
        self.publish();
    }

    /// Advertises the NIC's own configuration, and nothing else until the module restarts: it is about
    /// to be detached. IRQL PASSIVE_LEVEL.
    pub(crate) fn restore_nic_config(&self) {
        self.advertiser.allow_indications(true);
        self.publish();
        // If another indication is in flight, its thread advertises in place of this one.
        self.advertiser.wait_for_indications();
        self.advertiser.suspend();
    }

    /// Indicates the newest configuration to the overlying driver, unless it has it, and then any that
    /// is newer. IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn publish(&self) {
        while let Some(news) = self.indicate_next() {
            if let Some(advertised) = news {
                self.event_advertised(&advertised);
            }
        }
    }

    /// Indicates the newest configuration, if the overlying driver does not have it. Returns its
    /// capabilities, if they differ from those advertised before, or `None` if there is nothing to
    /// indicate. Out of line: the configuration is on the stack while other drivers' code runs, and no
    /// longer.
    #[inline(never)]
    fn indicate_next(&self) -> Option<Option<NicCaps>> {
        let mut config = OffloadConfig::zeroed();
        if !self.advertiser.begin_next(&mut config) {
            return None;
        }
        let code = sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG;
        indicate(self.handle, code, config.bytes_mut());
        let advertised = Some(NicCaps::from(&config));
        Some(self.advertiser.end_indication(advertised))
    }

    /// Calls `forward`, which forwards an indication of the miniport to the overlying driver and
    /// returns the capabilities in it; then publishes. IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn forward_indication(&self, forward: impl FnOnce() -> Option<NicCaps>) {
        self.advertiser.begin_forwarding();
        if let Some(advertised) = self.advertiser.end_indication(forward()) {
            self.event_advertised(&advertised);
        }
        // A newer configuration may have come meanwhile.
        self.publish();
    }
}
