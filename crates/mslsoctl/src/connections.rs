//! Network connections as the host's engineers call them.
//!
//! The driver identifies an adapter by the description that its NIC's driver gives it ("Intel(R)
//! Ethernet Controller E810-C for QSFP"). An administrator uses the connection ("Ethernet 2"): the
//! Name of Get-NetAdapter, which can be changed. Interface indices lead from one to the other.

/// Source of the names of the host's connections.
pub trait Connections {
    /// The index of the interface whose connection is called `name`.
    fn index_of(&self, name: &str) -> Option<u32>;

    /// The name of an interface's connection.
    fn name_of(&self, if_index: u32) -> Option<String>;
}

/// A host that names no connections: any but Windows.
#[derive(Clone, Copy, Debug)]
pub struct Unnamed;

impl Connections for Unnamed {
    fn index_of(&self, _name: &str) -> Option<u32> {
        None
    }

    fn name_of(&self, _if_index: u32) -> Option<String> {
        None
    }
}
