//! OID requests on their way: from the layer above through the filter to the miniport, and back.
#![expect(unsafe_code, reason = "calls the driver's handlers as NDIS does")]

use std::sync::Arc;

use ndis::sys;

use super::World;
use crate::{
    miniport::Answering,
    oid::{self, Asked, Below, OidCall, OidKind, OidResult},
    rules::Rule,
    thread,
};

impl World {
    /// Makes a request, has the miniport complete what it holds, and returns what became of it.
    pub fn oid(self: &Arc<Self>, call: OidCall) -> OidResult {
        let number = self.start_oid(call);
        if self.oid_result(number).status == sys::NDIS_STATUS_PENDING {
            self.complete_oids();
        }
        self.oid_result(number)
    }

    /// Makes a request and returns its number. One goes down at a time; others wait.
    pub fn start_oid(self: &Arc<Self>, call: OidCall) -> u64 {
        let number = {
            let mut state = self.state();
            let number = state.oids.next;
            state.oids.next += 1;
            state.oids.asked.insert(number, Asked::new(call, number));
            state.oids.queue.push_back(number);
            number
        };
        self.start_next_oid();
        number
    }

    /// What became of request `number`.
    ///
    /// # Panics
    /// Where there is no such request.
    #[must_use]
    pub fn oid_result(&self, number: u64) -> OidResult {
        let state = self.state();
        let asked = &state.oids.asked[&number];
        let pending = || asked.read_result(sys::NDIS_STATUS_PENDING);
        asked.result.clone().unwrap_or_else(pending)
    }

    /// The miniport completes what it holds, and all that waits for that. Returns how many
    /// requests it completed.
    pub fn complete_oids(self: &Arc<Self>) -> usize {
        let mut count = 0;
        while self.state().oids.below.is_some() {
            self.complete_below(None);
            count += 1;
            self.start_next_oid();
        }
        count
    }

    /// The layer above gives up on request `number`.
    pub fn cancel_oid(self: &Arc<Self>, number: u64) {
        let waiting = {
            let mut state = self.state();
            let waiting = state.oids.queue.iter().position(|one| *one == number);
            if let Some(place) = waiting {
                state.oids.queue.remove(place);
                let current = state.oids.current;
                state.oid_came_back(number, sys::NDIS_STATUS_REQUEST_ABORTED);
                state.oids.current = current;
            }
            waiting.is_some()
        };
        if waiting || self.state().oids.current != Some(number) {
            return;
        }
        let id = oid::request_id(number);
        match self
            .module_handlers()
            .and_then(|all| all.CancelOidRequestHandler)
        {
            Some(handler) => self.call("cancel-OID handler", thread::irql(), || {
                // SAFETY: the handler is the driver's.
                unsafe { handler(self.context(), super::handle(id)) }
            }),
            None => self.cancel_below(id),
        }
        self.start_next_oid();
    }

    /// NdisFCancelOidRequest: the miniport aborts the request of that RequestId, if it has it.
    pub(crate) fn cancel_below(self: &Arc<Self>, request_id: usize) {
        let has = {
            let state = self.state();
            let below = state.oids.below.as_ref();
            below.is_some_and(|below| below.request_id == request_id)
        };
        if has {
            self.complete_below(Some(sys::NDIS_STATUS_REQUEST_ABORTED));
        }
    }

    /// Sends the next request down, if none is under way.
    fn start_next_oid(self: &Arc<Self>) {
        loop {
            let (number, request, at_dispatch) = {
                let mut state = self.state();
                if state.oids.current.is_some() {
                    return;
                }
                let Some(number) = state.oids.queue.pop_front() else {
                    return;
                };
                state.oids.current = Some(number);
                let asked = &state.oids.asked[&number];
                (number, asked.raw(), asked.call.at_dispatch)
            };
            let irql = if at_dispatch {
                sys::DISPATCH_LEVEL
            } else {
                sys::PASSIVE_LEVEL
            };
            let status = self.oid_enters(request, irql);
            if status != sys::NDIS_STATUS_PENDING {
                self.oid_answered(number, status);
            }
        }
    }

    fn oid_enters(self: &Arc<Self>, request: *mut sys::NDIS_OID_REQUEST, irql: u8) -> i32 {
        match self.module_handlers().and_then(|all| all.OidRequestHandler) {
            Some(handler) => self.call("OID handler", irql, || {
                // SAFETY: the handler is the driver's; the request lives until it is completed.
                unsafe { handler(self.context(), request) }
            }),
            None => {
                let inside = thread::enter(self, thread::processor(), irql);
                let status = self.oid_to_miniport(request, true);
                drop(inside);
                status
            }
        }
    }

    /// FilterOidRequest answered request `number` itself.
    fn oid_answered(&self, number: u64, status: i32) {
        let mut state = self.state();
        if state.oids.current == Some(number) {
            state.oid_came_back(number, status);
        } else {
            let name = state.oid_name(number);
            let found = format!("completed, and then answered with {status:#x}");
            state.violation(Rule::Oid, name, found);
        }
    }

    /// NdisFOidRequestComplete.
    pub(crate) fn oid_up(&self, request: *const sys::NDIS_OID_REQUEST, status: i32) {
        let mut state = self.state();
        match state.asked_at(request.addr()) {
            Some(number) => state.oid_came_back(number, status),
            None => {
                let found = format!("the request at {:#x} is not under way", request.addr());
                state.violation(Rule::Oid, "NdisFOidRequestComplete", found);
            }
        }
    }

    /// NdisFOidRequest.
    ///
    /// # Safety
    /// `request` points to a request.
    pub(crate) unsafe fn oid_down(self: &Arc<Self>, request: *mut sys::NDIS_OID_REQUEST) -> i32 {
        // SAFETY: as the caller vouches.
        let found = unsafe { self.wrong_oid(request) };
        if let Some(found) = found {
            self.violation(Rule::Oid, "NdisFOidRequest", found);
            return sys::NDIS_STATUS_FAILURE;
        }
        self.oid_to_miniport(request, false)
    }

    /// What is wrong with a request that the filter sends down.
    ///
    /// # Safety
    /// `request` points to a request.
    unsafe fn wrong_oid(&self, request: *const sys::NDIS_OID_REQUEST) -> Option<String> {
        if !self.is_attached() {
            return Some(format!("sent while {:?}", self.module_state()));
        }
        let state = self.state();
        if state.oids.below.is_some() {
            return Some("a second request at a time".into());
        }
        // SAFETY: as the caller vouches.
        let (header, id) = unsafe { ((*request).Header, (*request).RequestId.addr()) };
        if header.Type != sys::NDIS_OBJECT_TYPE_OID_REQUEST
            || header.Size < sys::NDIS_SIZEOF_OID_REQUEST_REVISION_1
        {
            return Some("its header is not that of a request".into());
        }
        if state.asked_at(request.addr()).is_some() {
            return Some("the original itself, not a clone".into());
        }
        let clone = state.oids.clones.get(&request.addr())?;
        if state.oids.current != Some(clone.of) {
            return Some("a clone whose original is not under way".into());
        }
        let expected = oid::request_id(clone.of);
        (id != expected).then(|| format!("a clone with RequestId {id:#x}, not {expected:#x}"))
    }

    /// A request reaches the miniport, which answers as it is told to.
    fn oid_to_miniport(self: &Arc<Self>, request: *mut sys::NDIS_OID_REQUEST, direct: bool) -> i32 {
        {
            let mut state = self.state();
            let of = if direct {
                state.oids.current
            } else {
                let clone = state.oids.clones.get(&request.addr());
                clone.map(|clone| clone.of)
            };
            // SAFETY: both callers pass a live request.
            let (request_id, look) = unsafe { ((*request).RequestId.addr(), look(request)) };
            state.oids.below = Some(Below {
                address: request.expose_provenance(),
                request_id,
                of,
                look,
                direct,
            });
        }
        match self.nic().oids {
            Answering::Inline => {
                let status = self.miniport_answers(request, None);
                self.state().oids.below = None;
                status
            }
            Answering::Early => {
                self.complete_below(None);
                sys::NDIS_STATUS_PENDING
            }
            Answering::Later => sys::NDIS_STATUS_PENDING,
        }
    }

    /// The miniport completes what it holds: as it answers, or with `abort`.
    fn complete_below(self: &Arc<Self>, abort: Option<i32>) {
        let (request, direct) = {
            let mut state = self.state();
            let Some(below) = &state.oids.below else {
                return;
            };
            let (address, direct) = (below.address, below.direct);
            let clone = state.oids.clones.get(&address);
            let raw: *mut sys::NDIS_OID_REQUEST = match (clone, below.of) {
                (Some(clone), _) => clone.request.start().cast(),
                (None, Some(of)) if direct => state.oids.asked[&of].raw(),
                // The filter's own, in its own memory.
                (None, None) => std::ptr::with_exposed_provenance_mut(address),
                (None, Some(of)) => {
                    state.oids.below = None;
                    let name = state.oid_name(of);
                    let found = "its clone was freed while the miniport has it";
                    return state.violation(Rule::Oid, name, found);
                }
            };
            // SAFETY: the request is live, see above.
            if unsafe { look(raw) } != below.look {
                let found = "touched while the miniport has it";
                state.violation(Rule::Oid, "request below", found);
            }
            (raw, direct)
        };
        let status = self.miniport_answers(request, abort);
        let below = self.state().oids.below.take();
        let handler = self
            .handlers()
            .and_then(|all| all.OidRequestCompleteHandler);
        match (handler, below.and_then(|below| below.of)) {
            (_, Some(number)) if direct => self.state().oid_came_back(number, status),
            (Some(handler), _) => self.call("OID-complete handler", thread::irql(), || {
                // SAFETY: the handler is the driver's; the request is the filter's again.
                unsafe { handler(self.context(), request, status) }
            }),
            (None, _) => {}
        }
    }

    /// Has the miniport answer `request`: its status, its answer in the buffer, its counts.
    fn miniport_answers(
        self: &Arc<Self>,
        request: *mut sys::NDIS_OID_REQUEST,
        abort: Option<i32>,
    ) -> i32 {
        // SAFETY: a request that the miniport has is live, and so is its buffer.
        let call = unsafe { read_call(request) };
        let answer = match (abort, call) {
            (Some(status), _) => failed(status, 0),
            (None, Some(call)) => self.miniport_answer(&call),
            (None, None) => failed(sys::NDIS_STATUS_INVALID_PARAMETER, 0),
        };
        // SAFETY: as above.
        unsafe { write_answer(request, &answer) };
        let status = answer.status;
        let mut state = self.state();
        let of = state.oids.below.as_ref().and_then(|below| below.of);
        if let Some(asked) = of.and_then(|of| state.oids.asked.get_mut(&of)) {
            asked.answer = Some(answer);
        }
        status
    }

    /// What the miniport answers to `call`.
    fn miniport_answer(self: &Arc<Self>, call: &OidCall) -> OidResult {
        let nic = self.nic();
        let own = match call.oid {
            sys::OID_TCP_OFFLOAD_CURRENT_CONFIG => Some(nic.offload_config()),
            sys::OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES => Some(nic.offload_hardware()),
            oid => nic
                .answers
                .iter()
                .find(|(known, _)| *known == oid)
                .map(|(_, bytes)| bytes.clone()),
        };
        match (call.kind, own) {
            (OidKind::Query | OidKind::Statistics | OidKind::Method(_), Some(bytes)) => {
                answered(call, bytes)
            }
            (OidKind::Set, _) if call.oid == sys::OID_TCP_OFFLOAD_PARAMETERS => {
                self.set_offload_parameters(&call.input)
            }
            (OidKind::Set, Some(_)) => OidResult {
                read: call.input.len() as u32,
                ..failed(sys::NDIS_STATUS_SUCCESS, 0)
            },
            (_, None) => failed(sys::NDIS_STATUS_NOT_SUPPORTED, 0),
        }
    }

    /// OID_TCP_OFFLOAD_PARAMETERS turns LSO on or off; the miniport says what holds then.
    fn set_offload_parameters(self: &Arc<Self>, input: &[u8]) -> OidResult {
        let least = sys::NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_1;
        if input.len() < usize::from(least) || input[0] != sys::NDIS_OBJECT_TYPE_DEFAULT {
            return failed(sys::NDIS_STATUS_INVALID_LENGTH, least.into());
        }
        let turned = |on: &mut bool, value: u8| match value {
            sys::NDIS_OFFLOAD_PARAMETERS_LSOV2_DISABLED => *on = false,
            sys::NDIS_OFFLOAD_PARAMETERS_LSOV2_ENABLED => *on = true,
            _ => {}
        };
        self.nic_changes(|nic| {
            let at = |field: usize| input.get(field).copied().unwrap_or_default();
            let on = &mut nic.enabled;
            turned(
                &mut on.v1,
                at(std::mem::offset_of!(sys::NDIS_OFFLOAD_PARAMETERS, LsoV1)),
            );
            turned(
                &mut on.v2_ipv4,
                at(std::mem::offset_of!(
                    sys::NDIS_OFFLOAD_PARAMETERS,
                    LsoV2IPv4
                )),
            );
            turned(
                &mut on.v2_ipv6,
                at(std::mem::offset_of!(
                    sys::NDIS_OFFLOAD_PARAMETERS,
                    LsoV2IPv6
                )),
            );
        });
        OidResult {
            read: input.len() as u32,
            ..failed(sys::NDIS_STATUS_SUCCESS, 0)
        }
    }
}

/// The bytes of a request.
///
/// # Safety
/// `raw` points to a request.
unsafe fn look(raw: *const sys::NDIS_OID_REQUEST) -> Vec<u8> {
    let length = usize::from(sys::NDIS_SIZEOF_OID_REQUEST_REVISION_2);
    // SAFETY: as the caller vouches; requests are made of zeroed memory.
    unsafe { std::slice::from_raw_parts(raw.cast::<u8>(), length) }.to_vec()
}

fn failed(status: i32, needed: u32) -> OidResult {
    OidResult {
        status,
        bytes: Vec::new(),
        written: 0,
        read: 0,
        needed,
    }
}

fn answered(call: &OidCall, bytes: Vec<u8>) -> OidResult {
    let length = bytes.len() as u32;
    if length > call.room {
        return failed(sys::NDIS_STATUS_BUFFER_TOO_SHORT, length);
    }
    OidResult {
        bytes,
        written: length,
        read: call.input.len() as u32,
        ..failed(sys::NDIS_STATUS_SUCCESS, 0)
    }
}

/// A request as the miniport reads it; `None` where its type is unknown.
///
/// # Safety
/// `raw` points to a request with its buffer.
unsafe fn read_call(raw: *const sys::NDIS_OID_REQUEST) -> Option<OidCall> {
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
        })
    }
}

/// Writes the miniport's answer into a request and its buffer.
///
/// # Safety
/// `raw` points to a request with its buffer, which has room for the answer's bytes.
unsafe fn write_answer(raw: *mut sys::NDIS_OID_REQUEST, answer: &OidResult) {
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
        let length = answer.bytes.len();
        std::ptr::copy_nonoverlapping(answer.bytes.as_ptr(), buffer.cast::<u8>(), length);
    }
}
