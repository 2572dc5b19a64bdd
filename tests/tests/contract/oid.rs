//! Rule 30: OID requests.

use std::sync::Arc;

use model::{Answering, Nic, OidCall, OidHeader, Rule, World};
use ndis::sys;
use scenarios::{assert_clean, memory_fault::in_both_ways};

use crate::{
    assert_breaks, assert_breaks_with,
    pass_through::{MULTIPLE, fault},
    start,
};

/// An OID of the NIC's whose answer no filter rewrites.
const OTHER: u32 = sys::OID_GEN_STATISTICS;

fn nic(oids: Answering) -> Nic {
    Nic {
        oids,
        answers: vec![(OTHER, vec![1, 2, 3, 4])],
        ..Nic::new(60_000, 2)
    }
}

const EVERY_TIME: [Answering; 3] = [Answering::Inline, Answering::Early, Answering::Later];

fn ask(world: &Arc<World>) {
    world.oid(OidCall::query(OTHER, 16));
}

/// A request breaks rule 30 with `FAULT`, whenever the miniport answers.
#[track_caller]
fn assert_asking_breaks<const FAULT: u8>(found: &str) {
    for answering in EVERY_TIME {
        assert_breaks_with::<FAULT>(&nic(answering), Rule::Oid, found, ask);
    }
}

fn ask_without_header(world: &Arc<World>) {
    for header in &OidHeader::ALL[1..] {
        world.oid(OidCall {
            header: *header,
            ..OidCall::query(OTHER, 16)
        });
    }
}

#[test]
fn a_clone_of_a_request_without_a_valid_header_is_noticed() {
    let found = "without a valid header: bug check 0x7C, 0x21";
    assert_breaks::<{ fault::CLONED_UNSEEN }>(Rule::Oid, found, ask_without_header);
}

#[test]
fn a_header_that_is_not_put_back_is_noticed() {
    let found = "came back with more than its byte counts changed";
    assert_breaks::<{ fault::HEADER_KEPT }>(Rule::Oid, found, ask_without_header);
}

#[test]
fn a_clone_that_is_never_freed_is_noticed() {
    assert_asking_breaks::<{ fault::CLONE_LEFT }>("its clone was never freed");
}

#[test]
fn a_clone_that_is_freed_after_its_original_completed_is_noticed() {
    assert_asking_breaks::<{ fault::CLONE_FREED_LATE }>("completed before its clone was freed");
}

#[test]
fn a_clone_without_the_request_id_is_noticed() {
    assert_asking_breaks::<{ fault::NO_REQUEST_ID }>("a clone with RequestId 0x0");
}

#[test]
fn byte_counts_that_are_not_copied_are_noticed() {
    assert_asking_breaks::<{ fault::NO_COUNTS }>("bytes written, read and needed");
}

#[test]
fn a_revision_that_is_not_copied_is_noticed() {
    assert_asking_breaks::<{ fault::NO_REVISION }>("without the miniport's SupportedRevision");
}

#[test]
fn byte_counts_of_a_request_that_never_went_down_are_looked_at() {
    let found = "never went down, and says how many bytes were done";
    assert_breaks::<{ fault::NO_COUNTS }>(Rule::Oid, found, |world| {
        let asked = world.fail_allocations(model::Failing::None);
        world.fail_allocations(model::Failing::Nth(asked));
        ask(world);
    });
}

#[test]
fn a_second_completion_is_noticed() {
    assert_asking_breaks::<{ fault::OID_TWICE }>("is not under way");
}

#[test]
fn an_answer_after_the_completion_is_noticed() {
    let nic = nic(Answering::Inline);
    assert_breaks_with::<{ fault::OID_ANSWERED_TOO }>(&nic, Rule::Oid, "and then answered", ask);
}

#[test]
fn an_original_that_goes_down_is_noticed() {
    assert_asking_breaks::<{ fault::OID_ORIGINAL_DOWN }>("the original itself");
}

#[test]
fn two_clones_at_a_time_are_noticed() {
    let nic = nic(Answering::Later);
    assert_breaks_with::<{ fault::OID_TWO }>(&nic, Rule::Oid, "a second request at a time", ask);
}

#[test]
fn an_original_that_is_written_to_is_noticed() {
    assert_asking_breaks::<{ fault::OID_WRITES }>("more than its byte counts changed");
}

#[test]
fn another_status_is_noticed() {
    assert_asking_breaks::<{ fault::OID_STATUS }>("the miniport has 0x0");
}

#[test]
fn an_answer_that_is_changed_is_noticed() {
    assert_asking_breaks::<{ fault::OID_ANSWER }>("the answer changed on its way");
}

#[test]
fn a_request_that_is_never_completed_is_noticed() {
    assert_asking_breaks::<{ fault::OID_NEVER }>("was never completed");
}

#[test]
fn a_request_that_is_written_to_after_its_completion_is_noticed() {
    in_both_ways(|| {
        assert_asking_breaks::<{ fault::OID_TOUCHES_AFTER }>("touched after it was completed");
    });
}

#[test]
fn a_clone_that_is_written_to_below_is_noticed() {
    let (nic, found) = (nic(Answering::Later), "touched while the miniport has it");
    assert_breaks_with::<{ fault::OID_TOUCHES_BELOW }>(&nic, Rule::Oid, found, ask);
}

#[test]
fn a_clone_that_is_freed_below_is_noticed() {
    let (nic, found) = (nic(Answering::Later), "freed while the miniport has it");
    assert_breaks_with::<{ fault::OID_FREES_BELOW }>(&nic, Rule::Oid, found, ask);
}

#[test]
fn a_request_from_detach_is_noticed() {
    let found = "sent while Detaching";
    assert_breaks::<{ fault::OID_WHILE_DETACHING }>(Rule::Oid, found, |_| {});
}

#[test]
fn an_allocation_that_fails_costs_the_request_alone() {
    let world = start::<{ fault::NONE }>(model::Config::default());
    let asked = world.fail_allocations(model::Failing::None);
    world.fail_allocations(model::Failing::Nth(asked));
    let result = world.oid(OidCall::query(OTHER, 16));
    assert_eq!(result.status, sys::NDIS_STATUS_RESOURCES);
    assert_clean(&world.stop());
}

/// A machine with the driver as it should be.
fn machine(answering: Answering) -> Arc<World> {
    start::<{ fault::NONE }>(model::Config::with_nic(nic(answering)))
}

#[test]
fn the_nic_answers_through_the_filter_whether_it_runs_or_not() {
    for answering in EVERY_TIME {
        let world = machine(answering);
        for _ in 0..2 {
            let result = world.oid(OidCall::query(OTHER, 16));
            assert_eq!((result.status, result.bytes), (0, vec![1, 2, 3, 4]));
            world.pause();
        }
        world.restart().expect("runs again");
        assert_clean(&world.stop());
    }
}

#[test]
fn answers_have_the_bytes_read_written_and_needed() {
    let world = machine(Answering::Later);
    let short = world.oid(OidCall::query(OTHER, 3));
    assert_eq!(short.status, sys::NDIS_STATUS_BUFFER_TOO_SHORT);
    assert_eq!((short.written, short.needed), (0, 4));

    let set = world.oid(OidCall::set(OTHER, vec![9; 5]));
    assert_eq!((set.status, set.read), (0, 5));

    let method = world.oid(OidCall::method(OTHER, 1, vec![9; 2], 8));
    assert_eq!((method.written, method.read, method.needed), (4, 2, 0));
    assert_eq!(method.bytes, [1, 2, 3, 4]);

    let unknown = world.oid(OidCall::query(sys::OID_GEN_LINK_SPEED, 4));
    assert_eq!(unknown.status, sys::NDIS_STATUS_NOT_SUPPORTED);
    assert_clean(&world.stop());
}

#[test]
fn requests_go_down_one_at_a_time_and_in_order() {
    let world = machine(Answering::Later);
    let first = world.start_oid(OidCall::query(OTHER, 16));
    let second = world.start_oid(OidCall::set(OTHER, vec![1]));
    assert_eq!(world.oid_result(first).status, sys::NDIS_STATUS_PENDING);
    assert_eq!(world.complete_oids(), 2);
    assert_eq!(world.oid_result(first).written, 4);
    assert_eq!(world.oid_result(second).read, 1);
    assert_clean(&world.stop());
}

#[test]
fn a_canceled_request_comes_back_aborted() {
    let world = machine(Answering::Later);
    let below = world.start_oid(OidCall::query(OTHER, 16));
    let waits = world.start_oid(OidCall::query(OTHER, 16));
    let next = world.start_oid(OidCall::query(OTHER, 16));
    world.cancel_oid(waits);
    world.cancel_oid(below);
    for canceled in [below, waits] {
        let status = world.oid_result(canceled).status;
        assert_eq!(status, sys::NDIS_STATUS_REQUEST_ABORTED);
    }
    world.complete_oids();
    assert_eq!(world.oid_result(next).status, 0);
    world.cancel_oid(next);
    assert_clean(&world.stop());
}

#[test]
fn without_a_filter_the_nic_answers_itself() {
    for answering in EVERY_TIME {
        let world = World::new(model::Config::with_nic(nic(answering)));
        assert_eq!(world.oid(OidCall::query(OTHER, 16)).bytes, [1, 2, 3, 4]);
        assert_clean(&world.finish());
    }
}

/// OID_TCP_OFFLOAD_PARAMETERS with these values for LsoV2IPv4 and LsoV2IPv6.
fn parameters(ipv4: u8, ipv6: u8) -> OidCall {
    let mut bytes = vec![0; sys::NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_1.into()];
    bytes[0] = sys::NDIS_OBJECT_TYPE_DEFAULT;
    bytes[1] = sys::NDIS_OFFLOAD_PARAMETERS_REVISION_1;
    bytes[2] = bytes.len() as u8;
    bytes[std::mem::offset_of!(sys::NDIS_OFFLOAD_PARAMETERS, LsoV2IPv4)] = ipv4;
    bytes[std::mem::offset_of!(sys::NDIS_OFFLOAD_PARAMETERS, LsoV2IPv6)] = ipv6;
    OidCall::set(sys::OID_TCP_OFFLOAD_PARAMETERS, bytes)
}

#[test]
fn large_sends_are_turned_off_and_on_by_family() {
    for answering in EVERY_TIME {
        let world = machine(answering);
        let off = sys::NDIS_OFFLOAD_PARAMETERS_LSOV2_DISABLED;
        let result = world.oid(parameters(off, 0));
        assert_eq!(result.status, 0);
        assert_eq!(world.advertised().v2_ipv4.max_payload, 0);
        assert_eq!(world.advertised().v2_ipv6.max_payload, MULTIPLE * 60_000);

        let on = sys::NDIS_OFFLOAD_PARAMETERS_LSOV2_ENABLED;
        world.oid(parameters(on, 0));
        assert_eq!(world.advertised().v2_ipv4.max_payload, MULTIPLE * 60_000);
        assert_clean(&world.stop());
    }
}

#[test]
fn current_configuration_and_hardware_capabilities_differ_by_what_is_off() {
    let world = machine(Answering::Inline);
    world.oid(parameters(sys::NDIS_OFFLOAD_PARAMETERS_LSOV2_DISABLED, 0));
    let max = |oid| {
        let bytes = world.oid(OidCall::query(oid, 512)).bytes;
        let at = std::mem::offset_of!(sys::NDIS_OFFLOAD, LsoV2.IPv4) + 4;
        u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
    };
    assert_eq!(max(sys::OID_TCP_OFFLOAD_CURRENT_CONFIG), 0);
    assert_eq!(max(sys::OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES), 60_000);
    assert_clean(&world.stop());
}

/// The answers to the driver's own requests, as the driver reported them.
fn own_answers(world: &Arc<World>) -> Vec<Vec<u8>> {
    let seen = world.seen_statuses().into_iter();
    let link_states = seen.filter(|one| one.indication.code == sys::NDIS_STATUS_LINK_STATE);
    link_states.map(|one| one.indication.bytes).collect()
}

/// The NIC's hardware capabilities.
fn hardware(answering: Answering) -> Vec<u8> {
    let bare = World::new(model::Config::with_nic(nic(answering)));
    let asked = OidCall::query(sys::OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES, 300);
    bare.oid(asked).bytes
}

#[test]
fn a_filter_may_ask_on_its_own_account() {
    for answering in EVERY_TIME {
        let world = start::<{ fault::OWN_OID }>(model::Config::with_nic(nic(answering)));
        world.complete_oids();
        assert_eq!(own_answers(&world), [hardware(answering)]);
        assert_clean(&world.stop());
    }
}

#[test]
fn a_filters_request_waits_while_the_miniport_is_busy() {
    for answering in EVERY_TIME {
        let world =
            start::<{ fault::OWN_OID_FROM_STATUS }>(model::Config::with_nic(nic(answering)));
        let off = sys::NDIS_OFFLOAD_PARAMETERS_LSOV2_DISABLED;
        let number = world.start_oid(parameters(off, 0));
        world.complete_oids();
        assert_eq!(world.oid_result(number).status, 0);
        assert_eq!(own_answers(&world), [hardware(answering)]);
        assert_clean(&world.stop());
    }
}

#[test]
fn the_overlying_drivers_request_waits_for_the_filters() {
    let world = start::<{ fault::OWN_OID }>(model::Config::with_nic(nic(Answering::Later)));
    let number = world.start_oid(OidCall::query(OTHER, 16));
    world.complete_oids();
    assert_eq!(world.oid_result(number).bytes, [1, 2, 3, 4]);
    assert_eq!(own_answers(&world), [hardware(Answering::Later)]);
    assert_clean(&world.stop());
}

#[test]
fn an_own_request_that_is_freed_under_way_is_noticed() {
    let (nic, found) = (nic(Answering::Later), "freed before it was completed");
    assert_breaks_with::<{ fault::OWN_OID_FREED }>(&nic, Rule::Oid, found, |_| {});
}

#[test]
fn an_own_request_that_is_made_twice_is_noticed() {
    let (nic, found) = (nic(Answering::Later), "a request that is under way");
    assert_breaks_with::<{ fault::OWN_OID_TWICE }>(&nic, Rule::Oid, found, |_| {});
}
