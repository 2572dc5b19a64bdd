//! `ntoskrnl.exe`: locks whose owner may be suspended or wait: mutexes, push locks, resources.

use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use ::ndis::sys::{self, BOOLEAN};

use crate::{objects::Kind, race, rules::Rule, suspension, thread, world::Waited};

/// This thread's name as the owner of a lock.
fn me() -> usize {
    thread_local! {
        static ME: u8 = const { 0 };
    }
    ME.with(|me| (&raw const *me).addr())
}

/// Waits until `take` has taken the lock at `lock`.
fn wait(lock: usize, routine: &str, take: impl Fn() -> bool) {
    let world = thread::world();
    if world.wait(routine, None, take) == Waited::Forever {
        let found = format!("the lock at {lock:#x} is never released");
        world.violation(Rule::SpinLock, routine, found);
    }
    race::acquire(lock);
}

fn violation(routine: &str, found: &str) {
    thread::world().violation(Rule::SpinLock, routine, found.into());
}

/// KMUTEX, whose contents are the kernel's.
#[repr(C)]
pub struct KMUTEX([u64; 7]);

unsafe extern "efiapi" fn KeInitializeMutex(mutex: *mut KMUTEX, _level: u32) {
    let at = mutex.addr();
    let world = thread::world();
    let mut state = world.state();
    let kind = sys::SynchronizationEvent;
    if let Err(found) = state.kernel.events.initialize(at, kind, true) {
        state.violation(Rule::Events, "KeInitializeMutex", found);
    }
    state.kernel.mutexes.insert(at, (0, 0));
}

unsafe extern "efiapi" fn KeReleaseMutex(mutex: *mut KMUTEX, _wait: BOOLEAN) -> i32 {
    let routine = "KeReleaseMutex";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let at = mutex.addr();
    let world = thread::world();
    let freed = {
        let mut state = world.state();
        match state.kernel.mutexes.get_mut(&at) {
            Some((owner, count)) if *owner == me() && *count > 0 => {
                *count -= 1;
                *count == 0
            }
            _ => {
                let found = "by a thread that does not own the mutex";
                state.violation(Rule::SpinLock, routine, found);
                false
            }
        }
    };
    if freed {
        race::release(at);
        // It was initialized as an event, too.
        let _ = world.state().kernel.events.set(at);
    }
    0
}

/// Whether this thread owns the mutex at `at` already, and acquires it once more.
pub(super) fn acquires_again(at: usize) -> bool {
    let world = thread::world();
    let mut state = world.state();
    match state.kernel.mutexes.get_mut(&at) {
        Some((owner, count)) if *owner == me() && *count > 0 => {
            *count += 1;
            true
        }
        _ => false,
    }
}

/// A wait for the object at `at` is over: if that is a mutex, this thread owns it.
pub(super) fn acquired(at: usize) {
    let world = thread::world();
    let mut state = world.state();
    if let Some(owned) = state.kernel.mutexes.get_mut(&at) {
        *owned = (me(), 1);
    }
}

/// FAST_MUTEX and KGUARDED_MUTEX: 1 where it is free, the owner, and the IRQL to go back to.
#[repr(C)]
pub struct FAST_MUTEX {
    count: AtomicI32,
    owner: AtomicUsize,
    contention: u32,
    event: [u64; 3],
    irql: u32,
}

fn acquire_fast(mutex: &FAST_MUTEX, routine: &str) {
    thread::require_irql_at_most(sys::APC_LEVEL, routine);
    let at = (&raw const *mutex).addr();
    if mutex.owner.load(Ordering::Relaxed) == me() {
        return violation(routine, "by a thread that owns the mutex already");
    }
    let order = (Ordering::Acquire, Ordering::Relaxed);
    wait(at, routine, || {
        mutex.count.compare_exchange(1, 0, order.0, order.1).is_ok()
    });
    mutex.owner.store(me(), Ordering::Relaxed);
}

fn release_fast(mutex: &FAST_MUTEX, routine: &str) {
    if mutex.owner.load(Ordering::Relaxed) != me() {
        return violation(routine, "by a thread that does not own the mutex");
    }
    race::release((&raw const *mutex).addr());
    mutex.owner.store(0, Ordering::Relaxed);
    mutex.count.store(1, Ordering::Release);
}

unsafe extern "efiapi" fn ExAcquireFastMutex(mutex: *mut FAST_MUTEX) {
    let before = thread::irql();
    // SAFETY: the caller passes a mutex that it has initialized.
    unsafe {
        acquire_fast(&*mutex, "ExAcquireFastMutex");
        (*mutex).irql = before.into();
    }
    thread::set_irql(sys::APC_LEVEL);
}

unsafe extern "efiapi" fn ExReleaseFastMutex(mutex: *mut FAST_MUTEX) {
    let routine = "ExReleaseFastMutex";
    if thread::irql() != sys::APC_LEVEL {
        let found = format!("called at IRQL {}, allowed at 1 only", thread::irql());
        thread::world().violation(Rule::Irql, routine, found);
    }
    // SAFETY: as above.
    let before = unsafe { (*mutex).irql } as u8;
    // SAFETY: as above.
    release_fast(unsafe { &*mutex }, routine);
    thread::set_irql(before);
}

unsafe extern "efiapi" fn ExTryToAcquireFastMutex(mutex: *mut FAST_MUTEX) -> BOOLEAN {
    thread::require_irql_at_most(sys::APC_LEVEL, "ExTryToAcquireFastMutex");
    let order = (Ordering::Acquire, Ordering::Relaxed);
    // SAFETY: the caller passes a mutex that it has initialized.
    unsafe {
        if (*mutex)
            .count
            .compare_exchange(1, 0, order.0, order.1)
            .is_err()
        {
            return 0;
        }
        (*mutex).owner.store(me(), Ordering::Relaxed);
        (*mutex).irql = thread::set_irql(sys::APC_LEVEL).into();
    }
    1
}

unsafe extern "efiapi" fn ExAcquireFastMutexUnsafe(mutex: *mut FAST_MUTEX) {
    // SAFETY: the caller passes a mutex that it has initialized.
    acquire_fast(unsafe { &*mutex }, "ExAcquireFastMutexUnsafe");
}

unsafe extern "efiapi" fn ExReleaseFastMutexUnsafe(mutex: *mut FAST_MUTEX) {
    // SAFETY: as above.
    release_fast(unsafe { &*mutex }, "ExReleaseFastMutexUnsafe");
}

unsafe extern "efiapi" fn KeInitializeGuardedMutex(mutex: *mut FAST_MUTEX) {
    // SAFETY: the caller passes a place for a mutex.
    unsafe {
        mutex.write(FAST_MUTEX {
            count: AtomicI32::new(1),
            owner: AtomicUsize::new(0),
            contention: 0,
            event: [0; 3],
            irql: 0,
        });
    }
}

unsafe extern "efiapi" fn KeAcquireGuardedMutex(mutex: *mut FAST_MUTEX) {
    suspension::set_regions(suspension::regions() + 1);
    // SAFETY: the caller passes a mutex that it has initialized.
    acquire_fast(unsafe { &*mutex }, "KeAcquireGuardedMutex");
}

unsafe extern "efiapi" fn KeReleaseGuardedMutex(mutex: *mut FAST_MUTEX) {
    // SAFETY: as above.
    release_fast(unsafe { &*mutex }, "KeReleaseGuardedMutex");
    suspension::set_regions(suspension::regions().saturating_sub(1));
}

/// A lock for readers and writers: how many readers have it, or [`WRITER`].
type Word = AtomicUsize;
const WRITER: usize = usize::MAX;

fn acquire_word(word: &Word, writes: bool, routine: &str) {
    thread::require_irql_at_most(sys::APC_LEVEL, routine);
    wait((&raw const *word).addr(), routine, || {
        let now = word.load(Ordering::Relaxed);
        let (free, next) = match writes {
            true => (now == 0, WRITER),
            false => (now != WRITER, now.wrapping_add(1)),
        };
        let order = (Ordering::Acquire, Ordering::Relaxed);
        free && word.compare_exchange(now, next, order.0, order.1).is_ok()
    });
}

fn release_word(word: &Word, routine: &str) {
    race::release((&raw const *word).addr());
    match word.load(Ordering::Relaxed) {
        0 => violation(routine, "of a lock that nobody has"),
        WRITER => word.store(0, Ordering::Release),
        _ => {
            word.fetch_sub(1, Ordering::Release);
        }
    }
}

unsafe extern "efiapi" fn ExInitializePushLock(lock: *mut Word) {
    // SAFETY: the caller passes a place for a lock.
    unsafe { lock.write(Word::new(0)) };
}

unsafe extern "efiapi" fn ExAcquirePushLockExclusiveEx(lock: *mut Word, _flags: u32) {
    // SAFETY: the caller passes a lock.
    acquire_word(unsafe { &*lock }, true, "ExAcquirePushLockExclusiveEx");
}

unsafe extern "efiapi" fn ExAcquirePushLockSharedEx(lock: *mut Word, _flags: u32) {
    // SAFETY: the caller passes a lock.
    acquire_word(unsafe { &*lock }, false, "ExAcquirePushLockSharedEx");
}

unsafe extern "efiapi" fn ExReleasePushLockExclusiveEx(lock: *mut Word, _flags: u32) {
    // SAFETY: the caller passes a lock.
    release_word(unsafe { &*lock }, "ExReleasePushLockExclusiveEx");
}

unsafe extern "efiapi" fn ExReleasePushLockSharedEx(lock: *mut Word, _flags: u32) {
    // SAFETY: the caller passes a lock.
    release_word(unsafe { &*lock }, "ExReleasePushLockSharedEx");
}

/// ERESOURCE, whose contents are the kernel's.
#[repr(C)]
pub struct ERESOURCE {
    word: Word,
    owner: AtomicUsize,
    depth: u32,
    rest: [u64; 10],
}

unsafe extern "efiapi" fn ExInitializeResourceLite(resource: *mut ERESOURCE) -> i32 {
    // SAFETY: the caller passes a place for a resource.
    unsafe {
        resource.write(ERESOURCE {
            word: Word::new(0),
            owner: AtomicUsize::new(0),
            depth: 0,
            rest: [0; 10],
        });
    }
    let objects = &mut thread::world();
    let mut state = objects.state();
    state
        .kernel
        .objects
        .insert_at(resource.addr(), Kind::Resource);
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn ExDeleteResourceLite(resource: *mut ERESOURCE) -> i32 {
    let routine = "ExDeleteResourceLite";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    world
        .state()
        .free_object(resource.addr(), Kind::Resource, routine);
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn ExAcquireResourceExclusiveLite(
    resource: *mut ERESOURCE,
    waits: BOOLEAN,
) -> BOOLEAN {
    let routine = "ExAcquireResourceExclusiveLite";
    suspension::require_none(routine);
    // SAFETY: the caller passes a resource.
    unsafe {
        if (*resource).owner.load(Ordering::Relaxed) == me() {
            (*resource).depth += 1;
            return 1;
        }
        if waits == 0 && (*resource).word.load(Ordering::Relaxed) != 0 {
            return 0;
        }
        acquire_word(&(*resource).word, true, routine);
        (*resource).owner.store(me(), Ordering::Relaxed);
        (*resource).depth = 1;
    }
    1
}

unsafe extern "efiapi" fn ExAcquireResourceSharedLite(
    resource: *mut ERESOURCE,
    waits: BOOLEAN,
) -> BOOLEAN {
    let routine = "ExAcquireResourceSharedLite";
    suspension::require_none(routine);
    // SAFETY: the caller passes a resource.
    unsafe {
        if (*resource).owner.load(Ordering::Relaxed) == me() {
            (*resource).depth += 1;
            return 1;
        }
        if waits == 0 && (*resource).word.load(Ordering::Relaxed) == WRITER {
            return 0;
        }
        acquire_word(&(*resource).word, false, routine);
    }
    1
}

unsafe extern "efiapi" fn ExReleaseResourceLite(resource: *mut ERESOURCE) {
    let routine = "ExReleaseResourceLite";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    // SAFETY: the caller passes a resource.
    unsafe {
        if (*resource).owner.load(Ordering::Relaxed) == me() {
            (*resource).depth -= 1;
            if (*resource).depth > 0 {
                return;
            }
            (*resource).owner.store(0, Ordering::Relaxed);
        }
        release_word(&(*resource).word, routine);
    }
}

super::exports! {
    KeInitializeMutex
    KeReleaseMutex
    ExAcquireFastMutex
    ExReleaseFastMutex
    ExTryToAcquireFastMutex
    ExAcquireFastMutexUnsafe
    ExReleaseFastMutexUnsafe
    KeInitializeGuardedMutex
    KeAcquireGuardedMutex
    KeReleaseGuardedMutex
    ExInitializePushLock
    ExAcquirePushLockExclusiveEx
    ExAcquirePushLockSharedEx
    ExReleasePushLockExclusiveEx
    ExReleasePushLockSharedEx
    ExInitializeResourceLite
    ExDeleteResourceLite
    ExAcquireResourceExclusiveLite
    ExAcquireResourceSharedLite
    ExReleaseResourceLite
}
