//! A processor that completes what another one sends.
#![expect(unsafe_code, reason = "chains are raw pointers")]

use std::{
    hint::spin_loop,
    ptr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicPtr, Ordering},
    },
    thread::{self, JoinHandle},
};

use core_affinity::CoreId;
use ndis::sys::NET_BUFFER_LIST;

use crate::{
    module::Handlers,
    ndis::{become_processor, take_completed, take_sent},
    packets::Batch,
};

/// Two processors of this machine to pin threads to, if it has as many.
pub(crate) fn two_cores() -> Option<[CoreId; 2]> {
    // Asked once: a pinned thread sees its own processor alone.
    static FOUND: OnceLock<Option<[CoreId; 2]>> = OnceLock::new();
    *FOUND.get_or_init(|| core_affinity::get_core_ids()?.first_chunk().copied())
}

/// A value in a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
struct Line<T>(T);

/// A chain on its way from one processor to the other, with the filter that sent it. Both are null
/// when there is none.
#[derive(Default)]
struct Mailbox {
    filter: AtomicPtr<Handlers>,
    chain: AtomicPtr<NET_BUFFER_LIST>,
}

impl Mailbox {
    fn put(&self, filter: *const Handlers, chain: *mut NET_BUFFER_LIST) {
        self.filter.store(filter.cast_mut(), Ordering::Relaxed);
        self.chain.store(chain, Ordering::Release);
    }

    /// Waits for a chain and takes it out, with its filter.
    fn take(&self) -> (*const Handlers, *mut NET_BUFFER_LIST) {
        loop {
            let chain = self.chain.load(Ordering::Acquire);
            if !chain.is_null() {
                self.chain.store(ptr::null_mut(), Ordering::Relaxed);
                return (self.filter.load(Ordering::Relaxed), chain);
            }
            spin_loop();
        }
    }
}

#[derive(Default)]
struct Shared {
    sent: Line<Mailbox>,
    completed: Line<Mailbox>,
}

/// The other processor: a thread that is pinned to it and completes each chain that it gets.
pub(crate) struct Completer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Completer {
    /// Starts it and pins this thread to another processor; `None` if the machine has but one.
    pub(crate) fn start() -> Option<Self> {
        let [here, there] = two_cores()?;
        core_affinity::set_for_current(here);
        let shared = Arc::<Shared>::default();
        let mailboxes = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            core_affinity::set_for_current(there);
            become_processor(1);
            loop {
                let (filter, chain) = mailboxes.sent.0.take();
                // SAFETY: the filter lives until the chain is returned; null is the end.
                let Some(running) = (unsafe { filter.as_ref() }) else {
                    return;
                };
                // SAFETY: the chain is all that the filter sent, and was handed over.
                unsafe { running.complete(chain) };
                mailboxes.completed.0.put(filter, take_completed());
            }
        });
        Some(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Sends `batch` so many times, each time waiting for its completion by the other processor.
    /// The time is that of both processors' work, one after the other, with what the transfer of
    /// cache lines between them costs.
    pub(crate) fn run(&self, filter: &Handlers, batch: &mut Batch, times: u32) {
        for _ in 0..times {
            // SAFETY: the batch is complete, its NBLs belong to this function alone, and every
            // earlier send is completed.
            unsafe { filter.send(batch.chain()) };
            self.shared.sent.0.put(filter, take_sent());
            self.shared.completed.0.take();
        }
    }
}

impl Drop for Completer {
    fn drop(&mut self) {
        // Any chain but a null one, which no filter is asked to complete.
        let chain = ptr::dangling_mut();
        self.shared.sent.0.put(ptr::null(), chain);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
