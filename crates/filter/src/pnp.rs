//! FilterNetPnPEvent: the last opportunity to indicate a status.

use ndis::{NetPnpEvent, Status};

use crate::module::FilterModule;

/// Forwards an event. Before the module is detached, the NIC's own sizes are advertised to the
/// overlying driver; sends of the old size are still split until then. The module's own queries
/// are canceled, because OID requests are no longer possible when FilterDetach runs (Windows driver
/// documentation, NET_PNP_EVENT, NetEventFilterPreDetach). IRQL PASSIVE_LEVEL.
pub(crate) fn net_pnp_event(module: &FilterModule, event: &NetPnpEvent) -> Status {
    if event.is_pre_detach() {
        module.event_pre_detach();
        module.current_query.cancel(module.handle);
        module.hardware_query.cancel(module.handle);
        module.restore_nic_config();
    }
    event.forward(module.handle)
}
