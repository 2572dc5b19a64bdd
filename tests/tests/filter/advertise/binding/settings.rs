//! The registry's settings for the size, valid and invalid.

use control::{Cap, Profile};
use model::RegistryValue;
use scenarios::{
    Machine,
    adapter::{
        assert_last_indication, capped, originated, persist, profile, raised, read, set, times,
    },
    packets::large_v4,
};

use super::{attached, nic, with};

#[test]
fn every_multiple_is_advertised() {
    for multiple in 1..=16 {
        let machine = attached(with(&[("Multiple", multiple)]));
        let expected = raised(nic().limits, multiple, None);
        assert_eq!(machine.world.advertised(), expected, "{multiple}");
        assert_eq!(read(&machine.world).tuning, times(multiple));
        assert_last_indication(&machine.world);
        machine.stop_clean();
    }
}

/// Installing the driver changes nothing: the NIC's own sizes are advertised without a status
/// indication, and its large sends pass as they are, until the administrator chooses a profile.
#[test]
fn an_installed_driver_raises_nothing_until_it_is_turned_on() {
    let machine = Machine::as_installed(with(&[]));
    let world = &machine.world;
    assert_eq!(read(world).tuning, profile(Profile::Off));
    assert_eq!(world.advertised(), nic().limits);
    assert!(originated(world).is_empty());
    let own = nic().limits.v2_ipv4.max_payload;
    let sent = machine.assert_sent(large_v4(own));
    assert!(!sent[0].is_child && sent.len() == 1, "it is forwarded");
    let counters = machine.statistics();
    assert_eq!((counters.split, counters.children), (0, 0));

    persist(world, profile(Profile::Throughput)).expect("a profile");
    assert_eq!(world.advertised(), raised(nic().limits, 8, None));
    machine.assert_split(large_v4(8 * own));
    assert_last_indication(world);
    machine.stop_clean();
}

#[test]
fn every_profile_is_advertised() {
    for (number, multiple) in [(0, 1), (1, 2), (2, 8), (3, 16)] {
        let machine = attached(with(&[("Profile", number)]));
        let expected = raised(nic().limits, multiple, None);
        assert_eq!(machine.world.advertised(), expected, "{number}");
        machine.stop_clean();
    }
}

#[test]
fn a_multiple_wins_over_a_profile_unless_it_is_zero() {
    for (multiple, effective) in [(0, 16), (3, 3)] {
        let machine = attached(with(&[("Multiple", multiple), ("Profile", 3)]));
        assert_eq!(read(&machine.world).tuning.multiple(), effective);
        assert_last_indication(&machine.world);
        machine.stop_clean();
    }
}

#[test]
fn a_cap_bounds_the_size_and_never_lowers_the_nics() {
    for (cap, ipv4, ipv6) in [
        (300_000, 300_000, 300_000),
        (490_000, 490_000, 488_000),
        (62_000, 62_780, 62_000),
        (4096, 62_780, 61_000),
        (16 << 20, 502_240, 488_000),
        (0, 502_240, 488_000),
    ] {
        let machine = attached(with(&[("CapBytes", cap)]));
        let advertised = machine.world.advertised();
        let maxima = (
            advertised.v2_ipv4.max_payload,
            advertised.v2_ipv6.max_payload,
        );
        assert_eq!(maxima, (ipv4, ipv6), "cap {cap}");
        let expected = (cap != 0).then_some(cap);
        assert_eq!(read(&machine.world).tuning.cap.map(Cap::bytes), expected);
        assert_last_indication(&machine.world);
        machine.stop_clean();
    }
}

#[test]
fn settings_are_read_as_the_registry_may_have_them() {
    let machine = Machine::without_driver(with(&[]));
    let four = RegistryValue::Text("4".into());
    machine.world.set_registry("MULTIPLE", four);
    let nothing = RegistryValue::Bytes(vec![1, 2, 3]);
    machine.world.set_registry("CapBytes", nothing);
    machine.try_start().expect("the driver starts");
    assert_eq!(read(&machine.world).tuning, times(4));
    assert_last_indication(&machine.world);
    machine.stop_clean();
}

#[test]
fn a_value_out_of_range_falls_back_to_its_default_and_is_counted() {
    let default = profile(Profile::Off);
    let cpu = profile(Profile::Cpu);
    for (parameters, tuning, count) in [
        (&[("Multiple", 17)][..], default, 1),
        (&[("Multiple", u32::MAX)], default, 1),
        (&[("Profile", 4)], default, 1),
        (&[("CapBytes", 4095)], default, 1),
        (&[("CapBytes", (16 << 20) + 1)], default, 1),
        (&[("IpIdBits", 14)], default, 1),
        (&[("IpIdBits", 0)], default, 1),
        (&[("MemoryBound", 3)], default, 1),
        (&[("MemoryBound", 4097)], default, 1),
        (&[("MaxSgElements", 3)], default, 1),
        (&[("MaxSgElements", 65)], default, 1),
        (&[("MemoryBound", 0), ("MaxSgElements", 1)], default, 2),
        (&[("MemoryBound", 4), ("MaxSgElements", 64)], default, 0),
        (&[("Multiple", 17), ("Profile", 3)], cpu, 1),
        (&[("Multiple", 4), ("Profile", 9)], times(4), 1),
        (&[("Multiple", 99), ("CapBytes", 1)], default, 2),
        (
            &[
                ("Multiple", 17),
                ("Profile", 4),
                ("CapBytes", 1),
                ("IpIdBits", 17),
            ],
            default,
            4,
        ),
        (&[("Multiple", 16), ("IpIdBits", 16)], times(16), 0),
    ] {
        let machine = Machine::as_installed(with(parameters));
        let reply = read(&machine.world);
        assert_eq!(reply.tuning, tuning, "{parameters:?}");
        assert_eq!(reply.settings_out_of_range, count, "{parameters:?}");
        assert_eq!(reply.ip_id_bits, 16);
        assert_last_indication(&machine.world);
        machine.stop_clean();
    }
}

#[test]
fn a_tuning_that_changes_no_size_is_not_announced() {
    let machine = Machine::start(with(&[("Multiple", 8)]));
    let same = [
        times(8),
        profile(Profile::Throughput),
        capped(times(16), 4096),
        capped(times(2), 8192),
    ];
    for (tuning, count) in same.into_iter().zip([1, 1, 2, 2]) {
        set(&machine.world, tuning).expect("a tuning");
        assert_eq!(originated(&machine.world).len(), count, "{tuning:?}");
        assert_last_indication(&machine.world);
    }
    machine.stop_clean();
}
