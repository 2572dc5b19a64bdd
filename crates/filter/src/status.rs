//! FilterStatus: what the NIC says of itself, and what of it the layer above hears.

use core::sync::atomic::Ordering;

use ndis::{Indication, sys};

use crate::{indicator::Stored, module::FilterModule};

/// Handles an indication from below. IRQL ≤ DISPATCH_LEVEL.
pub(crate) fn status(module: &FilterModule, indication: &Indication<'_>) {
    match indication.code() {
        sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG => changed(module, indication),
        sys::NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES => can_do(module, indication),
        sys::NDIS_STATUS_L2_MTU_SIZE_CHANGE => {
            mtu_changed(module, indication.buffer());
            indication.pass_on(module.handle);
        }
        _ => indication.pass_on(module.handle),
    }
}

/// The NIC takes other large sends from now on. The new limits hold for the very next send; only
/// then is the layer above told.
fn changed(module: &FilterModule, indication: &Indication<'_>) {
    let Ok(limits) = module.indicator.learn(indication.buffer()) else {
        module.malformed_offload();
        indication.pass_on(module.handle);
        return;
    };
    let before = module.limits.nic();
    module.limits.set(&limits);
    if module.limits.nic() != before {
        module.event_nic_limits();
    }
    let told = match rewritten(module, indication) {
        Some(said) => module.indicator.was_told(said.bytes()),
        None => {
            module.malformed_offload();
            indication.pass_on(module.handle);
            module.indicator.was_told(indication.buffer())
        }
    };
    if let Some(told) = told {
        module.event_advertised(&told);
    }
    // Somebody may have changed the tuning, or told an older state, meanwhile.
    module.indicator.publish(module);
}

/// The adapter's MTU is another one from now on: a ULONG, without the Ethernet header, as
/// NetAdapterCx indicates it. What is not understood leaves it unknown.
fn mtu_changed(module: &FilterModule, says: &[u8]) {
    let mtu = says.first_chunk().map_or(0, |mtu| u32::from_le_bytes(*mtu));
    module.mtu.store(mtu, Ordering::Relaxed);
}

/// The NIC can do something else from now on, turned on or not.
fn can_do(module: &FilterModule, indication: &Indication<'_>) {
    let learnt = module.indicator.learn_hardware(indication.buffer());
    if learnt.is_err() || rewritten(module, indication).is_none() {
        module.malformed_offload();
        indication.pass_on(module.handle);
    }
    module.indicator.publish(module);
}

/// Passes on a rewritten copy of the indication: the buffer itself is the miniport's. Returns what
/// the copy said, or `None` where the buffer is malformed and nothing was passed on.
fn rewritten(module: &FilterModule, indication: &Indication<'_>) -> Option<Stored> {
    let mut copy = Stored::of(indication.buffer())?;
    let nic = module.limits.nic();
    module.indicator.rewrite(copy.bytes_mut(), &nic).ok()?;
    indication.pass_on_saying(module.handle, copy.bytes_mut());
    Some(copy)
}
