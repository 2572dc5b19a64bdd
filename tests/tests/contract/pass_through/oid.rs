//! OID requests: cloned, sent down, completed.

use std::{ffi::c_void, ptr};

use ndis::sys::{self, NDIS_HANDLE, NDIS_OID_REQUEST, NDIS_STATUS};

use super::{Module, fault, module, own_oid};

const TAG: u32 = u32::from_le_bytes(*b"MinO");

/// The original of a clone, which lies in the clone's SourceReserved.
///
/// # Safety
/// `clone` is a request.
unsafe fn original(clone: *mut NDIS_OID_REQUEST) -> *mut *mut NDIS_OID_REQUEST {
    // SAFETY: as the caller vouches.
    unsafe { (&raw mut (*clone).SourceReserved).cast() }
}

pub(super) unsafe extern "efiapi" fn request<const FAULT: u8>(
    context: NDIS_HANDLE,
    request: *mut NDIS_OID_REQUEST,
) -> NDIS_STATUS {
    // SAFETY: the context is attach's; the request lives until it is completed.
    unsafe {
        let module = module(context);
        if FAULT == fault::OID_ORIGINAL_DOWN {
            return sys::NdisFOidRequest(module.handle, request);
        }
        let Some(clone) = clone_of::<FAULT>(module, request) else {
            return sys::NDIS_STATUS_RESOURCES;
        };
        match FAULT {
            fault::OID_NEVER => {
                sys::NdisFreeCloneOidRequest(module.handle, clone);
                return sys::NDIS_STATUS_PENDING;
            }
            fault::OID_WRITES => *original(request) = clone,
            _ => {}
        }
        let status = sys::NdisFOidRequest(module.handle, clone);
        match FAULT {
            fault::OID_TWO => {
                if let Some(second) = clone_of::<FAULT>(module, request) {
                    sys::NdisFOidRequest(module.handle, second);
                    sys::NdisFreeCloneOidRequest(module.handle, second);
                }
            }
            fault::OID_TOUCHES_BELOW => (*clone).Timeout += 1,
            fault::OID_FREES_BELOW => sys::NdisFreeCloneOidRequest(module.handle, clone),
            _ => {}
        }
        if status != sys::NDIS_STATUS_PENDING {
            complete::<FAULT>(context, clone, status);
        }
        if FAULT == fault::OID_ANSWERED_TOO {
            return sys::NDIS_STATUS_SUCCESS;
        }
        sys::NDIS_STATUS_PENDING
    }
}

/// A clone of `request`.
///
/// # Safety
/// `request` is under way.
unsafe fn clone_of<const FAULT: u8>(
    module: &Module,
    request: *mut NDIS_OID_REQUEST,
) -> Option<*mut NDIS_OID_REQUEST> {
    let mut clone = ptr::null_mut();
    // SAFETY: as the caller vouches.
    unsafe {
        let given = (*request).Header;
        if FAULT != fault::CLONED_UNSEEN {
            (*request).Header = sys::NDIS_OBJECT_HEADER {
                Type: sys::NDIS_OBJECT_TYPE_OID_REQUEST,
                Revision: sys::NDIS_OID_REQUEST_REVISION_2,
                Size: sys::NDIS_SIZEOF_OID_REQUEST_REVISION_2,
            };
        }
        let status = sys::NdisAllocateCloneOidRequest(module.handle, request, TAG, &raw mut clone);
        if FAULT != fault::HEADER_KEPT {
            (*request).Header = given;
        }
        if status != sys::NDIS_STATUS_SUCCESS {
            if FAULT != fault::NO_COUNTS {
                copy_counts(&std::mem::zeroed(), request);
            }
            return None;
        }
        *original(clone) = request;
        if FAULT != fault::NO_REQUEST_ID {
            (*clone).RequestId = (*request).RequestId;
        }
    }
    Some(clone)
}

pub(super) unsafe extern "efiapi" fn complete<const FAULT: u8>(
    context: NDIS_HANDLE,
    clone: *mut NDIS_OID_REQUEST,
    status: NDIS_STATUS,
) {
    // SAFETY: the context is attach's; the clone is the filter's again, its original is under way.
    unsafe {
        let module = module(context);
        if own_oid::claimed(module, clone, status) {
            return;
        }
        let request = *original(clone);
        if FAULT != fault::NO_COUNTS {
            copy_counts(clone, request);
        }
        if FAULT != fault::NO_REVISION {
            (*request).SupportedRevision = (*clone).SupportedRevision;
        }
        if FAULT == fault::OID_ANSWER {
            let buffer = (*request).DATA.QUERY_INFORMATION.InformationBuffer;
            *buffer.cast::<u8>() ^= 1;
        }
        let late = matches!(FAULT, fault::CLONE_LEFT | fault::CLONE_FREED_LATE);
        if !late {
            sys::NdisFreeCloneOidRequest(module.handle, clone);
        }
        let status = if FAULT == fault::OID_STATUS {
            sys::NDIS_STATUS_FAILURE
        } else {
            status
        };
        sys::NdisFOidRequestComplete(module.handle, request, status);
        match FAULT {
            fault::CLONE_FREED_LATE => sys::NdisFreeCloneOidRequest(module.handle, clone),
            fault::OID_TWICE => sys::NdisFOidRequestComplete(module.handle, request, status),
            fault::OID_TOUCHES_AFTER => (*request).Timeout += 1,
            _ => {}
        }
    }
}

/// # Safety
/// Both are requests of the same type.
unsafe fn copy_counts(from: *const NDIS_OID_REQUEST, to: *mut NDIS_OID_REQUEST) {
    // SAFETY: as the caller vouches; the type selects the member of the union that holds.
    unsafe {
        let (own, data) = ((*from).DATA, &raw mut (*to).DATA);
        match (*to).RequestType {
            sys::NdisRequestMethod => {
                let (own, method) = (own.METHOD_INFORMATION, &raw mut (*data).METHOD_INFORMATION);
                (*method).BytesWritten = own.BytesWritten;
                (*method).BytesRead = own.BytesRead;
                (*method).BytesNeeded = own.BytesNeeded;
            }
            sys::NdisRequestSetInformation => {
                let (own, set) = (own.SET_INFORMATION, &raw mut (*data).SET_INFORMATION);
                (*set).BytesRead = own.BytesRead;
                (*set).BytesNeeded = own.BytesNeeded;
            }
            _ => {
                let (own, query) = (own.QUERY_INFORMATION, &raw mut (*data).QUERY_INFORMATION);
                (*query).BytesWritten = own.BytesWritten;
                (*query).BytesNeeded = own.BytesNeeded;
            }
        }
    }
}

pub(super) unsafe extern "efiapi" fn cancel(context: NDIS_HANDLE, request_id: *mut c_void) {
    // SAFETY: the context is attach's.
    unsafe { sys::NdisFCancelOidRequest(module(context).handle, request_id) };
}

/// Makes a request of the filter's own.
pub(super) fn originate(module: &Module) {
    // SAFETY: numbers, raw pointers and a union of them may all be zero.
    let mut request: NDIS_OID_REQUEST = unsafe { std::mem::zeroed() };
    request.Header = ndis::driver::header(
        sys::NDIS_OBJECT_TYPE_OID_REQUEST,
        sys::NDIS_OID_REQUEST_REVISION_2,
        sys::NDIS_SIZEOF_OID_REQUEST_REVISION_2,
    );
    // SAFETY: the request lives during the call, which does not pend.
    unsafe { sys::NdisFOidRequest(module.handle, &raw mut request) };
}
