//! READ_SETTINGS and SET_SETTINGS: the settings that are read at attach.

use std::thread;

use children::MAX_SG_ELEMENTS;
use control::{
    AttachSettings, IoControl, IpIdBits, MaxSgElements, MemoryBound, SettingsChange,
    SoftwareSegmentation, Tuning, keyword,
};
use model::{Config, Failing, RegistryValue};
use ndis::sys;
use scenarios::{
    Machine,
    adapter::{capped, persist, read, read_settings, set, set_settings, times},
    packets::large_v4,
};

use super::{assert_refused, right, started};

/// Settings of which none is the default.
fn other() -> AttachSettings {
    AttachSettings {
        ip_id_bits: IpIdBits::new(15).expect("in range"),
        software: SoftwareSegmentation::Always,
        max_sg_elements: MaxSgElements::new(4).expect("in range"),
        memory_bound: MemoryBound::new(128).expect("in range"),
    }
}

/// The parameters of these settings in the registry.
fn parameters(machine: &Machine) -> [Option<u32>; 4] {
    let registry = machine.world.registry();
    let integer = |name: &str| match registry.get(name) {
        Some(RegistryValue::Integer(value)) => Some(*value),
        _ => None,
    };
    [
        keyword::IP_ID_BITS,
        keyword::SOFTWARE_SEGMENTATION,
        keyword::MAX_SG_ELEMENTS,
        keyword::MEMORY_BOUND,
    ]
    .map(integer)
}

fn reattach(machine: &Machine) {
    machine.world.pre_detach();
    machine.world.pause();
    machine.world.detach();
    machine.world.attach().expect("an attach");
    machine.world.restart().expect("a restart");
}

#[test]
fn they_are_in_the_registry_at_once_and_in_effect_from_the_next_attach() {
    let machine = Machine::start(Config::default());
    let at_first = read_settings(&machine.world);
    assert_eq!(at_first.in_effect, AttachSettings::default());
    assert_eq!(at_first.registry, AttachSettings::default());

    set_settings(&machine.world, other().into()).expect("settings");
    assert_eq!(parameters(&machine), [15, 2, 4, 128].map(Some));
    let after = read_settings(&machine.world);
    assert_eq!(after.in_effect, AttachSettings::default());
    assert_eq!(after.registry, other());
    let reply = read(&machine.world);
    assert_eq!(
        (reply.ip_id_bits, reply.max_sg_elements),
        (16, MAX_SG_ELEMENTS)
    );
    machine.assert_split(large_v4(100_000));

    reattach(&machine);
    let after = read_settings(&machine.world);
    assert_eq!((after.in_effect, after.registry), (other(), other()));
    let reply = read(&machine.world);
    assert_eq!((reply.ip_id_bits, reply.max_sg_elements), (15, 4));
    assert_eq!(reply.software, SoftwareSegmentation::Always);
    machine.stop_clean();
}

#[test]
fn one_that_is_not_named_stays_as_it_is_in_the_registry() {
    let machine = Machine::start(Config::default());
    let all = SettingsChange::from(other());
    let none = SettingsChange::default();
    let mut expected = [None; 4];
    for (place, change) in [
        (
            3,
            SettingsChange {
                memory_bound: all.memory_bound,
                ..none
            },
        ),
        (
            1,
            SettingsChange {
                software: all.software,
                ..none
            },
        ),
        (
            0,
            SettingsChange {
                ip_id_bits: all.ip_id_bits,
                ..none
            },
        ),
        (
            2,
            SettingsChange {
                max_sg_elements: all.max_sg_elements,
                ..none
            },
        ),
    ] {
        set_settings(&machine.world, change).expect("a setting");
        expected[place] = change.parameters()[place];
        assert_eq!(parameters(&machine), expected);
    }
    set_settings(&machine.world, none).expect("nothing");
    assert_eq!(parameters(&machine), [15, 2, 4, 128].map(Some));
    machine.stop_clean();
}

/// The registry's tuning is the one that is to last, whatever is in effect until then.
#[test]
fn the_tuning_to_come_is_the_one_that_was_persisted() {
    let machine = Machine::start(Config::default());
    let lasting = capped(times(4), 250_000);
    let registry = || read_settings(&machine.world).registry_tuning;
    assert_eq!(registry(), read(&machine.world).tuning);
    persist(&machine.world, lasting).expect("a tuning");
    set(&machine.world, times(2)).expect("a tuning");
    assert_eq!(registry(), lasting);
    assert_eq!(read(&machine.world).tuning, times(2));
    reattach(&machine);
    assert_eq!(read(&machine.world).tuning, lasting);
    machine.stop_clean();
}

#[test]
fn setting_one_that_was_out_of_range_takes_it_off_the_count() {
    let machine = Machine::start(Config {
        parameters: [("Profile", 9), ("IpIdBits", 9), ("MemoryBound", 5000)]
            .map(|(name, value)| (name.into(), value))
            .into(),
        ..Config::default()
    });
    let count = || read(&machine.world).settings_out_of_range;
    assert_eq!(count(), 3);
    let change = SettingsChange {
        ip_id_bits: Some(other().ip_id_bits),
        ..SettingsChange::default()
    };
    set_settings(&machine.world, change).expect("a setting");
    assert_eq!(count(), 2);
    persist(&machine.world, Tuning::default()).expect("a tuning");
    assert_eq!(count(), 1);
    reattach(&machine);
    assert_eq!(count(), 1);
    machine.stop_clean();
}

#[test]
fn a_registry_that_fails_leaves_everything_as_it_was() {
    for missing in [false, true] {
        let before = [16, 0, 33, 4000];
        let names = [
            "IpIdBits",
            "SoftwareSegmentation",
            "MaxSgElements",
            "MemoryBound",
        ];
        let given = names.map(str::to_owned).into_iter().zip(before);
        let machine = Machine::start(Config {
            parameters: if missing { Vec::new() } else { given.collect() },
            ..Config::default()
        });
        let world = &machine.world;
        let state = || (read(world), read_settings(world));
        let before = state();
        let mut failed = 0;
        for nth in 0.. {
            let asked = world.fail_allocations(Failing::None);
            world.fail_allocations(Failing::Nth(asked + nth));
            let result = set_settings(world, other().into());
            world.fail_allocations(Failing::None);
            if result.is_ok() {
                break;
            }
            failed += 1;
            assert_eq!(result, Err(sys::NDIS_STATUS_RESOURCES));
            assert_eq!(state(), before, "allocation {nth}");
        }
        assert!(failed >= 5, "opening it, and each parameter");
        assert_eq!(read_settings(world).registry, other());
        machine.stop_clean();
    }
}

#[test]
fn a_registry_that_cannot_be_read_is_no_answer() {
    let machine = Machine::start(Config::default());
    let world = &machine.world;
    let asked = world.fail_allocations(Failing::None);
    world.fail_allocations(Failing::Nth(asked));
    let (code, input, output) = right()[6].clone();
    let answer = world.ioctl(code.code(), &input, output);
    world.fail_allocations(Failing::None);
    assert_eq!(answer, Err(sys::NDIS_STATUS_RESOURCES));
    machine.stop_clean();
}

/// Two administrators who set different settings at once both find theirs in the registry.
#[test]
fn changes_at_the_same_time_do_not_undo_each_other() {
    let machine = Machine::start(Config::default());
    let all = SettingsChange::from(other());
    let changes = [
        SettingsChange {
            software: None,
            memory_bound: None,
            ..all
        },
        SettingsChange {
            ip_id_bits: None,
            max_sg_elements: None,
            ..all
        },
    ];
    thread::scope(|scope| {
        for change in changes {
            let world = &machine.world;
            scope.spawn(move || set_settings(world, change).expect("settings"));
        }
    });
    assert_eq!(read_settings(&machine.world).registry, other());
    machine.stop_clean();
}

#[test]
fn values_and_bits_out_of_range_are_refused() {
    let machine = started();
    let before = machine.world.registry();
    let code = IoControl::SET_SETTINGS.code();
    let with = |flags: u32, at: usize, value: u32| {
        let mut wrong = right()[7].1.clone();
        wrong[12..16].copy_from_slice(&flags.to_le_bytes());
        wrong[16..20].fill(0);
        wrong[at..at + 4].copy_from_slice(&value.to_le_bytes());
        wrong
    };
    let mut wrong = vec![
        with(1, 8, 0),
        with(1, 16, 0),
        with(1, 16, 14),
        with(1, 16, 17),
        with(2, 20, 3),
        with(4, 24, 0),
        with(4, 24, 3),
        with(4, 24, 65),
        with(8, 28, 0),
        with(8, 28, 3),
        with(8, 28, 4097),
        // A value that is not named.
        with(0, 16, 15),
        with(1, 28, 64),
    ];
    wrong.extend((4..32).map(|bit| with(1 << bit, 16, 0)));
    for wrong in wrong {
        assert_refused(&machine, code, &wrong, 0, sys::STATUS_INVALID_PARAMETER);
    }
    assert_eq!(machine.world.registry(), before);
    machine.stop_clean();
}
