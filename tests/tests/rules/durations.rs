//! Limits of time (rules 3, 20, 24, 30 and 54), by the model's own clock: no test here takes as long
//! as it says.

use std::{
    ptr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use model::{Config, OidCall, Rule, SendCall, Violation, World, exports};
use ndis::sys::{self, KEVENT, KSPIN_LOCK, NDIS_HANDLE, NDIS_STATUS};
use scenarios::{assert_clean, packets::small};

use crate::{
    Nbl, Run, assert_breaks,
    kernel::assert_calls_break,
    mini_filter::{self, fault},
};

/// OID_GEN_MAXIMUM_FRAME_SIZE.
const FRAME_SIZE: u32 = 0x0001_0106;

fn sleep(seconds: u32) {
    // SAFETY: at PASSIVE_LEVEL, inside of a model.
    unsafe { sys::NdisMSleep(seconds * 1_000_000) };
}

/// A filter of which one kind of handler takes some seconds.
unsafe extern "efiapi" fn slow_driver<const PAUSE: u32, const SEND: u32, const OID: u32>(
    driver: *mut sys::DRIVER_OBJECT,
    _path: *mut sys::UNICODE_STRING,
) -> i32 {
    // SAFETY: the object is the one of the call.
    unsafe {
        mini_filter::entry_with::<{ fault::NONE }>(driver, |all| {
            all.PauseHandler = Some(slow_pause::<PAUSE>);
            all.SendNetBufferListsHandler = Some(slow_send::<SEND>);
            all.OidRequestHandler = Some(slow_oid::<OID>);
            all.OidRequestCompleteHandler = Some(no_own_request);
        })
    }
}

unsafe extern "efiapi" fn slow_pause<const SECONDS: u32>(
    _context: NDIS_HANDLE,
    _parameters: *mut sys::NDIS_FILTER_PAUSE_PARAMETERS,
) -> NDIS_STATUS {
    sleep(SECONDS);
    sys::NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn slow_send<const SECONDS: u32>(
    context: NDIS_HANDLE,
    chain: Nbl,
    port: u32,
    flags: u32,
) {
    sleep(SECONDS);
    // SAFETY: the arguments are those of the call.
    unsafe { mini_filter::send::<{ fault::NONE }>(context, chain, port, flags) };
}

unsafe extern "efiapi" fn slow_oid<const SECONDS: u32>(
    _context: NDIS_HANDLE,
    _request: *mut sys::NDIS_OID_REQUEST,
) -> NDIS_STATUS {
    sleep(SECONDS);
    sys::NDIS_STATUS_FAILURE
}

unsafe extern "efiapi" fn no_own_request(
    _context: NDIS_HANDLE,
    _request: *mut sys::NDIS_OID_REQUEST,
    _status: NDIS_STATUS,
) {
}

/// A life of the driver with that entry point, with a send and a request.
fn life(entry: sys::DRIVER_INITIALIZE) -> Vec<Violation> {
    let world = World::new(Config::default());
    // SAFETY: the entry point is this file's.
    unsafe { world.start(entry) }.expect("the driver starts");
    world.send(vec![small()], SendCall::default());
    let begun = Instant::now();
    world.oid(OidCall::query(FRAME_SIZE, 4));
    let violations = world.stop();
    assert!(begun.elapsed() < Duration::from_secs(8), "real time passed");
    violations
}

#[test]
fn a_pause_takes_ten_seconds_at_most() {
    assert_breaks(Rule::Pause, "module", |run| match run {
        Run::Right => life(slow_driver::<10, 0, 0>),
        Run::Wrong => life(slow_driver::<11, 0, 0>),
    });
}

#[test]
fn a_send_takes_no_longer_than_one_of_a_miniport() {
    assert_breaks(Rule::EachCompletes, "packet 0", |run| match run {
        Run::Right => life(slow_driver::<0, 22, 0>),
        Run::Wrong => life(slow_driver::<0, 23, 0>),
    });
}

#[test]
fn a_request_takes_no_longer_than_one_of_a_miniport() {
    assert_breaks(Rule::Oid, "OID request 0", |run| match run {
        Run::Right => life(slow_driver::<0, 0, 12>),
        Run::Wrong => life(slow_driver::<0, 0, 13>),
    });
}

#[test]
fn a_sleep_is_thirty_seconds_long_at_most() {
    assert_calls_break(Rule::Durations, "NdisMSleep", |run, _| match run {
        Run::Right => sleep(30),
        Run::Wrong => sleep(31),
    });
}

fn stall(microseconds: u32) {
    // SAFETY: inside of a model.
    unsafe { exports::kernel::KeStallExecutionProcessor(microseconds) };
}

#[test]
fn a_stall_is_fifty_microseconds_long_at_most() {
    assert_calls_break(Rule::Durations, "processor stall", |run, _| match run {
        Run::Right => stall(50),
        Run::Wrong => stall(51),
    });
}

/// Stalls twice with `lock` held, which it takes at PASSIVE_LEVEL.
fn stall_under(lock: *mut KSPIN_LOCK, microseconds: u32) {
    // SAFETY: the caller's lock lives during the calls.
    unsafe {
        let before = sys::KeAcquireSpinLockRaiseToDpc(lock);
        stall(microseconds);
        stall(microseconds);
        sys::KeReleaseSpinLock(lock, before);
    }
}

#[test]
fn a_stall_under_a_lock_is_short() {
    assert_calls_break(Rule::SpinLock, "spin lock", |run, _| {
        let mut lock: KSPIN_LOCK = 0;
        let lock = &raw mut lock;
        // SAFETY: the lock lives during the calls.
        unsafe { sys::KeInitializeSpinLock(lock) };
        stall(50);
        match run {
            Run::Right => stall_under(lock, 12),
            Run::Wrong => stall_under(lock, 13),
        }
    });
}

/// A lock and an event, for several threads.
struct Shared {
    lock: KSPIN_LOCK,
    event: KEVENT,
}

fn shared(world: &Arc<World>) -> usize {
    let shared = Box::into_raw(Box::new(Shared {
        lock: 0,
        event: KEVENT { Header: [0; 3] },
    }));
    // SAFETY: just made.
    world.inside(|| unsafe {
        sys::KeInitializeSpinLock(&raw mut (*shared).lock);
        sys::KeInitializeEvent(&raw mut (*shared).event, sys::NotificationEvent, 0);
    });
    shared.expose_provenance()
}

fn lock_of(shared: usize) -> *mut KSPIN_LOCK {
    // SAFETY: made by `shared`.
    unsafe { &raw mut (*ptr::with_exposed_provenance_mut::<Shared>(shared)).lock }
}

fn event_of(shared: usize) -> *mut KEVENT {
    // SAFETY: made by `shared`.
    unsafe { &raw mut (*ptr::with_exposed_provenance_mut::<Shared>(shared)).event }
}

#[test]
fn another_thread_that_is_slow_makes_no_wait_endless() {
    let world = World::new(Config::default());
    let shared = shared(&world);
    thread::scope(|scope| {
        scope.spawn(|| {
            world.inside(|| {
                // SAFETY: made by `shared`, which is never freed.
                unsafe {
                    let before = sys::KeAcquireSpinLockRaiseToDpc(lock_of(shared));
                    // Longer than any patience: a computer that is busy with something else.
                    thread::sleep(Duration::from_millis(600));
                    sys::KeReleaseSpinLock(lock_of(shared), before);
                    thread::sleep(Duration::from_millis(600));
                    sys::KeSetEvent(event_of(shared), 0, 0);
                }
            });
        });
        thread::sleep(Duration::from_millis(50));
        scope.spawn(|| {
            world.inside(|| {
                // SAFETY: as above.
                unsafe {
                    let event = event_of(shared).cast();
                    let status = sys::KeWaitForSingleObject(event, 0, 0, 0, ptr::null_mut());
                    assert_eq!(status, sys::STATUS_SUCCESS);
                }
            });
        });
        scope.spawn(|| {
            // The lock's holder has processor 0.
            world.inside_on(1, || stall_under(lock_of(shared), 0));
        });
    });
    assert_clean(&world.finish());
}

#[test]
fn a_lock_whose_holder_is_gone_is_noticed() {
    let world = World::new(Config::default());
    let shared = shared(&world);
    let take = || {
        let world = Arc::clone(&world);
        thread::spawn(move || {
            // SAFETY: made by `shared`, which is never freed.
            world.inside(|| unsafe {
                sys::KeAcquireSpinLockRaiseToDpc(lock_of(shared));
            });
        })
    };
    take().join().expect("no panic");
    let begun = Instant::now();
    take().join().expect("no panic");
    assert!(begun.elapsed() < Duration::from_secs(4));
    let found = world.finish();
    let never = |one: &Violation| one.found == "is never released";
    assert!(found.iter().any(never), "{found:#?}");
}
