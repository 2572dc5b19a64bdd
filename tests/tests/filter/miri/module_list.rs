//! The list of filter modules: full, with gaps, and while one of its entries is in use.
#![expect(unsafe_code, reason = "lists what it keeps alive")]

use std::ptr::NonNull;

use model::{Config, World};
use ndis::{ModuleEntry, ModuleList, PoolBox, Status, Tag};
use scenarios::assert_clean;

const TAG: Tag = Tag::MODULE;
const MAX: usize = 64;

fn entry(value: usize) -> NonNull<ModuleEntry<usize>> {
    let entry = ModuleEntry::<usize>::allocate(TAG, TAG).expect("memory");
    // SAFETY: the place is the entry's, and the value is written.
    unsafe {
        entry.value().write(value);
        entry.finish().into_raw()
    }
}

/// Frees an entry that is not listed.
fn free(entry: NonNull<ModuleEntry<usize>>) {
    // SAFETY: it is of `entry`, and is not in the list.
    drop(unsafe { PoolBox::from_raw(TAG, entry) });
}

#[test]
fn a_full_list_refuses_and_has_room_again_when_one_has_left() {
    let world = World::new(Config::default());
    world.inside(|| {
        let list = ModuleList::new();
        list.initialize();
        let entries: Vec<_> = (0..=MAX).map(entry).collect();
        let (more, listed) = entries.split_last().expect("entries");
        for entry in listed {
            // SAFETY: the entries are freed at the end.
            assert_eq!(unsafe { list.insert(*entry) }, Ok(()));
        }
        // SAFETY: as above.
        let refused = unsafe { list.insert(*more) };
        assert_eq!(refused, Err(Status::RESOURCES));
        assert!(list.find(|value| *value == MAX).is_none());

        // SAFETY: it is listed.
        unsafe { list.remove(listed[7]) };
        assert!(list.find(|value| *value == 7).is_none());
        // SAFETY: as above.
        assert_eq!(unsafe { list.insert(*more) }, Ok(()));
        let found = list.find(|value| *value == MAX).expect("listed");
        assert_eq!(*found, MAX);
        drop(found);

        let mut seen = Vec::new();
        list.for_each(|value| seen.push(*value));
        assert_eq!(seen.len(), MAX);
        assert_eq!(seen[7], MAX, "in the place that was free");
        for entry in entries.iter().filter(|entry| **entry != listed[7]) {
            // SAFETY: it is listed.
            unsafe { list.remove(*entry) };
        }
        list.for_each(|value| panic!("{value} is left"));
        entries.into_iter().for_each(free);
    });
    assert_clean(&world.finish());
}
