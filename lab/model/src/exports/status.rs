//! `ndis.sys`: status indications and network events.

use std::ffi::c_void;

use ::ndis::sys::{
    self, NDIS_HANDLE, NDIS_STATUS, NDIS_STATUS_INDICATION, NET_PNP_EVENT_NOTIFICATION,
};

use crate::thread;

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFIndicateStatus(
    module: NDIS_HANDLE,
    indication: *mut NDIS_STATUS_INDICATION,
) {
    thread::module_call_out(module, sys::DISPATCH_LEVEL, "NdisFIndicateStatus");
    let world = thread::world();
    // The model has no overlying driver on the other adapter.
    if !world.is_neighbor(module) {
        // SAFETY: the caller passes an indication with a buffer of StatusBufferSize bytes.
        unsafe { world.status_up(indication) };
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFNetPnPEvent(
    module: NDIS_HANDLE,
    notification: *mut NET_PNP_EVENT_NOTIFICATION,
) -> NDIS_STATUS {
    thread::module_call_out(module, sys::PASSIVE_LEVEL, "NdisFNetPnPEvent");
    thread::world().event_passed_on(notification.addr())
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFDevicePnPEventNotify(module: NDIS_HANDLE, event: *mut c_void) {
    thread::module_call_out(module, sys::PASSIVE_LEVEL, "NdisFDevicePnPEventNotify");
    thread::world().device_event_passed_on(event.addr());
}

super::exports! {
    NdisFDevicePnPEventNotify
    NdisFIndicateStatus
    NdisFNetPnPEvent
}
