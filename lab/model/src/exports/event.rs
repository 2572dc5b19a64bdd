//! `ndis.sys`: events to wait for, which are kernel events of their own names.

use std::time::Duration;

use ::ndis::sys;

use super::kernel_event::with;
use crate::{race, rules::Rule, suspension, thread, world::Waited};

/// NDIS_EVENT, whose contents are the kernel's.
#[repr(C)]
pub struct NDIS_EVENT([usize; 3]);

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisInitializeEvent(event: *mut NDIS_EVENT) {
    thread::ndis_call(sys::DISPATCH_LEVEL, "NdisInitializeEvent");
    let event = event.addr();
    with(&thread::world(), event, |events| {
        events.initialize(event, sys::NotificationEvent, false)
    });
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisSetEvent(event: *mut NDIS_EVENT) {
    thread::ndis_call(sys::DISPATCH_LEVEL, "NdisSetEvent");
    let event = event.addr();
    race::release(event);
    with(&thread::world(), event, |events| events.set(event));
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisResetEvent(event: *mut NDIS_EVENT) {
    thread::ndis_call(sys::DISPATCH_LEVEL, "NdisResetEvent");
    let event = event.addr();
    with(&thread::world(), event, |events| events.reset(event));
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisWaitEvent(event: *mut NDIS_EVENT, milliseconds: u32) -> u8 {
    let routine = "NdisWaitEvent";
    thread::ndis_call(sys::PASSIVE_LEVEL, routine);
    suspension::require_none(routine);
    let world = thread::world();
    let event = event.addr();
    let Some(wait) = with(&world, event, |events| events.begin_wait(event)) else {
        return 0;
    };
    let limit = Duration::from_millis(milliseconds.into());
    let limit = (milliseconds != 0).then_some(limit);
    let is_over = || world.state().kernel.events.is_over(wait);
    let mut waited = world.wait(routine, limit, is_over);
    if waited == Waited::Forever {
        world.violation(Rule::Events, routine, "the wait does not end".into());
        // Its driver does not expect to return from it.
        while waited == Waited::Forever {
            waited = world.wait(routine, limit, is_over);
        }
    }
    let ended = waited == Waited::Done;
    if ended {
        race::acquire(event);
    } else {
        world.state().kernel.events.give_up(event, wait);
    }
    ended.into()
}

super::exports! {
    NdisInitializeEvent
    NdisSetEvent
    NdisResetEvent
    NdisWaitEvent
}
