//! FilterStatus: the miniport's indications, and their rewritten form for the overlying driver.

use core::sync::atomic::Ordering;

use ndis::{Indication, Malformed, OffloadConfig, sys};

use crate::{module::FilterModule, nic_caps::NicCaps};

/// Handles an indication of the miniport. IRQL ≤ DISPATCH_LEVEL.
pub(crate) fn status(module: &FilterModule, indication: &Indication<'_>) {
    match indication.code() {
        sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG => on_current_config(module, indication),
        sys::NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES => {
            on_hardware_capabilities(module, indication);
        }
        sys::NDIS_STATUS_L2_MTU_SIZE_CHANGE => {
            on_mtu_change(module, indication.buffer());
            indication.forward(module.handle);
        }
        _ => indication.forward(module.handle),
    }
}

/// Handles new limits of the NIC. They apply to the very next send, before the overlying driver
/// gets the indication.
fn on_current_config(module: &FilterModule, indication: &Indication<'_>) {
    let Ok(config) = OffloadConfig::copy_from(indication.buffer()) else {
        module.count_malformed_offload();
        indication.forward(module.handle);
        return;
    };
    let before = module.advertiser.nic();
    let nic = module.advertiser.record_nic(&config);
    if nic != before {
        module.event_nic_limits();
    }
    module
        .advertiser
        .forward_indication(module, || forward(module, indication, config, &nic));
}

/// Handles a new MTU of the adapter: a ULONG, without the Ethernet header, as NetAdapterCx
/// indicates it. A buffer that is too short leaves the MTU unknown.
fn on_mtu_change(module: &FilterModule, buffer: &[u8]) {
    let mtu = buffer
        .first_chunk()
        .map_or(0, |mtu| u32::from_le_bytes(*mtu));
    module.mtu.store(mtu, Ordering::Relaxed);
}

/// Handles new capabilities of the NIC's hardware, enabled or not.
fn on_hardware_capabilities(module: &FilterModule, indication: &Indication<'_>) {
    match OffloadConfig::copy_from(indication.buffer()) {
        Ok(config) => {
            module.advertiser.record_hardware(&config);
            forward(module, indication, config, &module.advertiser.nic());
        }
        Err(Malformed) => {
            module.count_malformed_offload();
            indication.forward(module.handle);
        }
    }
    module.advertiser.publish(module);
}

/// Forwards a rewritten copy of the indication, whose buffer is the miniport's. Returns the
/// capabilities in it. A configuration that is too long for a copy is forwarded unchanged.
fn forward(
    module: &FilterModule,
    indication: &Indication<'_>,
    mut config: OffloadConfig,
    nic: &NicCaps,
) -> Option<NicCaps> {
    if config.is_whole() {
        module.advertiser.rewrite(&mut config, nic);
        indication.forward_with(module.handle, config.bytes_mut());
    } else {
        module.count_malformed_offload();
        indication.forward(module.handle);
    }
    Some(NicCaps::from(&config))
}
