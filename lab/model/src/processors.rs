//! The processors of a machine. A thread at DISPATCH_LEVEL has its processor to itself: no other
//! thread runs there before it lowers its IRQL.

use std::{
    collections::BTreeSet,
    sync::{Arc, Condvar, Mutex, PoisonError},
};

/// The processors that are at DISPATCH_LEVEL.
#[derive(Default)]
pub(crate) struct Processors {
    busy: Mutex<BTreeSet<u32>>,
    lowered: Condvar,
}

impl Processors {
    /// Raises `number` to DISPATCH_LEVEL, for this thread alone, once no other thread has it there.
    pub(crate) fn raise(self: &Arc<Self>, number: u32) -> AtDispatch {
        let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let mut busy = self
            .lowered
            .wait_while(busy, |busy| busy.contains(&number))
            .unwrap_or_else(PoisonError::into_inner);
        busy.insert(number);
        drop(busy);
        AtDispatch::new(self, number)
    }

    /// The same, unless another thread has it there now.
    pub(crate) fn try_raise(self: &Arc<Self>, number: u32) -> Option<AtDispatch> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = busy.insert(number);
        drop(busy);
        is_free.then(|| AtDispatch::new(self, number))
    }
}

/// A processor at DISPATCH_LEVEL, until it is dropped.
pub(crate) struct AtDispatch {
    processors: Arc<Processors>,
    number: u32,
}

impl AtDispatch {
    fn new(processors: &Arc<Processors>, number: u32) -> Self {
        Self {
            processors: Arc::clone(processors),
            number,
        }
    }

    /// Whether this is that processor of `processors`.
    pub(crate) fn is(&self, processors: &Arc<Processors>, number: u32) -> bool {
        self.number == number && Arc::ptr_eq(&self.processors, processors)
    }
}

impl Drop for AtDispatch {
    fn drop(&mut self) {
        let busy = self.processors.busy.lock();
        busy.unwrap_or_else(PoisonError::into_inner)
            .remove(&self.number);
        self.processors.lowered.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        thread::{scope, sleep},
        time::Duration,
    };

    use ndis::sys;

    use crate::{Config, World, thread};

    #[test]
    fn no_two_threads_are_at_dispatch_level_on_one_processor() {
        let world = World::new(Config::default());
        let (busy, met) = (AtomicBool::new(false), AtomicUsize::new(0));
        scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    world.inside(|| {
                        thread::set_irql(sys::DISPATCH_LEVEL);
                        met.fetch_add(busy.swap(true, SeqCst).into(), SeqCst);
                        sleep(Duration::from_millis(5));
                        busy.store(false, SeqCst);
                        thread::set_irql(sys::PASSIVE_LEVEL);
                    });
                });
            }
        });
        assert_eq!(met.into_inner(), 0);
    }

    #[test]
    fn a_completion_waits_for_no_other_processor() {
        let world = World::new(Config::default());
        let elsewhere = world.processors.raise(1);
        let place = || (thread::processor(), thread::irql());
        let _sender = thread::enter(&world, 0, sys::DISPATCH_LEVEL);
        {
            let _inside = thread::enter_if_free(&world, 1, sys::DISPATCH_LEVEL);
            assert_eq!(place(), (0, sys::DISPATCH_LEVEL));
        }
        drop(elsewhere);
        let _inside = thread::enter_if_free(&world, 1, sys::DISPATCH_LEVEL);
        assert_eq!(place(), (1, sys::DISPATCH_LEVEL));
    }
}
