//! `ndis.sys`: read/write locks.

use std::{
    ptr,
    sync::atomic::{AtomicUsize, Ordering},
};

use ::ndis::sys::{self, NDIS_HANDLE};

use super::spin_lock;
use crate::{
    memory::Block,
    objects::Kind,
    race,
    rules::{Finding, Rule},
    thread::{self, HeldLock, LockKind},
};

/// NDIS_RW_LOCK_EX, whose contents are NDIS's: here how many threads read, or [`WRITES`].
#[repr(C)]
pub struct NDIS_RW_LOCK_EX(AtomicUsize);

/// The lock's value while a thread has it for writing.
const WRITES: usize = usize::MAX;

/// LOCK_STATE_EX.
#[repr(C)]
pub struct LOCK_STATE_EX {
    irql: u8,
    state: u8,
    flags: u8,
}

/// NDIS_RWL_AT_DISPATCH_LEVEL.
const AT_DISPATCH: u32 = 1;
/// How a lock is held, in a lock state.
const FOR_READING: u8 = 1;
const FOR_WRITING: u8 = 2;

fn violation(routine: &'static str, found: impl Into<String>) {
    let finding = Finding::new(Rule::SpinLock, found);
    thread::world().finding(routine, finding);
}

unsafe extern "efiapi" fn NdisAllocateRWLock(owner: NDIS_HANDLE) -> *mut NDIS_RW_LOCK_EX {
    let routine = "NdisAllocateRWLock";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    // DriverEntry has no handle yet.
    if !owner.is_null() {
        thread::require_module_or_driver(owner, routine);
    }
    let world = thread::world();
    let mut state = world.state();
    if !state.may_allocate(routine) {
        return ptr::null_mut();
    }
    let memory = Block::new(size_of::<NDIS_RW_LOCK_EX>(), 64);
    let lock = state.kernel.objects.insert(Kind::RwLock, memory);
    lock.cast()
}

unsafe extern "efiapi" fn NdisFreeRWLock(lock: *mut NDIS_RW_LOCK_EX) {
    let routine = "NdisFreeRWLock";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    if !state.require_object(lock.addr(), Kind::RwLock, routine) {
        return;
    }
    // SAFETY: the lock exists.
    if unsafe { (*lock).0.load(Ordering::Relaxed) } != 0 {
        let finding = Finding::new(Rule::SpinLock, "freed while it is held");
        state.finding(routine, finding);
    }
    state.free_object(lock.addr(), Kind::RwLock, routine);
}

/// Acquires `lock` for a reader, or for a writer.
///
/// # Safety
/// `held` is a place for a lock state.
unsafe fn acquire(
    lock: *mut NDIS_RW_LOCK_EX,
    held: *mut LOCK_STATE_EX,
    flags: u32,
    kind: LockKind,
    routine: &'static str,
) {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let address = lock.addr();
    let exists = thread::world()
        .state()
        .require_object(address, Kind::RwLock, routine);
    if flags & AT_DISPATCH != 0 && thread::irql() < sys::DISPATCH_LEVEL {
        let found = format!("NDIS_RWL_AT_DISPATCH_LEVEL at IRQL {}", thread::irql());
        thread::world().violation(Rule::Irql, routine, found);
    }
    let before = thread::set_irql(sys::DISPATCH_LEVEL);
    let writes = kind == LockKind::Writer;
    // SAFETY: the caller passes a place for a lock state.
    unsafe {
        *held = LOCK_STATE_EX {
            irql: before,
            state: if writes { FOR_WRITING } else { FOR_READING },
            flags: flags as u8,
        };
    }
    if !exists {
        return;
    }
    let mine = thread::held_as(address);
    match mine {
        Some(LockKind::Reader) if !writes => {}
        None => {}
        Some(mine) => {
            let found = format!("acquired as a {kind:?} by the {mine:?} that holds it already");
            return violation(routine, found);
        }
    }
    if writes {
        spin_lock::check_order(address);
    }
    // SAFETY: the lock exists, and is not freed while a thread waits for it.
    let word = unsafe { &(*lock).0 };
    let take = || {
        let now = word.load(Ordering::Relaxed);
        let (free, next) = match writes {
            true => (now == 0, WRITES),
            false => (now != WRITES, now.wrapping_add(1)),
        };
        let order = (Ordering::Acquire, Ordering::Relaxed);
        free && word.compare_exchange(now, next, order.0, order.1).is_ok()
    };
    if !spin_lock::spin(take) {
        return violation(routine, "the lock is never released");
    }
    race::acquire(address);
    thread::took(HeldLock {
        address,
        before: Some(before),
        initialized: true,
        stalled: thread::stalled(),
        kind,
    });
}

unsafe extern "efiapi" fn NdisAcquireRWLockRead(
    lock: *mut NDIS_RW_LOCK_EX,
    held: *mut LOCK_STATE_EX,
    flags: u32,
) {
    // SAFETY: the caller passes a place for the state.
    unsafe { acquire(lock, held, flags, LockKind::Reader, "NdisAcquireRWLockRead") };
}

unsafe extern "efiapi" fn NdisAcquireRWLockWrite(
    lock: *mut NDIS_RW_LOCK_EX,
    held: *mut LOCK_STATE_EX,
    flags: u32,
) {
    // SAFETY: the caller passes a place for the state.
    unsafe {
        acquire(
            lock,
            held,
            flags,
            LockKind::Writer,
            "NdisAcquireRWLockWrite",
        )
    };
}

unsafe extern "efiapi" fn NdisReleaseRWLock(lock: *mut NDIS_RW_LOCK_EX, held: *mut LOCK_STATE_EX) {
    let routine = "NdisReleaseRWLock";
    spin_lock::require_dispatch(routine);
    // SAFETY: the caller passes the state of its acquisition.
    let (irql, state) = unsafe { ((*held).irql, (*held).state) };
    let exists = thread::world()
        .state()
        .require_object(lock.addr(), Kind::RwLock, routine);
    match thread::let_go(lock.addr()) {
        Some(mine) if exists => {
            if mine.before != Some(irql)
                || (mine.kind == LockKind::Writer) != (state == FOR_WRITING)
            {
                violation(routine, "with the lock state of another acquisition");
            }
            race::release(lock.addr());
            // SAFETY: the lock exists.
            let word = unsafe { &(*lock).0 };
            match mine.kind {
                LockKind::Writer => word.store(0, Ordering::Release),
                _ => {
                    word.fetch_sub(1, Ordering::Release);
                }
            }
        }
        _ => violation(routine, "by a thread that does not hold the lock"),
    }
    if irql < sys::DISPATCH_LEVEL && thread::locks_held() > 0 {
        violation(routine, "lowers the IRQL while another lock is held");
    }
    thread::set_irql(irql);
}

super::exports! {
    NdisAllocateRWLock
    NdisFreeRWLock
    NdisAcquireRWLockRead
    NdisAcquireRWLockWrite
    NdisReleaseRWLock
}
