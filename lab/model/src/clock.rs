//! The model's own clock, by which limits of time are judged.
//!
//! Time passes on it where the driver asks for it: it sleeps, waits up to a limit, or stalls. A sleep
//! ends at once when nothing else runs in the machine, and the clock is set to its end. While another
//! thread runs, the clock stands: how fast the computer is does not change a verdict.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    thread::sleep,
    time::Duration,
};

use crate::shared_page;

/// How long a thread sleeps between two looks at what it waits for.
const LOOK: Duration = Duration::from_millis(1);

/// See the module.
#[derive(Default)]
pub(crate) struct Clock {
    /// Threads that run in the machine: those that are in it and do not wait.
    running: AtomicUsize,
    /// How often a thread has come into the machine, left it, or called the driver.
    turns: AtomicU64,
    time: Mutex<Time>,
}

#[derive(Default)]
struct Time {
    now: Duration,
    /// When the sleeps under way end, each with a number of its own.
    ends: BTreeSet<(Duration, u64)>,
    next: u64,
}

impl Clock {
    fn time(&self) -> MutexGuard<'_, Time> {
        self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time since the machine was made.
    pub(crate) fn now(&self) -> Duration {
        self.time().now
    }

    /// A thread of the driver stalls its processor for `time`.
    pub(crate) fn spend(&self, time: Duration) {
        let mut all = self.time();
        all.now += time;
        shared_page::set_time(all.now);
    }

    /// The driver is called: something happens.
    pub(crate) fn turn(&self) {
        self.turns.fetch_add(1, SeqCst);
    }

    /// A thread comes into the machine, until the result is dropped.
    pub(crate) fn come_in(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, SeqCst);
        self.turn();
        Running(Arc::clone(self))
    }

    /// Runs `body`, in which this thread, which is in the machine, waits for another one.
    pub(crate) fn blocked<T>(&self, body: impl FnOnce() -> T) -> T {
        self.running.fetch_sub(1, SeqCst);
        let result = body();
        self.running.fetch_add(1, SeqCst);
        result
    }

    /// Lets a millisecond go by. Returns whether nothing happened meanwhile in the machine, which this
    /// thread is in.
    pub(crate) fn look(&self) -> bool {
        let before = self.turns.load(SeqCst);
        self.blocked(|| {
            sleep(LOOK);
            self.running.load(SeqCst) == 0 && self.turns.load(SeqCst) == before
        })
    }

    /// Sets the clock forward to the end of the sleep that ends first, since nothing else runs.
    pub(crate) fn skip(&self) {
        let mut time = self.time();
        time.now = match time.ends.first() {
            Some((end, _)) => time.now.max(*end),
            None => time.now + LOOK,
        };
        shared_page::set_time(time.now);
    }

    /// A sleep of `length` from now on.
    pub(crate) fn sleep(self: &Arc<Self>, length: Duration) -> Sleep {
        let mut time = self.time();
        time.next += 1;
        let end = (time.now.saturating_add(length), time.next);
        time.ends.insert(end);
        Sleep {
            clock: Arc::clone(self),
            end,
        }
    }
}

/// A thread that is in the machine.
pub(crate) struct Running(Arc<Clock>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
        self.0.turn();
    }
}

/// A sleep under way.
pub(crate) struct Sleep {
    clock: Arc<Clock>,
    end: (Duration, u64),
}

impl Sleep {
    /// Whether its time has passed.
    pub(crate) fn is_over(&self) -> bool {
        self.clock.now() >= self.end.0
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.time().ends.remove(&self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_skipped_once_nothing_else_runs() {
        let clock = Arc::new(Clock::default());
        let _here = clock.come_in();
        let (long, short) = (
            clock.sleep(Duration::from_secs(60)),
            clock.sleep(Duration::from_secs(7)),
        );
        let other = clock.come_in();
        assert!(!clock.look(), "another thread runs");
        drop(other);
        assert!(clock.look());
        clock.skip();
        assert!(short.is_over() && !long.is_over());
        assert_eq!(clock.now(), Duration::from_secs(7));
    }

    #[test]
    fn a_call_of_the_driver_is_noticed() {
        let clock = Arc::new(Clock::default());
        let _here = clock.come_in();
        let other = Arc::clone(&clock);
        let calls = std::thread::spawn(move || {
            for _ in 0..200 {
                drop(other.come_in());
                sleep(LOOK / 10);
            }
        });
        let looks = (0..10).filter(|_| clock.look()).count();
        calls.join().expect("no panic");
        assert!(looks < 10, "{looks} of 10 found nothing");
    }
}
