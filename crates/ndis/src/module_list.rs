//! A bounded list of filter modules, which are added and removed while in use.
//!
//! An entry is found under a spin lock and used without it: each user acquires the entry's rundown
//! protection, and removing the entry waits until all users have released it.

use core::ptr::{self, NonNull};

use crate::{
    pool::{PoolBox, allocate},
    pool_tag::Tag,
    rundown::{RundownGuard, RundownRef},
    spin_lock::SpinLock,
    status::Status,
};

/// Maximum number of entries of a list.
const MAX_MODULES: usize = 64;

/// A value that can be listed.
pub struct ModuleEntry<T> {
    value: T,
    rundown: RundownRef,
}

impl<T> ModuleEntry<T> {
    /// Memory in the pool under `tag` for a value that is to be written where it stays: a long one is
    /// never on the stack. IRQL ≤ APC_LEVEL.
    pub fn allocate(tag: Tag, rundown_tag: Tag) -> Result<UnwrittenEntry<T>, Status> {
        let rundown = RundownRef::try_new_run_down(rundown_tag)?;
        let entry = allocate::<Self>(tag, 1)?;
        // SAFETY: the memory is unshared, and aligned for an entry.
        unsafe { (&raw mut (*entry.as_ptr()).rundown).write(rundown) };
        Ok(UnwrittenEntry { entry, tag })
    }

    /// The value.
    pub const fn get(&self) -> &T {
        &self.value
    }
}

/// An entry whose value is not written yet.
#[must_use = "memory that is not finished is lost"]
pub struct UnwrittenEntry<T> {
    entry: NonNull<ModuleEntry<T>>,
    tag: Tag,
}

impl<T> UnwrittenEntry<T> {
    /// The place for the value.
    pub const fn value(&self) -> *mut T {
        // SAFETY: memory for an entry, of which nothing is read.
        unsafe { &raw mut (*self.entry.as_ptr()).value }
    }

    /// The entry, not listed yet.
    ///
    /// # Safety
    /// The value is written.
    #[must_use]
    pub unsafe fn finish(self) -> PoolBox<ModuleEntry<T>> {
        // SAFETY: all of the entry is written, by this function's contract, in memory of the pool
        // under this tag.
        unsafe { PoolBox::from_raw(self.tag, self.entry) }
    }
}

/// The list.
pub struct ModuleList<T> {
    entries: SpinLock<[*const ModuleEntry<T>; MAX_MODULES]>,
}

// SAFETY: entries are shared between threads by reference only, and guarded by lock and rundown.
unsafe impl<T: Sync> Sync for ModuleList<T> {}
// SAFETY: the list owns no entry.
unsafe impl<T: Sync> Send for ModuleList<T> {}

/// An entry in use: it is valid until this is dropped, and its removal waits for that. A user-mode
/// program's thread has one within a [`CriticalRegion`](crate::CriticalRegion) only.
pub struct ModuleRef<'list, T> {
    entry: &'list ModuleEntry<T>,
    guard: RundownGuard,
}

impl<T> core::ops::Deref for ModuleRef<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.entry.value
    }
}

impl<T> Drop for ModuleRef<'_, T> {
    fn drop(&mut self) {
        self.guard.release(1);
    }
}

impl<T> ModuleList<T> {
    /// An empty list, to be [initialized](Self::initialize) where it stays.
    pub const fn new() -> Self {
        Self {
            entries: SpinLock::new([ptr::null(); MAX_MODULES]),
        }
    }

    /// Makes the list ready, once it is where it stays.
    pub fn initialize(&self) {
        self.entries.initialize();
    }

    /// Lists `entry`. IRQL ≤ APC_LEVEL.
    ///
    /// # Errors
    /// [`Status::RESOURCES`] where the list is full.
    ///
    /// # Safety
    /// `entry` lives, and does not move, until [`remove`](Self::remove) of it has returned.
    pub unsafe fn insert(&self, entry: NonNull<ModuleEntry<T>>) -> Result<(), Status> {
        // SAFETY: the entry lives until `remove`, by this function's contract. It is not listed
        // yet, so its rundown protection is not active.
        unsafe { entry.as_ref() }.rundown.reinitialize();
        let mut entries = self.entries.lock();
        if let Some(free) = entries.iter_mut().find(|slot| slot.is_null()) {
            *free = entry.as_ptr();
            return Ok(());
        }
        drop(entries);
        // SAFETY: as above.
        unsafe { entry.as_ref() }.rundown.wait_for_release();
        Err(Status::RESOURCES)
    }

    /// Removes `entry` from the list, and waits until it is not used any more. IRQL PASSIVE_LEVEL.
    ///
    /// # Safety
    /// `entry` was listed.
    pub unsafe fn remove(&self, entry: NonNull<ModuleEntry<T>>) {
        let mut entries = self.entries.lock();
        for slot in entries.iter_mut() {
            if ptr::eq(*slot, entry.as_ptr()) {
                *slot = ptr::null();
            }
        }
        drop(entries);
        // SAFETY: the entry was listed, by this function's contract, and so lives until this
        // returns.
        unsafe { entry.as_ref() }.rundown.wait_for_release();
    }

    /// The first entry for which `wanted` is true. It is called under the lock, so it may only
    /// inspect the entry. IRQL ≤ DISPATCH_LEVEL.
    pub fn find(&self, mut wanted: impl FnMut(&T) -> bool) -> Option<ModuleRef<'_, T>> {
        let entries = self.entries.lock();
        for slot in entries.iter() {
            // SAFETY: a listed entry is alive, and `remove` waits for the lock.
            let Some(entry) = (unsafe { slot.as_ref() }) else {
                continue;
            };
            if wanted(&entry.value) && entry.rundown.acquire(1) {
                let guard = entry.rundown.guard();
                return Some(ModuleRef { entry, guard });
            }
        }
        None
    }

    /// Calls `each` with every entry, one after the other, without the lock.
    pub fn for_each(&self, mut each: impl FnMut(&T)) {
        for place in 0..MAX_MODULES {
            if let Some(entry) = self.at(place) {
                each(&entry);
            }
        }
    }

    fn at(&self, place: usize) -> Option<ModuleRef<'_, T>> {
        let entries = self.entries.lock();
        // SAFETY: as in `find`.
        let entry = unsafe { entries.get(place)?.as_ref() }?;
        entry.rundown.acquire(1).then(|| ModuleRef {
            entry,
            guard: entry.rundown.guard(),
        })
    }
}

impl<T> Default for ModuleList<T> {
    fn default() -> Self {
        Self::new()
    }
}
