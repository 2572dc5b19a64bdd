//! The routines around the data path: queries of the NIC.

use std::{ffi::c_void, ptr};

use ndis::{
    ModuleHandle,
    sys::{self, NDIS_HANDLE, NDIS_STATUS},
};
use nullndis::MODULE;

use crate::{
    points::{point, wake},
    world,
};

/// The handle of a module for which a case makes a child pool of its own.
pub fn child_pool_module() -> ModuleHandle {
    // SAFETY: the routines here take any handle.
    unsafe { ModuleHandle::from_raw(ptr::without_provenance_mut(MODULE)) }
}

/// The NIC has no answer to a query: at once, or [later](crate::Machine::answer_queries).
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFOidRequest(
    _module: NDIS_HANDLE,
    request: *mut sys::NDIS_OID_REQUEST,
) -> NDIS_STATUS {
    let pends = world::with(|world| {
        if world.queries_pend {
            world.queries.push_back(request);
        }
        world.queries_pend
    });
    if !pends {
        return sys::NDIS_STATUS_NOT_SUPPORTED;
    }
    wake();
    point();
    sys::NDIS_STATUS_PENDING
}

/// The NIC cannot cancel a query.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFCancelOidRequest(_module: NDIS_HANDLE, _id: *mut c_void) {
    point();
}
