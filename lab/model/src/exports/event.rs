//! `ndis.sys`: events to wait for, which are kernel events of their own names.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ::ndis::sys;

use super::kernel_event::with;
use crate::{race, rules::Rule, suspension, thread, world::World};

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
    let ended = wait_for(&world, wait, (milliseconds != 0).then_some(limit));
    if ended {
        race::acquire(event);
    } else {
        world.state().kernel.events.give_up(event, wait);
    }
    ended.into()
}

/// Waits until `wait` is over, or for `limit`. A wait without a limit that does not end is reported,
/// and goes on: its driver does not expect to return from it.
fn wait_for(world: &Arc<World>, wait: u64, limit: Option<Duration>) -> bool {
    let (begun, mut reported) = (Instant::now(), false);
    while !world.state().kernel.events.is_over(wait) {
        if limit.is_some_and(|limit| begun.elapsed() >= limit) {
            return false;
        }
        if world.goes_on("NdisWaitEvent", true) {
            continue;
        }
        if limit.is_none() && !reported && begun.elapsed() > world.config.patience {
            reported = true;
            let found = "the wait does not end";
            world.violation(Rule::Events, "NdisWaitEvent", found.into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

super::exports! {
    NdisInitializeEvent
    NdisSetEvent
    NdisResetEvent
    NdisWaitEvent
}
