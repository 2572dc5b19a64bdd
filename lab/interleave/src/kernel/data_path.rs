//! The routines of the data path.

use std::ffi::c_void;

use ndis::sys::{
    self, MDL, NDIS_HANDLE, NDIS_PORT_NUMBER, NDIS_STATUS_INDICATION, NET_BUFFER_LIST,
};

use nullndis::MODULE;

use crate::{
    offload, parent,
    points::{outside, point, wake},
    traffic, world,
};

/// A caller without the module's handle read it from memory that no longer belongs to the module.
fn check(module: NDIS_HANDLE) {
    if module.addr() != MODULE {
        world::wrong(format!("a call with the handle {module:p}"));
    }
}

/// The NIC gets the chain. It may complete some of it before this returns.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFSendNetBufferLists(
    module: NDIS_HANDLE,
    chain: *mut NET_BUFFER_LIST,
    _port: NDIS_PORT_NUMBER,
    _flags: u32,
) {
    check(module);
    point();
    if world::with(|world| world.paused) {
        world::wrong("a send while the module is paused");
    }
    // SAFETY: the caller gives the chain away.
    for nbl in unsafe { parent::take_apart(chain) } {
        if world::with(|world| world.nic.contains(&nbl)) {
            world::wrong("an NBL is sent that the NIC has already");
        }
        world::with(|world| world.nic.push_back(nbl));
    }
    wake();
    outside(traffic::complete_inline);
    point();
}

/// The overlying driver receives the chain, and may do anything with it.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFSendNetBufferListsComplete(
    module: NDIS_HANDLE,
    chain: *mut NET_BUFFER_LIST,
    _flags: u32,
) {
    check(module);
    point();
    // SAFETY: the caller gives the chain away.
    for nbl in unsafe { parent::take_apart(chain) } {
        world::with(|world| {
            // SAFETY: the caller gives it away.
            let found = unsafe { world.parents.complete(nbl) };
            if let Err(found) = found {
                world.wrong.push(found);
            }
        });
    }
    wake();
    point();
}

/// The overlying driver receives it at some time during the call.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFIndicateStatus(
    module: NDIS_HANDLE,
    indication: *mut NDIS_STATUS_INDICATION,
) {
    check(module);
    point();
    // SAFETY: the caller passes an indication with a buffer of StatusBufferSize bytes.
    unsafe {
        if (*indication).StatusCode == sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG {
            let maxima = offload::maxima((*indication).StatusBuffer.cast());
            world::with(|world| world.indicated.push(maxima));
        }
    }
    point();
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisCopySendNetBufferListInfo(
    to: *mut NET_BUFFER_LIST,
    from: *const NET_BUFFER_LIST,
) {
    let slot = sys::TcpLargeSendNetBufferListInfo;
    // SAFETY: the caller owns both NBLs.
    unsafe { (&mut (*to).NetBufferListInfo)[slot] = (&(*from).NetBufferListInfo)[slot] };
}

/// Without the page frame numbers, which are not read here.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn IoBuildPartialMdl(
    source: *mut MDL,
    target: *mut MDL,
    start: *mut c_void,
    length: u32,
) {
    // SAFETY: the caller passes two MDLs, with `start` in the source.
    unsafe {
        let in_page = start.addr() & (sys::PAGE_SIZE as usize - 1);
        let flags = sys::MDL_SOURCE_IS_NONPAGED_POOL | sys::MDL_MAPPED_TO_SYSTEM_VA;
        (*target).MdlFlags = sys::MDL_PARTIAL | (*source).MdlFlags & flags;
        (*target).StartVa = start.wrapping_byte_sub(in_page);
        (*target).ByteOffset = in_page as u32;
        (*target).ByteCount = length;
        (*target).MappedSystemVa = start;
    }
}
