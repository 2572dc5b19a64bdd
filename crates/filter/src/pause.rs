//! FilterRestart and FilterPause: rundown protection is reinitialized and run down.
#![expect(unsafe_code, reason = "a pool without users is trimmed")]

use core::sync::atomic::Ordering;

use ndis::RestartParameters;

use crate::{module::FilterModule, oid};

/// Starts to accept sends, and advertises changes since the pause. IRQL PASSIVE_LEVEL.
pub(crate) fn restart(module: &FilterModule, parameters: Option<&RestartParameters<'_>>) {
    // Parameters without an MTU mean that it has not changed.
    if let Some(mtu) = parameters.and_then(RestartParameters::mtu) {
        module.mtu.store(mtu, Ordering::Relaxed);
    }
    // Before the first send, because children are cut for the limits that this may lower.
    oid::query_current_config(module);
    module.rundown.reinitialize();
    module.running.store(true, Ordering::Relaxed);
    module.event_restart();
    module.resume_advertising();
    oid::query_hardware_capabilities(module);
}

/// Accepts no more sends, waits until every parent is completed, and frees the memory that traffic
/// needed. The wait is as long as the NIC
/// holds our children; NDIS pauses the overlying driver first, so that no new ones come, and Driver
/// Verifier allows ten seconds. IRQL PASSIVE_LEVEL.
pub(crate) fn pause(module: &FilterModule) {
    module.running.store(false, Ordering::Relaxed);
    module.advertiser.suspend();
    module.rundown.wait_for_release();
    // SAFETY: every send and every child held the rundown protection that has been run down, so that
    // all children have been returned, and nothing uses the pool until the module restarts.
    unsafe { module.children.trim() };
    module.event_pause();
}
