//! `show`: an adapter's settings and limits, and what is in effect.

use control::{Cap, Limit, NicLimits, Profile, Raise, ReadReply, StatisticsReply, Tuning};
use serde::Serialize;

use super::{Session, list::state, title};
use crate::adapters::Adapter;
use crate::cli::Choice;
use crate::failure::Failure;
use crate::text::{bytes, number, table, times};

/// What `show` prints. Sizes are bytes of TCP payload unless said otherwise.
#[derive(Serialize)]
pub(super) struct Show {
    adapter: Adapter,
    tuning: ShownTuning,
    ip_id_bits: u32,
    nic: ShownNic,
    advertised: Advertised,
    /// In bytes of frame; 0 for none.
    largest_large_send: u64,
    /// Whether a large send was seen that the NIC alone would not have taken. None where nothing
    /// is raised or no large send was seen.
    raised_size_in_use: Option<bool>,
    settings_out_of_range: u32,
    malformed_offloads: u64,
}

#[derive(Serialize)]
struct ShownTuning {
    /// None where the administrator chose the multiple.
    profile: Option<&'static str>,
    multiple: u32,
    cap_bytes: Option<u32>,
}

#[derive(Serialize)]
struct ShownNic {
    v1: ShownLimit,
    v2_ipv4: ShownLimit,
    v2_ipv6: ShownLimit,
}

#[derive(Serialize)]
struct ShownLimit {
    max_payload: u32,
    min_segments: u32,
}

#[derive(Serialize)]
struct Advertised {
    v2_ipv4: u32,
    v2_ipv6: u32,
}

pub(super) fn run(session: &mut Session<'_>, choice: &Choice) -> Result<(), Failure> {
    let adapter = session.adapter(choice.adapter.as_deref())?;
    let show = read(session, adapter)?;
    Ok(session.print(&show, text)?)
}

/// Reads what is in effect on an adapter.
pub(super) fn read(session: &mut Session<'_>, adapter: Adapter) -> Result<Show, Failure> {
    let reply = session.driver.read(&adapter)?;
    let statistics = session.driver.statistics(&adapter)?;
    Ok(Show {
        adapter: Adapter {
            running: reply.running,
            ..adapter
        },
        tuning: reply.tuning.into(),
        ip_id_bits: reply.ip_id_bits,
        nic: reply.nic.into(),
        advertised: Advertised {
            v2_ipv4: reply.advertised_v2_ipv4,
            v2_ipv6: reply.advertised_v2_ipv6,
        },
        largest_large_send: statistics.largest_large_send,
        raised_size_in_use: in_use(&reply, &statistics),
        settings_out_of_range: reply.settings_out_of_range,
        malformed_offloads: reply.malformed_offloads,
    })
}

/// Whether the raised size is in use, as far as can be told.
fn in_use(reply: &ReadReply, statistics: &StatisticsReply) -> Option<bool> {
    let (v4, v6) = (reply.nic.v2_ipv4, reply.nic.v2_ipv6);
    let raised =
        reply.advertised_v2_ipv4 > v4.max_payload || reply.advertised_v2_ipv6 > v6.max_payload;
    if !raised || statistics.largest_large_send == 0 {
        return None;
    }
    // The largest is a frame, so what exceeds the maximum by no more than a header may not.
    let header = u64::try_from(lso::MAX_HEADER).unwrap_or(u64::MAX);
    let nic = u64::from(v4.max_payload.max(v6.max_payload));
    Some(statistics.largest_large_send > nic.saturating_add(header))
}

impl From<Tuning> for ShownTuning {
    fn from(tuning: Tuning) -> Self {
        Self {
            profile: match tuning.raise {
                Raise::Profile(profile) => Some(profile.name()),
                Raise::Multiple(_) => None,
            },
            multiple: tuning.multiple(),
            cap_bytes: tuning.cap.map(Cap::bytes),
        }
    }
}

impl From<NicLimits> for ShownNic {
    fn from(nic: NicLimits) -> Self {
        Self {
            v1: nic.v1.into(),
            v2_ipv4: nic.v2_ipv4.into(),
            v2_ipv6: nic.v2_ipv6.into(),
        }
    }
}

impl From<Limit> for ShownLimit {
    fn from(limit: Limit) -> Self {
        Self {
            max_payload: limit.max_payload,
            min_segments: limit.min_segments,
        }
    }
}

pub(super) fn text(show: &Show) -> String {
    let (nic, advertised) = (&show.nic, &show.advertised);
    let rows = vec![
        row("LSOv2, IPv4", &nic.v2_ipv4, Some(advertised.v2_ipv4)),
        row("LSOv2, IPv6", &nic.v2_ipv6, Some(advertised.v2_ipv6)),
        row("LSOv1, IPv4", &nic.v1, None),
    ];
    let heads = [
        "large sends",
        "NIC takes",
        "least packets",
        "advertised",
        "raised",
    ];
    let mut text = title(&show.adapter) + "\n" + &table(heads, rows) + "\n";
    text += &format!(" tuning   {}\n", tuning(&show.tuning));
    text += &format!(" filter   {}\n", state(show.adapter.running));
    text += &format!(" IP ID    the NIC counts in {} bits\n", show.ip_id_bits);
    text += &format!(" largest  {}\n", largest(show.largest_large_send));
    text += &format!("\n{}\n", in_words(show));
    for note in notes(show) {
        text += &format!("{note}\n");
    }
    text
}

fn row(kind: &str, nic: &ShownLimit, advertised: Option<u32>) -> [String; 5] {
    if nic.max_payload == 0 {
        let none = || "-".to_owned();
        return [kind.into(), "none".into(), none(), none(), none()];
    }
    let advertised = advertised.unwrap_or(nic.max_payload);
    [
        kind.into(),
        number(nic.max_payload.into()),
        nic.min_segments.to_string(),
        number(advertised.into()),
        times(advertised, nic.max_payload),
    ]
}

fn tuning(tuning: &ShownTuning) -> String {
    let by = match tuning.profile {
        Some(profile) => format!("profile {profile}, {} x", tuning.multiple),
        None => format!("{} x", tuning.multiple),
    };
    match tuning.cap_bytes {
        Some(cap) => format!("{by}, at most {}", bytes(cap.into())),
        None => format!("{by}, no cap"),
    }
}

fn largest(frame: u64) -> String {
    match frame {
        0 => "no large send seen yet".into(),
        _ => format!("{} of frame, the largest large send seen", bytes(frame)),
    }
}

fn in_words(show: &Show) -> &'static str {
    let nothing_taken = show.nic.v2_ipv4.max_payload == 0 && show.nic.v2_ipv6.max_payload == 0;
    match show.raised_size_in_use {
        Some(true) => "The raised size is in use: larger sends were seen than the NIC takes.",
        Some(false) => {
            "The raised size is not in use: every large send seen would have fit the NIC. The layer \
             above may read\nthe size only when it starts (a guest, when its adapter is added), and \
             a virtual switch may keep its own."
        }
        None if nothing_taken => {
            "The NIC takes no large sends of version 2, so nothing is raised. \
             `Enable-NetAdapterLso` enables them."
        }
        None if show.largest_large_send == 0 && show.is_raised() => {
            "No large send was seen yet, so whether the raised size is in use cannot be told."
        }
        None => "Nothing is raised: the layer above is told the NIC's own maximum.",
    }
}

impl Show {
    fn is_raised(&self) -> bool {
        self.advertised.v2_ipv4 > self.nic.v2_ipv4.max_payload
            || self.advertised.v2_ipv6 > self.nic.v2_ipv6.max_payload
    }
}

fn notes(show: &Show) -> Vec<String> {
    let mut notes = Vec::new();
    if show.settings_out_of_range > 0 {
        notes.push(format!(
            "Note: {} of the adapter's settings in the registry are out of range, so that defaults \
             are in effect; `mslsoctl set --persist` writes them anew.",
            show.settings_out_of_range
        ));
    }
    if show.malformed_offloads > 0 {
        notes.push(format!(
            "Note: {} offload configurations of the NIC were malformed and passed on unchanged; \
             update its driver.",
            number(show.malformed_offloads)
        ));
    }
    if show.tuning.profile == Some(Profile::Off.name()) && show.is_raised() {
        notes.push("Note: the change to off has not reached the layer above yet.".into());
    }
    notes
}
