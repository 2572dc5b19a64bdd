//! `ntoskrnl.exe`: spin locks, and the end of requests.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use ::ndis::sys::{self, IRP, KIRQL, KSPIN_LOCK};

use crate::{
    race,
    rules::{Finding, Level, Rule},
    thread::{self, HeldLock, LockKind},
};

/// How long a lock is tried again and again before its thread sleeps between two looks.
const SPIN: Duration = Duration::from_millis(5);
/// How long nothing else happens in the machine before a wait for a lock is called endless.
const PATIENCE: Duration = Duration::from_millis(200);

/// The longest time for which a lock may be held without harm to the system's performance (Windows
/// driver documentation, NdisAcquireSpinLock).
const LONGEST_HELD: Duration = Duration::from_micros(25);

fn subject(lock: usize) -> String {
    format!("spin lock at {lock:#x}")
}

/// Reports a fault in the use of `lock`, the first time.
fn violation(lock: *mut KSPIN_LOCK, found: &str) {
    finding(lock.addr(), Finding::new(Rule::SpinLock, found));
}

fn finding(lock: usize, finding: Finding) {
    let world = thread::world();
    let mut state = world.state();
    if state.kernel.spin_locks.is_new(lock, &finding.found) {
        state.finding(subject(lock), finding);
    }
}

/// Takes `lock`; `before` is the IRQL that its release goes back to.
fn take(lock: *mut KSPIN_LOCK, before: Option<KIRQL>) {
    let known = thread::world()
        .state()
        .kernel
        .spin_locks
        .is_initialized(lock.addr());
    if thread::holds(lock.addr()) {
        return violation(lock, "taken twice by one thread");
    }
    if !known {
        let found = "taken before it was initialized, or after it was freed";
        let found = Finding::new(Rule::SpinLock, found);
        finding(lock.addr(), found.on("ddi/wdm/nf-wdm-keinitializespinlock"));
        // Its release is none more.
        return thread::took(HeldLock {
            address: lock.addr(),
            before,
            initialized: false,
            stalled: thread::stalled(),
            kind: LockKind::Spin,
        });
    }
    check_order(lock.addr());
    // SAFETY: the lock was initialized and its memory is not freed; only these routines use it.
    let word = unsafe { AtomicUsize::from_ptr(lock) };
    let order = (Ordering::Acquire, Ordering::Relaxed);
    if !spin(|| word.compare_exchange_weak(0, 1, order.0, order.1).is_ok()) {
        return violation(lock, "is never released");
    }
    let address = lock.addr();
    race::acquire(address);
    let stalled = thread::stalled();
    thread::took(HeldLock {
        address,
        before,
        initialized: true,
        stalled,
        kind: LockKind::Spin,
    });
}

/// Reports if `lock` is taken under a lock that elsewhere is taken under it: two threads that do both
/// at once wait for each other for ever.
pub(super) fn check_order(lock: usize) {
    let held = thread::locks();
    let inverted = {
        let world = thread::world();
        let mut state = world.state();
        state.kernel.spin_locks.taken_under(&held, lock)
    };
    if let Some(other) = inverted {
        let found =
            format!("taken under the lock at {other:#x}, which elsewhere is taken under it");
        let found = Finding::new(Rule::SpinLock, found);
        finding(lock, found.on("devtest/deadlock-detection"));
    }
}

/// Calls `take` until it takes a lock. Returns whether it did; where nothing else happens in the
/// machine meanwhile, it never will.
pub(super) fn spin(take: impl Fn() -> bool) -> bool {
    let clock = &thread::world().clock;
    let (begun, mut looks) = (Instant::now(), Duration::ZERO);
    while !take() {
        if begun.elapsed() < SPIN {
            std::thread::yield_now();
        } else if clock.look() {
            looks += Duration::from_millis(1);
        } else {
            looks = Duration::ZERO;
        }
        if looks >= PATIENCE {
            return false;
        }
    }
    true
}

/// Releases `lock`; `to` is the IRQL to go back to, where taking it raised that.
fn release(lock: *mut KSPIN_LOCK, to: Option<KIRQL>) {
    let Some(held) = thread::let_go(lock.addr()) else {
        return violation(lock, "released by a thread that does not hold it");
    };
    let stalled = thread::stalled().saturating_sub(held.stalled);
    if stalled > LONGEST_HELD {
        let found = format!("the thread that holds it stalls for {stalled:?}");
        let finding = Finding::at(Level::Advice, Rule::SpinLock, found);
        thread::world().finding(&subject(lock.addr()), finding);
    }
    race::release(lock.addr());
    if held.initialized {
        // SAFETY: its memory is not freed while it is held.
        let word = unsafe { AtomicUsize::from_ptr(lock) };
        word.store(0, Ordering::Release);
    }
    race::jitter();
    if held.before != to {
        let found = format!(
            "taken at IRQL {:?}, released to {to:?} (none: it stays at DISPATCH_LEVEL)",
            held.before
        );
        violation(lock, &found);
    }
    if to.is_some_and(|irql| irql < sys::DISPATCH_LEVEL) && thread::locks_held() > 0 {
        violation(
            lock,
            "its release lowers the IRQL while another spin lock is held",
        );
    }
}

pub(super) fn require_dispatch(routine: &str) {
    let now = thread::irql();
    if now != sys::DISPATCH_LEVEL {
        let found = format!("called at IRQL {now}, allowed at 2 only");
        thread::world().violation(Rule::Irql, routine, found);
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeInitializeSpinLock(lock: *mut KSPIN_LOCK) {
    let world = thread::world();
    if thread::holds(lock.addr()) {
        violation(lock, "initialized while it is held");
    }
    // SAFETY: the caller passes a place for a lock.
    unsafe { AtomicUsize::from_ptr(lock) }.store(0, Ordering::Relaxed);
    let mut state = world.state();
    // A lock on the stack is gone when its function returns, unnoticed.
    let lives =
        state.kernel.memory.contains(lock.addr()) || crate::guard::image().contains(&lock.addr());
    if lives && state.kernel.spin_locks.is_initialized(lock.addr()) {
        let found = Finding::at(Level::Advice, Rule::SpinLock, "initialized again");
        state.finding(subject(lock.addr()), found);
    }
    state.kernel.spin_locks.initialize(lock.addr());
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeAcquireSpinLockRaiseToDpc(lock: *mut KSPIN_LOCK) -> KIRQL {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, "KeAcquireSpinLockRaiseToDpc");
    let before = thread::set_irql(sys::DISPATCH_LEVEL);
    take(lock, Some(before));
    before
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeReleaseSpinLock(lock: *mut KSPIN_LOCK, irql: KIRQL) {
    require_dispatch("KeReleaseSpinLock");
    release(lock, Some(irql));
    thread::set_irql(irql);
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeAcquireSpinLockAtDpcLevel(lock: *mut KSPIN_LOCK) {
    require_dispatch("KeAcquireSpinLockAtDpcLevel");
    take(lock, None);
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeReleaseSpinLockFromDpcLevel(lock: *mut KSPIN_LOCK) {
    require_dispatch("KeReleaseSpinLockFromDpcLevel");
    release(lock, None);
}

unsafe extern "efiapi" fn KeTryToAcquireSpinLockAtDpcLevel(lock: *mut KSPIN_LOCK) -> u8 {
    require_dispatch("KeTryToAcquireSpinLockAtDpcLevel");
    // SAFETY: the caller passes a lock, which only these routines use.
    let word = unsafe { AtomicUsize::from_ptr(lock) };
    if word.load(Ordering::Relaxed) != 0 {
        return 0;
    }
    take(lock, None);
    1
}

/// KLOCK_QUEUE_HANDLE: the lock, and the IRQL from before it was acquired.
#[repr(C)]
pub struct KLOCK_QUEUE_HANDLE {
    next: *mut KLOCK_QUEUE_HANDLE,
    lock: *mut KSPIN_LOCK,
    irql: KIRQL,
}

unsafe extern "efiapi" fn KeAcquireInStackQueuedSpinLock(
    lock: *mut KSPIN_LOCK,
    handle: *mut KLOCK_QUEUE_HANDLE,
) {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, "KeAcquireInStackQueuedSpinLock");
    let before = thread::set_irql(sys::DISPATCH_LEVEL);
    // SAFETY: the caller passes a place for the handle.
    unsafe { ((*handle).lock, (*handle).irql) = (lock, before) };
    take(lock, Some(before));
}

unsafe extern "efiapi" fn KeReleaseInStackQueuedSpinLock(handle: *mut KLOCK_QUEUE_HANDLE) {
    require_dispatch("KeReleaseInStackQueuedSpinLock");
    // SAFETY: the caller passes the handle of its acquisition.
    let (lock, irql) = unsafe { ((*handle).lock, (*handle).irql) };
    release(lock, Some(irql));
    thread::set_irql(irql);
}

unsafe extern "efiapi" fn KeAcquireInStackQueuedSpinLockAtDpcLevel(
    lock: *mut KSPIN_LOCK,
    handle: *mut KLOCK_QUEUE_HANDLE,
) {
    require_dispatch("KeAcquireInStackQueuedSpinLockAtDpcLevel");
    // SAFETY: the caller passes a place for the handle.
    unsafe { (*handle).lock = lock };
    take(lock, None);
}

unsafe extern "efiapi" fn KeReleaseInStackQueuedSpinLockFromDpcLevel(
    handle: *mut KLOCK_QUEUE_HANDLE,
) {
    require_dispatch("KeReleaseInStackQueuedSpinLockFromDpcLevel");
    // SAFETY: the caller passes the handle of its acquisition.
    release(unsafe { (*handle).lock }, None);
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn IofCompleteRequest(irp: *mut IRP, _boost: i8) {
    thread::ndis_call_out(sys::DISPATCH_LEVEL, "IofCompleteRequest");
    thread::world().state().complete_request(irp.addr());
}

super::exports! {
    KeInitializeSpinLock
    KeAcquireSpinLockRaiseToDpc
    KeReleaseSpinLock
    KeAcquireSpinLockAtDpcLevel
    KeReleaseSpinLockFromDpcLevel
    KeTryToAcquireSpinLockAtDpcLevel
    KeAcquireInStackQueuedSpinLock
    KeReleaseInStackQueuedSpinLock
    KeAcquireInStackQueuedSpinLockAtDpcLevel
    KeReleaseInStackQueuedSpinLockFromDpcLevel
    IofCompleteRequest
}
