//! The names of an adapter.

use control::Name;

/// The identifiers by which an administrator selects the adapter.
#[derive(Clone, Copy)]
pub(crate) struct Identity {
    /// The filter module's interface index.
    pub(crate) if_index: u32,
    /// The interface index of the adapter beneath all filters.
    pub(crate) base_if_index: u32,
    pub(crate) name: Name,
}

impl Identity {
    /// Whether `if_index` names this adapter.
    pub(crate) fn matches(&self, if_index: u32) -> bool {
        [self.if_index, self.base_if_index].contains(&if_index)
    }
}
