//! An administrator resets the counters while others count and read: no reader sees half of a
//! reset, and the counts of split and of completed parents stay together.

use interleave::{Machine, Preemptions, explore, on, wait};
use ndis::sys::NDIS_STATUS_SUCCESS;

use super::{NIC, TWO};

/// Parents that were split and that were completed.
fn flow(machine: &Machine) -> (u64, u64) {
    let counted = machine.statistics();
    (counted.split, counted.completed)
}

#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn a_reader_sees_all_of_a_reset_or_nothing() {
    explore(Preemptions::Most(2), || {
        let machine = Machine::start(NIC);
        machine.send(TWO);
        machine.complete(2, NDIS_STATUS_SUCCESS);
        wait([
            on(0, move || machine.reset_statistics()),
            on(1, move || {
                let seen = flow(&machine);
                assert!([(1, 1), (0, 0)].contains(&seen), "{seen:?}");
            }),
        ]);
        assert_eq!(flow(&machine), (0, 0));
        machine.stop();
    });
}

#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn a_parent_that_completes_during_a_reset_is_counted_as_both_or_neither() {
    explore(Preemptions::Most(2), || {
        let machine = Machine::start(NIC);
        machine.send(TWO);
        wait([
            on(0, move || machine.reset_statistics()),
            on(1, move || machine.complete(2, NDIS_STATUS_SUCCESS)),
        ]);
        let seen = flow(&machine);
        assert!([(1, 1), (0, 0)].contains(&seen), "{seen:?}");
        machine.stop();
    });
}
