//! NBLs that the miniport indicates, until they are forgotten.
#![expect(unsafe_code, reason = "NBLs are C structures")]

use std::ptr;

use ndis::sys;

use crate::{
    above::{net_buffer, new_nbl},
    guard,
    mdl::{Backing, Buffer},
    memory::Block,
    rules::Rule,
    state::State,
    status::MINIPORT,
};

/// The driver that has a received NBL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Holder {
    /// The miniport: not indicated yet, or returned.
    Miniport,
    /// The filter: indicated to it, or returned to it from above.
    Filter,
    /// The overlying driver: indicated to it.
    Above,
}

/// A received NBL.
pub(crate) struct Received {
    /// For messages.
    pub(crate) name: String,
    pub(crate) holder: Holder,
    /// Whether it was indicated with RESOURCES.
    pub(crate) resources: bool,
    /// The port that it was indicated for.
    pub(crate) port: u32,
    /// Whether the handler that it was indicated to has returned.
    pub(crate) handler_returned: bool,
    /// Whether the overlying driver keeps it for a while.
    pub(crate) kept: bool,
    frame: Vec<u8>,
    net_buffer: Block,
    buffer: Buffer,
    block: Block,
    /// The visible NBL while others than the filter have it: its own bytes, and those in its place.
    aside: Option<(Vec<u8>, Vec<u8>)>,
}

const VISIBLE: usize = size_of::<sys::NET_BUFFER_LIST>();

impl Received {
    /// The miniport's NBL with `frame`.
    pub(crate) fn new(name: String, frame: Vec<u8>, resources: bool, port: u32) -> Self {
        let buffers = [Buffer::new(&frame, 0, Backing::NonPagedPool)];
        let net_buffer = net_buffer(&buffers, 0, 0, frame.len() as u32);
        let [buffer] = buffers;
        let block = new_nbl();
        let raw = block.start().cast::<sys::NET_BUFFER_LIST>();
        // SAFETY: the block is new and as long as the structure.
        unsafe {
            (*raw).FirstNetBuffer = net_buffer.start().cast();
            (*raw).SourceHandle = ptr::without_provenance_mut(MINIPORT);
        }
        Self {
            name,
            holder: Holder::Filter,
            resources,
            port,
            handler_returned: false,
            kept: false,
            frame,
            net_buffer,
            buffer,
            block,
            aside: None,
        }
    }

    pub(crate) fn raw(&self) -> *mut sys::NET_BUFFER_LIST {
        self.block.start().cast()
    }

    pub(crate) fn address(&self) -> usize {
        self.block.address()
    }

    fn visible(&self) -> Vec<u8> {
        self.block.bytes()[..VISIBLE].to_vec()
    }

    /// Takes the NBL from the filter: invalid pointers stand in it until it is the filter's again.
    pub(crate) fn take(&mut self, why: &'static str) {
        if self.aside.is_some() {
            return;
        }
        let own = self.visible();
        let invalid = ptr::without_provenance_mut(INVALID);
        let raw = self.raw();
        // SAFETY: the block is live and as long as the structure.
        unsafe {
            (*raw).Next = invalid;
            (*raw).FirstNetBuffer = invalid.cast();
            (*raw).Context = invalid.cast();
        }
        self.aside = Some((own, self.visible()));
        self.guarded(|memory| guard::close(memory, why));
    }

    /// Gives the NBL to the filter again. Returns whether nobody touched it meanwhile.
    pub(crate) fn give(&mut self) -> bool {
        self.guarded(guard::open);
        let Some((own, invalid)) = self.aside.take() else {
            return true;
        };
        let intact = self.visible() == invalid;
        // SAFETY: the bytes are as many as the structure has, and the block is longer.
        unsafe { ptr::copy_nonoverlapping(own.as_ptr(), self.block.start(), VISIBLE) };
        intact
    }

    /// Applies `change` to all memory of the NBL.
    fn guarded(&self, change: impl Fn(*const u8)) {
        change(self.block.start());
        change(self.net_buffer.start());
        self.buffer.guarded(change);
    }

    /// Whether the frame is as it was received.
    pub(crate) fn frame_intact(&self) -> bool {
        self.buffer.bytes() == self.frame
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        // The memory is freed: it has to be accessible.
        self.guarded(guard::open);
    }
}

/// The value of a pointer in an NBL that is not the filter's.
const INVALID: usize = 0x0BAD_0BAD_0BAD_0BAD;

/// Returned NBLs that are kept, to detect later writes, before a new one is indicated.
const KEPT: usize = 64;

impl State {
    /// Forgets NBLs that were returned, after a last check, if there are many.
    pub(crate) fn forget_received(&mut self, most: usize) {
        let returned = |one: &Received| one.holder == Holder::Miniport;
        if self
            .receives
            .received
            .values()
            .filter(|one| returned(one))
            .count()
            <= most
        {
            return;
        }
        let mut touched = Vec::new();
        self.receives.received.retain(|_, one| {
            let gone = returned(one);
            if gone && !one.give() {
                touched.push(one.name.clone());
            }
            !gone
        });
        for name in touched {
            self.violation(Rule::OneOwner, name, "touched after it was returned");
        }
    }

    /// The same where there are too many.
    pub(crate) fn forget_many_received(&mut self) {
        self.forget_received(KEPT);
    }

    /// The received NBLs that the filter queued: a pause waits for them.
    pub(crate) fn queued_receives(&self) -> Vec<String> {
        let queued = |one: &&Received| one.holder == Holder::Filter && one.handler_returned;
        let queued = self.receives.received.values().filter(queued);
        queued.map(|one| one.name.clone()).collect()
    }

    /// The last check: every received NBL is the miniport's.
    pub(crate) fn check_received_at_end(&mut self) {
        self.forget_received(0);
        let lost: Vec<_> = self
            .receives
            .received
            .values()
            .map(|one| one.name.clone())
            .collect();
        for name in lost {
            self.violation(Rule::EachCompletes, name, "was never returned");
        }
    }
}
