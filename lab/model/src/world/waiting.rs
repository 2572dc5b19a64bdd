//! The rest of the machine while a thread of the driver waits: the miniport completes what it has.

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{World, threads};
use crate::{
    rules::{Finding, Rule},
    thread,
};

/// How long a handler of a power event may wait without being taken to wait for outstanding I/O.
const POWER_EVENT: Duration = Duration::from_millis(50);

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
    /// The handler that this thread is in, and the time of its first wait.
    static DURING: Cell<Option<(During, Option<Duration>)>> = const { Cell::new(None) };
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

/// Whether this thread is in FilterPause, and not in another handler that runs while that waits.
pub(crate) fn in_pause() -> bool {
    matches!(DURING.get(), Some((During::Pause, _)))
}

/// A handler is called: its waits are its own.
pub(super) fn begins() {
    IDLE.set(0);
}

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waited {
    /// Its condition was met.
    Done,
    /// Its limit has passed.
    TimedOut,
    /// It has no limit, and nothing is left in the machine that could end it.
    Forever,
}

impl World {
    /// The driver's thread waits in `routine` until `done`, for `limit` at most. The miniport goes on
    /// meanwhile.
    pub(crate) fn wait(
        self: &Arc<Self>,
        routine: &str,
        limit: Option<Duration>,
        done: impl Fn() -> bool,
    ) -> Waited {
        let sleep = limit.map(|limit| self.clock.sleep(limit));
        let begun = Instant::now();
        let mut looks = Duration::ZERO;
        while !done() {
            // By the computer's clock where other threads keep the machine busy.
            let over = |limit| begun.elapsed() >= limit;
            if sleep.as_ref().is_some_and(|sleep| sleep.is_over()) || limit.is_some_and(over) {
                return Waited::TimedOut;
            }
            if threads::is_drivers() {
                // What happens in the machine is the work of others.
                let _ = self.clock.look();
                continue;
            }
            if limit.is_none() && looks >= self.config.patience {
                return Waited::Forever;
            }
            if self.goes_on(routine, limit.is_none())
                || !self.clock.look()
                || self.state().kernel.events.wakes_any()
            {
                looks = Duration::ZERO;
            } else {
                looks += Duration::from_millis(1);
                self.clock.skip();
            }
        }
        Waited::Done
    }

    /// NDIS waits until `done`, unless nothing is left in the machine that could bring that about.
    pub(super) fn wait_until(self: &Arc<Self>, routine: &str, done: impl Fn() -> bool) {
        let _inside = thread::enter(self, thread::processor(), thread::irql());
        let _ = self.wait(routine, None, done);
    }

    /// The driver's thread waits in `routine`: the miniport completes the sends that it has, and
    /// work items run. If the wait has no end of its own or is repeated again and again, the miniport
    /// answers requests, and at last the overlying driver returns received packets, and a timer
    /// expires. Returns whether there were any.
    fn goes_on(self: &Arc<Self>, routine: &str, is_endless: bool) -> bool {
        let power_event = match DURING.get() {
            Some((During::Pause, _)) => {
                self.state().refuses_sends();
                None
            }
            Some((During::PowerEvent(event), begun)) => {
                let now = self.clock.now();
                let begun = begun.unwrap_or(now);
                DURING.set(Some((During::PowerEvent(event), Some(begun))));
                if now - begun < POWER_EVENT {
                    return false;
                }
                Some(event)
            }
            None => None,
        };
        // What happens meanwhile is not the waiting handler's doing.
        let (io, others) = during(None, || {
            let (mut io, mut others) = (self.deliver(), self.run_deferred());
            if is_endless || IDLE.get() >= MOST_IDLE {
                io += self.complete_oids() + self.complete_direct_oids();
                // The overlying driver keeps received packets for as long as it can.
                if io + others == 0 {
                    io = self.return_received();
                }
                if io + others == 0 {
                    others = self.pass_to_timer().into();
                }
            }
            (io, others)
        });
        let any = io + others > 0;
        IDLE.set(if any { 0 } else { IDLE.get() + 1 });
        if let (Some(event), true) = (power_event, io > 0) {
            // A filter must not wait for outstanding I/O there: the miniport may be without power
            // already (Windows driver documentation, NET_PNP_EVENT).
            let found = format!("its handler waits for outstanding I/O in {routine}");
            let finding =
                Finding::new(Rule::NetEvent, found).on("ddi/netpnp/ns-netpnp-_net_pnp_event");
            self.finding(&format!("network event {event}"), finding);
        }
        any
    }
}
