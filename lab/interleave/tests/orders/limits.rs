//! The NIC's limits change while sends are split: each send follows the old limits or the new ones.

use std::sync::{Arc, Mutex};

use interleave::{Machine, Nic, Preemptions, explore, on, wait};
use ndis::sys::NDIS_STATUS_SUCCESS;

const BEFORE: Nic = Nic {
    max: 3000,
    min_segments: 2,
};
/// Its maximum with the other's minimum would make children of five segments and four.
const AFTER: Nic = Nic {
    max: 6000,
    min_segments: 6,
};
const PAYLOAD: u32 = 13_000;

/// The children that the NIC receives for one send.
fn sent(machine: &Machine) -> Vec<u32> {
    machine.send(PAYLOAD);
    machine.complete_all(NDIS_STATUS_SUCCESS)
}

/// The children that either NIC receives if nothing changes.
fn expected() -> [Vec<u32>; 2] {
    let found = Arc::new(Mutex::new(Vec::new()));
    let finds = found.clone();
    explore(Preemptions::Any, move || {
        for nic in [BEFORE, AFTER] {
            let machine = Machine::start(nic);
            finds.lock().expect("no panic").push(sent(&machine));
            machine.stop();
        }
    });
    let found = found.lock().expect("no panic").clone();
    found.try_into().expect("of both NICs, once")
}

#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn a_send_goes_by_one_configuration() {
    let expected = Arc::new(expected());
    let all = expected.iter().map(|sent| sent.iter().sum::<u32>());
    assert!(all.eq([PAYLOAD; 2]) && expected[0] != expected[1]);
    let orders = explore(Preemptions::Most(2), move || {
        let machine = Machine::start(BEFORE);
        let expected = expected.clone();
        wait([
            on(0, move || {
                let sent = sent(&machine);
                assert!(expected.contains(&sent), "{sent:?}");
            }),
            on(1, move || machine.nic_indicates(AFTER)),
        ]);
        machine.stop();
    });
    assert!(orders > 1000, "{orders}");
}

/// Two status indications at once: whichever counts as the newer, the limits are its own, and the
/// size advertised to the overlying driver follows from them.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn of_two_configurations_one_is_the_newer() {
    explore(Preemptions::Most(2), || {
        let machine = Machine::start(BEFORE);
        let other = Nic {
            max: 9000,
            min_segments: 3,
        };
        wait([AFTER, other].map(|nic| on(0, move || machine.nic_indicates(nic))));
        let read = machine.read();
        let nic = [AFTER, other]
            .into_iter()
            .find(|nic| nic.max == read.nic.v2_ipv4.max_payload)
            .expect("one of the two");
        for limit in [read.nic.v2_ipv4, read.nic.v2_ipv6] {
            assert_eq!(limit.max_payload, nic.max);
            assert_eq!(limit.min_segments, nic.min_segments);
        }
        let raised = nic.max * read.tuning.multiple();
        assert_eq!(machine.indicated().last(), Some(&raised));
        assert_eq!(read.advertised_v2_ipv4, raised);
        machine.stop();
    });
}
