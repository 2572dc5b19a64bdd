//! Whether the driver's atomic operations are scheduling points.

use interleave::{Machine, Nic, Preemptions, at_points, explore};

#[test]
fn atomic_operations_are_scheduling_points_where_they_should_be() {
    // Set beside the compiler's pass, in atomics.toml.
    let wanted = std::env::var_os("MSLSO_ATOMICS").is_some();
    explore(Preemptions::Any, move || {
        let machine = Machine::start(Nic {
            max: 3000,
            min_segments: 1,
        });
        // A look at the counters: 11 and the refusals, of three processors, and no lock but the
        // list's.
        let points = at_points(|| {
            let _ = machine.statistics();
        });
        assert_eq!(points > 60, wanted, "{points}");
        machine.stop();
    });
}
