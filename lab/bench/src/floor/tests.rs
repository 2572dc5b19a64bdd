//! The floor does the filter's work: the same packets go down, with the same out-of-band data.

use std::slice;

use ndis::sys;

use super::Floor;
use crate::{
    cases::{CASES, Case},
    module::{self, Handlers, Module},
    ndis::{take_completed, take_sent},
    packets::Batch,
};

/// An NBL as a miniport sees it.
#[derive(PartialEq, Debug)]
struct Sent {
    /// The bytes in the first MDL.
    header: Vec<u8>,
    /// The others: address and length in each MDL.
    payload: Vec<(usize, u32)>,
    /// The chain goes on after the packet.
    goes_on: bool,
    slots: [*mut std::ffi::c_void; sys::MaxNetBufferListInfo],
    flags: u32,
}

/// # Safety
/// `nbl` is alive, and so is its packet.
unsafe fn read(nbl: *const sys::NET_BUFFER_LIST) -> Sent {
    // SAFETY: the NBL is alive, by this function's contract; every MDL is mapped.
    unsafe {
        let packet = (*nbl).FirstNetBuffer;
        let (mut mdl, mut offset) = ((*packet).CurrentMdl, (*packet).CurrentMdlOffset);
        let mut left = (*packet).DataLength;
        let mut parts = Vec::new();
        while left > 0 {
            let length = left.min((*mdl).ByteCount - offset);
            let start = (*mdl).MappedSystemVa.cast::<u8>().add(offset as usize);
            parts.push((start, length));
            (mdl, offset, left) = ((*mdl).Next, 0, left - length);
        }
        let (start, length) = parts.remove(0);
        Sent {
            header: slice::from_raw_parts(start, length as usize).to_vec(),
            payload: parts
                .iter()
                .map(|(start, length)| (start.addr(), *length))
                .collect(),
            goes_on: !mdl.is_null(),
            slots: (*nbl).NetBufferListInfo,
            flags: (*nbl).NblFlags,
        }
    }
}

/// All that goes down when `filter` gets the batch.
fn sent_by(filter: &Handlers, batch: &mut Batch) -> Vec<Sent> {
    let mut all = Vec::new();
    // SAFETY: the batch is complete and belongs to this function; what was sent is completed after
    // it was read.
    unsafe {
        filter.send(batch.chain());
        let sent = take_sent();
        let mut next = sent.cast_const();
        while !next.is_null() {
            all.push(read(next));
            next = (*next).Next;
        }
        filter.complete(sent);
    }
    assert!(batch.is_completed(take_completed()));
    all
}

fn supported() -> impl Iterator<Item = &'static Case> {
    CASES.iter().filter(|case| Floor::supports(case))
}

#[test]
fn the_floor_sends_what_the_filter_sends() {
    module::load().expect("the driver loads");
    assert!(supported().count() > 10);
    for case in supported() {
        let module = Module::start(case).expect("a module");
        let floor = Floor::start(case).expect("a floor");
        let mut batch = Batch::new(case);
        // Twice: children are new at first, and used ones then.
        for _ in 0..2 {
            let sent = sent_by(module.handlers(), &mut batch);
            assert!(sent.len() >= case.batch);
            assert_eq!(sent_by(floor.handlers(), &mut batch), sent, "{}", case.name);
        }
    }
}
