//! `list`: the adapters that the driver filters.

use control::DriverVersion;
use serde::{Serialize, Serializer};

use super::Session;
use crate::adapter::Adapter;
use crate::failure::Failure;
use crate::text::table;

/// The output of `list`.
#[derive(Serialize)]
struct List {
    /// None if the driver is too old to report it.
    #[serde(serialize_with = "version")]
    driver_version: Option<DriverVersion>,
    adapters: Vec<Adapter>,
}

pub(super) fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    let adapters = session.adapters()?;
    let list = List {
        driver_version: session.driver.version()?,
        adapters,
    };
    Ok(session.print(&list, text)?)
}

fn text(list: &List) -> String {
    let driver = format!("driver {}\n", driver(list.driver_version));
    if list.adapters.is_empty() {
        return format!("{}\n\n{driver}", Failure::NoAdapters);
    }
    let row = |adapter: &Adapter| {
        [
            adapter.connection.clone().unwrap_or_else(|| "-".into()),
            adapter.name.clone(),
            adapter.if_index.to_string(),
            adapter.base_if_index.to_string(),
            state(adapter.running).into(),
        ]
    };
    let rows = list.adapters.iter().map(row).collect();
    table(
        2,
        ["connection", "adapter", "interface", "NIC", "filter"],
        rows,
    ) + "\n"
        + &driver
}

/// The driver's version in words.
pub(super) fn driver(version: Option<DriverVersion>) -> String {
    match version {
        Some(DriverVersion::BUILT) => format!("{}, the same as mslsoctl", DriverVersion::BUILT),
        Some(version) => format!("{version}; mslsoctl is {}", DriverVersion::BUILT),
        None => "older than mslsoctl, and does not report its version".into(),
    }
}

/// Writes the driver's version as JSON has it.
pub(super) fn version<S: Serializer>(
    version: &Option<DriverVersion>,
    to: S,
) -> Result<S::Ok, S::Error> {
    version.map(|version| version.to_string()).serialize(to)
}

/// The word for the filter's state on an adapter.
pub(super) fn state(running: bool) -> &'static str {
    if running { "running" } else { "paused" }
}
