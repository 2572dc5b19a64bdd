//! Repeated advertisements: at a restart, in the next binding, before a detach.

use model::{Answering, World};
use scenarios::{
    Machine,
    adapter::{
        assert_last_indication, assert_read_matches_indication, capped, originated, persist,
        raised, read, set, times,
    },
    assert_clean,
    packets::large_v4,
};

use super::{attached, nic, with};

/// NDIS may keep the configuration that FilterAttach has raised, and pass it to the next one.
#[test]
fn limits_do_not_grow_where_ndis_passes_the_raised_configuration() {
    for oids in [Answering::Inline, Answering::Early] {
        let mut config = with(&[]);
        config.keeps_raised_offload = true;
        config.nic.oids = oids;
        let machine = Machine::start(config);
        for _ in 0..3 {
            machine.world.pause();
            machine.world.detach();
            machine.world.attach().expect("an attach");
            machine.world.restart().expect("a restart");
            assert_eq!(machine.world.advertised(), raised(nic().limits, 8, None));
            assert_last_indication(&machine.world);
            machine.assert_split(large_v4(8 * 62_780));
        }
        machine.stop_clean();
    }
}

/// The restart does not wait for a miniport that takes its time, whose answer counts when it comes.
/// An answer raises nothing, and after an indication it does not count.
#[test]
fn an_answer_may_be_late_and_only_lowers() {
    let mut config = with(&[]);
    config.keeps_raised_offload = true;
    config.nic.oids = Answering::Later;
    let machine = Machine::start(config);
    let max = |world: &World| world.advertised().v2_ipv4.max_payload;
    assert_eq!(machine.world.complete_oids(), 2, "the filter's queries");
    machine.world.pause();
    machine.world.detach();
    machine.world.attach().expect("an attach");
    machine.world.restart().expect("a restart");
    assert_eq!(max(&machine.world), 64 * 62_780, "not known yet");
    assert_eq!(machine.world.complete_oids(), 2);
    assert_eq!(max(&machine.world), 8 * 62_780);

    let answered = |nic_max| {
        machine.world.pause();
        machine.world.restart().expect("a restart");
        machine
            .world
            .set_nic(|nic| nic.limits.v2_ipv4.max_payload = nic_max);
        machine.world.complete_oids();
        max(&machine.world)
    };
    assert_eq!(answered(90_000), 8 * 62_780, "not raised");
    assert_eq!(answered(40_000), 8 * 40_000);
    assert_eq!(answered(62_780), 8 * 40_000, "not raised");
    machine
        .world
        .nic_changes(|nic| nic.limits.v2_ipv4.max_payload = 90_000);
    assert_eq!(max(&machine.world), 8 * 90_000);
    assert_eq!(answered(30_000), 8 * 90_000, "indicated");
    machine
        .world
        .nic_changes(|nic| nic.limits.v2_ipv4.max_payload = 90_000);
    machine.stop_clean();
}

/// A restart may follow a new binding, or the insertion of the filter below an old one, neither of
/// which has got the size.
#[test]
fn a_restart_indicates_the_raised_size_to_every_binding() {
    let machine = attached(with(&[]));
    let raised_by = |multiple| raised(nic().limits, multiple, None);
    machine.world.bind_before_attach();
    machine.world.restart().expect("a restart");
    assert_eq!(machine.world.advertised(), raised_by(8));
    for (tuning, expected) in [(times(3), raised_by(3)), (times(1), nic().limits)] {
        set(&machine.world, tuning).expect("a tuning");
        machine.world.pause();
        machine.world.bind_while_paused();
        let known = originated(&machine.world).len();
        machine.world.restart().expect("a restart");
        assert_eq!(machine.world.advertised(), expected);
        assert_eq!(originated(&machine.world).len(), known + 1, "one a restart");
    }
    machine.world.pause();
    set(&machine.world, times(5)).expect("a tuning");
    let known = originated(&machine.world).len();
    machine.world.restart().expect("a restart");
    assert_eq!(
        originated(&machine.world).len(),
        known + 1,
        "none while paused"
    );
    assert_last_indication(&machine.world);
    machine.stop_clean();
}

#[test]
fn a_filter_indicates_nothing_until_it_raises_a_size() {
    let machine = Machine::start(with(&[("Profile", 0)]));
    for _ in 0..3 {
        machine.world.pause();
        machine.world.restart().expect("a restart");
    }
    assert_eq!(machine.world.seen_statuses(), []);
    set(&machine.world, times(3)).expect("a tuning");
    machine.world.pause();
    machine.world.bind_while_paused();
    assert_eq!(machine.world.advertised(), nic().limits);
    machine.world.restart().expect("a restart");
    assert_eq!(machine.world.advertised(), raised(nic().limits, 3, None));
    machine.stop_clean();
}

#[test]
fn a_tuning_set_before_the_first_restart_is_advertised_by_its_end() {
    let machine = attached(with(&[]));
    for tuning in [times(2), times(11)] {
        set(&machine.world, tuning).expect("a tuning");
    }
    machine.world.restart().expect("a restart");
    assert_eq!(read(&machine.world).tuning, times(11));
    assert_last_indication(&machine.world);
    machine.stop_clean();
}

#[test]
fn a_lasting_tuning_is_in_the_next_binding_and_a_passing_one_is_not() {
    let machine = Machine::start(with(&[]));
    persist(&machine.world, capped(times(12), 500_000)).expect("a tuning");
    set(&machine.world, times(2)).expect("a tuning");
    assert_last_indication(&machine.world);
    machine.world.pre_detach();
    machine.world.pause();
    machine.world.detach();
    assert_eq!(machine.world.advertised(), nic().limits);
    machine.world.attach().expect("an attach");
    let tuning = read(&machine.world).tuning;
    assert_eq!(tuning, capped(times(12), 500_000));
    assert_eq!(
        machine.world.advertised(),
        raised(nic().limits, 12, Some(500_000))
    );
    machine.stop_clean();
}

#[test]
fn before_a_detach_the_nics_own_size_is_advertised_and_nothing_is_raised_after_it() {
    let machine = Machine::start(with(&[("Multiple", 16)]));
    machine.world.pre_detach();
    assert_eq!(machine.world.advertised(), nic().limits);
    assert_read_matches_indication(&machine.world);
    set(&machine.world, times(4)).expect("a tuning");
    machine
        .world
        .nic_changes(|nic| nic.limits.v2_ipv4.max_payload = 70_000);
    assert_eq!(machine.world.advertised(), machine.world.nic().current());
    assert_read_matches_indication(&machine.world);
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
    assert_last_indication(&machine.world);
    assert_eq!(machine.world.advertised(), raised(nic().limits, 16, None));
    assert_read_matches_indication(&machine.world);
    assert_clean(&machine.world.violations());
    machine.stop_clean();
}
