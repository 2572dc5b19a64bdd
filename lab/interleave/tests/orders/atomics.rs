//! Whether the driver's atomic operations are scheduling points.

use interleave::{Machine, Nic, Preemptions, at_points, explore};

#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn atomic_operations_are_scheduling_points() {
    explore(Preemptions::Any, || {
        let machine = Machine::start(Nic {
            max: 3000,
            min_segments: 1,
        });
        // One read of the counters: 10 and the refusals, of three processors, at present and at the
        // last reset; and no spin lock but the list's.
        let points = at_points(|| {
            let _ = machine.statistics();
        });
        assert!(points > 60, "{points}");
        machine.stop();
    });
}
