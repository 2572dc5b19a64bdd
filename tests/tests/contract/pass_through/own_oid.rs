//! Requests of the filter's own, as against clones.

use std::ptr;

use ndis::sys::{self, NDIS_OID_REQUEST, NDIS_STATUS};

use super::{Module, fault, status::indication};

const TAG: u32 = u32::from_le_bytes(*b"MinQ");
/// RequestId of the filter's own requests.
const OWN: usize = 0x0511;
/// Bytes for an answer.
const ROOM: usize = 300;

/// A request with its answer.
#[repr(C)]
struct Question {
    request: NDIS_OID_REQUEST,
    answer: [u8; ROOM],
}

/// Queries the miniport's hardware capabilities.
pub(super) fn ask<const FAULT: u8>(module: &Module) {
    // SAFETY: the pool's memory is zeroed, and freed by `answered`.
    unsafe {
        let memory = sys::ExAllocatePool2(sys::POOL_FLAG_NON_PAGED, size_of::<Question>(), TAG);
        let question = memory.cast::<Question>();
        let request = &raw mut (*question).request;
        (*request).Header = ndis::driver::header(
            sys::NDIS_OBJECT_TYPE_OID_REQUEST,
            sys::NDIS_OID_REQUEST_REVISION_2,
            sys::NDIS_SIZEOF_OID_REQUEST_REVISION_2,
        );
        (*request).RequestType = sys::NdisRequestQueryInformation;
        (*request).RequestId = ptr::without_provenance_mut(OWN);
        let query = &raw mut (*request).DATA.QUERY_INFORMATION;
        (*query).Oid = sys::OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES;
        (*query).InformationBuffer = (&raw mut (*question).answer).cast();
        (*query).InformationBufferLength = ROOM as u32;
        let status = sys::NdisFOidRequest(module.handle, request);
        if FAULT == fault::OWN_OID_TWICE && status == sys::NDIS_STATUS_PENDING {
            sys::NdisFOidRequest(module.handle, request);
        }
        if status != sys::NDIS_STATUS_PENDING {
            answered(module, request, status);
        } else if FAULT == fault::OWN_OID_FREED {
            sys::ExFreePoolWithTag(memory, TAG);
        }
    }
}

/// Whether this is a request of the filter's own; then it is done with.
///
/// # Safety
/// `request` is the filter's again.
pub(super) unsafe fn claimed(
    module: &Module,
    request: *mut NDIS_OID_REQUEST,
    status: NDIS_STATUS,
) -> bool {
    // SAFETY: as the caller vouches.
    unsafe {
        let own = (*request).RequestId.addr() == OWN;
        if own {
            answered(module, request, status);
        }
        own
    }
}

/// # Safety
/// `request` is one of `ask`, and the filter's again.
unsafe fn answered(module: &Module, request: *mut NDIS_OID_REQUEST, status: NDIS_STATUS) {
    // SAFETY: as the caller vouches.
    unsafe {
        let question = request.cast::<Question>();
        let written = (*request).DATA.QUERY_INFORMATION.BytesWritten as usize;
        let answer = (*question).answer;
        sys::ExFreePoolWithTag(question.cast(), TAG);
        assert_eq!(status, sys::NDIS_STATUS_SUCCESS);
        let mut indication = indication(sys::NDIS_STATUS_LINK_STATE, &answer[..written]);
        indication.SourceHandle = module.handle;
        sys::NdisFIndicateStatus(module.handle, &raw mut indication);
    }
}
