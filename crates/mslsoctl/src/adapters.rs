//! Adapters, and which of them is meant.

use control::AdapterEntry;
use serde::Serialize;

use crate::failure::Failure;

/// An adapter to which the filter is attached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Adapter {
    /// The filter module's interface index.
    pub if_index: u32,
    /// The interface index of the adapter beneath all filters, which Get-NetAdapter shows.
    pub base_if_index: u32,
    /// The adapter's name, without control characters.
    pub name: String,
    /// Whether the filter takes sends; else it is paused.
    pub running: bool,
}

impl From<&AdapterEntry> for Adapter {
    fn from(entry: &AdapterEntry) -> Self {
        // A name comes from whoever made the NIC's driver; a terminal would obey its escapes.
        let visible = |c: char| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        };
        Self {
            if_index: entry.if_index,
            base_if_index: entry.base_if_index,
            name: entry.name.to_string().chars().map(visible).collect(),
            running: entry.running,
        }
    }
}

/// The adapter that `asked` means: by either interface index, by its name, or by a part of its
/// name, whatever the case, in this order. Nothing asked for means the only adapter.
///
/// # Errors
/// [`Failure::NoSuchAdapter`], [`Failure::NoAdapters`] or [`Failure::Ambiguous`].
pub fn find(adapters: Vec<Adapter>, asked: Option<&str>) -> Result<Adapter, Failure> {
    if adapters.is_empty() {
        return Err(Failure::NoAdapters);
    }
    let Some(asked) = asked else {
        return only(adapters, None);
    };
    let index: Option<u32> = asked.parse().ok();
    let wanted = asked.to_lowercase();
    let name = |adapter: &Adapter| adapter.name.to_lowercase();
    let ways: [&dyn Fn(&Adapter) -> bool; 4] = [
        &|adapter| Some(adapter.if_index) == index,
        &|adapter| Some(adapter.base_if_index) == index,
        &|adapter| name(adapter) == wanted,
        &|adapter| !wanted.is_empty() && name(adapter).contains(&wanted),
    ];
    for way in ways {
        let found: Vec<_> = adapters.iter().filter(|a| way(a)).cloned().collect();
        if !found.is_empty() {
            return only(found, Some(asked));
        }
    }
    Err(Failure::NoSuchAdapter(asked.into()))
}

fn only(mut adapters: Vec<Adapter>, asked: Option<&str>) -> Result<Adapter, Failure> {
    match (adapters.pop(), adapters.is_empty()) {
        (Some(adapter), true) => Ok(adapter),
        (last, _) => {
            adapters.extend(last);
            Err(Failure::Ambiguous(asked.map(Into::into), adapters))
        }
    }
}
