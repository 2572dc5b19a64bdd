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
}

/// Runs `body`, which calls the driver's handler.
pub(super) fn during<T>(handler: Option<During>, body: impl FnOnce() -> T) -> T {
    let before = DURING.replace(handler.map(|handler| (handler, None)));
    let result = body();
    DURING.set(before);
    result
}

impl World {
    /// The driver's thread waits in `routine`: the miniport completes the sends and requests that it
    /// has. Returns whether there were any.
    pub(crate) fn goes_on(self: &Arc<Self>, routine: &str) -> bool {
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
        let any = self.deliver() + self.complete_oids() > 0;
        if let (Some(event), true) = (power_event, any) {
            // A filter must not wait for outstanding I/O there: the miniport may be without power
            // already (Windows driver documentation, NET_PNP_EVENT).
            let found = format!("its handler waits for outstanding I/O in {routine}");
            self.violation(Rule::NetEvent, &format!("network event {event}"), found);
        }
        any
    }
}
