//! The two answers that contain the large-send sizes.

use control::Profile;
use model::{Answering, OidCall, OidKind};
use ndis::sys;
use scenarios::{
    Machine,
    adapter::{assert_last_indication, profile, read, set, times},
    packets::large_v4,
};

use super::{CURRENT, HARDWARE, IPV4_MAX, IPV6_MAX, SIZE, WAYS, maxima, nic, own, with_maxima};

#[test]
fn the_offload_queries_are_answered_with_the_raised_sizes() {
    for way in WAYS {
        let machine = Machine::with_nic(nic(way));
        for oid in [CURRENT, HARDWARE] {
            let expected = with_maxima(own(oid), 502_240);
            for kind in [OidKind::Query, OidKind::Statistics] {
                let answer = machine.world.oid(OidCall {
                    kind,
                    ..OidCall::query(oid, 300)
                });
                assert_eq!((answer.status, answer.written, answer.needed), (0, SIZE, 0));
                assert_eq!(answer.bytes, expected);
            }
        }
        set(&machine.world, times(3)).expect("a tuning");
        let answer = machine.world.oid(OidCall::query(CURRENT, SIZE));
        assert_eq!(maxima(&answer), (188_340, 188_340));
        set(&machine.world, profile(Profile::Off)).expect("a tuning");
        let answer = machine.world.oid(OidCall::query(CURRENT, SIZE));
        assert_eq!(answer.bytes, own(CURRENT));
        machine.stop_clean();
    }
}

#[test]
fn the_same_bytes_under_another_oid_or_in_a_setting_are_left_alone() {
    let machine = Machine::with_nic(nic(Answering::Inline));
    let answer = machine
        .world
        .oid(OidCall::query(sys::OID_TCP_TASK_OFFLOAD, 4096));
    assert_eq!(answer.bytes, own(CURRENT));
    // The parameters carry no sizes, and their buffer is not the filter's.
    let mut parameters = own(CURRENT);
    parameters[0] = sys::NDIS_OBJECT_TYPE_DEFAULT;
    let answer = machine
        .world
        .oid(OidCall::set(sys::OID_TCP_OFFLOAD_PARAMETERS, parameters));
    assert_eq!((answer.status, answer.read), (0, SIZE));
    machine.stop_clean();
}

#[test]
fn a_buffer_too_short_for_the_answer_gets_the_size_it_needs() {
    for way in WAYS {
        let machine = Machine::with_nic(nic(way));
        for oid in [CURRENT, HARDWARE] {
            for room in 0..SIZE {
                let answer = machine.world.oid(OidCall::query(oid, room));
                assert_eq!(answer.status, sys::NDIS_STATUS_BUFFER_TOO_SHORT);
                assert_eq!((answer.written, answer.needed), (0, SIZE));
            }
        }
        assert_eq!(
            read(&machine.world).malformed_offloads,
            0,
            "nothing was indicated"
        );
        machine.stop_clean();
    }
}

#[test]
fn an_answer_that_is_raised_already_is_not_raised_again() {
    // NDIS may answer for the NIC, with the configuration that this very filter indicated.
    for size in [502_240, 400_000, 900_000] {
        let machine = Machine::with_nic(nic(Answering::Inline));
        machine
            .world
            .set_nic(|nic| nic.offload.words = vec![(IPV4_MAX, size), (IPV6_MAX, size)]);
        for oid in [CURRENT, HARDWARE, CURRENT] {
            let answer = machine.world.oid(OidCall::query(oid, SIZE));
            let expected = size.max(502_240);
            assert_eq!(maxima(&answer), (expected, expected));
            assert_eq!(answer.bytes, with_maxima(own(oid), expected));
        }
        machine.world.set_nic(|nic| nic.offload.words.clear());
        machine.stop_clean();
    }
}

#[test]
fn the_nics_limits_are_never_learnt_from_an_answer_to_another_driver() {
    let machine = Machine::with_nic(nic(Answering::Later));
    assert_eq!(machine.world.complete_oids(), 2, "the filter's own queries");
    machine
        .world
        .set_nic(|nic| nic.offload.words = vec![(IPV4_MAX, 502_240), (IPV6_MAX, 5000)]);
    machine.world.oid(OidCall::query(CURRENT, SIZE));
    machine.world.oid(OidCall::query(HARDWARE, SIZE));
    let limits = read(&machine.world).nic;
    let maxima = (limits.v2_ipv4.max_payload, limits.v2_ipv6.max_payload);
    assert_eq!(maxima, (62_780, 62_780));
    machine.world.set_nic(|nic| nic.offload.words.clear());
    assert_eq!(machine.assert_split(large_v4(502_240)).len(), 9);
    assert_last_indication(&machine.world);
    assert_eq!(machine.world.seen_statuses().len(), 1, "the restart's");
    machine.stop_clean();
}

#[test]
fn a_disabled_offload_is_in_the_hardware_capabilities() {
    let mut slow = nic(Answering::Inline);
    slow.enabled.v2_ipv6 = false;
    let machine = Machine::with_nic(slow);
    let ask = |oid| machine.world.oid(OidCall::query(oid, SIZE));
    assert_eq!(maxima(&ask(CURRENT)), (502_240, 0));
    assert_eq!(maxima(&ask(HARDWARE)), (502_240, 62_780));
    machine.world.nic_changes(|nic| nic.enabled.v2_ipv6 = true);
    assert_eq!(maxima(&ask(HARDWARE)), (502_240, 502_240));
    machine.stop_clean();
}

#[test]
fn a_malformed_answer_passes_untouched_and_is_counted() {
    for header in [
        0x00D8_0780,
        0x00D8_00A7,
        0x006F_07A7,
        0x00D9_07A7,
        0xFFFF_07A7,
    ] {
        let machine = Machine::with_nic(nic(Answering::Inline));
        machine
            .world
            .set_nic(|nic| nic.offload.words = vec![(0, header)]);
        for (count, oid) in [(1, CURRENT), (2, HARDWARE)] {
            let answer = machine.world.oid(OidCall::query(oid, SIZE + 10));
            assert_eq!(answer.status, 0);
            let mut expected = own(oid);
            expected[..4].copy_from_slice(&header.to_le_bytes());
            assert_eq!(answer.bytes, expected);
            assert_eq!(read(&machine.world).malformed_offloads, count);
        }
        machine.world.set_nic(|nic| nic.offload.words.clear());
        machine.stop_clean();
    }
}
