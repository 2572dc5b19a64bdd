//! The advertised size: the large-send size that the overlying driver finds in its binding, and
//! when it is advertised again.

mod reattach;
mod settings;

use model::{Config, Failing, Nic, OffloadShape, OidCall};
use model::{LargeSendLimit, LargeSendLimits};
use ndis::sys;
use scenarios::{
    Machine,
    adapter::{
        assert_last_indication, assert_read_matches_indication, originated, read, set, times,
    },
    packets::{large_v4, large_v6},
};

/// Offsets in an NDIS_OFFLOAD of the fields that the filter may change (`ntddndis.h`).
const IPV4_MAX: usize = 84;
const IPV6_MAX: usize = 96;
const ENCAPSULATED: [usize; 2] = [148, 156];

/// Sizes of NDIS_OFFLOAD, revisions 1 to 7.
const SIZES: [u16; 7] = [112, 144, 156, 177, 188, 216, 216];

/// A NIC whose three kinds all differ.
fn nic() -> Nic {
    let limit = |max_payload, min_segments| LargeSendLimit {
        max_payload,
        min_segments,
    };
    Nic {
        limits: LargeSendLimits {
            v1: limit(60_000, 4),
            v2_ipv4: limit(62_780, 2),
            v2_ipv6: limit(61_000, 3),
        },
        ..Nic::default()
    }
}

fn with(parameters: &[(&str, u32)]) -> Config {
    Config {
        parameters: parameters
            .iter()
            .map(|(name, value)| ((*name).into(), *value))
            .collect(),
        ..Config::with_nic(nic())
    }
}

/// A machine on which the driver is attached, and paused.
fn attached(config: Config) -> Machine {
    let machine = Machine::without_driver(config);
    machine.load().expect("the driver loads");
    machine.world.attach().expect("an attach");
    machine
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The NIC's own configuration, without any filter.
fn own(config: &Config) -> Vec<u8> {
    let bare = Machine::without_driver(config.clone());
    let answer = bare
        .world
        .oid(OidCall::query(sys::OID_TCP_OFFLOAD_CURRENT_CONFIG, 1024));
    assert_eq!(answer.status, 0);
    answer.bytes
}

#[test]
fn the_binding_has_eight_times_each_ip_version_and_leaves_lsov1() {
    let machine = attached(with(&[]));
    let advertised = machine.world.advertised();
    let of = |max_payload, min_segments| LargeSendLimit {
        max_payload,
        min_segments,
    };
    assert_eq!(advertised.v1, of(60_000, 4));
    assert_eq!(advertised.v2_ipv4, of(502_240, 2));
    assert_eq!(advertised.v2_ipv6, of(488_000, 3));
    assert_eq!(originated(&machine.world), [], "the binding has it all");
    assert_last_indication(&machine.world);
    machine.world.restart().expect("a restart");
    machine.assert_split(large_v4(502_240));
    machine.assert_split(large_v6(488_000));
    machine.stop_clean();
}

#[test]
fn a_disabled_ip_version_stays_disabled() {
    for (ipv4, ipv6) in [(false, true), (true, false), (false, false)] {
        let mut config = with(&[("Multiple", 16)]);
        config.nic.enabled.v2_ipv4 = ipv4;
        config.nic.enabled.v2_ipv6 = ipv6;
        let machine = attached(config);
        let advertised = machine.world.advertised();
        let size = |on, size| if on { size } else { 0 };
        assert_eq!(advertised.v2_ipv4.max_payload, size(ipv4, 16 * 62_780));
        assert_eq!(advertised.v2_ipv6.max_payload, size(ipv6, 16 * 61_000));
        assert_last_indication(&machine.world);
        machine.stop_clean();
    }
}

#[test]
fn a_size_without_an_encapsulation_or_an_encapsulation_without_a_size_is_none() {
    for word_at in [IPV4_MAX - 4, IPV4_MAX] {
        let mut config = with(&[]);
        config.nic.offload.words = vec![(word_at, 0)];
        let before = own(&config);
        let machine = attached(config);
        let bound = machine.world.binding_offload().expect("a configuration");
        assert_eq!(bound[80..92], before[80..92]);
        assert_eq!(word(&bound, IPV6_MAX), 488_000);
        let reply = read(&machine.world);
        let ipv4 = (reply.advertised_v2_ipv4, reply.nic.v2_ipv4.max_payload);
        assert_eq!(ipv4, (0, 0));
        // The NIC supports it all the same, and its next indication reports that.
        machine.world.nic_changes(|nic| nic.offload.words.clear());
        assert_last_indication(&machine.world);
        machine.stop_clean();
    }
}

#[test]
fn a_nic_without_an_offload_configuration_is_passed_through() {
    let machine = Machine::start(Config {
        has_offload: false,
        ..Config::with_nic(Nic::new(0, 0))
    });
    assert_eq!(machine.world.binding_offload(), None);
    let reply = read(&machine.world);
    assert_eq!((reply.advertised_v2_ipv4, reply.advertised_v2_ipv6), (0, 0));
    assert_eq!(
        (reply.malformed_offloads, reply.settings_out_of_range),
        (0, 0)
    );
    set(&machine.world, times(16)).expect("a tuning");
    assert_eq!(machine.world.seen_statuses(), [], "nothing to indicate");
    assert_eq!(machine.world.advertised(), LargeSendLimits::default());
    machine.stop_clean();
}

/// All that a NIC may report besides large sends, with a different value in each word.
fn chatty(revision: u8) -> OffloadShape {
    let size = SIZES[usize::from(revision) - 1];
    let large_sends =
        |at: &usize| (36..52).contains(at) || (80..108).contains(at) || (188..216).contains(at);
    let mut words: Vec<_> = (4..usize::from(size))
        .step_by(4)
        .filter(|at| !large_sends(at))
        .map(|at| (at, 0x0101_0101 * at as u32))
        .collect();
    words.extend(ENCAPSULATED.map(|at| (at, 0x0000_1222)));
    OffloadShape {
        revision,
        size,
        words,
        ..OffloadShape::default()
    }
}

#[test]
fn nothing_else_is_changed_in_any_revision() {
    for revision in 1..=7 {
        let mut config = with(&[("Multiple", 4)]);
        config.nic = config.nic.without_uso();
        config.nic.offload = chatty(revision);
        let mut expected = own(&config);
        assert_eq!(
            expected.len(),
            usize::from(SIZES[usize::from(revision) - 1])
        );
        for (at, value) in [(IPV4_MAX, 4 * 62_780_u32), (IPV6_MAX, 4 * 61_000)] {
            expected[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        let machine = attached(config);
        let bound = machine.world.binding_offload();
        assert_eq!(bound, Some(expected), "revision {revision}");
        machine.stop_clean();
    }
}

#[test]
fn a_malformed_configuration_passes_untouched_and_is_counted() {
    // Type, revision 0, and a size below that of revision 1.
    for header in [0x00D8_0780, 0x00D8_00A7, 0x006F_07A7] {
        let mut config = with(&[]);
        config.nic.offload.words = vec![(0, header)];
        let before = own(&config);
        let machine = attached(config);
        assert_eq!(machine.world.binding_offload(), Some(before));
        let reply = read(&machine.world);
        assert_eq!(reply.malformed_offloads, 1, "{header:#x}");
        assert_eq!((reply.advertised_v2_ipv4, reply.advertised_v2_ipv6), (0, 0));
        machine.world.restart().expect("a restart");
        assert_eq!(
            machine.world.seen_statuses(),
            [],
            "there is nothing to indicate"
        );
        // A NIC that comes to its senses is raised like any other.
        machine.world.nic_changes(|nic| nic.offload.words.clear());
        assert_last_indication(&machine.world);
        machine.assert_split(large_v4(500_000));
        // At attach, and when the filter queried the hardware capabilities.
        assert_eq!(read(&machine.world).malformed_offloads, 2);
        machine.stop_clean();
    }
}

#[test]
fn a_configuration_longer_than_any_known_is_forwarded_unchanged_and_obeyed() {
    let mut config = with(&[]);
    config.nic.offload.size = 600;
    let before = own(&config);
    let machine = attached(config);
    assert_eq!(machine.world.binding_offload(), Some(before));
    assert_eq!(read(&machine.world).malformed_offloads, 1);
    assert_read_matches_indication(&machine.world);
    machine.world.restart().expect("a restart");
    machine.assert_sent(large_v4(62_780));
    machine.assert_split(large_v4(200_000));
    machine.stop_clean();
}

#[test]
fn a_failed_attach_leaves_the_configuration_as_it_was() {
    let machine = Machine::without_driver(with(&[("Multiple", 5)]));
    machine.load().expect("the driver loads");
    let world = &machine.world;
    let before = world.fail_allocations(Failing::None);
    world.attach().expect("an attach");
    let all = world.fail_allocations(Failing::None) - before;
    world.detach();
    // The last thing that may fail is NdisFSetAttributes; the model judges the buffer.
    for nth in (all - 4..all).rev() {
        let now = world.fail_allocations(Failing::None);
        world.fail_allocations(Failing::Nth(now + nth));
        assert_eq!(world.attach(), Err(sys::NDIS_STATUS_RESOURCES), "{nth}");
        assert_eq!(world.binding_offload(), Some(own(&with(&[]))));
        assert_eq!(world.advertised(), nic().limits);
        world.fail_allocations(Failing::None);
    }
    world.attach().expect("an attach");
    assert_last_indication(world);
    machine.stop_clean();
}
