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
    thread::ndis_call_out(sys::DISPATCH_LEVEL, "NdisFIndicateStatus");
    thread::at_module(module, "NdisFIndicateStatus", |world| {
        // SAFETY: the caller passes an indication with a buffer of StatusBufferSize bytes.
        unsafe { world.status_up(indication) };
    });
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFNetPnPEvent(
    module: NDIS_HANDLE,
    notification: *mut NET_PNP_EVENT_NOTIFICATION,
) -> NDIS_STATUS {
    thread::ndis_call_out(sys::PASSIVE_LEVEL, "NdisFNetPnPEvent");
    thread::at_module(module, "NdisFNetPnPEvent", |world| {
        world.event_passed_on(notification.addr())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFDevicePnPEventNotify(module: NDIS_HANDLE, event: *mut c_void) {
    let routine = "NdisFDevicePnPEventNotify";
    thread::ndis_call_out(sys::PASSIVE_LEVEL, routine);
    thread::at_module(module, routine, |world| {
        world.device_event_passed_on(event.addr());
    });
}

super::exports! {
    NdisFDevicePnPEventNotify
    NdisFIndicateStatus
    NdisFNetPnPEvent
}
