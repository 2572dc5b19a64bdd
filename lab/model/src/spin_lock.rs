//! The spin locks that exist: which are initialized, and in which order they are taken.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// All spin locks of a driver.
#[derive(Default)]
pub(crate) struct SpinLocks {
    /// Addresses of initialized locks.
    initialized: BTreeSet<usize>,
    /// Pairs of locks of which the second was taken while the first was held.
    order: BTreeSet<(usize, usize)>,
    /// Faults that were reported, by lock: one that is made at each use is reported once.
    reported: BTreeMap<usize, BTreeSet<String>>,
}

impl SpinLocks {
    /// Whether the lock at `address` is initialized.
    pub(crate) fn is_initialized(&self, address: usize) -> bool {
        self.initialized.contains(&address)
    }

    /// The lock at `address` is initialized.
    pub(crate) fn initialize(&mut self, address: usize) {
        self.forget(address..address + 1);
        self.initialized.insert(address);
    }

    /// Records that `taken` was taken while `held` were. Returns a lock that was held then and is
    /// taken in the opposite order elsewhere.
    pub(crate) fn taken_under(&mut self, held: &[usize], taken: usize) -> Option<usize> {
        let inverted = held
            .iter()
            .find(|held| self.order.contains(&(taken, **held)))
            .copied();
        let pairs = held.iter().filter(|held| **held != taken);
        self.order.extend(pairs.map(|held| (*held, taken)));
        inverted
    }

    /// Whether this is the first report of `found` for the lock at `address`.
    pub(crate) fn is_new(&mut self, address: usize, found: &str) -> bool {
        self.reported
            .entry(address)
            .or_default()
            .insert(found.into())
    }

    /// Forgets the locks in `memory`, which is gone. Returns the addresses of those that were
    /// initialized.
    pub(crate) fn forget(&mut self, memory: Range<usize>) -> Vec<usize> {
        let gone: Vec<_> = self.initialized.range(memory.clone()).copied().collect();
        for lock in &gone {
            self.initialized.remove(lock);
        }
        self.order
            .retain(|(first, second)| !memory.contains(first) && !memory.contains(second));
        gone
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
