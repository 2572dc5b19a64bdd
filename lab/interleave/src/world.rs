//! The state of one run of a case: processors, the NIC, the overlying driver.

use std::{cell::RefCell, collections::VecDeque};

use ndis::sys::{self, KIRQL, NET_BUFFER_LIST};
use shuttle::{current, thread::Thread};

use crate::{machine::Machine, parent::Parents};

/// Processors of the machine, of which those from [`ACTIVE`] on were added later: they start
/// without children of their own.
pub(crate) const PROCESSORS: u32 = 3;
pub(crate) const ACTIVE: u32 = 1;

/// See the module.
#[derive(Default)]
pub(crate) struct World {
    /// The threads of the case by their numbers.
    threads: Vec<Running>,
    /// The thread at DISPATCH_LEVEL on each processor.
    at_dispatch: [Option<usize>; PROCESSORS as usize],
    /// Threads that wait for something.
    pub(crate) waiting: Vec<Thread>,
    /// How many NBLs the driver can allocate, where there is a limit.
    pub(crate) nbls_left: Option<usize>,
    /// The module is paused.
    pub(crate) paused: bool,
    /// The module is detached.
    pub(crate) detached: bool,
    /// The NIC answers the driver's queries later.
    pub(crate) queries_pend: bool,
    /// The queries that the NIC holds, the oldest first.
    pub(crate) queries: VecDeque<*mut sys::NDIS_OID_REQUEST>,
    /// The NBLs that the NIC holds, the oldest first.
    pub(crate) nic: VecDeque<*mut NET_BUFFER_LIST>,
    /// How many of each send the NIC completes at once, and through whom.
    pub(crate) inline: Option<(Machine, usize)>,
    pub(crate) parents: Parents,
    /// The LSOv2 maxima that were advertised to the overlying driver.
    pub(crate) indicated: Vec<[u32; 2]>,
    /// Faults found where a panic would have to unwind through the driver.
    pub(crate) wrong: Vec<String>,
}

#[derive(Clone, Copy, Default)]
struct Running {
    processor: u32,
    irql: KIRQL,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

/// Reads or changes the world. There is no scheduling point in `look`.
pub(crate) fn with<R>(look: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(look)
}

/// A new world.
pub(crate) fn renew() {
    with(|world| *world = World::default());
}

/// Notes that something went wrong.
pub(crate) fn wrong(what: impl Into<String>) {
    with(|world| world.wrong.push(what.into()));
}

impl World {
    fn me(&mut self) -> (usize, &mut Running) {
        let me = usize::from(current::me());
        if me >= self.threads.len() {
            self.threads.resize(me + 1, Running::default());
        }
        (me, &mut self.threads[me])
    }

    /// This thread runs on `processor` from now on.
    pub(crate) fn move_to(&mut self, processor: u32) {
        self.me().1.processor = processor;
    }

    pub(crate) fn processor(&mut self) -> u32 {
        self.me().1.processor
    }

    pub(crate) fn irql(&mut self) -> KIRQL {
        self.me().1.irql
    }

    /// Raises this thread to DISPATCH_LEVEL, if no other thread is there on its processor.
    pub(crate) fn try_raise(&mut self) -> bool {
        let (me, running) = self.me();
        let processor = running.processor as usize;
        if self.at_dispatch[processor].is_some_and(|other| other != me) {
            return false;
        }
        self.at_dispatch[processor] = Some(me);
        self.threads[me].irql = sys::DISPATCH_LEVEL;
        true
    }

    /// Goes back to `irql`.
    pub(crate) fn lower(&mut self, irql: KIRQL) {
        let (me, running) = self.me();
        running.irql = irql;
        let processor = running.processor as usize;
        if irql < sys::DISPATCH_LEVEL && self.at_dispatch[processor] == Some(me) {
            self.at_dispatch[processor] = None;
        }
    }
}
