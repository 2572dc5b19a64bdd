//! The list of filter modules: full, with gaps, and while one of its entries is in use.
#![expect(unsafe_code, reason = "lists what it keeps alive")]

use std::ptr::NonNull;

use model::{Config, World};
use ndis::{Listed, Registry, Status, Tag};
use scenarios::assert_clean;

const TAG: Tag = Tag::new(*b"Test");
const MOST: usize = 64;

fn entry(value: usize) -> NonNull<Listed<usize>> {
    let listed = Listed::try_new(value, TAG).expect("memory");
    NonNull::from(Box::leak(Box::new(listed)))
}

/// Frees an entry that is not listed.
fn free(entry: NonNull<Listed<usize>>) {
    // SAFETY: `entry` leaked it, and the registry has forgotten it.
    drop(unsafe { Box::from_raw(entry.as_ptr()) });
}

#[test]
fn a_full_list_refuses_and_has_room_again_when_one_has_left() {
    let world = World::new(Config::default());
    world.inside(|| {
        let registry = Registry::new();
        registry.initialize();
        let entries: Vec<_> = (0..=MOST).map(entry).collect();
        let (more, listed) = entries.split_last().expect("entries");
        for entry in listed {
            // SAFETY: the entries are freed at the end.
            assert_eq!(unsafe { registry.insert(*entry) }, Ok(()));
        }
        // SAFETY: as above.
        let refused = unsafe { registry.insert(*more) };
        assert_eq!(refused, Err(Status::RESOURCES));
        assert!(registry.find(|value| *value == MOST).is_none());

        // SAFETY: it is listed.
        unsafe { registry.remove(listed[7]) };
        assert!(registry.find(|value| *value == 7).is_none());
        // SAFETY: as above.
        assert_eq!(unsafe { registry.insert(*more) }, Ok(()));
        let found = registry.find(|value| *value == MOST).expect("listed");
        assert_eq!(*found, MOST);
        drop(found);

        let mut seen = Vec::new();
        registry.for_each(|value| seen.push(*value));
        assert_eq!(seen.len(), MOST);
        assert_eq!(seen[7], MOST, "in the place that was free");
        for entry in entries.iter().filter(|entry| **entry != listed[7]) {
            // SAFETY: it is listed.
            unsafe { registry.remove(*entry) };
        }
        registry.for_each(|value| panic!("{value} is left"));
        entries.into_iter().for_each(free);
    });
    assert_clean(&world.finish());
}
