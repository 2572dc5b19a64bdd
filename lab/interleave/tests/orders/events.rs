//! Threads that wait for kernel events: for the lock, for indications in flight, for a query.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use interleave::{Machine, Preemptions, driver, explore, finish, on, sample, wait};
use ndis::{AtDispatch, EventLock};

use super::NIC;

/// Threads on processors of their own take the lock.
fn threads_take_the_lock(count: u32) {
    let lock = Arc::new(EventLock::new());
    lock.initialize();
    let (inside, entered) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    wait((0..count).map(|processor| {
        let (lock, inside, entered) = (lock.clone(), inside.clone(), entered.clone());
        on(processor, move || {
            driver(|| {
                let guard = lock.lock();
                assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                entered.fetch_add(1, Ordering::Relaxed);
                // A scheduling point.
                drop(AtDispatch::enter(false));
                inside.fetch_sub(1, Ordering::Relaxed);
                drop(guard);
            });
        })
    }));
    assert_eq!(entered.load(Ordering::Relaxed), count);
    finish();
}

#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn one_thread_holds_the_lock() {
    let orders = explore(Preemptions::Most(3), || threads_take_the_lock(2));
    assert!(orders > 100, "{orders}");
    sample(2000, || threads_take_the_lock(3));
}

/// A pause waits for an indication in flight, and prevents the next one.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn no_indication_follows_a_pause() {
    let orders = explore(Preemptions::Most(3), || {
        let machine = Machine::start(NIC);
        wait([
            on(0, move || machine.retune(14)),
            on(1, move || {
                machine.retune(4);
                machine.pause();
                let indicated = machine.indicated();
                machine.detach();
                assert_eq!(machine.indicated(), indicated);
            }),
        ]);
        machine.unload();
    });
    assert!(orders > 1000, "{orders}");
}

/// A detach waits for the query in flight, which the NIC completes on another processor, and the
/// module is freed as soon as it may be. A restart meanwhile sends the next query.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn a_detach_waits_for_the_query() {
    let case = || {
        let machine = Machine::start(NIC);
        machine.holds_queries();
        wait([
            on(0, move || machine.answer_queries()),
            on(1, move || {
                for _ in 0..2 {
                    machine.pause();
                    machine.restart();
                }
                machine.pre_detach();
                machine.pause();
                machine.detach();
            }),
        ]);
        machine.unload();
    };
    let orders = explore(Preemptions::Most(1), case);
    assert!(orders > 100, "{orders}");
    sample(2000, case);
}
