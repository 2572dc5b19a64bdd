//! Adapters, and which of them is meant.

use std::fmt;

use control::AdapterEntry;
use serde::Serialize;

use crate::connections::Connections;
use crate::failure::Failure;

/// An adapter to which the filter is attached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Adapter {
    /// The filter module's interface index.
    pub if_index: u32,
    /// The interface index of the adapter beneath all filters, which Get-NetAdapter shows.
    pub base_if_index: u32,
    /// The name of its connection, Get-NetAdapter's Name; None if the host does not provide one.
    pub connection: Option<String>,
    /// Its description, Get-NetAdapter's InterfaceDescription.
    pub name: String,
    /// Whether the filter is running; otherwise it is paused.
    pub running: bool,
}

impl Adapter {
    /// The adapter that the driver lists as `entry`, on a host with these connections.
    #[must_use]
    pub fn new(entry: &AdapterEntry, connections: &dyn Connections) -> Self {
        let connection = connections.name_of(entry.base_if_index);
        Self {
            if_index: entry.if_index,
            base_if_index: entry.base_if_index,
            connection: connection.as_deref().map(visible),
            name: visible(&entry.name.to_string()),
            running: entry.running,
        }
    }

    fn is_connection(&self, lowercase: &str) -> bool {
        let connection = self.connection.as_deref();
        connection.is_some_and(|connection| connection.to_lowercase() == lowercase)
    }

    fn has_part(&self, lowercase: &str) -> bool {
        let mut names = self.connection.iter().chain([&self.name]);
        names.any(|name| name.to_lowercase().contains(lowercase))
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(connection) = &self.connection {
            write!(f, "{connection}: ")?;
        }
        f.write_str(&self.name)
    }
}

/// A name without control characters. It comes from the author of the NIC's driver, or from the
/// person who named the connection; a terminal would obey its escapes.
fn visible(name: &str) -> String {
    let visible = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    name.chars().map(visible).collect()
}

/// The adapter that `name` names in full: by either interface index, by its connection's name, or
/// by its description, ignoring case, in this order.
///
/// A connection is that connection: where it has an adapter without the filter, no description is
/// tried in its place.
///
/// # Errors
/// [`Failure::NoSuchAdapter`], [`Failure::NotAttached`], [`Failure::NoAdapters`] or
/// [`Failure::Ambiguous`].
pub fn named(
    adapters: &[Adapter],
    name: &str,
    connections: &dyn Connections,
) -> Result<Adapter, Failure> {
    if adapters.is_empty() {
        return Err(Failure::NoAdapters);
    }
    let index = name.parse().ok();
    let lowercase = name.to_lowercase();
    let connected = connections.index_of(name);
    let has = |adapter: &Adapter, index: Option<u32>| {
        index.is_some_and(|index| [adapter.if_index, adapter.base_if_index].contains(&index))
    };
    let ways: [&dyn Fn(&Adapter) -> bool; 3] = [
        &|adapter| has(adapter, index),
        &|adapter| has(adapter, connected) || adapter.is_connection(&lowercase),
        &|adapter| connected.is_none() && adapter.name.to_lowercase() == lowercase,
    ];
    let mut found = ways.iter().map(|way| matching(adapters, way));
    match (found.find(|found| !found.is_empty()), connected) {
        (Some(found), _) => only(found, Some(name)),
        (None, Some(_)) => Err(Failure::NotAttached(name.into())),
        (None, None) => Err(Failure::NoSuchAdapter(name.into())),
    }
}

/// The adapter that `name` selects: the one with exactly this name or description, or else the
/// only one with such a part in its connection's name or its description. A number is an index,
/// never a part. Without `name`, the only adapter is selected.
///
/// # Errors
/// As [`named`].
pub fn selected(
    adapters: Vec<Adapter>,
    name: Option<&str>,
    connections: &dyn Connections,
) -> Result<Adapter, Failure> {
    let Some(name) = name else {
        return only(adapters, None);
    };
    let named = named(&adapters, name, connections);
    let is_number = name.parse::<u64>().is_ok();
    if name.is_empty() || is_number || !matches!(named, Err(Failure::NoSuchAdapter(_))) {
        return named;
    }
    let lowercase = name.to_lowercase();
    let found = matching(&adapters, &|adapter| adapter.has_part(&lowercase));
    if found.is_empty() {
        return named;
    }
    only(found, Some(name))
}

fn matching(adapters: &[Adapter], way: &dyn Fn(&Adapter) -> bool) -> Vec<Adapter> {
    let found = adapters.iter().filter(|adapter| way(adapter));
    found.cloned().collect()
}

fn only(mut adapters: Vec<Adapter>, name: Option<&str>) -> Result<Adapter, Failure> {
    match (adapters.pop(), adapters.is_empty()) {
        (Some(adapter), true) => Ok(adapter),
        (None, _) => Err(Failure::NoAdapters),
        (last, _) => {
            adapters.extend(last);
            Err(Failure::Ambiguous(name.map(Into::into), adapters))
        }
    }
}
