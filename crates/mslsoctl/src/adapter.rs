//! An adapter, as the tool shows it.

use std::fmt;

use control::AdapterEntry;
use serde::Serialize;

use crate::connections::Connections;

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

    /// Whether its connection has this name.
    pub(crate) fn is_connection(&self, lowercase: &str) -> bool {
        let connection = self.connection.as_deref();
        connection.is_some_and(|connection| connection.to_lowercase() == lowercase)
    }

    /// Whether its connection's name or its description contains this text.
    pub(crate) fn has_part(&self, lowercase: &str) -> bool {
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
