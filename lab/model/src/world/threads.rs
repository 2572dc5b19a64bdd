//! Threads that the driver starts.
#![expect(unsafe_code, reason = "calls the driver's routines as the kernel does")]

use std::{cell::RefCell, collections::BTreeMap, ffi::c_void, sync::Arc};

use ndis::sys;

use super::{World, deferred::Context};
use crate::{memory::Block, race, thread};

/// KSTART_ROUTINE.
pub(crate) type StartRoutine = unsafe extern "efiapi" fn(context: *mut c_void);

/// The driver's threads: the object of each, which can be waited for, by the handle.
#[derive(Default)]
pub(crate) struct Threads {
    objects: BTreeMap<usize, Block>,
    /// How many have not ended.
    pub(crate) running: usize,
}

impl Threads {
    /// The object of the thread with `handle`.
    pub(crate) fn object_of(&self, handle: usize) -> Option<usize> {
        let object = self.objects.get(&handle)?;
        Some(object.start().expose_provenance())
    }
}

thread_local! {
    /// The machine and the object of this thread, if the driver has started it.
    static MINE: RefCell<Option<(Arc<World>, usize)>> = const { RefCell::new(None) };
}

/// Whether the driver has started this thread: it may wait for as long as it will.
pub(crate) fn is_drivers() -> bool {
    MINE.with_borrow(Option::is_some)
}

impl World {
    /// Starts a thread of the driver's, with `handle`.
    pub(crate) fn start_thread(
        self: &Arc<Self>,
        handle: usize,
        routine: StartRoutine,
        context: *mut c_void,
    ) {
        let object = Block::new(64, 16);
        let at = object.start().expose_provenance();
        {
            let mut state = self.state();
            // It is signaled when the thread ends.
            let _ = state
                .kernel
                .events
                .initialize(at, sys::NotificationEvent, false);
            state.kernel.threads.objects.insert(handle, object);
            state.kernel.threads.running += 1;
        }
        race::release(at);
        let (world, context) = (Arc::clone(self), Context(context));
        std::thread::spawn(move || {
            let context = context;
            MINE.set(Some((Arc::clone(&world), at)));
            let _inside = thread::enter_anew(&world, 0, sys::PASSIVE_LEVEL);
            race::acquire(at);
            world.call("system thread", sys::PASSIVE_LEVEL, || {
                let Context(context) = context;
                // SAFETY: the routine is the driver's, which is loaded while its threads run.
                unsafe { routine(context) }
            });
            world.thread_ended(at);
        });
    }

    fn thread_ended(&self, object: usize) {
        race::release(object);
        let mut state = self.state();
        state.kernel.threads.running -= 1;
        // Its owner waits for it.
        let _ = state.kernel.events.set(object);
    }
}

/// PsTerminateSystemThread: this thread never returns to the driver.
pub(crate) fn end_this() -> i32 {
    const NOT_ITS_OWN: i32 = sys::NDIS_STATUS_INVALID_PARAMETER;
    let Some((world, object)) = MINE.take() else {
        return NOT_ITS_OWN;
    };
    world.thread_ended(object);
    thread::leave_all();
    loop {
        std::thread::park();
    }
}
