//! Rules 8 to 13, 17 and 18: the packets that the NIC gets.

use std::ptr;

use model::{Nic, Rule, Tamper};
use ndis::sys;
use scenarios::{
    Machine,
    packets::{CARRIED, MSS, large_v4},
    tampering::nbls,
};

use crate::{
    Nbl, Run, assert_breaks, assert_tampering_breaks, header, machine, on_send, packet,
    send_five_children, set_slot,
};

/// Where fields are in the header of a child: Ethernet, IPv4, TCP.
const IP_ID: usize = 14 + 4;
const TCP_SEQUENCE: usize = 34 + 4;
const TCP_FLAGS: usize = 34 + 13;
const TCP_CHECKSUM: usize = 34 + 16;

/// Breaks `rule` for a child by a change to the children on their way down.
#[track_caller]
fn assert_breaks_with(rule: Rule, change: impl FnMut(&[Nbl]) + Clone + Send + 'static) {
    assert_tampering_breaks(rule, "child NBL", on_send(change));
}

#[test]
fn a_child_above_the_nics_maximum_is_noticed() {
    assert_breaks(Rule::Limit, "child NBL", |run| {
        let machine = machine();
        if run == Run::Wrong {
            // The NIC does not indicate it to the filter.
            machine
                .world
                .set_nic(|nic| nic.limits = Nic::new(3 * MSS - 1, 2).limits);
        }
        send_five_children(&machine);
        machine.stop()
    });
}

#[test]
fn a_child_of_too_few_segments_is_noticed() {
    assert_breaks_with(Rule::Limit, |nbls| {
        // SAFETY: the children are on their way down.
        unsafe { (*packet(nbls[4])).DataLength -= 2 * MSS };
    });
}

#[test]
fn a_child_in_the_middle_that_ends_within_a_segment_is_noticed() {
    assert_breaks_with(Rule::MssMultiple, |nbls| {
        // SAFETY: the children are on their way down.
        unsafe { (*packet(nbls[3])).DataLength -= 1 };
    });
}

/// Breaks the wire by a change to a child's header.
#[track_caller]
fn assert_wire_breaks(at: usize) {
    let change = on_send(move |nbls| {
        // SAFETY: the children are on their way down, their headers longer than that.
        unsafe { *header(nbls[1]).add(at) ^= 1 };
    });
    assert_tampering_breaks(Rule::Wire, "large send 0", change);
}

#[test]
fn another_sequence_number_shows_on_the_wire() {
    assert_wire_breaks(TCP_SEQUENCE + 3);
}

#[test]
fn another_identification_shows_on_the_wire() {
    assert_wire_breaks(IP_ID + 1);
}

#[test]
fn another_checksum_seed_shows_on_the_wire() {
    assert_wire_breaks(TCP_CHECKSUM);
}

#[test]
fn a_flag_too_many_shows_on_the_wire() {
    assert_wire_breaks(TCP_FLAGS);
}

#[test]
fn a_segment_that_is_missing_shows_on_the_wire() {
    let first_only = on_send(|nbls| {
        // SAFETY: the children are on their way down; the shortest is two segments.
        unsafe { (*packet(nbls[4])).DataLength -= MSS };
    });
    assert_tampering_breaks(Rule::Wire, "large send 0", first_only);
}

#[test]
fn offsets_that_contradict_each_other_are_noticed() {
    assert_breaks_with(Rule::Headers, |nbls| {
        // SAFETY: the children are on their way down.
        unsafe { (*packet(nbls[0])).DataOffset += 1 };
    });
}

#[test]
fn headers_in_two_mdls_are_noticed() {
    assert_breaks_with(Rule::Headers, |nbls| {
        // SAFETY: the children are on their way down; the header MDL is theirs.
        unsafe {
            (*(*packet(nbls[0])).MdlChain).ByteCount -= 4;
            (*packet(nbls[0])).DataLength -= 4;
        }
    });
}

#[test]
fn a_slot_that_names_another_tcp_offset_is_noticed() {
    assert_breaks_with(Rule::Headers, |nbls| {
        set_slot(nbls[0], sys::TcpLargeSendNetBufferListInfo, |slot| {
            slot + (1 << 20)
        })
    });
}

#[test]
fn a_packet_longer_than_its_chain_is_noticed() {
    assert_breaks_with(Rule::Chain, |nbls| {
        // SAFETY: the children are on their way down.
        unsafe { (*packet(nbls[4])).DataLength += 100_000 };
    });
}

#[test]
fn an_mdl_in_two_packets_is_noticed() {
    assert_breaks_with(Rule::Chain, |nbls| {
        // SAFETY: the children are on their way down; each set-up rewrites these fields.
        unsafe {
            let (of, to) = (packet(nbls[0]), packet(nbls[1]));
            (*to).MdlChain = (*of).MdlChain;
            (*to).CurrentMdl = (*of).CurrentMdl;
        }
    });
}

#[test]
fn page_frame_numbers_that_do_not_fit_are_noticed() {
    let change = on_send(|nbls| {
        // SAFETY: the children are on their way down; the number is one of the MDL's own.
        unsafe { *(*packet(nbls[0])).MdlChain.add(1).cast::<usize>() += 1 };
    });
    assert_tampering_breaks(Rule::PartialMdl, "MDL at 0x", change);
}

#[test]
fn a_slot_that_differs_from_the_parents_is_noticed() {
    let offloads = [
        sys::TcpIpChecksumNetBufferListInfo,
        sys::TcpLargeSendNetBufferListInfo,
        sys::TcpSendOffloadsSupplementalNetBufferListInfo,
    ];
    for slot in CARRIED.into_iter().chain(offloads) {
        assert_breaks_with(Rule::OutOfBand, move |nbls| {
            set_slot(nbls[1], slot, |value| value ^ 0x1000);
        });
    }
}

#[test]
fn an_object_of_wfps_that_two_children_have_is_noticed() {
    assert_breaks_with(Rule::OutOfBand, |nbls| {
        for nbl in &nbls[..2] {
            set_slot(*nbl, sys::WfpNetBufferListInfo, |_| 0x7A6);
        }
    });
}

#[test]
fn flags_that_differ_from_the_parents_are_noticed() {
    assert_breaks_with(Rule::OutOfBand, |nbls| {
        // SAFETY: the children are on their way down.
        unsafe { (*nbls[1]).NblFlags ^= sys::NDIS_NBL_FLAGS_IS_TCP };
    });
}

#[test]
fn a_second_child_that_asks_for_a_timestamp_is_noticed() {
    assert_breaks_with(Rule::OutOfBand, |nbls| {
        // SAFETY: the children are on their way down.
        unsafe { (*nbls[1]).NblFlags |= sys::NDIS_NBL_FLAGS_CAPTURE_TIMESTAMP_ON_TRANSMIT };
    });
}

#[test]
fn children_in_another_order_are_noticed() {
    assert_tampering_breaks(Rule::Order, "child NBL", |tamper| match tamper {
        Tamper::Complete(_) => false,
        Tamper::Send(chain) => {
            *chain = reversed(*chain);
            true
        }
    });
}

#[test]
fn sends_of_a_flow_in_another_order_are_noticed() {
    assert_breaks(Rule::Order, "large send 0", |run| {
        let machine = Machine::with_nic(Nic::default());
        if run == Run::Wrong {
            machine.world.tamper(|tamper| {
                if let Tamper::Send(chain) = tamper {
                    *chain = reversed(*chain);
                }
            });
        }
        machine.send(vec![large_v4(9_000), large_v4(9_000)]);
        machine.stop()
    });
}

/// The chain the other way round.
pub(crate) fn reversed(chain: Nbl) -> Nbl {
    let mut head: Nbl = ptr::null_mut();
    for nbl in nbls(chain) {
        // SAFETY: the chain is on its way down.
        unsafe { (*nbl).Next = head };
        head = nbl;
    }
    head
}
