//! FilterStatus: what the NIC says of itself, and what of it the layer above hears.

use core::sync::atomic::Ordering;

use ndis::{Capabilities, Indication, sys};

use crate::{indicator::Stored, module::FilterModule, offload};

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
    let before = module.limits.nic();
    let Ok(nic) = module.indicator.learn(indication.buffer(), &module.limits) else {
        module.malformed_offload();
        indication.pass_on(module.handle);
        return;
    };
    if module.limits.nic() != before {
        module.event_nic_limits();
    }
    module.indicator.speak(module, || {
        let said = rewritten(module, indication, &nic);
        if said.is_none() {
            module.malformed_offload();
            indication.pass_on(module.handle);
        }
        let bytes = said.as_ref().map_or(indication.buffer(), Stored::bytes);
        offload::capabilities(bytes).ok()
    });
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
    let nic = module.limits.nic();
    if learnt.is_err() || rewritten(module, indication, &nic).is_none() {
        module.malformed_offload();
        indication.pass_on(module.handle);
    }
    module.indicator.publish(module);
}

/// Passes on a copy of the indication, rewritten for a NIC that takes `nic`: the buffer itself is
/// the miniport's. Returns what the copy said, or `None` where the buffer is malformed and nothing
/// was passed on.
fn rewritten(
    module: &FilterModule,
    indication: &Indication<'_>,
    nic: &Capabilities,
) -> Option<Stored> {
    let mut copy = Stored::of(indication.buffer())?;
    module.indicator.rewrite(copy.bytes_mut(), nic).ok()?;
    indication.pass_on_saying(module.handle, copy.bytes_mut());
    Some(copy)
}
