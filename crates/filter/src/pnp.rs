//! FilterNetPnPEvent: the last moment to speak.

use ndis::{NetPnpEvent, Status};

use crate::module::FilterModule;

/// Passes an event on. Before the module is detached, the overlying driver gets the NIC's own sizes;
/// sends of the old size are still split until then. The module's own question is given up, for
/// when FilterDetach runs the way of OID requests is closed (Windows driver documentation,
/// NET_PNP_EVENT, NetEventFilterPreDetach). IRQL PASSIVE_LEVEL.
pub(crate) fn net_pnp_event(module: &FilterModule, event: &NetPnpEvent) -> Status {
    if event.is_pre_detach() {
        module.event_pre_detach();
        module.hardware.give_up(module.handle);
        module.advertiser.restore_nic_config(module);
    }
    event.pass_on(module.handle)
}
