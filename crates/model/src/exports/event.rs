//! `ndis.sys`: events to wait for.

use std::time::{Duration, Instant};

use ::ndis::sys;

use crate::{rules::Rule, suspension, thread};

/// NDIS_EVENT, whose contents are the kernel's.
#[repr(C)]
pub struct NDIS_EVENT([usize; 3]);

/// Sets the event at `event` to `signaled`; `None` leaves it.
fn change(event: *mut NDIS_EVENT, signaled: bool, routine: &str) {
    let world = thread::world();
    let mut state = world.state();
    match state.events.get_mut(&event.addr()) {
        Some(known) => *known = signaled,
        None => state.violation(Rule::Memory, routine, "an event that was not initialised"),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisInitializeEvent(event: *mut NDIS_EVENT) {
    thread::ndis_call(sys::DISPATCH_LEVEL, "NdisInitializeEvent");
    thread::world().state().events.insert(event.addr(), false);
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisSetEvent(event: *mut NDIS_EVENT) {
    thread::ndis_call(sys::DISPATCH_LEVEL, "NdisSetEvent");
    change(event, true, "NdisSetEvent");
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisResetEvent(event: *mut NDIS_EVENT) {
    thread::ndis_call(sys::DISPATCH_LEVEL, "NdisResetEvent");
    change(event, false, "NdisResetEvent");
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisWaitEvent(event: *mut NDIS_EVENT, milliseconds: u32) -> u8 {
    let routine = "NdisWaitEvent";
    thread::ndis_call(sys::PASSIVE_LEVEL, routine);
    suspension::require_none(routine);
    let world = thread::world();
    let limit = Duration::from_millis(milliseconds.into());
    let (begun, mut reported) = (Instant::now(), false);
    loop {
        match world.state().events.get(&event.addr()) {
            Some(true) => break,
            Some(false) => {}
            None => {
                let found = "an event that was not initialised";
                world.violation(Rule::Memory, routine, found.into());
                return 0;
            }
        }
        if milliseconds != 0 && begun.elapsed() >= limit {
            return 0;
        }
        // While this thread waits, the miniport goes on.
        if world.deliver() + world.complete_oids() > 0 {
            continue;
        }
        if !reported && begun.elapsed() > world.config.patience {
            reported = true;
            world.violation(Rule::Pause, routine, "the wait does not end".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    1
}

super::exports! {
    NdisInitializeEvent
    NdisSetEvent
    NdisResetEvent
    NdisWaitEvent
}
