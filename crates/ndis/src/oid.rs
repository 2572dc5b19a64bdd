//! OID requests: those on their way through the filter, cloned, forwarded, and completed once; and
//! the filter's own query of the NIC's hardware capabilities.
//!
//! A filter may not forward a request that it does not own, so it sends a clone; the original is
//! kept in the clone, and completed after the clone is freed (Windows driver documentation, "Filter
//! Module OID Requests").

use core::{
    cell::UnsafeCell,
    mem::{MaybeUninit, offset_of},
    ptr::{self, NonNull},
};

use crate::{
    filter_module::ModuleHandle, kernel_event::KernelEvent, object::header, pool::PoolBox,
    pool_tag::Tag, status::Status, sys,
};

/// A request of the overlying driver, lent to FilterOidRequest until it is completed.
pub struct OidRequest(NonNull<sys::NDIS_OID_REQUEST>);

/// The filter's copy of a request, on its way down or back.
#[must_use = "an OID request that is not completed is lost"]
pub struct OidClone(NonNull<sys::NDIS_OID_REQUEST>);

/// A request's name for canceling it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestId(usize);

impl RequestId {
    /// The identifier that NDIS passes to FilterCancelOidRequest.
    pub fn from_raw(raw: *mut core::ffi::c_void) -> Self {
        Self(raw.addr())
    }
}

impl OidRequest {
    /// # Safety
    /// `raw` was passed by NDIS to FilterOidRequest.
    pub const unsafe fn from_raw(raw: NonNull<sys::NDIS_OID_REQUEST>) -> Self {
        Self(raw)
    }

    /// Whether the header is one that NDIS accepts in a request to be cloned.
    ///
    /// NDIS does not check it before FilterOidRequest: the PPPoE protocol driver of Windows sends
    /// requests whose header is all zero.
    pub fn has_valid_header(&self) -> bool {
        // SAFETY: the request is lent, and begins with its header.
        let header = unsafe { (*self.0.as_ptr()).Header };
        header.Type == sys::NDIS_OBJECT_TYPE_OID_REQUEST
            && header.Revision >= sys::NDIS_OID_REQUEST_REVISION_1
            && header.Size >= sys::NDIS_SIZEOF_OID_REQUEST_REVISION_1
    }

    /// Returns the copy to pass down. Its header is valid even where the request's is not.
    /// IRQL ≤ DISPATCH_LEVEL.
    ///
    /// # Errors
    /// [`Status::INVALID_PARAMETER`] if the header names an object of another type, which is left
    /// as it is. The status of NDIS if it has no memory; the request's byte counts are 0 then.
    pub fn try_clone(&self, module: ModuleHandle) -> Result<OidClone, Status> {
        // SAFETY: the request is lent, and begins with its header.
        let given = unsafe { (*self.0.as_ptr()).Header };
        let is_valid = self.has_valid_header();
        if !is_valid {
            if given.Type != 0 && given.Type != sys::NDIS_OBJECT_TYPE_OID_REQUEST {
                return Err(Status::INVALID_PARAMETER);
            }
            // NDIS 6.50 and later stop the system (bug check 0x7C with parameter 0x21) if asked to
            // clone a request without a valid header. The oldest revision claims the fewest bytes.
            self.set_header(header(
                sys::NDIS_OBJECT_TYPE_OID_REQUEST,
                sys::NDIS_OID_REQUEST_REVISION_1,
                sys::NDIS_SIZEOF_OID_REQUEST_REVISION_1,
            ));
        }
        let mut clone = ptr::null_mut();
        // SAFETY: the module is attached and the request lent; NDIS writes the clone on success.
        let status = unsafe {
            sys::NdisAllocateCloneOidRequest(
                module.raw(),
                self.0.as_ptr(),
                Tag::OID.value(),
                &raw mut clone,
            )
        };
        if !is_valid {
            // The sender gets its request back as it sent it.
            self.set_header(given);
        }
        let clone = Status(status)
            .ok()
            .and_then(|()| NonNull::new(clone).ok_or(Status::RESOURCES))
            .inspect_err(|_| self.report_nothing_done())?;
        // SAFETY: the clone is new and ours; its SourceReserved is for its originator, 16 bytes
        // that are aligned as a pointer is.
        unsafe {
            (*clone.as_ptr()).RequestId = self.0.as_ref().RequestId;
            original(clone).write(self.0.as_ptr());
        }
        Ok(OidClone(clone))
    }

    fn set_header(&self, header: sys::NDIS_OBJECT_HEADER) {
        // SAFETY: the request is lent to this filter exclusively until it is completed.
        unsafe { (*self.0.as_ptr()).Header = header };
    }

    /// Sets the byte counts of a request that does not go down.
    fn report_nothing_done(&self) {
        // SAFETY: the request is lent. A zeroed request is valid and empty; its type is then the
        // original's.
        unsafe {
            let mut nothing: sys::NDIS_OID_REQUEST = core::mem::zeroed();
            nothing.RequestType = (*self.0.as_ptr()).RequestType;
            if nothing.RequestType == sys::NdisRequestMethod {
                // An input of the request, and no count.
                let room = (*self.0.as_ptr())
                    .DATA
                    .METHOD_INFORMATION
                    .OutputBufferLength;
                nothing.DATA.METHOD_INFORMATION.OutputBufferLength = room;
            }
            copy_counts(&nothing, self.0.as_ptr());
        }
    }
}

/// The field in which a clone keeps its original.
///
/// # Safety
/// `clone` points to a live request.
unsafe fn original(clone: NonNull<sys::NDIS_OID_REQUEST>) -> *mut *mut sys::NDIS_OID_REQUEST {
    // SAFETY: `clone` points to a live request, by this function's contract.
    unsafe { (&raw mut (*clone.as_ptr()).SourceReserved).cast() }
}

impl OidClone {
    /// Takes back the clone that NDIS passes to FilterOidRequestComplete; `None` for a request that
    /// this filter did not clone.
    ///
    /// # Safety
    /// `raw` was passed by NDIS, a request that this filter originated.
    pub unsafe fn from_raw(raw: NonNull<sys::NDIS_OID_REQUEST>) -> Self {
        Self(raw)
    }

    /// The identifier by which it can be canceled.
    pub fn id(&self) -> RequestId {
        // SAFETY: the clone is ours.
        RequestId::from_raw(unsafe { self.0.as_ref() }.RequestId)
    }

    /// Sends the clone down. With [`Status::PENDING`] it returns through FilterOidRequestComplete;
    /// with any other status it is returned at once. IRQL ≤ DISPATCH_LEVEL.
    pub fn send(self, module: ModuleHandle) -> Result<(), (Self, Status)> {
        // SAFETY: the module is attached and the clone is owned here and given up.
        let status = Status(unsafe { sys::NdisFOidRequest(module.raw(), self.0.as_ptr()) });
        if status == Status::PENDING {
            Ok(())
        } else {
            Err((self, status))
        }
    }

    /// The OID and the bytes of the answer, if the request was a successful query.
    #[must_use]
    pub fn answer(&mut self) -> Option<(sys::NDIS_OID, &mut [u8])> {
        // SAFETY: the clone is ours, and its type determines which member of the union is valid;
        // the buffer is the original's and has the length given in it.
        unsafe {
            let request = self.0.as_ref();
            let is_query = request.RequestType == sys::NdisRequestQueryInformation
                || request.RequestType == sys::NdisRequestQueryStatistics;
            let query = request.DATA.QUERY_INFORMATION;
            if !is_query || query.InformationBuffer.is_null() {
                return None;
            }
            let length = query.BytesWritten.min(query.InformationBufferLength) as usize;
            let buffer = query.InformationBuffer.cast::<u8>();
            Some((query.Oid, core::slice::from_raw_parts_mut(buffer, length)))
        }
    }

    /// Prepares the original for its completion: copies the byte counts to it, frees the clone, and
    /// yields it.
    pub fn into_original(self, module: ModuleHandle) -> AnsweredOid {
        // SAFETY: the clone is ours and holds its original, which is lent until completed; both
        // have the same type, which determines which member of the union is valid.
        unsafe {
            let (clone, original) = (self.0.as_ref(), *original(self.0));
            copy_counts(clone, original);
            copy_revision(clone, original);
            sys::NdisFreeCloneOidRequest(module.raw(), self.0.as_ptr());
            AnsweredOid(original)
        }
    }
}

/// # Safety
/// `to` points to a live request, of which `from` is the clone.
unsafe fn copy_counts(from: &sys::NDIS_OID_REQUEST, to: *mut sys::NDIS_OID_REQUEST) {
    // SAFETY: `to` points to a live request and `from` is its clone, by this function's contract;
    // the request's type determines which member of the union is read and written.
    unsafe {
        let data = &raw mut (*to).DATA;
        match from.RequestType {
            sys::NdisRequestSetInformation => {
                let set = from.DATA.SET_INFORMATION;
                (*data).SET_INFORMATION.BytesRead = set.BytesRead;
                (*data).SET_INFORMATION.BytesNeeded = set.BytesNeeded;
            }
            sys::NdisRequestMethod => {
                let method = from.DATA.METHOD_INFORMATION;
                let to = &raw mut (*data).METHOD_INFORMATION;
                (*to).OutputBufferLength = method.OutputBufferLength;
                (*to).BytesWritten = method.BytesWritten;
                (*to).BytesRead = method.BytesRead;
                (*to).BytesNeeded = method.BytesNeeded;
            }
            _ => {
                let query = from.DATA.QUERY_INFORMATION;
                (*data).QUERY_INFORMATION.BytesWritten = query.BytesWritten;
                (*data).QUERY_INFORMATION.BytesNeeded = query.BytesNeeded;
            }
        }
    }
}

/// Copies the revision of the OID's structure that the miniport supports; older requests have no
/// such field.
///
/// # Safety
/// As for [`copy_counts`].
unsafe fn copy_revision(from: &sys::NDIS_OID_REQUEST, to: *mut sys::NDIS_OID_REQUEST) {
    // SAFETY: `to` points to a live request, by this function's contract, and is as long as the
    // size in its header.
    unsafe {
        let has = usize::from((*to).Header.Size);
        if has > offset_of!(sys::NDIS_OID_REQUEST, SupportedRevision) {
            (*to).SupportedRevision = from.SupportedRevision;
        }
    }
}

/// A request with its answer, to be completed or returned.
#[must_use = "an OID request that is not completed is lost"]
pub struct AnsweredOid(*mut sys::NDIS_OID_REQUEST);

impl AnsweredOid {
    /// Completes the request to the overlying driver. IRQL ≤ DISPATCH_LEVEL.
    pub fn complete(self, module: ModuleHandle, status: Status) {
        // SAFETY: the request was lent by FilterOidRequest, which returned PENDING.
        unsafe { sys::NdisFOidRequestComplete(module.raw(), self.0, status.0) };
    }
}

/// Requests that the underlying driver cancel the pending request `id`. IRQL ≤ DISPATCH_LEVEL.
pub fn cancel(module: ModuleHandle, id: RequestId) {
    let id = ptr::without_provenance_mut(id.0);
    // SAFETY: the module is attached; an identifier that is no longer under way is ignored.
    unsafe { sys::NdisFCancelOidRequest(module.raw(), id) };
}

/// The filter's own query of an OID whose answer is an NDIS_OFFLOAD. It lives in the filter module,
/// and is pending once at a time.
pub struct OffloadQuery {
    oid: u32,
    /// Signaled while the content is not in use. The thread that resets it owns the content, and
    /// lends it to NDIS, until it is signaled again: as the last access to the query, after which
    /// a waiting thread may free it.
    idle: KernelEvent,
    /// Not in the module, which is built on the stack of FilterAttach.
    content: PoolBox<UnsafeCell<QueryContent>>,
}

/// Size in bytes of the answer's buffer. NDIS_OFFLOAD of revision 7, the newest, has 216.
const LONGEST_ANSWER: usize = 320;

#[repr(C)]
struct QueryContent {
    request: MaybeUninit<sys::NDIS_OID_REQUEST>,
    answer: [u8; LONGEST_ANSWER],
}

// SAFETY: the event gives one thread at a time access to the content.
unsafe impl Sync for OffloadQuery {}
// SAFETY: nothing in it is tied to a thread.
unsafe impl Send for OffloadQuery {}

impl OffloadQuery {
    /// A query of `oid` that was not sent yet, to be [initialized](Self::initialize) where it stays. IRQL ≤
    /// DISPATCH_LEVEL.
    pub fn try_new(oid: u32) -> Result<Self, Status> {
        let content = QueryContent {
            request: MaybeUninit::uninit(),
            answer: [0; LONGEST_ANSWER],
        };
        Ok(Self {
            oid,
            idle: KernelEvent::new(),
            content: PoolBox::try_new(Tag::OID, UnsafeCell::new(content))?,
        })
    }

    /// Initializes the query, at its final address and before its first use. Any IRQL.
    pub fn initialize(&self) {
        self.idle.initialize_notification();
    }

    /// Sends the query, unless it is pending. Its completion calls [`complete`](Self::complete),
    /// unless the status returned here is another than [`Status::PENDING`]. IRQL PASSIVE_LEVEL.
    pub fn send(&self, module: ModuleHandle) -> Status {
        let was_idle = self.idle.reset();
        if !was_idle {
            return Status::PENDING;
        }
        let request = self.raw();
        // SAFETY: the event reserves the content for this call. A zeroed request is valid and
        // empty; the buffer lives as long as the module, which waits for the answer before it is
        // freed (see `wait`).
        unsafe {
            request.write_bytes(0, 1);
            (*request).Header = header(
                sys::NDIS_OBJECT_TYPE_OID_REQUEST,
                sys::NDIS_OID_REQUEST_REVISION_1,
                sys::NDIS_SIZEOF_OID_REQUEST_REVISION_1,
            );
            (*request).RequestType = sys::NdisRequestQueryInformation;
            (*request).RequestId = request.cast();
            let query = &raw mut (*request).DATA.QUERY_INFORMATION;
            (*query).Oid = self.oid;
            (*query).InformationBuffer = (&raw mut (*self.content.get()).answer).cast();
            #[expect(clippy::cast_possible_truncation, reason = "it is 320")]
            {
                (*query).InformationBufferLength = LONGEST_ANSWER as u32;
            }
        }
        // SAFETY: the module is attached; the request is complete and lent until its completion.
        Status(unsafe { sys::NdisFOidRequest(module.raw(), request) })
    }

    /// Whether `request`, which NDIS completes, is this query.
    pub fn is(&self, request: NonNull<sys::NDIS_OID_REQUEST>) -> bool {
        ptr::eq(request.as_ptr(), self.raw())
    }

    /// Handles the completion with `status`: lends the bytes of the answer, if there are any, to
    /// `read`. After that the module may be freed.
    ///
    /// # Safety
    /// The query was sent, and NDIS has just given it back: by FilterOidRequestComplete, or by a
    /// status other than PENDING from [`send`](Self::send).
    pub unsafe fn complete(&self, status: Status, read: impl FnOnce(&[u8])) {
        if status == Status::SUCCESS {
            // SAFETY: NDIS has given the content back, by this function's contract, and `send`
            // initialized it.
            let answer = unsafe {
                let query = (*self.raw()).DATA.QUERY_INFORMATION;
                let content = &*self.content.get();
                content.answer.get(..query.BytesWritten as usize)
            };
            read(answer.unwrap_or_default());
        }
        self.idle.set();
    }

    /// Cancels the query, if it is pending, and waits until NDIS has given it back: if the
    /// underlying driver cannot cancel it, until it is completed. IRQL PASSIVE_LEVEL.
    pub fn cancel(&self, module: ModuleHandle) {
        if !self.idle.is_signaled() {
            // The identifier is the query's address, as in `send`.
            cancel(module, RequestId::from_raw(self.raw().cast()));
        }
        self.wait();
    }

    /// Waits until the query, if it is pending, is completed. IRQL PASSIVE_LEVEL.
    pub fn wait(&self) {
        self.idle.wait();
    }

    /// Waits until the query, if it is pending, is completed, or so many milliseconds have passed.
    /// IRQL PASSIVE_LEVEL.
    pub fn wait_at_most(&self, milliseconds: u32) {
        self.idle.wait_at_most(milliseconds);
    }

    fn raw(&self) -> *mut sys::NDIS_OID_REQUEST {
        // The request is the content's first field, at a place that never changes.
        self.content.get().cast()
    }
}
