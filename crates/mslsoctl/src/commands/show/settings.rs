//! The settings in words, and those in the registry beside those in effect.

use control::{SettingsReply, SoftwareSegmentation};
use serde::Serialize;

use super::{Show, ShownTuning, by_name};
use crate::adapter::Adapter;
use crate::text::bytes;

/// The settings that the filter will attach with next.
#[derive(Serialize)]
pub(super) struct ShownSettings {
    tuning: ShownTuning,
    #[serde(serialize_with = "by_name")]
    software_segmentation: SoftwareSegmentation,
    ip_id_bits: u32,
    max_sg_elements: u32,
    memory_bound_bytes: u64,
}

impl From<SettingsReply> for ShownSettings {
    fn from(settings: SettingsReply) -> Self {
        let registry = settings.registry;
        Self {
            tuning: settings.registry_tuning.into(),
            software_segmentation: registry.software,
            ip_id_bits: registry.ip_id_bits.get(),
            max_sg_elements: registry.max_sg_elements.get(),
            memory_bound_bytes: registry.memory_bound.bytes(),
        }
    }
}

/// The settings in the registry that differ from those in effect, a note each for those that the
/// filter reads at attach and for the tuning.
pub(super) fn notes(show: &Show) -> Vec<String> {
    let Some(registry) = &show.registry else {
        return Vec::new();
    };
    let mut notes = Vec::new();
    let pending = pending(show, registry);
    if !pending.is_empty() {
        notes.push(format!(
            "Note: the registry has other settings, which take effect when the adapter restarts:\n  {}",
            pending.join("\n  ")
        ));
    }
    if registry.tuning != show.tuning {
        notes.push(format!(
            "Note: the registry has another tuning, which takes effect when the adapter restarts:\n  \
             {}\n`mslsoctl set --persist` writes the tuning that it sets to the registry.",
            tuning(&registry.tuning)
        ));
    }
    notes
}

/// The settings that a restart changes, in words.
fn pending(show: &Show, registry: &ShownSettings) -> Vec<String> {
    [
        (
            registry.software_segmentation != show.software_segmentation,
            "software",
            software(registry.software_segmentation),
        ),
        (
            registry.ip_id_bits != show.ip_id_bits,
            "IP ID",
            ip_id(registry.ip_id_bits),
        ),
        (
            registry.max_sg_elements != show.max_sg_elements,
            "chains",
            chains(registry.max_sg_elements),
        ),
        (
            Some(registry.memory_bound_bytes) != show.memory_bound_bytes,
            "memory",
            memory(Some(registry.memory_bound_bytes)),
        ),
    ]
    .into_iter()
    .filter(|(differs, ..)| *differs)
    .map(|(_, what, words)| format!("{what:<9}  {words}"))
    .collect()
}

/// The command that restarts the adapter.
pub(super) fn restart(adapter: &Adapter) -> String {
    match &adapter.connection {
        // In PowerShell's single quotes, only they themselves are special.
        Some(name) => format!("Restart-NetAdapter -Name '{}'", name.replace('\'', "''")),
        None => format!(
            "Get-NetAdapter -InterfaceIndex {} | Restart-NetAdapter",
            adapter.base_if_index
        ),
    }
}

pub(super) fn tuning(tuning: &ShownTuning) -> String {
    let by = match tuning.profile {
        Some(profile) => format!("profile {profile}, {} x", tuning.multiple),
        None => format!("{} x", tuning.multiple),
    };
    match tuning.cap_bytes {
        Some(cap) => format!("{by}, at most {}", bytes(cap.into())),
        None => format!("{by}, no cap"),
    }
}

pub(super) fn software(choice: SoftwareSegmentation) -> String {
    let words = match choice {
        SoftwareSegmentation::Never => "LSOv2 is advertised only if the NIC supports it",
        SoftwareSegmentation::WithChecksums => {
            "LSOv2 is advertised too if the NIC lacks it but computes TCP checksums"
        }
        SoftwareSegmentation::Always => "LSOv2 is advertised even if the NIC lacks it",
    };
    format!("{}: {words}", choice.name())
}

pub(super) fn ip_id(bits: u32) -> String {
    format!("the NIC counts in {bits} bits")
}

pub(super) fn chains(max_sg_elements: u32) -> String {
    format!("at most {max_sg_elements} buffers per packet sent to the NIC")
}

pub(super) fn memory(bound: Option<u64>) -> String {
    bound.map_or_else(
        || "not known: the driver is older than mslsoctl".into(),
        |bound| format!("at most {} for large sends in flight", bytes(bound)),
    )
}
