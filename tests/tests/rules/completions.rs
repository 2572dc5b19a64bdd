//! Rules 4 to 6 and 14 to 16: the state of a parent when it is completed.

use std::ptr;

use model::{Backing, Nic, Packet, Rule, Tamper};
use ndis::sys;
use scenarios::{
    Machine,
    packets::{MSS, large_v4},
    tampering::nbls,
};

use crate::{
    Found, Nbl, Run, assert_breaks, assert_tampering_breaks, deferring, on_complete, once, packet,
};

/// Breaks `rule` by a change to the parent on its way up.
#[track_caller]
fn assert_breaks_with(rule: Rule, change: impl FnMut(Nbl) + Clone + Send + 'static) {
    assert_tampering_breaks(rule, "large send 0", on_complete(change));
}

#[test]
fn a_parents_length_stays() {
    assert_breaks_with(Rule::ParentIntact, |nbl| {
        // SAFETY: the parent is on its way up.
        unsafe { (*packet(nbl)).DataLength -= 1 };
    });
}

#[test]
fn a_parents_out_of_band_information_stays() {
    assert_breaks_with(Rule::OutOfBand, |nbl| {
        // SAFETY: the parent is on its way up.
        unsafe {
            (*nbl).NetBufferListInfo[sys::NetBufferListHashValue] = ptr::without_provenance_mut(7);
        };
    });
    assert_breaks_with(Rule::OutOfBand, |nbl| {
        // SAFETY: the parent is on its way up.
        unsafe { (*nbl).NblFlags ^= sys::NDIS_NBL_FLAGS_IS_TCP };
    });
}

#[test]
fn a_parents_offset_stays() {
    assert_breaks_with(Rule::ParentIntact, |nbl| {
        // SAFETY: the parent is on its way up.
        unsafe { (*packet(nbl)).CurrentMdlOffset += 1 };
    });
}

#[test]
fn a_parents_mdls_stay() {
    assert_breaks_with(Rule::ParentIntact, |nbl| {
        // SAFETY: the parent is on its way up.
        unsafe { (*(*packet(nbl)).MdlChain).ByteCount -= 1 };
    });
}

#[test]
fn a_parents_chain_stays_linked_as_it_was() {
    assert_breaks(Rule::ParentIntact, "large send 0", |run| {
        let machine = crate::machine();
        if run == Run::Wrong {
            once(
                &machine,
                // SAFETY: the parent is on its way up.
                on_complete(|nbl| unsafe { (*(*packet(nbl)).MdlChain).Next = ptr::null_mut() }),
            );
        }
        machine.send_one(large_v4(20_000).in_buffers(4096));
        machine.stop()
    });
}

#[test]
fn a_parents_payload_stays() {
    assert_breaks_with(Rule::ParentIntact, |nbl| {
        // SAFETY: the parent is on its way up; its buffer is non-paged and longer than that.
        unsafe {
            let bytes = (*(*packet(nbl)).MdlChain).MappedSystemVa.cast::<u8>();
            *bytes.add(10_000) ^= 1;
        }
    });
}

#[test]
fn a_parents_headers_stay() {
    assert_breaks_with(Rule::ParentIntact, |nbl| {
        // SAFETY: as above.
        unsafe { *(*(*packet(nbl)).MdlChain).MappedSystemVa.cast::<u8>() ^= 1 };
    });
}

/// A parent of which two children fail, with `status` put over its own.
#[track_caller]
fn assert_status_is_wrong(status: i32) {
    assert_breaks(Rule::FirstFailure, "large send 0", |run| {
        let mut nic = Nic::new(3 * MSS, 2);
        nic.failing = vec![
            (1, sys::NDIS_STATUS_FAILURE),
            (3, sys::NDIS_STATUS_INVALID_DATA),
        ];
        let machine = Machine::with_nic(nic);
        if run == Run::Wrong {
            once(
                &machine,
                // SAFETY: the parent is on its way up.
                on_complete(move |nbl| unsafe { (*nbl).Status = status }),
            );
        }
        crate::send_five_children(&machine);
        machine.stop()
    });
}

#[test]
fn a_failure_is_not_hidden() {
    assert_status_is_wrong(sys::NDIS_STATUS_SUCCESS);
}

#[test]
fn the_second_failure_is_not_the_parents() {
    assert_status_is_wrong(sys::NDIS_STATUS_INVALID_DATA);
}

#[test]
fn a_success_is_not_made_a_failure() {
    assert_breaks_with(Rule::FirstFailure, |nbl| {
        // SAFETY: the parent is on its way up.
        unsafe { (*nbl).Status = sys::NDIS_STATUS_FAILURE };
    });
}

#[test]
fn the_slot_matches_the_completion_status() {
    for wrong in [0, 1448 | 34 << 20 | 1 << 30] {
        assert_breaks_with(Rule::TransmitComplete, move |nbl| {
            let slot = sys::TcpLargeSendNetBufferListInfo;
            // SAFETY: the parent is on its way up.
            unsafe { (*nbl).NetBufferListInfo[slot] = ptr::without_provenance_mut(wrong) };
        });
    }
}

#[test]
fn a_parents_source_handle_stays() {
    assert_breaks_with(Rule::SourceHandle, |nbl| {
        // SAFETY: the parent is on its way up.
        unsafe { (*nbl).SourceHandle = ptr::null_mut() };
    });
}

#[test]
fn a_parents_child_count_stays() {
    for count in [1, -1, 2] {
        assert_breaks_with(Rule::Clones, move |nbl| {
            // SAFETY: the parent is on its way up.
            unsafe { (*nbl).ChildRefCount = count };
        });
    }
}

#[test]
fn a_partial_mdl_over_a_parents_pages_is_unmapped_before_the_parent_goes() {
    assert_breaks(Rule::Mappings, "large send 0", |run| {
        let machine = deferring();
        let partial = Found::default();
        let place = partial.clone();
        machine.world.tamper(move |tamper| {
            if let Tamper::Send(chain) = tamper {
                // SAFETY: a child on its way down: its payload's first MDL is its partial one.
                unsafe { place.set((*(*packet(nbls(*chain)[2])).MdlChain).Next) };
            }
        });
        machine.send_one(Packet {
            backing: Backing::LockedPages,
            ..large_v4(5 * 3 * MSS).in_buffers(64 << 10)
        });
        if run == Run::Wrong {
            let partial = partial.get::<sys::MDL>();
            // As a driver that does not prepare the MDL for reuse.
            // SAFETY: the MDL lives in the child's context area.
            unsafe { (*partial).MdlFlags &= !sys::MDL_PARTIAL_HAS_BEEN_MAPPED };
        }
        machine.deliver_all();
        machine.stop()
    });
}
