//! The path of OID requests: from the overlying driver through the filter to the miniport, and
//! back.
#![expect(unsafe_code, reason = "calls the driver's handlers as NDIS does")]

use std::{sync::Arc, time::Duration};

use ndis::sys;

use super::World;
use crate::{
    nic::Answering,
    oid::{
        self, Asked, Below, OidCall, OidResult, Oids,
        raw::{has_valid_header, look},
    },
    race,
    rules::{Finding, Level, Rule, page},
    thread,
};

/// Stands for the order of the overlying driver's requests, in the search for races: NDIS passes one
/// on when the one before is completed.
const SERIALIZED: usize = 1;

impl World {
    /// Makes a request, makes the miniport complete all that it holds, and returns the outcome.
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

    /// The outcome of request `number`.
    ///
    /// # Panics
    /// If there is no such request.
    #[must_use]
    pub fn oid_result(&self, number: u64) -> OidResult {
        let state = self.state();
        let asked = &state.oids.asked[&number];
        let pending = || asked.read_result(sys::NDIS_STATUS_PENDING);
        asked.result.clone().unwrap_or_else(pending)
    }

    /// The miniport completes the requests that it holds, and all that wait for those. Returns how
    /// many requests it completed.
    pub fn complete_oids(self: &Arc<Self>) -> usize {
        let mut count = 0;
        while self.complete_below(None, None) {
            count += 1;
            self.start_next_oid();
        }
        count
    }

    /// The same, up to a request of the filter's own.
    pub(super) fn complete_oids_of_above(self: &Arc<Self>) {
        let is_of_above = || {
            let state = self.state();
            state
                .oids
                .below
                .as_ref()
                .is_some_and(|below| below.of.is_some())
        };
        while is_of_above() && self.complete_below(None, None) {
            self.start_next_oid();
        }
    }

    /// Cancels request `number` as the overlying driver does.
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
            Some(handler) => {
                let before = self.clone_below(number);
                self.call("cancel-OID handler", thread::irql(), || {
                    // SAFETY: the handler is the driver's.
                    unsafe { handler(self.context(), crate::handles::handle(id)) }
                });
                if before.is_some() && self.clone_below(number) == before {
                    let mut state = self.state();
                    let name = state.oid_name(number);
                    let found = "is still with the miniport after FilterCancelOidRequest";
                    // A filter should pass the cancel on as soon as it can.
                    let finding = Finding::at(Level::Advice, Rule::Oid, found);
                    state.finding(name, finding);
                }
            }
            None => self.cancel_below(id),
        }
        self.start_next_oid();
    }

    /// The address of the clone of request `number` that the miniport has, if the request can be
    /// canceled: one with an empty header has no RequestId.
    fn clone_below(&self, number: u64) -> Option<usize> {
        let state = self.state();
        let below = state.oids.below.as_ref()?;
        if below.of != Some(number) || below.direct || below.completing {
            return None;
        }
        // Read only now: the memory of a request is closed once it is completed.
        let id = state.oids.asked.get(&number)?.request_id();
        (id == oid::request_id(number)).then_some(below.address)
    }

    /// NdisFCancelOidRequest: the miniport aborts the request of that RequestId, if it has it, and
    /// NDIS one that waits for the miniport to be free.
    pub(crate) fn cancel_below(self: &Arc<Self>, request_id: usize) {
        if let Some(waiting) = self.take_waiting(request_id) {
            return self.comes_back(waiting, sys::NDIS_STATUS_REQUEST_ABORTED);
        }
        let aborted = Some(sys::NDIS_STATUS_REQUEST_ABORTED);
        if self.complete_below(aborted, Some(request_id)) {
            return;
        }
        let mut state = self.state();
        let below = state.oids.below.as_ref();
        let clone = below.filter(|below| !below.direct && !below.completing);
        let Some(of) = clone.and_then(|below| below.of) else {
            return;
        };
        // The clone of the very request that is canceled, under another id.
        if state.oids.asked[&of].request_id() == request_id {
            let name = state.oid_name(of);
            let found = "its cancel finds nothing: its clone has another RequestId";
            state.violation(Rule::Oid, name, found);
        }
    }

    /// Takes the request of that RequestId out of those that wait for the miniport.
    fn take_waiting(&self, request_id: usize) -> Option<*mut sys::NDIS_OID_REQUEST> {
        let mut state = self.state();
        let request = |address: usize| -> *mut sys::NDIS_OID_REQUEST {
            std::ptr::with_exposed_provenance_mut(address)
        };
        // SAFETY: a request that waits lives until it is completed.
        let is = |address: &usize| unsafe { (*request(*address)).RequestId.addr() } == request_id;
        let place = state.oids.waiting.iter().position(is)?;
        state.oids.waiting.remove(place).map(request)
    }

    /// The filter gets a request of its own back.
    fn comes_back(self: &Arc<Self>, request: *mut sys::NDIS_OID_REQUEST, status: i32) {
        let handler = self
            .handlers()
            .and_then(|all| all.OidRequestCompleteHandler);
        race::acquire(request.addr());
        if let Some(handler) = handler {
            self.call("OID-complete handler", thread::irql(), || {
                // SAFETY: the handler is the driver's; the request is the filter's again.
                unsafe { handler(self.context(), request, status) }
            });
        }
    }

    /// Sends the next request down, if none is under way.
    pub(super) fn start_next_oid(self: &Arc<Self>) {
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
                state.oids.entered = state.clock.now();
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
                race::acquire(SERIALIZED);
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
        race::release(SERIALIZED);
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
        race::release(SERIALIZED);
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
        race::release(request.addr());
        // SAFETY: as the caller vouches.
        let found = unsafe { self.wrong_oid(request) };
        if let Some(found) = found {
            self.violation(Rule::Oid, "NdisFOidRequest", found);
            return sys::NDIS_STATUS_FAILURE;
        }
        self.oid_to_miniport(request, false)
    }

    /// Makes the miniport answer the requests that waited for it to be free.
    fn start_waiting(self: &Arc<Self>) {
        loop {
            {
                let mut state = self.state();
                if state.oids.below.is_some() {
                    return;
                }
                let Some(address) = state.oids.waiting.pop_front() else {
                    return;
                };
                let request = std::ptr::with_exposed_provenance_mut(address);
                let now = state.clock.now();
                // SAFETY: a request that waits lives until it is completed.
                state.oids.below = Some(unsafe { below(&state.oids, request, false, now) });
            }
            if self.nic().oids == Answering::Later {
                return;
            }
            self.complete_below(None, None);
        }
    }

    /// Describes the fault in a request that the filter sends down.
    ///
    /// # Safety
    /// `request` points to a request.
    unsafe fn wrong_oid(&self, request: *const sys::NDIS_OID_REQUEST) -> Option<String> {
        if !self.is_attached() {
            return Some(format!("sent while {:?}", self.module_state()));
        }
        let state = self.state();
        let below = state.oids.below.as_ref();
        let is_clone = state.oids.clones.contains_key(&request.addr());
        if is_clone && below.is_some_and(|below| below.of.is_some()) {
            return Some("a second request at a time".into());
        }
        if below.is_some_and(|below| below.address == request.addr())
            || state.oids.waiting.contains(&request.addr())
        {
            return Some("a request that is under way".into());
        }
        // SAFETY: as the caller vouches.
        let (valid, id) = unsafe { (has_valid_header(request), (*request).RequestId.addr()) };
        if !valid {
            return Some("its header is not that of a request".into());
        }
        if state.asked_at(request.addr()).is_some() {
            return Some("the original itself, not a clone".into());
        }
        let Some(clone) = state.oids.clones.get(&request.addr()) else {
            if state.life.low_power {
                drop(state);
                let found = "the filter originates a request after NetEventSetPower";
                let finding = Finding::new(Rule::NetEvent, found).on(page::POWER);
                self.finding("NdisFOidRequest", finding);
            }
            return None;
        };
        if state.oids.current != Some(clone.of) {
            return Some("a clone whose original is not under way".into());
        }
        let expected = state.oids.asked[&clone.of].request_id();
        if id != expected {
            let found = format!("a clone with RequestId {id:#x}, not {expected:#x}");
            drop(state);
            let finding = Finding::at(Level::Product, Rule::Oid, found);
            self.finding("NdisFOidRequest", finding);
        }
        None
    }

    /// A request reaches the miniport, which answers as configured.
    fn oid_to_miniport(self: &Arc<Self>, request: *mut sys::NDIS_OID_REQUEST, direct: bool) -> i32 {
        {
            let mut state = self.state();
            if state.oids.below.is_some() {
                // NDIS gives the miniport one request at a time, whichever driver it is from.
                state.oids.waiting.push_back(request.expose_provenance());
                return sys::NDIS_STATUS_PENDING;
            }
            let now = state.clock.now();
            // SAFETY: both callers pass a live request.
            state.oids.below = Some(unsafe { below(&state.oids, request, direct, now) });
        }
        match self.nic().oids {
            Answering::Inline => {
                if let Some(below) = &mut self.state().oids.below {
                    below.completing = true;
                }
                let status = self.miniport_answers(request, None);
                self.state().oids.below = None;
                self.start_waiting();
                status
            }
            Answering::Early => {
                self.complete_below(None, None);
                sys::NDIS_STATUS_PENDING
            }
            Answering::Later => sys::NDIS_STATUS_PENDING,
        }
    }

    /// The miniport completes the request that it holds, if that has the RequestId `wanted`: with
    /// its answer, or with `abort`. Returns whether it did; another thread may be faster.
    fn complete_below(self: &Arc<Self>, abort: Option<i32>, wanted: Option<usize>) -> bool {
        let _inside = thread::enter(self, thread::processor(), thread::irql());
        let (request, direct) = {
            let mut state = self.state();
            let Some(below) = &mut state.oids.below else {
                return false;
            };
            let other = wanted.is_some_and(|wanted| wanted != below.request_id);
            if other || std::mem::replace(&mut below.completing, true) {
                return false;
            }
            let Some(below) = &state.oids.below else {
                return false;
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
                    state.violation(Rule::Oid, name, found);
                    return true;
                }
            };
            // SAFETY: the request is live, see above.
            if below.of.is_some() && unsafe { look(raw) } != below.look {
                let found = "touched while the miniport has it";
                state.violation(Rule::Oid, "request below", found);
            }
            (raw, direct)
        };
        let status = self.miniport_answers(request, abort);
        let below = {
            let mut state = self.state();
            let below = state.oids.below.take();
            let since = below.as_ref().map(|below| below.since);
            let had = since.map(|since| state.clock.now() - since);
            state.oids.entered += had.unwrap_or_default();
            below
        };
        match below.and_then(|below| below.of) {
            Some(number) if direct => self.state().oid_came_back(number, status),
            _ => self.comes_back(request, status),
        }
        self.start_waiting();
        true
    }
}

/// A request that reaches the miniport now.
///
/// # Safety
/// `request` points to a request; one of the model's making is all bytes.
unsafe fn below(
    oids: &Oids,
    request: *mut sys::NDIS_OID_REQUEST,
    direct: bool,
    since: Duration,
) -> Below {
    let of = if direct {
        oids.current
    } else {
        oids.clones.get(&request.addr()).map(|clone| clone.of)
    };
    // SAFETY: as the caller vouches.
    unsafe {
        Below {
            address: request.expose_provenance(),
            request_id: (*request).RequestId.addr(),
            of,
            look: of.map_or_else(Vec::new, |_| look(request)),
            direct,
            completing: false,
            since,
        }
    }
}
