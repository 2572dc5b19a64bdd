//! FilterOidRequest and its completion: every request is forwarded as a clone, and answers that
//! carry large-send sizes are rewritten on their way up.

#![expect(unsafe_code, reason = "the module's own query comes back once")]

use ndis::{
    Malformed, OffloadConfig, Status,
    oid::{self, OidClone, OidRequest, RequestId},
    sys,
};

use crate::module::FilterModule;

/// Passes a request down. IRQL ≤ DISPATCH_LEVEL.
pub(crate) fn request(module: &FilterModule, request: &OidRequest) -> Status {
    if !request.has_valid_header() {
        module.count_invalid_oid_header();
    }
    let clone = match request.try_clone(module.handle) {
        Ok(clone) => clone,
        Err(status) => return status,
    };
    *module.pending_oid.lock() = Some(clone.id());
    if let Err((clone, status)) = clone.send(module.handle) {
        complete(module, clone, status);
    }
    Status::PENDING
}

/// Completes a request to the overlying driver. IRQL ≤ DISPATCH_LEVEL.
pub(crate) fn complete(module: &FilterModule, mut clone: OidClone, status: Status) {
    *module.pending_oid.lock() = None;
    if status == Status::SUCCESS {
        rewrite_answer(module, &mut clone);
    }
    clone
        .into_original(module.handle)
        .complete(module.handle, status);
}

/// Forwards a cancellation, if the request is pending in a lower driver.
pub(crate) fn cancel(module: &FilterModule, id: RequestId) {
    let is_pending = *module.pending_oid.lock() == Some(id);
    if is_pending {
        oid::cancel(module.handle, id);
    }
}

/// How long a restart waits for the answer to its query of the current configuration, in
/// milliseconds. NDIS answers that OID for the miniport (Windows driver documentation,
/// OID_TCP_OFFLOAD_CURRENT_CONFIG); an answer that comes later still counts.
const CURRENT_CONFIG_WAIT_MS: u32 = 100;

/// Queries the NIC's current configuration, unless the miniport has indicated it, and waits for the
/// answer: DefaultOffloadConfiguration, which NDIS passed to FilterAttach, may be one that this
/// filter raised at an earlier attach. IRQL PASSIVE_LEVEL.
pub(crate) fn query_current_config(module: &FilterModule) {
    if !module.advertiser.has_default_only() {
        return;
    }
    let status = module.current_query.send(module.handle);
    if status == Status::PENDING {
        module.current_query.wait_at_most(CURRENT_CONFIG_WAIT_MS);
    } else {
        // SAFETY: the query has just completed.
        unsafe { on_current_answer(module, status) };
    }
}

/// Handles the answer to [`query_current_config`]: it may lower the NIC's limits, and never raises
/// them. Without an answer they stay. IRQL ≤ DISPATCH_LEVEL.
///
/// # Safety
/// NDIS has just given the module's query back.
pub(crate) unsafe fn on_current_answer(module: &FilterModule, status: Status) {
    // SAFETY: NDIS has just given the query back, by this function's contract.
    unsafe {
        module.current_query.complete(status, |answer| {
            match lower_nic(module, answer) {
                Ok(true) => module.event_nic_limits(),
                Ok(false) => {}
                Err(Malformed) => module.count_malformed_offload(),
            }
            module.publish();
        });
    }
}

/// Out of line: the copy is not on the stack any more when the result is published.
#[inline(never)]
fn lower_nic(module: &FilterModule, answer: &[u8]) -> Result<bool, Malformed> {
    let config = OffloadConfig::copy_from(answer)?;
    Ok(module.advertiser.lower_nic(&config))
}

/// Likewise.
#[inline(never)]
fn record_hardware(module: &FilterModule, answer: &[u8]) -> Result<(), Malformed> {
    let config = OffloadConfig::copy_from(answer)?;
    module.advertiser.record_hardware(&config);
    Ok(())
}

/// Queries the capabilities of the NIC's hardware, if they are needed and unknown. IRQL
/// PASSIVE_LEVEL.
pub(crate) fn query_hardware_capabilities(module: &FilterModule) {
    if !module.advertiser.needs_hardware() {
        return;
    }
    let status = module.hardware_query.send(module.handle);
    if status != Status::PENDING {
        // SAFETY: the query has just completed.
        unsafe { on_hardware_answer(module, status) };
    }
}

/// Handles the answer to [`query_hardware_capabilities`]. Without an answer, the NIC's hardware
/// capabilities stay unknown. IRQL ≤ DISPATCH_LEVEL.
///
/// # Safety
/// NDIS has just given the module's query back.
pub(crate) unsafe fn on_hardware_answer(module: &FilterModule, status: Status) {
    // SAFETY: NDIS has just given the query back, by this function's contract.
    unsafe {
        module.hardware_query.complete(status, |answer| {
            if record_hardware(module, answer).is_err() {
                module.count_malformed_offload();
            }
            module.publish();
        });
    }
}

/// The NIC's limits are not learnt from an answer to the overlying driver: the documentation does
/// not specify whether it comes from the miniport, or from NDIS, which has seen our own indication.
///
/// An answer does not count as the last advertised size either: it was current when it was
/// rewritten, and later changes are reported by a status indication, as they would be without a
/// filter.
fn rewrite_answer(module: &FilterModule, clone: &mut OidClone) {
    let Some((
        sys::OID_TCP_OFFLOAD_CURRENT_CONFIG | sys::OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES,
        answer,
    )) = clone.answer()
    else {
        return;
    };
    if module.advertiser.rewrite_in_place(answer).is_err() {
        module.count_malformed_offload();
    }
}
