//! The rest of the machine while a thread of the driver waits: the miniport completes what it has.

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use super::World;
use crate::rules::Rule;

/// How long a handler of a power event may wait without being taken to wait for outstanding I/O.
const POWER_EVENT: Duration = Duration::from_millis(100);

/// As many waits in succession poll for something: what they poll for may be a request.
const MOST_IDLE: u32 = 200;

/// A handler during which waits are special.
#[derive(Clone, Copy)]
pub(super) enum During {
    /// FilterPause.
    Pause,
    /// FilterNetPnPEvent with this event, which is one of power.
    PowerEvent(i32),
}

thread_local! {
    /// The handler that this thread is in, and its first wait.
    static DURING: Cell<Option<(During, Option<Instant>)>> = const { Cell::new(None) };
    /// Waits in succession in which nothing happened.
    static IDLE: Cell<u32> = const { Cell::new(0) };
}

/// Runs `body`, which calls the driver's handler.
pub(super) fn during<T>(handler: Option<During>, body: impl FnOnce() -> T) -> T {
    let before = DURING.replace(handler.map(|handler| (handler, None)));
    let result = body();
    DURING.set(before);
    result
}

/// A handler is called: its waits are its own.
pub(super) fn begins() {
    IDLE.set(0);
}

impl World {
    /// The driver's thread waits in `routine`: the miniport completes the sends that it has, and the
    /// requests if the wait has no end of its own or is repeated again and again. Returns whether
    /// there were any.
    pub(crate) fn goes_on(self: &Arc<Self>, routine: &str, is_endless: bool) -> bool {
        let power_event = match DURING.get() {
            Some((During::Pause, _)) => {
                self.state().refuses_sends();
                None
            }
            Some((During::PowerEvent(event), begun)) => {
                let begun = begun.unwrap_or_else(Instant::now);
                DURING.set(Some((During::PowerEvent(event), Some(begun))));
                if begun.elapsed() < POWER_EVENT {
                    return false;
                }
                Some(event)
            }
            None => None,
        };
        let mut done = self.deliver();
        if is_endless || IDLE.get() >= MOST_IDLE {
            done += self.complete_oids();
        }
        let any = done > 0;
        IDLE.set(if any { 0 } else { IDLE.get() + 1 });
        if let (Some(event), true) = (power_event, any) {
            // A filter must not wait for outstanding I/O there: the miniport may be without power
            // already (Windows driver documentation, NET_PNP_EVENT).
            let found = format!("its handler waits for outstanding I/O in {routine}");
            self.violation(Rule::NetEvent, &format!("network event {event}"), found);
        }
        any
    }
}
