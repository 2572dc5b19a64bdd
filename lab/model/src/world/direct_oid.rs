//! The paths of direct and synchronous OID requests, which nothing serializes.
#![expect(unsafe_code, reason = "calls the driver's handlers as NDIS does")]

use std::{ptr, sync::Arc};

use ndis::sys;

use super::World;
use crate::{
    nic::Answering,
    oid::{
        Asked, DirectBelow, OidCall, OidResult,
        raw::{has_valid_header, look},
        request_id,
    },
    race,
    rules::{Finding, Rule},
    thread,
};

/// NDIS_STATUS_ALREADY_COMPLETE, with which a filter answers a synchronous request successfully.
const ALREADY_COMPLETE: i32 = 0xFF_u32 as i32;

/// The pages of the two interfaces.
const DIRECT: &str = "network/filter-module-direct-oid-requests";
const SYNCHRONOUS: &str = "network/filter-module-synchronous-oid-requests";

const DOWN: &str = "NdisFDirectOidRequest";

impl World {
    /// Makes a direct request and returns its number. Others may be under way.
    pub fn direct_oid(self: &Arc<Self>, call: OidCall) -> u64 {
        let (number, request, irql) = self.begin(call);
        self.state().oids.direct.insert(number);
        let handler = self
            .module_handlers()
            .and_then(|all| all.DirectOidRequestHandler);
        let inside = thread::enter(self, thread::processor(), irql);
        let status = match handler {
            Some(handler) => self.call("direct-OID handler", irql, || {
                // SAFETY: the handler is the driver's; the request lives until it is completed.
                unsafe { handler(self.context(), request) }
            }),
            None => self.answer(request, number, None),
        };
        drop(inside);
        if status != sys::NDIS_STATUS_PENDING {
            self.direct_came_back(number, status, "direct-OID handler");
        }
        number
    }

    /// Makes a synchronous request, and returns the outcome.
    pub fn synchronous_oid(self: &Arc<Self>, call: OidCall) -> OidResult {
        let (number, request, irql) = self.begin(call);
        let handlers = self.module_handlers();
        let inside = thread::enter(self, thread::processor(), irql);
        let mut context = ptr::null_mut();
        let mut status = match handlers.and_then(|all| all.SynchronousOidRequestHandler) {
            Some(handler) => self.call("synchronous-OID handler", irql, || {
                // SAFETY: the handler is the driver's; the request lives as long as the call.
                unsafe { handler(self.context(), request, &raw mut context) }
            }),
            None => sys::NDIS_STATUS_SUCCESS,
        };
        if status == sys::NDIS_STATUS_SUCCESS {
            status = self.answer(request, number, None);
            let handler = handlers.and_then(|all| all.SynchronousOidRequestCompleteHandler);
            if let Some(handler) = handler {
                self.call("synchronous-OID-complete handler", irql, || {
                    // SAFETY: as above.
                    unsafe { handler(self.context(), request, &raw mut status, context) }
                });
                if status == ALREADY_COMPLETE {
                    self.wrong_synchronous(number, status);
                }
            }
        } else if status == ALREADY_COMPLETE {
            status = sys::NDIS_STATUS_SUCCESS;
        }
        drop(inside);
        if status == sys::NDIS_STATUS_PENDING {
            self.wrong_synchronous(number, status);
        }
        let mut state = self.state();
        let Some(asked) = state.oids.asked.remove(&number) else {
            unreachable!("it was just asked");
        };
        asked.read_result(status)
    }

    fn wrong_synchronous(&self, number: u64, status: i32) {
        let mut state = self.state();
        let name = state.oid_name(number);
        let found = format!("a synchronous request ends with {status:#x}");
        state.finding(name, Finding::new(Rule::Oid, found).on(SYNCHRONOUS));
    }

    /// Records a request that is made now. Returns its number, the request, and its IRQL.
    fn begin(&self, call: OidCall) -> (u64, *mut sys::NDIS_OID_REQUEST, u8) {
        let irql = match call.at_dispatch {
            true => sys::DISPATCH_LEVEL,
            false => sys::PASSIVE_LEVEL,
        };
        let mut state = self.state();
        let number = state.oids.next;
        state.oids.next += 1;
        let asked = Asked::new(call, number);
        let request = asked.raw();
        state.oids.asked.insert(number, asked);
        (number, request, irql)
    }

    /// Takes back a direct request from the filter.
    fn direct_came_back(&self, number: u64, status: i32, routine: &str) {
        let mut state = self.state();
        if state.oids.direct.remove(&number) {
            state.oid_came_back(number, status);
        } else {
            let found = format!("{routine}: the request was completed already");
            let name = state.oid_name(number);
            state.finding(name, Finding::new(Rule::Oid, found).on(DIRECT));
        }
    }

    /// NdisFDirectOidRequestComplete.
    pub(crate) fn direct_oid_up(&self, request: *const sys::NDIS_OID_REQUEST, status: i32) {
        let routine = "NdisFDirectOidRequestComplete";
        let number = self.state().direct_asked_at(request.addr());
        match number {
            Some(number) => self.direct_came_back(number, status, routine),
            None => {
                let found = format!("the request at {:#x} is not under way", request.addr());
                self.finding(routine, Finding::new(Rule::Oid, found).on(DIRECT));
            }
        }
    }

    /// NdisFDirectOidRequest.
    ///
    /// # Safety
    /// `request` points to a request.
    pub(crate) unsafe fn direct_oid_down(
        self: &Arc<Self>,
        request: *mut sys::NDIS_OID_REQUEST,
    ) -> i32 {
        race::release(request.addr());
        // SAFETY: as the caller vouches.
        if let Some(found) = unsafe { self.wrong_direct(request) } {
            self.violation(Rule::Oid, DOWN, found.into());
            return sys::NDIS_STATUS_FAILURE;
        }
        let address = request.expose_provenance();
        let of = {
            let mut state = self.state();
            let of = state.oids.clones.get(&address).map(|clone| clone.of);
            // SAFETY: as the caller vouches.
            let below = unsafe {
                DirectBelow {
                    id: (*request).RequestId.addr(),
                    look: of.map(|_| look(request)),
                }
            };
            state.oids.direct_below.insert(address, below);
            of
        };
        match self.nic().oids {
            Answering::Inline => {
                let status = self.answer(request, of.unwrap_or(u64::MAX), None);
                self.state().oids.direct_below.remove(&address);
                status
            }
            Answering::Early => {
                self.complete_direct(address, None);
                sys::NDIS_STATUS_PENDING
            }
            Answering::Later => sys::NDIS_STATUS_PENDING,
        }
    }

    /// Describes the fault in a direct request that the filter sends down.
    ///
    /// # Safety
    /// `request` points to a request.
    unsafe fn wrong_direct(&self, request: *const sys::NDIS_OID_REQUEST) -> Option<&'static str> {
        let handlers = self.module_handlers();
        let Some(handlers) = handlers else {
            return Some("sent while the module is not attached");
        };
        let state = self.state();
        if handlers.DirectOidRequestCompleteHandler.is_none() {
            return Some("by a driver without FilterDirectOidRequestComplete");
        }
        if state.oids.direct_below.contains_key(&request.addr()) {
            return Some("a request that is under way");
        }
        if state.direct_asked_at(request.addr()).is_some() {
            return Some("the original itself, not a clone");
        }
        // SAFETY: as the caller vouches.
        if !unsafe { has_valid_header(request) } {
            return Some("its header is not that of a request");
        }
        let clone = state.oids.clones.get(&request.addr())?;
        (!state.oids.direct.contains(&clone.of))
            .then_some("a clone whose original is no direct request under way")
    }

    /// NdisFSynchronousOidRequest.
    ///
    /// # Safety
    /// `request` points to a request.
    pub(crate) unsafe fn synchronous_oid_down(
        self: &Arc<Self>,
        request: *mut sys::NDIS_OID_REQUEST,
    ) -> i32 {
        // SAFETY: as the caller vouches.
        let valid = unsafe { has_valid_header(request) };
        let mine = {
            let state = self.state();
            let mut asked = state.oids.asked.values();
            asked.any(|asked| asked.raw().addr() == request.addr())
        };
        let found = match (self.is_attached(), valid, mine) {
            (true, true, false) => return self.answer(request, u64::MAX, None),
            (false, ..) => "sent while the module is not attached",
            (_, false, _) => "its header is not that of a request",
            (.., true) => "a request that the filter was given",
        };
        let finding = Finding::new(Rule::Oid, found).on(SYNCHRONOUS);
        self.finding("NdisFSynchronousOidRequest", finding);
        sys::NDIS_STATUS_FAILURE
    }

    /// The miniport completes the direct requests that it holds. Returns how many.
    pub fn complete_direct_oids(self: &Arc<Self>) -> usize {
        let mut count = 0;
        loop {
            let first = self.state().oids.direct_below.keys().next_back().copied();
            let Some(address) = first else { return count };
            self.complete_direct(address, None);
            count += 1;
        }
    }

    /// Cancels the direct request `number` as the overlying driver does.
    pub fn cancel_direct_oid(self: &Arc<Self>, number: u64) {
        if !self.state().oids.direct.contains(&number) {
            return;
        }
        let id = request_id(number);
        let handler = self
            .module_handlers()
            .and_then(|all| all.CancelDirectOidRequestHandler);
        if let Some(handler) = handler {
            self.call("cancel-direct-OID handler", thread::irql(), || {
                // SAFETY: the handler is the driver's.
                unsafe { handler(self.context(), crate::handles::handle(id)) }
            });
        }
    }

    /// NdisFCancelDirectOidRequest.
    pub(crate) fn cancel_direct_below(self: &Arc<Self>, id: usize) {
        let found = {
            let state = self.state();
            let mut all = state.oids.direct_below.iter();
            all.find_map(|(address, below)| (below.id == id).then_some(*address))
        };
        if let Some(address) = found {
            self.complete_direct(address, Some(sys::NDIS_STATUS_REQUEST_ABORTED));
        }
    }

    /// The miniport completes the direct request at `address`, with its answer or with `abort`.
    fn complete_direct(self: &Arc<Self>, address: usize, abort: Option<i32>) {
        let request: *mut sys::NDIS_OID_REQUEST = ptr::with_exposed_provenance_mut(address);
        let of = {
            let mut state = self.state();
            let Some(below) = state.oids.direct_below.remove(&address) else {
                return;
            };
            let of = state.oids.clones.get(&address).map(|clone| clone.of);
            match (below.look, of) {
                (Some(_), None) => {
                    let found = "its clone was freed while the miniport has it";
                    return state.violation(Rule::Oid, DOWN, found);
                }
                // SAFETY: the clone is live.
                (Some(before), Some(_)) if before != unsafe { look(request) } => {
                    state.violation(Rule::Oid, DOWN, "touched while the miniport has it");
                }
                _ => {}
            }
            of
        };
        let status = self.answer(request, of.unwrap_or(u64::MAX), abort);
        race::acquire(address);
        let handler = self
            .handlers()
            .and_then(|all| all.DirectOidRequestCompleteHandler);
        if let Some(handler) = handler {
            self.call("direct-OID-complete handler", thread::irql(), || {
                // SAFETY: the handler is the driver's; the request is the filter's again.
                unsafe { handler(self.context(), request, status) }
            });
        }
    }
}
