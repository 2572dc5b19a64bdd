//! The text output of `show`.

use control::{Limit, NicLimits, Profile};

use super::{Show, settings};
use crate::commands::{
    list::{driver, state},
    title,
};
use crate::text::{bytes, number, table, times};

pub(in crate::commands) fn text(show: &Show) -> String {
    let mut rows: Vec<_> = show
        .kinds()
        .map(|(kind, nic, advertised)| row(kind, nic, advertised))
        .into();
    let v1 = &show.nic.v1;
    rows.push(row("LSOv1, IPv4", v1, v1.max_payload));
    let heads = [
        "large sends",
        "NIC accepts",
        "min. segments",
        "advertised",
        "raised",
    ];
    let mut text = title(&show.adapter) + "\n" + &table(1, heads, rows) + "\n";
    for (what, words) in [
        ("tuning", settings::tuning(&show.tuning)),
        ("software", settings::software(show.software_segmentation)),
        ("checksums", checksums(&show.nic)),
        ("IP ID", settings::ip_id(show.ip_id_bits)),
        ("chains", settings::chains(show.max_sg_elements)),
        ("memory", settings::memory(show.memory_bound_bytes)),
        ("MTU", mtu(show.mtu)),
        ("filter", state(show.adapter.running).into()),
        ("driver", driver(show.driver_version)),
        ("largest", largest(show.largest_large_send)),
    ] {
        text += &format!(" {what:<9}  {words}\n");
    }
    text += &format!("\n{}\n", in_words(show));
    for note in notes(show) {
        text += &format!("{note}\n");
    }
    text
}

/// Whether the settings that were written to the registry are in effect.
pub(in crate::commands) fn settings_text(show: &Show) -> String {
    if show.restart_pending == Some(false) {
        return "The settings are in effect, and in the registry.\n".into();
    }
    format!(
        "The settings are in the registry, and take effect when the adapter restarts:\n  {}\n",
        settings::restart(&show.adapter)
    )
}

fn row(kind: &str, nic: &Limit, advertised: u32) -> [String; 5] {
    let none = || "-".to_owned();
    let kind = kind.into();
    match (nic.max_payload, advertised) {
        (0, 0) => [kind, "none".into(), none(), none(), none()],
        (0, _) => {
            let accepts = "none, cut by the filter".into();
            [kind, accepts, none(), number(advertised.into()), none()]
        }
        (accepts, _) => [
            kind,
            number(accepts.into()),
            nic.min_segments.to_string(),
            number(advertised.into()),
            times(advertised, accepts),
        ],
    }
}

fn checksums(nic: &NicLimits) -> String {
    match (nic.tcp_checksum_ipv4, nic.tcp_checksum_ipv6) {
        (true, true) => "the NIC computes TCP checksums over IPv4 and IPv6",
        (true, false) => "the NIC computes TCP checksums over IPv4, not over IPv6",
        (false, true) => "the NIC computes TCP checksums over IPv6, not over IPv4",
        (false, false) => "the NIC computes no TCP checksums",
    }
    .into()
}

fn mtu(mtu: Option<u32>) -> String {
    mtu.map_or_else(
        || "not known".into(),
        |mtu| format!("{} bytes per IP packet", number(mtu.into())),
    )
}

fn largest(frame: u64) -> String {
    match frame {
        0 => "no large send seen yet".into(),
        _ => format!("{} of frame: the largest large send seen", bytes(frame)),
    }
}

fn in_words(show: &Show) -> &'static str {
    match show.raised_size_in_use {
        Some(true) => "The raised size is in use: large sends above the NIC's maximum were seen.",
        Some(false) => {
            "The raised size is not in use: every large send seen was within the NIC's maximum. The \
             overlying driver\nmay read the size only when it starts (a guest, when its adapter is \
             added), and a virtual switch may\nkeep its own."
        }
        None if show.is_raised() => {
            "No large send was seen yet, so it is unknown whether the raised size is in use."
        }
        None => "Nothing is raised: the NIC's own limits are advertised to the overlying driver.",
    }
}

fn notes(show: &Show) -> Vec<String> {
    let mut notes = Vec::new();
    if show.advertised.v2_ipv4 == 0 && show.advertised.v2_ipv6 == 0 {
        notes.push(
            "Note: the NIC accepts no LSOv2. `Enable-NetAdapterLso` turns it on. If the NIC does not \
             support it, the\nfilter can advertise it all the same, unless the profile is off: see \
             --software-segmentation in\n`mslsoctl set --help`."
                .into(),
        );
    }
    if show.settings_out_of_range > 0 {
        notes.push(format!(
            "Note: {} of the adapter's settings in the registry are out of range; defaults are in \
             effect.\nSet them again with `mslsoctl set --persist`; `mslsoctl set --help` has the \
             ranges.",
            show.settings_out_of_range
        ));
    }
    notes.extend(settings::notes(show));
    if show.malformed_offloads > 0 {
        notes.push(format!(
            "Note: {} malformed offload configurations from the NIC were passed on unchanged; \
             update its driver.",
            number(show.malformed_offloads)
        ));
    }
    if show.invalid_oid_headers > 0 {
        notes.push(format!(
            "Note: {} OID requests from a driver above had no valid header (as those of Windows' \
             PPPoE driver);\nthe filter passed them down with a valid one.",
            number(show.invalid_oid_headers)
        ));
    }
    if show.tuning.profile == Some(Profile::Off.name()) && show.is_raised() {
        notes.push("Note: the change to off has not reached the overlying driver yet.".into());
    }
    notes
}
