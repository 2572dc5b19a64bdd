//! SET and RESET: their effect in the registry and on the overlying driver.

use std::thread;

use control::{IoControl, Multiple, Profile, Raise, Refused, StatisticsReply, Tuning};
use model::{Config, Failing, RegistryValue};
use ndis::sys;
use scenarios::{
    Machine,
    adapter::{
        assert_last_indication, capped, encoded, originated, persist, profile, read, set, times,
    },
    control::IF_INDEX,
    packets::{large_v4, large_v6},
    refused,
};

use super::{assert_refused, right, set_request, started};

#[test]
fn a_new_tuning_is_indicated_at_once_and_the_next_send_is_split_by_it() {
    let machine = Machine::start(Config::default());
    let before = machine.world.registry();
    let tunings = [
        times(2),
        profile(Profile::Cpu),
        capped(times(16), 700_000),
        profile(Profile::Off),
        times(7),
    ];
    let at_restart = originated(&machine.world).len();
    for (count, tuning) in (at_restart + 1..).zip(tunings) {
        set(&machine.world, tuning).expect("a tuning");
        let indicated = originated(&machine.world);
        assert_eq!(indicated.len(), count, "indicated once, {tuning:?}");
        assert_last_indication(&machine.world);
        let reply = read(&machine.world);
        assert_eq!(reply.tuning, tuning);
        // The model's NIC has the same limit for UDP's large sends as for TCP's.
        let [lso, uso] = [
            [reply.advertised_v2_ipv4, reply.advertised_v2_ipv6],
            [reply.advertised_uso_ipv4, reply.advertised_uso_ipv6],
        ];
        assert_eq!(lso, uso);
        for packet in [
            large_v4(reply.advertised_v2_ipv4),
            large_v6(reply.advertised_v2_ipv6),
        ] {
            let whole = reply.advertised_v2_ipv4.div_ceil(62_780 / 1448 * 1448);
            let children = machine.assert_sent(packet).len() as u32;
            assert!((1..=whole).contains(&children));
        }
        // So is the largest size ever advertised.
        machine.assert_split(large_v4(16 * 62_780));
    }
    assert_eq!(machine.world.registry(), before, "nothing was to last");
    machine.stop_clean();
}

fn parameters(machine: &Machine) -> Vec<Option<u32>> {
    let registry = machine.world.registry();
    let integer = |name: &str| match registry.get(name) {
        Some(RegistryValue::Integer(value)) => Some(*value),
        _ => None,
    };
    ["Multiple", "Profile", "CapBytes"].map(integer).into()
}

#[test]
fn a_tuning_that_is_to_last_is_in_the_registry_and_in_effect() {
    let machine = Machine::start(Config::default());
    for (tuning, expected) in [
        (times(4), [4, 0, 0]),
        (capped(profile(Profile::Cpu), 1 << 20), [0, 3, 1 << 20]),
        (profile(Profile::Off), [0, 0, 0]),
    ] {
        persist(&machine.world, tuning).expect("a tuning");
        assert_eq!(parameters(&machine), expected.map(Some));
        assert_eq!(read(&machine.world).tuning, tuning);
        assert_last_indication(&machine.world);
    }
    machine.stop_clean();
}

/// If two administrators persist a tuning at once, the same one is the last in the registry and in
/// effect.
#[test]
fn the_persisted_tuning_is_the_one_in_effect_after_concurrent_requests() {
    let machine = Machine::start(Config::default());
    let tunings = [times(4), capped(profile(Profile::Cpu), 1 << 20)];
    for _ in 0..50 {
        thread::scope(|scope| {
            for tuning in tunings {
                let world = &machine.world;
                scope.spawn(move || persist(world, tuning).expect("a tuning"));
            }
        });
        let expected = if read(&machine.world).tuning == tunings[0] {
            [4, 0, 0]
        } else {
            [0, 3, 1 << 20]
        };
        assert_eq!(parameters(&machine), expected.map(Some));
    }
    assert_last_indication(&machine.world);
    machine.stop_clean();
}

#[test]
fn a_registry_that_fails_leaves_everything_as_it_was() {
    let machine = Machine::start(Config {
        parameters: [("Multiple", 2), ("Profile", 9), ("CapBytes", 0)]
            .map(|(name, value)| (name.into(), value))
            .into(),
        ..Config::default()
    });
    let world = &machine.world;
    let before = (read(world), parameters(&machine), world.advertised());
    let at_restart = world.seen_statuses();
    assert_eq!(before.0.settings_out_of_range, 1);
    let mut failed = 0;
    for nth in 0.. {
        let asked = world.fail_allocations(Failing::None);
        world.fail_allocations(Failing::Nth(asked + nth));
        let result = persist(world, capped(times(9), 400_000));
        world.fail_allocations(Failing::None);
        if result.is_ok() {
            break;
        }
        failed += 1;
        assert_eq!(result, Err(sys::NDIS_STATUS_RESOURCES));
        let after = (read(world), parameters(&machine), world.advertised());
        assert_eq!(after, before, "allocation {nth}");
        assert_eq!(world.seen_statuses(), at_restart);
    }
    assert!(failed >= 4, "opening it, and each parameter");
    assert_last_indication(world);
    machine.stop_clean();
}

#[test]
fn persisting_a_tuning_leaves_the_count_of_other_values_out_of_range() {
    for (width, software, left) in [(16, 2, 0), (9, 0, 1), (9, 3, 2)] {
        let machine = Machine::start(Config {
            parameters: [
                ("Multiple", 99),
                ("Profile", 99),
                ("CapBytes", 1),
                ("IpIdBits", width),
                ("SoftwareSegmentation", software),
            ]
            .map(|(name, value)| (name.into(), value))
            .into(),
            ..Config::default()
        });
        let count = || read(&machine.world).settings_out_of_range;
        assert_eq!(count(), 3 + left);
        set(&machine.world, times(2)).expect("a tuning");
        assert_eq!(count(), 3 + left, "the registry is as it was");
        persist(&machine.world, times(2)).expect("a tuning");
        assert_eq!(count(), left);
        // The next attach counts the same.
        machine.world.pause();
        machine.world.detach();
        machine.world.attach().expect("an attach");
        assert_eq!(count(), left);
        machine.stop_clean();
    }
}

#[test]
fn values_and_bits_out_of_range_are_refused() {
    let machine = started();
    let before = machine.world.registry();
    let good = encoded(&set_request(IF_INDEX, times(3)));
    let code = IoControl::SET.code();
    let with = |at: usize, value: u32| {
        let mut wrong = good.clone();
        wrong[at..at + 4].copy_from_slice(&value.to_le_bytes());
        wrong
    };
    let mut wrong = vec![
        with(8, 0),
        with(12, 17),
        with(12, u32::MAX),
        with(16, 4),
        with(20, 1),
        with(20, 4095),
        with(20, (16 << 20) + 1),
    ];
    wrong.extend((1..32).map(|bit| with(24, 1 << bit)));
    for wrong in wrong {
        assert_refused(&machine, code, &wrong, 0, sys::STATUS_INVALID_PARAMETER);
    }
    assert_eq!(machine.world.registry(), before);
    machine.stop_clean();
}

#[test]
fn a_reset_puts_back_the_statistics_and_nothing_else() {
    let machine = started();
    for bad in refused::all() {
        machine.send_one(bad.packet);
    }
    let (before, reply) = (machine.statistics(), read(&machine.world));
    assert!(before.split > 0 && before.largest_large_send > 0 && before.refused_in_all() > 0);
    let (code, input, _) = right()[4].clone();
    machine
        .world
        .ioctl(code.code(), &input, 0)
        .expect("a reset");
    let expected = StatisticsReply {
        children_allocated: before.children_allocated,
        refused: Refused::new(&vec![0; before.refused.counters().len()]).expect("room"),
        ..StatisticsReply::default()
    };
    assert_eq!(machine.statistics().0, expected);
    assert_eq!(read(&machine.world), reply);
    machine.assert_split(large_v4(100_000));
    assert_eq!(machine.statistics().split, 1);
    machine.stop_clean();
}

#[test]
fn every_tuning_there_is_comes_back_as_it_was_set() {
    let machine = Machine::start(Config::default());
    let multiples = (1..=16).map(|n| Raise::Multiple(Multiple::new(n).expect("in range")));
    let raises: Vec<_> = Profile::ALL
        .map(Raise::Profile)
        .into_iter()
        .chain(multiples)
        .collect();
    for raise in raises {
        for cap in [None, Some(4096), Some(65_536), Some(16 << 20)] {
            let plain = Tuning { raise, cap: None };
            let tuning = cap.map_or(plain, |cap| capped(plain, cap));
            set(&machine.world, tuning).expect("a tuning");
            assert_eq!(read(&machine.world).tuning, tuning);
            assert_last_indication(&machine.world);
        }
    }
    machine.stop_clean();
}
