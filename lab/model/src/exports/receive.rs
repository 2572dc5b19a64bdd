//! `ndis.sys`: received NBLs, and sends that are canceled.

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
    let routine = "NdisFIndicateReceiveNetBufferLists";
    thread::ndis_call_out(sys::DISPATCH_LEVEL, routine);
    thread::at_module(module, routine, |world| {
        world.state().check_indicating(chain.addr());
        world.receive_up(chain, port, count, flags);
    });
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFReturnNetBufferLists(
    module: NDIS_HANDLE,
    chain: *mut NET_BUFFER_LIST,
    flags: u32,
) {
    let routine = "NdisFReturnNetBufferLists";
    thread::ndis_call_out(sys::DISPATCH_LEVEL, routine);
    thread::at_module(module, routine, |world| world.return_down(chain, flags));
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFCancelSendNetBufferLists(
    module: NDIS_HANDLE,
    cancel_id: *mut c_void,
) {
    let routine = "NdisFCancelSendNetBufferLists";
    thread::ndis_call_out(sys::DISPATCH_LEVEL, routine);
    thread::at_module(module, routine, |world| {
        let mut state = world.state();
        state.sends.cancels_below.insert(cancel_id.addr());
    });
}

super::exports! {
    NdisFIndicateReceiveNetBufferLists
    NdisFReturnNetBufferLists
    NdisFCancelSendNetBufferLists
}
