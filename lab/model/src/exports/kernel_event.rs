//! `ntoskrnl.exe`: kernel events.
//!
//! Windows driver documentation, "Event Objects", and the pages of the routines. The model has
//! non-paged memory only; rule 29 judges where an event lies.

use std::{ffi::c_void, sync::Arc};

use ::ndis::sys::{self, BOOLEAN, KEVENT, KPROCESSOR_MODE, NTSTATUS};

use super::mutex;
use crate::{
    events::Events,
    race,
    rules::Rule,
    suspension, thread,
    world::{Waited, World},
};

/// Calls `act` with the events and the address of `event`, and reports what it finds wrong.
pub(super) fn with<T>(
    world: &Arc<World>,
    event: usize,
    act: impl FnOnce(&mut Events) -> Result<T, &'static str>,
) -> Option<T> {
    let mut state = world.state();
    match act(&mut state.kernel.events) {
        Ok(value) => Some(value),
        Err(found) => {
            state.violation(Rule::Events, format!("event at {event:#x}"), found);
            None
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeInitializeEvent(event: *mut KEVENT, kind: i32, signaled: BOOLEAN) {
    let event = event.addr();
    with(&thread::world(), event, |events| {
        events.initialize(event, kind, signaled != 0)
    });
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeSetEvent(
    event: *mut KEVENT,
    _increment: i32,
    wait: BOOLEAN,
) -> i32 {
    // With `Wait` the routine returns at a raised IRQL, from which the caller begins to wait.
    let most = match wait {
        0 => sys::DISPATCH_LEVEL,
        _ => sys::APC_LEVEL,
    };
    thread::require_irql_at_most(most, "KeSetEvent");
    let event = event.addr();
    race::release(event);
    let was = with(&thread::world(), event, |events| events.set(event));
    was.unwrap_or_default().into()
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeResetEvent(event: *mut KEVENT) -> i32 {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, "KeResetEvent");
    let event = event.addr();
    let was = with(&thread::world(), event, |events| events.reset(event));
    was.unwrap_or_default().into()
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeWaitForSingleObject(
    object: *mut c_void,
    _reason: i32,
    _mode: KPROCESSOR_MODE,
    _alertable: BOOLEAN,
    timeout: *mut i64,
) -> NTSTATUS {
    let routine = "KeWaitForSingleObject";
    // SAFETY: the caller passes a null pointer or a timeout.
    let timeout = unsafe { timeout.as_ref() }.copied();
    let most = match timeout {
        Some(0) => sys::DISPATCH_LEVEL,
        _ => sys::APC_LEVEL,
    };
    thread::require_irql_at_most(most, routine);
    let world = thread::world();
    let event = object.addr();
    if mutex::acquires_again(event) {
        return sys::STATUS_SUCCESS;
    }
    if timeout == Some(0) {
        let ready = with(&world, event, |events| events.try_wait(event));
        if ready == Some(false) {
            return sys::STATUS_TIMEOUT;
        }
        mutex::acquired(event);
        return sys::STATUS_SUCCESS;
    }
    suspension::require_none(routine);
    let Some(waiter) = with(&world, event, |events| events.begin_wait(event)) else {
        return sys::STATUS_SUCCESS;
    };
    let status = wait(&world, event, waiter, timeout);
    if status == sys::STATUS_SUCCESS {
        race::acquire(event);
        mutex::acquired(event);
    }
    status
}
use KeWaitForSingleObject as KeWaitForMutexObject;

/// WaitAny; the other type waits for all.
const ANY: i32 = 1;

unsafe extern "efiapi" fn KeWaitForMultipleObjects(
    count: u32,
    objects: *const *mut c_void,
    kind: i32,
    reason: i32,
    mode: KPROCESSOR_MODE,
    alertable: BOOLEAN,
    timeout: *mut i64,
    _blocks: *mut c_void,
) -> NTSTATUS {
    let routine = "KeWaitForMultipleObjects";
    // SAFETY: the caller passes as many objects.
    let objects = unsafe { std::slice::from_raw_parts(objects, count as usize) };
    if kind != ANY {
        for object in objects {
            // SAFETY: as for this routine.
            let status =
                unsafe { KeWaitForSingleObject(*object, reason, mode, alertable, timeout) };
            if status != sys::STATUS_SUCCESS {
                return status;
            }
        }
        return sys::STATUS_SUCCESS;
    }
    let world = thread::world();
    // SAFETY: the caller passes a null pointer or a timeout.
    let timeout = unsafe { timeout.as_ref() }.copied();
    let most = match timeout {
        Some(0) => sys::DISPATCH_LEVEL,
        _ => sys::APC_LEVEL,
    };
    thread::require_irql_at_most(most, routine);
    let limit = timeout.map(|due| super::time::until(due, world.clock.now()));
    let first = std::cell::Cell::new(None);
    let found = || {
        let ready = objects.iter().position(|object| {
            let event = object.addr();
            with(&world, event, |events| events.try_wait(event)).unwrap_or(true)
        });
        first.set(ready);
        ready.is_some()
    };
    let waited = world.wait(routine, limit, found);
    match (waited, first.get()) {
        (Waited::Done, Some(index)) => {
            race::acquire(objects[index].addr());
            mutex::acquired(objects[index].addr());
            index as NTSTATUS
        }
        (Waited::Forever, _) => {
            world.violation(Rule::Events, routine, "the wait would never end".into());
            sys::STATUS_SUCCESS
        }
        _ => sys::STATUS_TIMEOUT,
    }
}

unsafe extern "efiapi" fn KeReadStateEvent(event: *mut KEVENT) -> i32 {
    let event = event.addr();
    let is = with(&thread::world(), event, |events| events.is_signaled(event));
    is.unwrap_or_default().into()
}

unsafe extern "efiapi" fn KeClearEvent(event: *mut KEVENT) {
    // SAFETY: as for this routine.
    unsafe { KeResetEvent(event) };
}

/// Waits until an event is signaled for `waiter`.
fn wait(world: &Arc<World>, event: usize, waiter: u64, timeout: Option<i64>) -> NTSTATUS {
    let limit = timeout.map(|due| super::time::until(due, world.clock.now()));
    let is_over = || world.state().kernel.events.is_over(waiter);
    match world.wait("KeWaitForSingleObject", limit, is_over) {
        Waited::Done => sys::STATUS_SUCCESS,
        Waited::TimedOut => {
            world.state().kernel.events.give_up(event, waiter);
            sys::STATUS_TIMEOUT
        }
        Waited::Forever => {
            with(world, event, |events| {
                events.give_up(event, waiter);
                Err::<(), _>("the wait would never end")
            });
            sys::STATUS_SUCCESS
        }
    }
}

super::exports! {
    KeInitializeEvent
    KeSetEvent
    KeResetEvent
    KeWaitForSingleObject
    KeWaitForMutexObject
    KeWaitForMultipleObjects
    KeReadStateEvent
    KeClearEvent
}

#[cfg(test)]
mod tests {
    use std::{mem::zeroed, ptr::null_mut, thread};

    use super::*;
    use crate::Config;

    /// A busy computer may let the thread that has the event sleep for longer than a wait lasts that
    /// nothing ends.
    #[test]
    fn a_wait_lasts_while_the_thread_that_was_woken_is_asleep() {
        let world = World::new(Config::default());
        let asleep = 3 * world.config.patience;
        // SAFETY: an event is numbers and null pointers until it is initialized.
        let mut event: Box<KEVENT> = Box::new(unsafe { zeroed() });
        let event = &raw mut *event;
        world.inside(|| {
            // SAFETY: the event lives during the calls.
            unsafe { KeInitializeEvent(event, sys::SynchronizationEvent, 0) };
            let events = &mut world.state().kernel.events;
            assert_eq!(events.begin_wait(event.addr()), Ok(1));
            assert_eq!(events.set(event.addr()), Ok(false));
        });
        thread::scope(|scope| {
            let address = event.addr();
            let world = &world;
            scope.spawn(move || {
                thread::sleep(asleep);
                let events = &mut world.state().kernel.events;
                assert!(events.is_over(1));
                assert_eq!(events.set(address), Ok(false));
            });
            world.inside(|| {
                // SAFETY: the event lives during the call.
                let status = unsafe { KeWaitForSingleObject(event.cast(), 0, 0, 0, null_mut()) };
                assert_eq!(status, sys::STATUS_SUCCESS);
            });
        });
        assert_eq!(world.violations(), []);
    }
}
