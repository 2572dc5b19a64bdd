//! `ndis.sys`: received NBLs, and sends that are cancelled.

use std::ffi::c_void;

use ::ndis::sys::{self, NDIS_HANDLE, NDIS_PORT_NUMBER, NET_BUFFER_LIST};

use crate::thread;

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFIndicateReceiveNetBufferLists(
    module: NDIS_HANDLE,
    chain: *mut NET_BUFFER_LIST,
    port: NDIS_PORT_NUMBER,
    count: u32,
    flags: u32,
) {
    thread::module_call_out(
        module,
        sys::DISPATCH_LEVEL,
        "NdisFIndicateReceiveNetBufferLists",
    );
    thread::world().receive_up(chain, port, count, flags);
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFReturnNetBufferLists(
    module: NDIS_HANDLE,
    chain: *mut NET_BUFFER_LIST,
    flags: u32,
) {
    thread::module_call_out(module, sys::DISPATCH_LEVEL, "NdisFReturnNetBufferLists");
    thread::world().return_down(chain, flags);
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFCancelSendNetBufferLists(
    module: NDIS_HANDLE,
    cancel_id: *mut c_void,
) {
    thread::module_call_out(module, sys::DISPATCH_LEVEL, "NdisFCancelSendNetBufferLists");
    thread::world()
        .state()
        .sends
        .cancels_below
        .insert(cancel_id.addr());
}

super::exports! {
    NdisFIndicateReceiveNetBufferLists
    NdisFReturnNetBufferLists
    NdisFCancelSendNetBufferLists
}
