//! The adapter that a name selects.

use crate::adapter::Adapter;
use crate::connections::Connections;
use crate::failure::Failure;

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
