//! What the NIC takes changes while sends are split: each goes by the one or by the other.

use interleave::{Machine, Nic, Preemptions, explore, on, wait};
use ndis::sys::NDIS_STATUS_SUCCESS;

/// Neither maximum goes with the other's minimum: 3,000 bytes are fewer than four segments.
const BEFORE: Nic = Nic {
    max: 3000,
    min_segments: 2,
};
const AFTER: Nic = Nic {
    max: 6000,
    min_segments: 4,
};
const PAYLOAD: u32 = 12_500;

/// The children that the NIC gets of one send.
fn children(nic: Nic) -> Vec<u32> {
    let machine = Machine::start(nic);
    machine.send(PAYLOAD);
    let children = machine.complete_all(NDIS_STATUS_SUCCESS);
    machine.stop();
    children
}

#[test]
fn a_send_goes_by_one_configuration() {
    explore(Preemptions::Any, || {
        let (before, after) = (children(BEFORE), children(AFTER));
        assert_eq!(before.iter().sum::<u32>(), PAYLOAD);
        assert_ne!(before, after);
    });
    let orders = explore(Preemptions::Most(2), || {
        let machine = Machine::start(BEFORE);
        wait([
            on(0, move || {
                machine.send(PAYLOAD);
                let sent = machine.complete_all(NDIS_STATUS_SUCCESS);
                assert!(by(BEFORE, &sent) || by(AFTER, &sent), "{sent:?}");
            }),
            on(1, move || machine.nic_says(AFTER)),
        ]);
        machine.stop();
    });
    assert!(orders > 1000, "{orders}");
}

/// Whether that is how a NIC wants it.
fn by(nic: Nic, sent: &[u32]) -> bool {
    const MSS: u32 = 1000;
    let is_taken = |payload: &u32| (MSS * (nic.min_segments - 1) + 1..=nic.max).contains(payload);
    sent.iter().all(is_taken) && sent.len() == PAYLOAD.div_ceil(nic.max) as usize
}

/// Two statuses at once: whichever counts as the newer, the limits are its own, and it is what the
/// layer above is told.
#[test]
fn of_two_configurations_one_is_the_newer() {
    explore(Preemptions::Most(2), || {
        let machine = Machine::start(BEFORE);
        let other = Nic {
            max: 9000,
            min_segments: 3,
        };
        wait([AFTER, other].map(|nic| on(0, move || machine.nic_says(nic))));
        let says = machine.read();
        let nic = [AFTER, other]
            .into_iter()
            .find(|nic| nic.max == says.nic.v2_ipv4.max_payload)
            .expect("one of the two");
        for limit in [says.nic.v2_ipv4, says.nic.v2_ipv6] {
            assert_eq!(limit.max_payload, nic.max);
            assert_eq!(limit.min_segments, nic.min_segments);
        }
        let raised = nic.max * says.tuning.multiple();
        assert_eq!(machine.heard().last(), Some(&raised));
        assert_eq!(says.advertised_v2_ipv4, raised);
        machine.stop();
    });
}
