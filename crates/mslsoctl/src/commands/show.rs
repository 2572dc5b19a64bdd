//! `show`: an adapter's settings and limits, and the tuning in effect.

mod settings;
mod words;

use control::{Cap, DriverVersion, Limit, NicLimits, Raise, SoftwareSegmentation, Tuning};
use serde::{Serialize, Serializer};

use super::{Session, list::version};
use crate::adapter::Adapter;
use crate::cli::Choice;
use crate::failure::Failure;

use settings::ShownSettings;
pub(super) use words::{settings_text, text};

/// The output of `show`. Sizes are bytes of TCP or UDP payload unless noted otherwise.
#[derive(Serialize)]
pub(super) struct Show {
    /// None if the driver is too old to report it.
    #[serde(serialize_with = "version")]
    driver_version: Option<DriverVersion>,
    adapter: Adapter,
    tuning: ShownTuning,
    #[serde(serialize_with = "by_name")]
    software_segmentation: SoftwareSegmentation,
    ip_id_bits: u32,
    max_sg_elements: u32,
    /// None if the driver is too old to report it.
    memory_bound_bytes: Option<u64>,
    /// The settings in the registry; None if the driver is too old to report them.
    registry: Option<ShownSettings>,
    /// Whether a restart of the adapter changes settings that are read at attach; None as above.
    restart_pending: Option<bool>,
    /// In bytes of IP packet; None if it is not known.
    mtu: Option<u32>,
    #[serde(with = "ShownNic")]
    nic: NicLimits,
    advertised: Advertised,
    /// In bytes of frame; 0 for none.
    largest_large_send: u64,
    /// Whether a large send was seen that the NIC alone would not have taken. None if nothing is
    /// raised or no large send was seen.
    raised_size_in_use: Option<bool>,
    settings_out_of_range: u32,
    malformed_offloads: u64,
    invalid_oid_headers: u64,
}

#[derive(PartialEq, Eq, Serialize)]
struct ShownTuning {
    /// None if the administrator chose the multiple.
    profile: Option<&'static str>,
    multiple: u32,
    cap_bytes: Option<u32>,
}

#[derive(Serialize)]
#[serde(remote = "NicLimits")]
struct ShownNic {
    #[serde(with = "ShownLimit")]
    v1: Limit,
    #[serde(with = "ShownLimit")]
    v2_ipv4: Limit,
    #[serde(with = "ShownLimit")]
    v2_ipv6: Limit,
    #[serde(with = "ShownLimit")]
    uso_ipv4: Limit,
    #[serde(with = "ShownLimit")]
    uso_ipv6: Limit,
    tcp_checksum_ipv4: bool,
    tcp_checksum_ipv6: bool,
}

#[derive(Serialize)]
#[serde(remote = "Limit")]
struct ShownLimit {
    max_payload: u32,
    min_segments: u32,
}

#[derive(Serialize)]
struct Advertised {
    v2_ipv4: u32,
    v2_ipv6: u32,
    uso_ipv4: u32,
    uso_ipv6: u32,
}

fn by_name<S: Serializer>(choice: &SoftwareSegmentation, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(choice.name())
}

pub(super) fn run(session: &mut Session<'_>, choice: &Choice) -> Result<(), Failure> {
    session.each(choice, |session, adapter| {
        let show = read(session, adapter)?;
        Ok(session.print(&show, text)?)
    })
}

/// Reads everything that `show` prints for an adapter.
pub(super) fn read(session: &mut Session<'_>, adapter: Adapter) -> Result<Show, Failure> {
    let reply = session.driver.read(&adapter)?;
    let statistics = session.driver.statistics(&adapter)?;
    let settings = session.driver.settings(&adapter)?;
    let mut show = Show {
        driver_version: session.driver.version()?,
        adapter: Adapter {
            running: reply.running,
            ..adapter
        },
        tuning: reply.tuning.into(),
        software_segmentation: reply.software,
        ip_id_bits: reply.ip_id_bits,
        max_sg_elements: reply.max_sg_elements,
        memory_bound_bytes: settings.map(|settings| settings.in_effect.memory_bound.bytes()),
        registry: settings.map(ShownSettings::from),
        restart_pending: settings.map(|settings| settings.in_effect != settings.registry),
        mtu: known(reply.mtu),
        nic: reply.nic,
        advertised: Advertised {
            v2_ipv4: reply.advertised_v2_ipv4,
            v2_ipv6: reply.advertised_v2_ipv6,
            uso_ipv4: reply.advertised_uso_ipv4,
            uso_ipv6: reply.advertised_uso_ipv6,
        },
        largest_large_send: statistics.largest_large_send,
        raised_size_in_use: None,
        settings_out_of_range: reply.settings_out_of_range,
        malformed_offloads: reply.malformed_offloads,
        invalid_oid_headers: reply.invalid_oid_headers,
    };
    show.raised_size_in_use = show.in_use();
    Ok(show)
}

/// The number, or `None` for 0, which the protocol uses for "none".
fn known(number: u32) -> Option<u32> {
    (number != 0).then_some(number)
}

impl Show {
    /// The NIC's limits for each kind that may be raised, and the advertised size of each.
    fn kinds(&self) -> [(&'static str, &Limit, u32); 4] {
        let (nic, advertised) = (&self.nic, &self.advertised);
        [
            ("LSOv2, IPv4", &nic.v2_ipv4, advertised.v2_ipv4),
            ("LSOv2, IPv6", &nic.v2_ipv6, advertised.v2_ipv6),
            ("USO, IPv4", &nic.uso_ipv4, advertised.uso_ipv4),
            ("USO, IPv6", &nic.uso_ipv6, advertised.uso_ipv6),
        ]
    }

    /// Whether the advertised size of any kind exceeds the NIC's maximum.
    fn is_raised(&self) -> bool {
        self.kinds()
            .iter()
            .any(|(_, nic, advertised)| *advertised > nic.max_payload)
    }

    /// Whether the raised size is in use; `None` if that is not known.
    fn in_use(&self) -> Option<bool> {
        if !self.is_raised() || self.largest_large_send == 0 {
            return None;
        }
        // The kind of the largest send is not known. Its length is a frame's, so a send that
        // exceeds the maximum by no more than a header may be within it.
        let v1 = self.nic.v1.max_payload;
        let kinds = self.kinds();
        let nic = kinds
            .iter()
            .fold(v1, |most, (_, nic, _)| most.max(nic.max_payload));
        let header = u64::try_from(lso::MAX_HEADER).unwrap_or(u64::MAX);
        Some(self.largest_large_send > u64::from(nic).saturating_add(header))
    }
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
