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
    let before = module.advertiser.nic();
    let Ok(nic) = record_current_config(module, indication) else {
        module.count_malformed_offload();
        indication.forward(module.handle);
        return;
    };
    if nic != before {
        module.event_nic_limits();
    }
    let mut forwarded = Forwarded::default();
    module.forward_indication(|| {
        forwarded = forward(module, indication, &nic);
        forwarded.caps
    });
    forwarded.count(module);
}

/// Records the configuration in `indication`. Out of line: its copy is not on the stack any more when
/// the indication is forwarded.
#[inline(never)]
fn record_current_config(
    module: &FilterModule,
    indication: &Indication<'_>,
) -> Result<NicCaps, Malformed> {
    let config = OffloadConfig::copy_from(indication.buffer())?;
    Ok(module.advertiser.record_nic(&config))
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
    if record_hardware_capabilities(module, indication).is_ok() {
        forward(module, indication, &module.advertiser.nic()).count(module);
    } else {
        module.count_malformed_offload();
        indication.forward(module.handle);
    }
    module.publish();
}

#[inline(never)]
fn record_hardware_capabilities(
    module: &FilterModule,
    indication: &Indication<'_>,
) -> Result<(), Malformed> {
    let config = OffloadConfig::copy_from(indication.buffer())?;
    module.advertiser.record_hardware(&config);
    Ok(())
}

/// An offload configuration was forwarded.
#[derive(Default)]
struct Forwarded {
    /// The capabilities in it.
    caps: Option<NicCaps>,
    /// It is too long for a copy.
    is_malformed: bool,
}

impl Forwarded {
    fn count(&self, module: &FilterModule) {
        if self.is_malformed {
            module.count_malformed_offload();
        }
    }
}

/// Forwards a rewritten copy of the indication, whose buffer is the miniport's. A configuration that
/// is too long for a copy is forwarded unchanged. Out of line, as above.
#[inline(never)]
fn forward(module: &FilterModule, indication: &Indication<'_>, nic: &NicCaps) -> Forwarded {
    let mut config = OffloadConfig::zeroed();
    if config.read_from(indication.buffer()).is_err() {
        return Forwarded::default();
    }
    let is_malformed = !config.is_whole();
    if is_malformed {
        indication.forward(module.handle);
    } else {
        module.advertiser.rewrite(&mut config, nic);
        indication.forward_with(module.handle, config.bytes_mut());
    }
    Forwarded {
        caps: Some(NicCaps::from(&config)),
        is_malformed,
    }
}
