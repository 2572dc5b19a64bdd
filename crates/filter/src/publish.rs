//! Indications of the newest offload configuration: what the [advertiser](crate::advertiser) decides,
//! sent to NDIS and logged.

use ndis::{OffloadConfig, indicate, sys};

use crate::{advertiser::Ended, module::FilterModule, nic_caps::NicCaps};

impl FilterModule {
    /// Advertises the tuning's sizes again, for a module that restarts, to drivers that have bound since
    /// and to those that were bound before the attach. Such a module is not about to
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
        self.indicate_newer(Ended::None);
    }

    /// Calls `forward`, which forwards an indication of the miniport to the overlying driver and
    /// returns the capabilities in it; then publishes. IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn forward_indication(&self, forward: impl FnOnce() -> Option<NicCaps>) {
        self.advertiser.begin_forwarding();
        let advertised = forward();
        self.indicate_newer(Ended::Forwarded(&advertised));
    }

    /// Ends an indication, if there is one to end, logs it, and indicates any newer configuration. Out of line:
    /// the configuration is not on the stack while an indication of the miniport is forwarded.
    #[inline(never)]
    fn indicate_newer(&self, ended: Ended<'_>) {
        let mut config = OffloadConfig::zeroed();
        let mut ended = ended;
        loop {
            let (news, is_newer) = &self.advertiser.end_and_begin(ended, &mut config);
            if let Some(advertised) = news {
                self.event_advertised(advertised);
            }
            if !is_newer {
                break;
            }
            let code = sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG;
            indicate(self.handle, code, config.bytes_mut());
            ended = Ended::Own;
        }
    }
}
