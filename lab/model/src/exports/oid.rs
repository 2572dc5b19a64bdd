//! `ndis.sys`: OID requests.

use std::{ffi::c_void, ptr};

use ::ndis::sys::{self, NDIS_HANDLE, NDIS_OID_REQUEST, NDIS_STATUS};

use crate::{
    memory::Block,
    oid::{CloneOf, raw::has_valid_header},
    rules::Rule,
    thread,
};

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisAllocateCloneOidRequest(
    module: NDIS_HANDLE,
    original: *mut NDIS_OID_REQUEST,
    tag: u32,
    clone: *mut *mut NDIS_OID_REQUEST,
) -> NDIS_STATUS {
    let routine = "NdisAllocateCloneOidRequest";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    thread::at_module(module, routine, |world| {
        let mut state = world.state();
        state.check_tag(tag, routine);
        let of = state.asked_at(original.addr());
        let Some(of) = of.or_else(|| state.direct_asked_at(original.addr())) else {
            state.violation(Rule::Oid, routine, "of a request that is not under way");
            return sys::NDIS_STATUS_INVALID_PARAMETER;
        };
        // SAFETY: a request that is under way is live.
        if !unsafe { has_valid_header(original) } {
            // NDIS raises a bug check from 6.50 on; the model fails the request instead, so that the
            // run goes on.
            let found = "of a request without a valid header: bug check 0x7C, 0x21";
            state.violation(Rule::Oid, routine, found);
            return sys::NDIS_STATUS_INVALID_PARAMETER;
        }
        if !state.kernel.memory.grant() {
            return sys::NDIS_STATUS_RESOURCES;
        }
        let request = Block::new(size_of::<NDIS_OID_REQUEST>(), 16);
        let raw = request.start().cast::<NDIS_OID_REQUEST>();
        // SAFETY: the original is live; the block is new and as long as the structure; the caller
        // passes a place for the clone.
        unsafe {
            // As bytes, padding and all: the model compares requests byte by byte.
            let length = size_of::<NDIS_OID_REQUEST>();
            ptr::copy_nonoverlapping(original.cast::<u8>(), raw.cast::<u8>(), length);
            // These fields belong to the original request's path only; the caller has to copy the
            // RequestId.
            (*raw).RequestId = ptr::null_mut();
            (*raw).RequestHandle = ptr::null_mut();
            (*raw).NdisReserved = [0; 128];
            (*raw).MiniportReserved = [0; 16];
            (*raw).SourceReserved = [0; 16];
            *clone = raw;
        }
        let address = request.address();
        state.oids.clones.insert(address, CloneOf { request, of });
        sys::NDIS_STATUS_SUCCESS
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFreeCloneOidRequest(
    module: NDIS_HANDLE,
    clone: *mut NDIS_OID_REQUEST,
) {
    let routine = "NdisFreeCloneOidRequest";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    thread::at_module(module, routine, |world| {
        let mut state = world.state();
        let below = state.oids.below.as_ref();
        if below.is_some_and(|below| below.address == clone.addr())
            || state.oids.direct_below.contains_key(&clone.addr())
        {
            state.violation(Rule::Oid, routine, "freed while the miniport has it");
        }
        if state.oids.clones.remove(&clone.addr()).is_none() {
            state.violation(Rule::Oid, routine, "freed although it is no clone");
        }
    });
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFOidRequest(
    module: NDIS_HANDLE,
    request: *mut NDIS_OID_REQUEST,
) -> NDIS_STATUS {
    thread::ndis_call_out(sys::DISPATCH_LEVEL, "NdisFOidRequest");
    thread::at_module(module, "NdisFOidRequest", |world| {
        // SAFETY: the caller passes a request.
        unsafe { world.oid_down(request) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFOidRequestComplete(
    module: NDIS_HANDLE,
    request: *mut NDIS_OID_REQUEST,
    status: NDIS_STATUS,
) {
    thread::ndis_call_out(sys::DISPATCH_LEVEL, "NdisFOidRequestComplete");
    thread::at_module(module, "NdisFOidRequestComplete", |world| {
        world.oid_up(request, status);
    });
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFCancelOidRequest(module: NDIS_HANDLE, request_id: *mut c_void) {
    thread::ndis_call_out(sys::DISPATCH_LEVEL, "NdisFCancelOidRequest");
    thread::at_module(module, "NdisFCancelOidRequest", |world| {
        world.cancel_below(request_id.addr());
    });
}

unsafe extern "efiapi" fn NdisFDirectOidRequest(
    module: NDIS_HANDLE,
    request: *mut NDIS_OID_REQUEST,
) -> NDIS_STATUS {
    let routine = "NdisFDirectOidRequest";
    thread::ndis_call_out(sys::DISPATCH_LEVEL, routine);
    thread::at_module(module, routine, |world| {
        // SAFETY: the caller passes a request.
        unsafe { world.direct_oid_down(request) }
    })
}

unsafe extern "efiapi" fn NdisFDirectOidRequestComplete(
    module: NDIS_HANDLE,
    request: *mut NDIS_OID_REQUEST,
    status: NDIS_STATUS,
) {
    let routine = "NdisFDirectOidRequestComplete";
    thread::ndis_call_out(sys::DISPATCH_LEVEL, routine);
    thread::at_module(module, routine, |world| {
        world.direct_oid_up(request, status);
    });
}

unsafe extern "efiapi" fn NdisFCancelDirectOidRequest(module: NDIS_HANDLE, id: *mut c_void) {
    let routine = "NdisFCancelDirectOidRequest";
    thread::ndis_call_out(sys::DISPATCH_LEVEL, routine);
    thread::at_module(module, routine, |world| {
        world.cancel_direct_below(id.addr());
    });
}

unsafe extern "efiapi" fn NdisFSynchronousOidRequest(
    module: NDIS_HANDLE,
    request: *mut NDIS_OID_REQUEST,
) -> NDIS_STATUS {
    let routine = "NdisFSynchronousOidRequest";
    thread::ndis_call_out(sys::DISPATCH_LEVEL, routine);
    thread::at_module(module, routine, |world| {
        // SAFETY: the caller passes a request.
        unsafe { world.synchronous_oid_down(request) }
    })
}

super::exports! {
    NdisAllocateCloneOidRequest
    NdisFreeCloneOidRequest
    NdisFOidRequest
    NdisFOidRequestComplete
    NdisFCancelOidRequest
    NdisFDirectOidRequest
    NdisFDirectOidRequestComplete
    NdisFCancelDirectOidRequest
    NdisFSynchronousOidRequest
}
