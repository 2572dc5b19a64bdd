//! Rule 43: kernel events.

use std::{
    ptr, thread,
    time::{Duration, Instant},
};

use model::{Config, Rule, World};
use ndis::sys::{self, KEVENT};
use scenarios::assert_clean;

use crate::assert_found;

/// An event of the test's, which stays in its place.
struct Event(Box<KEVENT>);

// SAFETY: the model synchronizes all access to the event.
unsafe impl Sync for Event {}

impl Event {
    fn uninitialized() -> Self {
        Self(Box::new(KEVENT { Header: [0; 3] }))
    }

    /// An event that is not signaled.
    fn new(kind: i32) -> Self {
        let event = Self::uninitialized();
        // SAFETY: the event stays in its place.
        unsafe { sys::KeInitializeEvent(event.raw(), kind, 0) };
        event
    }

    fn raw(&self) -> *mut KEVENT {
        (&raw const *self.0).cast_mut()
    }

    fn set(&self) -> i32 {
        // SAFETY: the event stays in its place.
        unsafe { sys::KeSetEvent(self.raw(), 0, 0) }
    }

    fn reset(&self) -> i32 {
        // SAFETY: the event stays in its place.
        unsafe { sys::KeResetEvent(self.raw()) }
    }

    /// Waits so many units of 100 ns, or without a limit.
    fn wait(&self, timeout: Option<i64>) -> sys::NTSTATUS {
        let timeout = timeout.map(|units| -units);
        let pointer = timeout
            .as_ref()
            .map_or(ptr::null_mut(), |units| (&raw const *units).cast_mut());
        let event = self.raw().cast();
        // SAFETY: the event stays in its place, and the timeout lives during the call.
        unsafe { sys::KeWaitForSingleObject(event, sys::Executive, sys::KernelMode, 0, pointer) }
    }
}

/// Calls of a driver of which one breaks `rule`.
#[track_caller]
fn assert_breaks(rule: Rule, found: &str, calls: impl Fn()) {
    let world = World::new(Config::default());
    world.inside(calls);
    assert_found(&world.finish(), rule, found);
}

#[test]
fn a_notification_event_ends_every_wait() {
    let world = World::new(Config::default());
    let waits = || {
        let event = Event::new(sys::NotificationEvent);
        assert_eq!(event.wait(Some(0)), sys::STATUS_TIMEOUT);
        assert_eq!(event.wait(Some(20_000)), sys::STATUS_TIMEOUT);
        thread::scope(|scope| {
            let waiting = [(); 2].map(|()| scope.spawn(|| world.inside(|| event.wait(None))));
            thread::sleep(Duration::from_millis(20));
            assert_eq!((event.set(), event.set()), (0, 1));
            // The waits have ended already, so this prolongs none.
            assert_eq!((event.reset(), event.reset()), (1, 0));
            for one in waiting {
                assert_eq!(one.join().expect("no panic"), sys::STATUS_SUCCESS);
            }
        });
    };
    world.inside(waits);
    assert_clean(&world.finish());
}

#[test]
fn a_synchronization_event_ends_one_wait() {
    let world = World::new(Config::default());
    let waits = || {
        let event = Event::new(sys::SynchronizationEvent);
        event.set();
        assert_eq!(event.wait(None), sys::STATUS_SUCCESS);
        assert_eq!(event.wait(Some(0)), sys::STATUS_TIMEOUT);
        thread::scope(|scope| {
            let waiting = [(); 2].map(|()| scope.spawn(|| world.inside(|| event.wait(None))));
            let start = Instant::now();
            while waiting.iter().any(|one| !one.is_finished()) {
                assert!(
                    start.elapsed() < Duration::from_secs(4),
                    "one signal for each"
                );
                event.set();
                thread::sleep(Duration::from_millis(5));
            }
        });
    };
    world.inside(waits);
    assert_clean(&world.finish());
}

#[test]
fn an_event_that_is_not_initialized_is_noticed() {
    let event = Event::uninitialized();
    let found = "used before it was initialized";
    assert_breaks(Rule::Events, found, || _ = event.set());
    assert_breaks(Rule::Events, found, || _ = event.reset());
    assert_breaks(Rule::Events, found, || _ = event.wait(None));
    assert_breaks(Rule::Events, found, || _ = event.wait(Some(0)));
    // SAFETY: the event stays in its place.
    let other_kind = || unsafe { sys::KeInitializeEvent(event.raw(), 2, 0) };
    assert_breaks(Rule::Events, "of no type", other_kind);
}

#[test]
fn an_event_that_is_freed_is_noticed() {
    const TAG: u32 = u32::from_le_bytes(*b"Test");
    let allocate = || {
        // SAFETY: the memory is long enough for an event.
        unsafe {
            let memory = sys::ExAllocatePool2(sys::POOL_FLAG_NON_PAGED, 24, TAG);
            sys::KeInitializeEvent(memory.cast(), sys::NotificationEvent, 0);
            memory
        }
    };
    assert_breaks(Rule::Events, "or after it was freed", || {
        let event = allocate();
        // SAFETY: the model reads no memory that was freed.
        unsafe {
            sys::ExFreePoolWithTag(event, TAG);
            sys::KeSetEvent(event.cast(), 0, 0);
        }
    });
    let world = World::new(Config::default());
    world.inside(|| {
        let event = allocate().expose_provenance();
        let event = || ptr::with_exposed_provenance_mut(event);
        thread::scope(|scope| {
            // SAFETY: the model reads no memory that was freed.
            scope.spawn(|| unsafe {
                let mut limit = -1_000_000;
                let limit = &raw mut limit;
                world.inside(|| sys::KeWaitForSingleObject(event(), 0, 0, 0, limit));
            });
            thread::sleep(Duration::from_millis(30));
            // SAFETY: allocated above.
            unsafe { sys::ExFreePoolWithTag(event(), TAG) };
        });
    });
    assert_found(&world.finish(), Rule::Events, "freed while a thread waits");
}

#[test]
fn a_wait_without_an_end_is_noticed() {
    assert_breaks(Rule::Events, "would never end", || {
        Event::new(sys::NotificationEvent).wait(None);
    });
}

#[test]
fn a_wait_at_dispatch_level_is_noticed() {
    let at_dispatch = |calls: &dyn Fn(&Event)| {
        let event = Event::new(sys::NotificationEvent);
        event.set();
        // SAFETY: lowered again below.
        let old = unsafe { sys::KfRaiseIrql(sys::DISPATCH_LEVEL) };
        calls(&event);
        // SAFETY: raised above.
        unsafe { sys::KeLowerIrql(old) };
    };
    let found = "called at IRQL 2, allowed up to 1";
    assert_breaks(Rule::Irql, found, || {
        at_dispatch(&|event| _ = event.wait(None))
    });
    assert_breaks(Rule::Irql, found, || {
        at_dispatch(&|event| _ = event.wait(Some(1)))
    });
    // SAFETY: the event stays in its place.
    let set_and_wait = |event: &Event| _ = unsafe { sys::KeSetEvent(event.raw(), 0, 1) };
    assert_breaks(Rule::Irql, found, || at_dispatch(&set_and_wait));

    let world = World::new(Config::default());
    world.inside(|| {
        at_dispatch(&|event| {
            assert_eq!(event.wait(Some(0)), sys::STATUS_SUCCESS);
            event.reset();
            event.set();
        });
    });
    assert_clean(&world.finish());
}
