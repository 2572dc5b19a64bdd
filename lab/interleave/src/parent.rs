//! Large sends of the overlying driver, and their completions.

use std::{ffi::c_void, mem::zeroed, ptr};

use ndis::{
    LargeSendInfo,
    sys::{self, NET_BUFFER_LIST},
};

use crate::world;

/// IPv4 and TCP behind Ethernet, as a stack hands them down for LSOv2.
const HEADER: [u8; 54] = [
    0x00, 0x15, 0x5d, 0x01, 0x02, 0x03, 0x00, 0x15, 0x5d, 0x0a, 0x0b, 0x0c, 0x08,
    0x00, // Ethernet
    0x45, 0x00, 0x00, 0x00, 0x1c, 0x46, 0x40, 0x00, 0x40, 0x06, 0x00, 0x00, // IPv4
    0x0a, 0x00, 0x00, 0x02, 0x0a, 0x00, 0x00, 0x01, // 10.0.0.2 to 10.0.0.1
    0xc3, 0x50, 0x14, 0x51, 0xff, 0xff, 0xf0, 0x00, 0x22, 0x33, 0x44, 0x55, // TCP
    0x50, 0x18, 0x01, 0xf6, 0x14, 0x09, 0x00, 0x00,
];
/// Where TCP begins in it.
const TRANSPORT: u32 = 34;

/// Bytes of payload in each segment.
pub(crate) const MSS: u32 = 1000;

/// Identifies a large send of a case.
pub type ParentId = usize;

/// Pinned: the NBL points to the rest.
struct Parent {
    nbl: NET_BUFFER_LIST,
    packet: sys::NET_BUFFER,
    mdls: [sys::MDL; 2],
    header: [u8; HEADER.len()],
    payload: Vec<u8>,
    completed: Option<sys::NDIS_STATUS>,
}

/// All of a case.
#[derive(Default)]
pub(crate) struct Parents(Vec<*mut Parent>);

/// The value that the overlying driver writes to a completed NBL, which it owns again.
const TAKEN_BACK: i32 = 0x7AB7;

/// The same, in the place where the filter counts children.
fn taken_back() -> *mut c_void {
    ptr::without_provenance_mut(TAKEN_BACK as usize)
}

impl Parents {
    /// A large send with so many bytes of payload.
    pub(crate) fn add(&mut self, payload: u32) -> (ParentId, *mut NET_BUFFER_LIST) {
        // SAFETY: numbers and raw pointers may all be zero.
        let (nbl, packet, mdls) = unsafe { (zeroed(), zeroed(), zeroed()) };
        let parent = Box::into_raw(Box::new(Parent {
            nbl,
            packet,
            mdls,
            header: HEADER,
            payload: vec![0xA5; payload as usize],
            completed: None,
        }));
        // SAFETY: the parent is new, and stays where it is until the case ends.
        unsafe {
            let (nbl, packet) = (&raw mut (*parent).nbl, &raw mut (*parent).packet);
            let mdls = (&raw mut (*parent).mdls).cast::<sys::MDL>();
            describe(mdls, (&raw mut (*parent).header).cast(), HEADER.len());
            let bytes = &mut (*parent).payload;
            describe(mdls.add(1), bytes.as_mut_ptr(), bytes.len());
            (*mdls).Next = mdls.add(1);
            (*packet).CurrentMdl = mdls;
            (*packet).MdlChain = mdls;
            (*packet).DataLength = HEADER.len() as u32 + payload;
            (*nbl).FirstNetBuffer = packet;
            (&mut (*nbl).NetBufferListInfo)[sys::TcpLargeSendNetBufferListInfo] =
                ptr::without_provenance_mut(LargeSendInfo::v2(MSS, TRANSPORT, false).to_raw());
            self.0.push(parent);
            (self.0.len() - 1, nbl)
        }
    }

    /// Completes `nbl` to the overlying driver.
    ///
    /// # Errors
    /// A description of the fault in the completion.
    ///
    /// # Safety
    /// `nbl` is alive and belongs to the overlying driver from now on.
    pub(crate) unsafe fn complete(&mut self, nbl: *mut NET_BUFFER_LIST) -> Result<(), String> {
        // SAFETY: parents live until the case ends.
        let found = |parent: &&*mut Parent| unsafe { ptr::eq(&raw const (***parent).nbl, nbl) };
        let Some(parent) = self.0.iter().find(found).copied() else {
            return Err("the overlying driver gets an NBL that it did not send".into());
        };
        // SAFETY: as above, and the overlying driver owns it.
        unsafe {
            let status = (*nbl).Status;
            if let Some(before) = (*parent).completed.replace(status) {
                return Err(format!("completed twice: {before:#x}, {status:#x}"));
            }
            let left = (*nbl).Scratch.addr();
            ((*nbl).Status, (*nbl).Scratch) = (TAKEN_BACK, taken_back());
            match left {
                0 => Ok(()),
                left => Err(format!("completed with {left} children to come")),
            }
        }
    }

    pub(crate) fn completed(&self, id: ParentId) -> Option<sys::NDIS_STATUS> {
        let parent = *self.0.get(id)?;
        // SAFETY: as above.
        unsafe { (*parent).completed }
    }

    /// Ends the case: checks that all sends were completed, and not touched from then on.
    pub(crate) fn finish(&mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (id, parent) in self.0.drain(..).enumerate() {
            // SAFETY: of `add`, and used no more.
            let parent = unsafe { Box::from_raw(parent) };
            match parent.completed {
                None => wrong.push(format!("send {id} is never completed")),
                Some(_)
                    if (parent.nbl.Status, parent.nbl.Scratch) != (TAKEN_BACK, taken_back()) =>
                {
                    wrong.push(format!("send {id} is touched after it was completed"));
                }
                Some(_) => {}
            }
        }
        wrong
    }
}

/// Makes `mdl` one of non-paged memory.
///
/// # Safety
/// `mdl` is a place for an MDL.
unsafe fn describe(mdl: *mut sys::MDL, start: *mut u8, length: usize) {
    let offset = start.addr() % sys::PAGE_SIZE as usize;
    // SAFETY: as the caller vouches.
    unsafe {
        (*mdl).MdlFlags = sys::MDL_SOURCE_IS_NONPAGED_POOL;
        (*mdl).StartVa = start.wrapping_sub(offset).cast();
        (*mdl).ByteOffset = offset as u32;
        (*mdl).ByteCount = length as u32;
        (*mdl).MappedSystemVa = start.cast();
    }
}

/// The NBLs of a chain, one by one.
///
/// # Safety
/// The chain belongs to the caller.
pub(crate) unsafe fn take_apart(mut chain: *mut NET_BUFFER_LIST) -> Vec<*mut NET_BUFFER_LIST> {
    let mut all = Vec::new();
    while !chain.is_null() {
        if all.contains(&chain) {
            world::wrong("a chain is a ring");
            break;
        }
        all.push(chain);
        // SAFETY: as the caller vouches.
        unsafe {
            let next = (*chain).Next;
            (*chain).Next = ptr::null_mut();
            chain = next;
        }
    }
    all
}

/// Bytes of payload that `nbl` has, a child or a parent.
///
/// # Safety
/// `nbl` is the caller's.
pub(crate) unsafe fn payload(nbl: *mut NET_BUFFER_LIST) -> u32 {
    // SAFETY: as the caller vouches.
    unsafe { (*(*nbl).FirstNetBuffer).DataLength - HEADER.len() as u32 }
}
