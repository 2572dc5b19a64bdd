//! OID requests: all pass unchanged, except for the two answers that contain the large-send sizes.

mod offload;
mod property;

use model::{Answering, Config, Failing, Nic, OidCall, OidHeader, OidKind, OidResult};
use ndis::sys;
use scenarios::{
    Machine,
    adapter::{read, set, times},
    packets::large_v4,
};

const CURRENT: u32 = sys::OID_TCP_OFFLOAD_CURRENT_CONFIG;
const HARDWARE: u32 = sys::OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES;
const ABORTED: i32 = sys::NDIS_STATUS_REQUEST_ABORTED;

const IPV4_MAX: usize = 84;
const IPV6_MAX: usize = 96;

/// Bytes of the NIC's NDIS_OFFLOAD.
const SIZE: u32 = 216;

const WAYS: [Answering; 3] = [Answering::Inline, Answering::Early, Answering::Later];

/// A NIC with an OID of its own, which answers in that way.
fn nic(oids: Answering) -> Nic {
    Nic {
        oids,
        answers: vec![
            (
                sys::OID_GEN_MAXIMUM_FRAME_SIZE,
                1500_u32.to_le_bytes().into(),
            ),
            (sys::OID_GEN_STATISTICS, (0..152).collect()),
            (0xFF01_0203, vec![0x5A; 3000]),
            // The answer to an offload query, under another name.
            (sys::OID_TCP_TASK_OFFLOAD, own(CURRENT)),
        ],
        ..plain_nic()
    }
}

/// The default NIC without large sends of UDP, so that two words are all that changes.
fn plain_nic() -> Nic {
    Nic::default().without_uso()
}

/// The NIC's answer to an offload query, without any filter.
fn own(oid: u32) -> Vec<u8> {
    let bare = Machine::without_driver(Config::with_nic(plain_nic()));
    bare.world.oid(OidCall::query(oid, 1024)).bytes
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn maxima(answer: &OidResult) -> (u32, u32) {
    assert_eq!(answer.status, 0);
    (word(&answer.bytes, IPV4_MAX), word(&answer.bytes, IPV6_MAX))
}

/// The answer with the maxima of both IP versions replaced.
fn with_maxima(mut bytes: Vec<u8>, max: u32) -> Vec<u8> {
    for at in [IPV4_MAX, IPV6_MAX] {
        bytes[at..at + 4].copy_from_slice(&max.to_le_bytes());
    }
    bytes
}

/// One request of every type, for OIDs that the NIC supports and one that it does not.
fn every_type() -> Vec<OidCall> {
    let statistics = |oid, room| OidCall {
        kind: OidKind::Statistics,
        ..OidCall::query(oid, room)
    };
    let mut calls = Vec::new();
    for oid in [
        sys::OID_GEN_MAXIMUM_FRAME_SIZE,
        sys::OID_GEN_STATISTICS,
        sys::OID_TCP_TASK_OFFLOAD,
        0xFF01_0203,
        0xFFFF_FFFF,
    ] {
        for room in [0, 3, 4, 152, 3000, 4096] {
            calls.push(OidCall::query(oid, room));
            calls.push(statistics(oid, room));
            calls.push(OidCall::method(oid, 9, vec![7; 100], room));
        }
        calls.push(OidCall::set(oid, vec![3; 40]));
        calls.push(OidCall::set(oid, Vec::new()));
    }
    calls.push(OidCall {
        port: 5,
        ..OidCall::set(sys::OID_GEN_STATISTICS, vec![1; 8])
    });
    calls
}

/// The same NIC's answers to each call without a filter.
fn unfiltered(nic: &Nic, calls: &[OidCall]) -> Vec<OidResult> {
    let bare = Machine::without_driver(Config::with_nic(nic.clone()));
    let answers = calls.iter().map(|call| bare.world.oid(call.clone()));
    answers.collect()
}

#[test]
fn every_type_of_request_passes_with_its_answer_its_counts_and_its_status() {
    for way in WAYS {
        let machine = Machine::with_nic(nic(way));
        let calls = every_type();
        let expected = unfiltered(&nic(way), &calls);
        let of = |status| expected.iter().filter(|one| one.status == status).count();
        assert!(of(0) > 20 && of(sys::NDIS_STATUS_BUFFER_TOO_SHORT) > 10);
        assert!(of(sys::NDIS_STATUS_NOT_SUPPORTED) > 5);
        for at_dispatch in [false, true] {
            for (call, expected) in calls.iter().zip(&expected) {
                let call = OidCall {
                    at_dispatch,
                    ..call.clone()
                };
                assert_eq!(machine.world.oid(call.clone()), *expected, "{call:?}");
            }
        }
        machine.stop_clean();
    }
}

/// PPPoE of Windows sends requests whose header is all zero, and NDIS hands them to filters as they
/// are. NDIS 6.50 and later stop the system if a filter clones one as it is.
#[test]
fn requests_without_a_valid_header_pass_with_a_valid_one() {
    for way in WAYS {
        let machine = Machine::with_nic(nic(way));
        let calls = every_type();
        let expected = unfiltered(&nic(way), &calls);
        let headers = [OidHeader::Empty, OidHeader::NoRevision, OidHeader::Short];
        for header in headers {
            for (call, expected) in calls.iter().zip(&expected) {
                let call = OidCall {
                    header,
                    ..call.clone()
                };
                assert_eq!(machine.world.oid(call.clone()), *expected, "{call:?}");
            }
        }
        let count = read(&machine.world).invalid_oid_headers;
        assert_eq!(count, (headers.len() * calls.len()) as u64);
        machine.stop_clean();
    }
}

#[test]
fn a_structure_that_is_no_oid_request_is_failed_and_never_cloned() {
    let machine = Machine::with_nic(nic(Answering::Inline));
    for call in every_type() {
        let call = OidCall {
            header: OidHeader::OtherType,
            ..call
        };
        let result = machine.world.oid(call);
        assert_eq!(result.status, sys::NDIS_STATUS_INVALID_PARAMETER);
    }
    machine.stop_clean();
}

#[test]
fn requests_pass_while_the_module_is_paused() {
    for way in WAYS {
        let machine = Machine::without_driver(Config::with_nic(nic(way)));
        machine.load().expect("the driver loads");
        machine.world.attach().expect("an attach");
        let ask = |oid| machine.world.oid(OidCall::query(oid, 4096));
        let check = || {
            assert_eq!(ask(sys::OID_GEN_STATISTICS).written, 152);
            assert_eq!(maxima(&ask(CURRENT)), (502_240, 502_240));
        };
        check();
        machine.world.restart().expect("a restart");
        check();
        machine.world.pause();
        check();
        machine.stop_clean();
    }
}

#[test]
fn a_request_without_memory_for_its_clone_comes_back_with_resources() {
    for way in WAYS {
        let machine = Machine::with_nic(nic(way));
        let asked = machine.world.fail_allocations(Failing::None);
        machine.world.fail_allocations(Failing::From(asked));
        for call in every_type() {
            let answer = machine.world.oid(call);
            assert_eq!(answer.status, sys::NDIS_STATUS_RESOURCES);
            assert_eq!((answer.written, answer.read, answer.needed), (0, 0, 0));
        }
        machine.world.fail_allocations(Failing::None);
        let answer = machine.world.oid(OidCall::query(CURRENT, SIZE));
        assert_eq!(maxima(&answer), (502_240, 502_240));
        machine.stop_clean();
    }
}

#[test]
fn a_pended_request_is_answered_when_the_nic_answers_and_not_before() {
    let machine = Machine::with_nic(nic(Answering::Later));
    let world = &machine.world;
    assert_eq!(world.complete_oids(), 2, "the filter's own queries");
    let numbers: Vec<_> = [CURRENT, sys::OID_GEN_STATISTICS, HARDWARE]
        .into_iter()
        .map(|oid| world.start_oid(OidCall::query(oid, 4096)))
        .collect();
    for number in &numbers {
        assert_eq!(world.oid_result(*number).status, sys::NDIS_STATUS_PENDING);
    }
    // A tuning set meanwhile is in the answer.
    set(world, times(2)).expect("a tuning");
    machine.assert_split(large_v4(200_000));
    assert_eq!(world.complete_oids(), 3);
    assert_eq!(maxima(&world.oid_result(numbers[0])), (125_560, 125_560));
    assert_eq!(world.oid_result(numbers[1]).written, 152);
    assert_eq!(maxima(&world.oid_result(numbers[2])), (125_560, 125_560));
    machine.stop_clean();
}

#[test]
fn a_request_that_is_canceled_comes_back_aborted() {
    let machine = Machine::with_nic(nic(Answering::Later));
    let world = &machine.world;
    assert_eq!(world.complete_oids(), 2, "the filter's own queries");
    let first = world.start_oid(OidCall::query(CURRENT, SIZE));
    let second = world.start_oid(OidCall::query(HARDWARE, SIZE));
    let third = world.start_oid(OidCall::set(sys::OID_GEN_STATISTICS, vec![1; 4]));
    world.cancel_oid(second);
    assert_eq!(
        world.oid_result(second).status,
        ABORTED,
        "it never went down"
    );
    assert_eq!(world.oid_result(first).status, sys::NDIS_STATUS_PENDING);
    world.cancel_oid(first);
    let aborted = world.oid_result(first);
    assert_eq!((aborted.status, aborted.written), (ABORTED, 0));
    // The next one is under way; those that are gone cannot be canceled once more.
    world.cancel_oid(first);
    world.cancel_oid(second);
    assert_eq!(world.oid_result(third).status, sys::NDIS_STATUS_PENDING);
    assert_eq!(world.complete_oids(), 1);
    assert_eq!(world.oid_result(third).status, 0);
    world.cancel_oid(third);
    assert_eq!(world.oid_result(third).status, 0);
    assert_eq!(
        read(world).malformed_offloads,
        0,
        "aborted answers are no answers"
    );
    machine.stop_clean();
}

#[test]
fn a_canceled_request_is_canceled_while_paused_too() {
    let machine = Machine::with_nic(nic(Answering::Later));
    assert_eq!(machine.world.complete_oids(), 2, "the filter's own queries");
    let number = machine.world.start_oid(OidCall::query(CURRENT, SIZE));
    machine.world.pause();
    machine.world.cancel_oid(number);
    assert_eq!(machine.world.oid_result(number).status, ABORTED);
    let last = machine.world.start_oid(OidCall::query(CURRENT, SIZE));
    machine.world.complete_oids();
    assert_eq!(maxima(&machine.world.oid_result(last)), (502_240, 502_240));
    machine.stop_clean();
}
