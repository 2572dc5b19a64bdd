//! The miniport's completions: their order, and whether an NBL was touched meanwhile.

use std::{mem::offset_of, ptr};

use ndis::{LargeSendInfo, sys};

use super::{Held, Seen, cut_layout};
use crate::{
    guard,
    mdl::{self, MdlLook},
    nic::Order,
    oob::TunnelSlot,
    rules::Rule,
    segment::tunnel,
    state::{Origin, Owner, State},
};

/// The value that a read through an NBL without ownership finds instead of a pointer.
const POISON: usize = 0x0BAD_0BAD_0BAD_0BAD;

impl State {
    /// Applies `change` to the memory of an NBL: its NET_BUFFERs, and for one of the overlying
    /// driver's also its MDLs and its data. The data of one of the filter's is the filter's.
    pub(crate) fn guarded(&self, nbl: usize, change: impl Fn(*const u8)) {
        if !guard::is_on() {
            return;
        }
        if let Some(block) = self.nbls.memory.get(&nbl) {
            change(block.start());
        }
        match self.nbls.known.get(&nbl).map(|known| known.origin) {
            Some(Origin::Above(send)) => {
                if let Some(sent) = self.sends.sent.get(&send) {
                    sent.guarded(change);
                }
            }
            _ => {
                let Some(parts) = self.nbls.parts.get(&nbl) else {
                    return;
                };
                if let Some(net_buffer) = &parts.net_buffer {
                    change(net_buffer.start());
                }
            }
        }
    }

    /// Takes all held NBLs, in the order in which they were sent.
    pub(crate) fn take_held(&mut self) -> Vec<Held> {
        self.miniport.held.drain(..).collect()
    }

    /// The miniport gives `held` back, after a last look, with its status and large-send slot.
    pub(crate) fn release(&mut self, held: &Held) -> *mut sys::NET_BUFFER_LIST {
        let name = self.name(held.nbl);
        let nbl = self.nbls.memory[&held.nbl]
            .start()
            .cast::<sys::NET_BUFFER_LIST>();
        self.guarded(held.nbl, guard::open);
        // SAFETY: the NBL's memory is in `nbls`, and the saved part holds its original contents.
        unsafe {
            if visible_bytes(nbl) != held.poisoned {
                self.violation(
                    Rule::OneOwner,
                    name.clone(),
                    "touched while the miniport has it",
                );
            }
            ptr::copy_nonoverlapping(held.saved.start().cast::<sys::NET_BUFFER_LIST>(), nbl, 1);
            self.check_unchanged(nbl, held, &name);
            let info = LargeSendInfo::from_raw(
                (*nbl).NetBufferListInfo[sys::TcpLargeSendNetBufferListInfo].addr(),
            );
            if info.mss() != 0 {
                let tunnel = (*nbl).NetBufferListInfo
                    [sys::TcpSendOffloadsSupplementalNetBufferListInfo]
                    .addr();
                let tunnelled = TunnelSlot::from_raw(tunnel).encapsulated;
                let payload =
                    held.frames
                        .first()
                        .map_or(0, |frame| frame.payload(tunnelled)) as u32;
                let sent = if held.status == 0 { payload } else { 0 };
                (*nbl).NetBufferListInfo[sys::TcpLargeSendNetBufferListInfo] =
                    ptr::without_provenance_mut(info.transmit_complete(sent).to_raw());
            }
            (*nbl).Status = held.status;
            (*nbl).Next = ptr::null_mut();
            self.stamp(nbl, held);
        }
        for (mdl, _) in &held.mdls {
            if self.mdls.windows.get(mdl) == Some(&held.nbl) {
                self.mdls.windows.remove(mdl);
            }
        }
        if held.status != 0
            && let Some(sent) = held.parent.and_then(|send| self.sends.sent.get_mut(&send))
        {
            sent.child_failures.push(held.status);
        }
        let Some(known) = self.nbls.known.get_mut(&held.nbl) else {
            return nbl;
        };
        known.owner = Owner::Filter;
        self.nbls.hidden.forget(held.nbl);
        if let Origin::Above(send) = known.origin
            && held.status != 0
            && let Some(sent) = self.sends.sent.get_mut(&send)
        {
            sent.failed_below = true;
            sent.status_below = held.status;
        }
        nbl
    }

    /// The miniport writes when the packet left, if it was asked to or reports
    /// every one: 0 if it did not leave.
    ///
    /// # Safety
    /// `nbl` is a live NBL.
    unsafe fn stamp(&mut self, nbl: *mut sys::NET_BUFFER_LIST, held: &Held) {
        // SAFETY: as the caller vouches.
        let flags = unsafe { (*nbl).NblFlags };
        let asked = flags & sys::NDIS_NBL_FLAGS_CAPTURE_TIMESTAMP_ON_TRANSMIT != 0;
        if !(asked || held.is_stamped && held.status == 0) {
            return;
        }
        let stamp = if held.status == 0 {
            self.miniport.clock += 1;
            self.miniport.clock
        } else {
            0
        };
        // SAFETY: as the caller vouches.
        unsafe {
            (*nbl).NetBufferListInfo[sys::NetBufferListInfoReserved3] =
                ptr::without_provenance_mut(stamp);
        }
        let send = match self.nbls.known.get(&held.nbl).map(|known| &known.origin) {
            Some(Origin::Above(send)) => Some(*send),
            _ => held.parent,
        };
        if let Some(sent) = send.and_then(|send| self.sends.sent.get_mut(&send))
            && held.is_first
        {
            sent.timestamp = Some(stamp);
        }
    }

    /// Checks that the packet is still as it was sent: its MDLs and its bytes.
    ///
    /// # Safety
    /// `nbl` is a live NBL, restored to its original contents.
    unsafe fn check_unchanged(&mut self, nbl: *mut sys::NET_BUFFER_LIST, held: &Held, name: &str) {
        // SAFETY: as the caller vouches.
        let mut net_buffer = unsafe { (*nbl).FirstNetBuffer };
        for frame in &held.frames {
            // SAFETY: the NBL's NET_BUFFERs are live.
            let now = unsafe { mdl::read(self, net_buffer, frame.bytes.len()) };
            let same = now.is_ok_and(|read| {
                let looks = read.windows.iter().all(|window| {
                    // SAFETY: read just before.
                    let look = unsafe { MdlLook::of(window.mdl) };
                    held.mdls.contains(&(window.mdl.addr(), look))
                });
                looks && read.bytes == frame.bytes && read.length == frame.length
            });
            if !same {
                let found = "its packet changed while the miniport has it";
                self.violation(Rule::OneOwner, name, found);
            }
            // SAFETY: as above.
            net_buffer = unsafe { (*net_buffer).Next };
        }
    }
}

impl Seen {
    /// Bytes of payload of a large send. A frame that is in no tunnel is not encapsulated, whatever
    /// its slot says: as in the sender's description.
    fn payload(&self, marked: bool) -> usize {
        let tunnelled = marked && tunnel(&self.bytes).is_some();
        cut_layout(&self.bytes, tunnelled).map_or(0, |layout| self.length - layout.payload)
    }
}

/// Brings the held NBLs into the order of completion.
pub(crate) fn reorder(held: &mut [Held], order: Order) {
    match order {
        Order::Sent => {}
        Order::Reversed => held.reverse(),
        Order::Shuffled(seed) => shuffle(held, seed),
    }
}

/// Fisher and Yates with a small generator: the model needs no more randomness than that.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed | 1;
    for last in (1..items.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        items.swap(last, (state % (last as u64 + 1)) as usize);
    }
}

/// The part of an NBL that drivers see, as bytes.
///
/// # Safety
/// `nbl` is a live NBL.
unsafe fn visible_bytes(nbl: *const sys::NET_BUFFER_LIST) -> Vec<u8> {
    // SAFETY: as the caller vouches; the memory was zeroed when it was allocated.
    unsafe { std::slice::from_raw_parts(nbl.cast::<u8>(), size_of::<sys::NET_BUFFER_LIST>()) }
        .to_vec()
}

/// Puts the NBL aside, and leaves invalid pointers in its place, so that a read of an NBL without
/// ownership yields nothing usable, and a write to it is detected.
///
/// # Safety
/// `nbl` is a live NBL.
pub(super) unsafe fn poison(nbl: *mut sys::NET_BUFFER_LIST, held: &mut Held) {
    const _: () = assert!(offset_of!(sys::NET_BUFFER_LIST, Next) == 0);
    // SAFETY: as the caller vouches.
    unsafe {
        ptr::copy_nonoverlapping(nbl, held.saved.start().cast(), 1);
        (*nbl).Next = ptr::without_provenance_mut(POISON);
        (*nbl).FirstNetBuffer = ptr::without_provenance_mut(POISON);
        (*nbl).ParentNetBufferList = ptr::without_provenance_mut(POISON);
        (*nbl).Context = ptr::without_provenance_mut(POISON);
        (*nbl).SourceHandle = ptr::without_provenance_mut(POISON);
        (*nbl).ChildRefCount = POISON as i32;
        held.poisoned = visible_bytes(nbl);
    }
}
