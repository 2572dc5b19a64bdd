//! Status indications: those that carry an offload configuration, well formed or not, and all
//! others.

use model::{Indication, Nic, StatusSource};
use ndis::sys;
use scenarios::{
    Machine,
    adapter::{assert_last_indication, assert_read_matches_indication, read},
    packets::{MSS, large_v4, large_v6},
};

use super::{BEFORE, slow};

const CURRENT: i32 = sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG;
const HARDWARE: i32 = sys::NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES;

#[test]
fn hardware_capabilities_are_raised_but_are_not_the_current_configuration() {
    let machine = Machine::with_nic(slow());
    machine.world.set_nic(|nic| nic.enabled.v2_ipv6 = false);
    machine.world.indicate_offload(CURRENT);
    machine.world.indicate_offload(HARDWARE);
    let seen = machine
        .world
        .seen_statuses()
        .pop()
        .expect("it is passed on");
    let word = |at| {
        let bytes = &seen.indication.bytes;
        u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
    };
    assert_eq!(seen.indication.code, HARDWARE);
    assert_eq!(
        (word(84), word(96)),
        (8 * BEFORE, BEFORE),
        "IPv6 is off now"
    );
    assert_last_indication(&machine.world);
    let packets = machine.assert_split(large_v6(8 * BEFORE));
    assert!(packets.iter().all(|packet| packet.large_send.mss() == 0));
    machine.stop_clean();
}

/// Buffers that are no NDIS_OFFLOAD, one for each rule that they break.
fn malformed() -> Vec<Vec<u8>> {
    let whole = |header: [u8; 4], length| {
        let mut bytes = vec![2; length];
        bytes[..4].copy_from_slice(&header);
        bytes
    };
    vec![
        Vec::new(),
        vec![0xA7],
        vec![0xA7, 7, 216],
        whole([0xA7, 7, 216, 0], 4),
        whole([0xA7, 7, 216, 0], 215),
        whole([0xA7, 1, 112, 0], 111),
        whole([0xA7, 1, 111, 0], 216),
        whole([0xA7, 0, 216, 0], 216),
        whole([0xA8, 7, 216, 0], 216),
        whole([0xA7, 7, 0xFF, 0xFF], 216),
        whole([0, 0, 0, 0], 600),
    ]
}

#[test]
fn a_malformed_configuration_passes_untouched_and_is_counted() {
    for paused in [false, true] {
        let machine = Machine::with_nic(slow());
        if paused {
            machine.world.pause();
        }
        let before = machine.world.advertised();
        let at_restart = machine.world.seen_statuses().len();
        let mut count = 0;
        for bytes in malformed() {
            for code in [CURRENT, HARDWARE] {
                machine.world.indicate(code, bytes.clone());
                count += 1;
                let seen = machine.world.seen_statuses();
                let last = seen.last().expect("it is passed on");
                assert_eq!(last.source, StatusSource::Miniport);
                assert_eq!(last.indication, Indication::new(code, bytes.clone()));
                assert_eq!(seen.len(), at_restart + count, "once, and no more");
                assert_eq!(read(&machine.world).malformed_offloads, count as u64);
            }
        }
        assert_eq!(machine.world.advertised(), before);
        assert_last_indication(&machine.world);
        if paused {
            machine.world.restart().expect("a restart");
        }
        assert_eq!(machine.assert_split(large_v4(8 * BEFORE)).len(), 8);
        machine.stop_clean();
    }
}

#[test]
fn a_configuration_longer_than_any_known_is_obeyed_and_indicated_unchanged() {
    let machine = Machine::with_nic(slow());
    machine.world.nic_changes(|nic| nic.offload.size = 600);
    assert_read_matches_indication(&machine.world);
    assert_eq!(read(&machine.world).malformed_offloads, 1);
    machine.assert_split(large_v4(8 * BEFORE));
    // The NIC shrinks, in an indication longer than the structure: the newest limit holds all the
    // same.
    machine
        .world
        .nic_changes(|nic| nic.limits = Nic::new(5 * MSS, 2).limits);
    let children = machine.assert_split(large_v4(8 * BEFORE));
    assert!(
        children
            .iter()
            .all(|child| child.payload <= 5 * MSS as usize)
    );
    assert_read_matches_indication(&machine.world);
    machine
        .world
        .nic_changes(|nic| nic.offload = Nic::default().offload);
    assert_last_indication(&machine.world);
    machine.stop_clean();
}

#[test]
fn a_buffer_much_longer_than_its_configuration_is_advertised_correctly() {
    for length in [217, 512, 513, 4000] {
        let machine = Machine::with_nic(slow());
        machine.world.indicate_offload(CURRENT);
        let seen = machine.world.seen_statuses();
        let mut bytes = seen.last().expect("a status").indication.bytes.clone();
        // As the NIC indicates it.
        for at in [84, 96, 192, 204] {
            bytes[at..at + 4].copy_from_slice(&BEFORE.to_le_bytes());
        }
        bytes.resize(length, 0xEE);
        machine.world.indicate(CURRENT, bytes);
        assert_read_matches_indication(&machine.world);
        machine.assert_split(large_v4(8 * BEFORE));
        machine.stop_clean();
    }
}

#[test]
fn every_other_status_passes_as_it_is() {
    let codes = [
        sys::NDIS_STATUS_LINK_STATE,
        sys::NDIS_STATUS_OPER_STATUS,
        sys::NDIS_STATUS_NETWORK_CHANGE,
        sys::NDIS_STATUS_MEDIA_SPECIFIC_INDICATION,
        sys::NDIS_STATUS_OFFLOAD_ENCASPULATION_CHANGE,
        0,
        -1,
        CURRENT - 1,
        HARDWARE + 2,
    ];
    for paused in [false, true] {
        let machine = Machine::with_nic(slow());
        if paused {
            machine.world.pause();
        }
        for (code, length) in codes
            .into_iter()
            .zip([0, 1, 40, 216, 600].into_iter().cycle())
        {
            for at_dispatch in [false, true] {
                let indication = full(code, vec![0xA7; length], at_dispatch);
                assert_passed(&machine, &indication);
            }
        }
        assert_eq!(read(&machine.world).malformed_offloads, 0);
        assert_last_indication(&machine.world);
        machine.stop_clean();
    }
}

/// An indication in which every field is set.
fn full(code: i32, bytes: Vec<u8>, at_dispatch: bool) -> Indication {
    Indication {
        code,
        bytes,
        port: 7,
        destination: 0x1234,
        request_id: 0x5678,
        guid: 0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF,
        flags: 0x8000_0001,
        at_dispatch,
    }
}

fn assert_passed(machine: &Machine, indication: &Indication) {
    machine.world.indicate_with(indication);
    let last = machine
        .world
        .seen_statuses()
        .pop()
        .expect("it is passed on");
    assert_eq!(last.source, StatusSource::Miniport);
    let expected = Indication {
        at_dispatch: false,
        ..indication.clone()
    };
    assert_eq!(last.indication, expected);
}

#[test]
fn a_rewritten_status_keeps_all_but_the_sizes() {
    let machine = Machine::with_nic(slow());
    machine.world.indicate_offload(CURRENT);
    let seen = machine.world.seen_statuses().pop().expect("a status");
    let mut bytes = seen.indication.bytes;
    for at in [84, 96, 192, 204] {
        bytes[at..at + 4].copy_from_slice(&(BEFORE).to_le_bytes());
    }
    for code in [CURRENT, HARDWARE] {
        for at_dispatch in [false, true] {
            let sent = full(code, bytes.clone(), at_dispatch);
            machine.world.indicate_with(&sent);
            let seen = machine
                .world
                .seen_statuses()
                .pop()
                .expect("it is passed on");
            assert_eq!(&seen.indication.bytes[84..88], &(8 * BEFORE).to_le_bytes());
            let expected = Indication {
                bytes: seen.indication.bytes.clone(),
                at_dispatch: false,
                ..sent
            };
            assert_eq!(seen.indication, expected);
        }
    }
    assert_last_indication(&machine.world);
    machine.stop_clean();
}
