//! `list`: the adapters that the driver filters.

use serde::Serialize;

use super::Session;
use crate::adapters::Adapter;
use crate::failure::Failure;
use crate::text::table;

/// What `list` prints.
#[derive(Serialize)]
struct List {
    adapters: Vec<Adapter>,
}

pub(super) fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    let adapters = session.adapters()?;
    Ok(session.print(&List { adapters }, text)?)
}

fn text(list: &List) -> String {
    if list.adapters.is_empty() {
        return format!("{}\n", Failure::NoAdapters);
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
    )
}

/// What the filter does on an adapter.
pub(super) fn state(running: bool) -> &'static str {
    if running { "running" } else { "paused" }
}
