//! `ndis.sys`: status indications and network events.

use ::ndis::sys::{
    self, NDIS_HANDLE, NDIS_STATUS, NDIS_STATUS_INDICATION, NET_PNP_EVENT_NOTIFICATION,
};

use crate::thread;

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFIndicateStatus(
    _module: NDIS_HANDLE,
    indication: *mut NDIS_STATUS_INDICATION,
) {
    thread::ndis_call(sys::DISPATCH_LEVEL, "NdisFIndicateStatus");
    // SAFETY: the caller passes an indication with a buffer of StatusBufferSize bytes.
    unsafe { thread::world().status_up(indication) };
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFNetPnPEvent(
    _module: NDIS_HANDLE,
    notification: *mut NET_PNP_EVENT_NOTIFICATION,
) -> NDIS_STATUS {
    thread::ndis_call(sys::PASSIVE_LEVEL, "NdisFNetPnPEvent");
    thread::world().event_passed_on(notification.addr())
}

super::exports! {
    NdisFIndicateStatus
    NdisFNetPnPEvent
}
