//! NDIS_OID_REQUEST in memory: written, read, answered.
#![expect(unsafe_code, reason = "requests are C structures")]

use std::{mem::offset_of, ops::Range};

use ndis::sys;

use super::{OidCall, OidHeader, OidKind, OidResult, request_id};
use crate::{above::BINDING, handles::handle, memory::Block};

/// Where a request's byte counts are.
const COUNTS: Range<usize> = {
    let data = offset_of!(sys::NDIS_OID_REQUEST, DATA);
    data + offset_of!(sys::NDIS_OID_REQUEST_QUERY, BytesWritten)
        ..data + size_of::<sys::NDIS_OID_REQUEST_QUERY>()
};
/// The same of a method request.
const METHOD_COUNTS: Range<usize> = {
    let data = offset_of!(sys::NDIS_OID_REQUEST, DATA);
    data + offset_of!(sys::NDIS_OID_REQUEST_METHOD, BytesWritten)
        ..data + size_of::<sys::NDIS_OID_REQUEST_METHOD>()
};

/// The request's bytes except for its byte counts and the revision that the miniport reports.
pub(super) fn without_counts(request: &Block, kind: OidKind) -> Vec<u8> {
    let mut bytes = request.bytes();
    let counts = match kind {
        OidKind::Method(_) => METHOD_COUNTS,
        _ => COUNTS,
    };
    bytes[counts].fill(0);
    bytes[offset_of!(sys::NDIS_OID_REQUEST, SupportedRevision)] = 0;
    bytes
}

/// The byte counts' value before they are set.
pub(super) const STALE: u32 = 0x0BAD;

/// The miniport's SupportedRevision.
const SUPPORTED: u8 = 5;

/// Whether that has reached the request.
///
/// # Safety
/// `raw` points to a request.
pub(super) unsafe fn has_revision(raw: *const sys::NDIS_OID_REQUEST) -> bool {
    // SAFETY: as the caller vouches.
    unsafe { (*raw).SupportedRevision == SUPPORTED }
}

/// # Safety
/// `raw` points to a zeroed request.
pub(super) unsafe fn fill(
    raw: *mut sys::NDIS_OID_REQUEST,
    call: &OidCall,
    number: u64,
    buffer: &Block,
) {
    let start = buffer.start().cast();
    let (input, room) = (call.input.len() as u32, call.room);
    // SAFETY: as the caller vouches.
    unsafe {
        (*raw).Header = call.header.raw();
        (*raw).PortNumber = call.port;
        (*raw).Timeout = 10;
        if call.header != OidHeader::Empty {
            (*raw).RequestId = handle(request_id(number));
            (*raw).RequestHandle = handle(BINDING);
        }
        (*raw).NdisReserved = [0xD5; 128];
        (*raw).SourceReserved = [0x5C; 16];
        let data = &raw mut (*raw).DATA;
        match call.kind {
            OidKind::Query | OidKind::Statistics => {
                (*raw).RequestType = if call.kind == OidKind::Query {
                    sys::NdisRequestQueryInformation
                } else {
                    sys::NdisRequestQueryStatistics
                };
                let query = &raw mut (*data).QUERY_INFORMATION;
                (*query).Oid = call.oid;
                (*query).InformationBuffer = start;
                (*query).InformationBufferLength = room;
                ((*query).BytesWritten, (*query).BytesNeeded) = (STALE, STALE);
            }
            OidKind::Set => {
                (*raw).RequestType = sys::NdisRequestSetInformation;
                let set = &raw mut (*data).SET_INFORMATION;
                (*set).Oid = call.oid;
                (*set).InformationBuffer = start;
                (*set).InformationBufferLength = input;
                ((*set).BytesRead, (*set).BytesNeeded) = (STALE, STALE);
            }
            OidKind::Method(id) => {
                (*raw).RequestType = sys::NdisRequestMethod;
                let method = &raw mut (*data).METHOD_INFORMATION;
                (*method).Oid = call.oid;
                (*method).InformationBuffer = start;
                (*method).InputBufferLength = input;
                (*method).OutputBufferLength = room;
                (*method).MethodId = id;
                ((*method).BytesWritten, (*method).BytesRead) = (STALE, STALE);
                (*method).BytesNeeded = STALE;
            }
        }
    }
}

/// BytesWritten, BytesRead and BytesNeeded of a request, as far as its type has them.
///
/// # Safety
/// `raw` points to a request.
pub(super) unsafe fn counts(raw: *const sys::NDIS_OID_REQUEST) -> (u32, u32, u32) {
    // SAFETY: as the caller vouches.
    unsafe {
        let data = (*raw).DATA;
        match (*raw).RequestType {
            sys::NdisRequestSetInformation => (
                0,
                data.SET_INFORMATION.BytesRead,
                data.SET_INFORMATION.BytesNeeded,
            ),
            sys::NdisRequestMethod => (
                data.METHOD_INFORMATION.BytesWritten,
                data.METHOD_INFORMATION.BytesRead,
                data.METHOD_INFORMATION.BytesNeeded,
            ),
            _ => (
                data.QUERY_INFORMATION.BytesWritten,
                0,
                data.QUERY_INFORMATION.BytesNeeded,
            ),
        }
    }
}

/// Whether the header is that of an NDIS_OID_REQUEST of a known revision.
///
/// # Safety
/// `raw` points to a request.
pub(crate) unsafe fn has_valid_header(raw: *const sys::NDIS_OID_REQUEST) -> bool {
    // SAFETY: `raw` points to a request, by this function's contract.
    let header = unsafe { (*raw).Header };
    header.Type == sys::NDIS_OBJECT_TYPE_OID_REQUEST
        && header.Revision >= sys::NDIS_OID_REQUEST_REVISION_1
        && header.Size >= sys::NDIS_SIZEOF_OID_REQUEST_REVISION_1
}

/// The bytes of a request.
///
/// # Safety
/// `raw` points to a request in memory that was zeroed as a whole.
pub(crate) unsafe fn look(raw: *const sys::NDIS_OID_REQUEST) -> Vec<u8> {
    let length = usize::from(sys::NDIS_SIZEOF_OID_REQUEST_REVISION_2);
    // SAFETY: as the caller vouches; requests are made of zeroed memory.
    unsafe { std::slice::from_raw_parts(raw.cast::<u8>(), length) }.to_vec()
}

/// A request as the miniport reads it; `None` where its type is unknown.
///
/// # Safety
/// `raw` points to a request with its buffer.
pub(crate) unsafe fn read_call(raw: *const sys::NDIS_OID_REQUEST) -> Option<OidCall> {
    // SAFETY: as the caller vouches.
    unsafe {
        let data = (*raw).DATA;
        let (kind, buffer, input, room) = match (*raw).RequestType {
            kind @ (sys::NdisRequestQueryInformation | sys::NdisRequestQueryStatistics) => {
                let query = data.QUERY_INFORMATION;
                let kind = if kind == sys::NdisRequestQueryInformation {
                    OidKind::Query
                } else {
                    OidKind::Statistics
                };
                let room = query.InformationBufferLength;
                (kind, query.InformationBuffer, 0, room)
            }
            sys::NdisRequestSetInformation => {
                let set = data.SET_INFORMATION;
                let input = set.InformationBufferLength;
                (OidKind::Set, set.InformationBuffer, input, 0)
            }
            sys::NdisRequestMethod => {
                let method = data.METHOD_INFORMATION;
                let kind = OidKind::Method(method.MethodId);
                let (input, room) = (method.InputBufferLength, method.OutputBufferLength);
                (kind, method.InformationBuffer, input, room)
            }
            _ => return None,
        };
        let input = if input == 0 {
            Vec::new()
        } else {
            std::slice::from_raw_parts(buffer.cast::<u8>(), input as usize).to_vec()
        };
        Some(OidCall {
            kind,
            oid: data.Oid,
            input,
            room,
            port: (*raw).PortNumber,
            at_dispatch: false,
            header: OidHeader::Valid,
        })
    }
}

/// Writes the miniport's answer into a request and its buffer.
///
/// # Safety
/// `raw` points to a request with its buffer, which has room for the answer's bytes.
pub(crate) unsafe fn write_answer(raw: *mut sys::NDIS_OID_REQUEST, answer: &OidResult) {
    // SAFETY: as the caller vouches.
    unsafe {
        let data = &raw mut (*raw).DATA;
        let buffer = match (*raw).RequestType {
            sys::NdisRequestSetInformation => {
                let set = &raw mut (*data).SET_INFORMATION;
                ((*set).BytesRead, (*set).BytesNeeded) = (answer.read, answer.needed);
                (*set).InformationBuffer
            }
            sys::NdisRequestMethod => {
                let method = &raw mut (*data).METHOD_INFORMATION;
                (*method).BytesWritten = answer.written;
                (*method).BytesRead = answer.read;
                (*method).BytesNeeded = answer.needed;
                (*method).InformationBuffer
            }
            _ => {
                let query = &raw mut (*data).QUERY_INFORMATION;
                ((*query).BytesWritten, (*query).BytesNeeded) = (answer.written, answer.needed);
                (*query).InformationBuffer
            }
        };
        // Requests of revision 1 have it too.
        (*raw).SupportedRevision = SUPPORTED;
        let length = answer.bytes.len();
        std::ptr::copy_nonoverlapping(answer.bytes.as_ptr(), buffer.cast::<u8>(), length);
    }
}
