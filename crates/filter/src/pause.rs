//! FilterRestart and FilterPause: opening and closing the gate.

use crate::attach::FilterModule;

/// Starts to take sends. IRQL PASSIVE_LEVEL.
pub(crate) fn restart(module: &FilterModule) {
    module.gate.open();
}

/// Takes no more sends and waits until every parent is completed. The wait is as long as the NIC
/// holds our children; NDIS pauses the layer above first, so that no new ones come, and Driver
/// Verifier allows ten seconds. IRQL PASSIVE_LEVEL.
pub(crate) fn pause(module: &FilterModule) {
    module.gate.close();
}
