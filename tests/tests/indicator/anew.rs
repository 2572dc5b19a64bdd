//! Repeated advertisements: at a restart, in the next binding, before a detach.

use scenarios::{
    Machine,
    adapter::{
        assert_last_word, assert_reads_as_heard, capped, originated, persist, raised, read, set,
        times,
    },
    assert_clean,
    packets::large_v4,
};

use crate::{attached, nic, with};

#[test]
fn a_restart_says_nothing_that_is_known_already() {
    let machine = Machine::start(with(&[]));
    for _ in 0..3 {
        machine.world.pause();
        machine.world.restart().expect("a restart");
    }
    assert_eq!(machine.world.seen_statuses(), []);
    machine.world.pause();
    set(&machine.world, times(3)).expect("a tuning");
    assert_eq!(originated(&machine.world).len(), 0, "none while paused");
    machine.world.restart().expect("a restart");
    assert_eq!(originated(&machine.world).len(), 1, "one at the restart");
    assert_last_word(&machine.world);
    machine.stop_clean();
}

#[test]
fn a_tuning_that_comes_before_the_first_restart_is_told_by_its_end() {
    let machine = attached(with(&[]));
    for tuning in [times(2), times(11)] {
        set(&machine.world, tuning).expect("a tuning");
    }
    machine.world.restart().expect("a restart");
    assert_eq!(read(&machine.world).tuning, times(11));
    assert_last_word(&machine.world);
    machine.stop_clean();
}

#[test]
fn a_lasting_tuning_is_in_the_next_binding_and_a_passing_one_is_not() {
    let machine = Machine::start(with(&[]));
    persist(&machine.world, capped(times(12), 500_000)).expect("a tuning");
    set(&machine.world, times(2)).expect("a tuning");
    assert_last_word(&machine.world);
    machine.world.pre_detach();
    machine.world.pause();
    machine.world.detach();
    assert_eq!(machine.world.advertised(), nic().limits);
    machine.world.attach().expect("an attach");
    let says = read(&machine.world).tuning;
    assert_eq!(says, capped(times(12), 500_000));
    assert_eq!(
        machine.world.advertised(),
        raised(nic().limits, 12, Some(500_000))
    );
    machine.stop_clean();
}

#[test]
fn the_detach_is_preceded_by_the_truth_and_nothing_is_raised_after_it() {
    let machine = Machine::start(with(&[("Multiple", 16)]));
    machine.world.pre_detach();
    assert_eq!(machine.world.advertised(), nic().limits);
    assert_reads_as_heard(&machine.world);
    set(&machine.world, times(4)).expect("a tuning");
    machine
        .world
        .nic_changes(|nic| nic.limits.v2_ipv4.max_payload = 70_000);
    assert_eq!(machine.world.advertised(), machine.world.nic().current());
    assert_reads_as_heard(&machine.world);
    machine.assert_split(large_v4(16 * 62_780));
    assert_clean(&machine.world.violations());
    machine.stop_clean();
}

/// The pre-detach notification may be meant for a filter below, to which it is forwarded.
#[test]
fn a_module_that_restarts_after_all_raises_again() {
    let machine = Machine::start(with(&[("Multiple", 16)]));
    machine.world.pre_detach();
    machine.world.pause();
    assert_eq!(machine.world.advertised(), nic().limits);
    machine.world.restart().expect("a restart");
    assert_last_word(&machine.world);
    assert_eq!(machine.world.advertised(), raised(nic().limits, 16, None));
    assert_reads_as_heard(&machine.world);
    assert_clean(&machine.world.violations());
    machine.stop_clean();
}
