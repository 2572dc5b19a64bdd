//! A child's MDL chain: it ends with the child, and is within the NIC's limit of elements. The
//! parent is not changed, and the wire is the same.
#![expect(unsafe_code, reason = "changes a chain on its way")]

use model::{Backing, Completion, Config, Failing, Nic, Order, Packet, Rule, Tamper};
use ndis::sys;
use proptest::{collection::vec, prelude::*, sample::select, test_runner::FileFailurePersistence};
use scenarios::{
    Machine, assert_clean,
    packets::{MSS, header_length, large, large_v4, large_v6},
    tampering::nbls,
};
use testpkt::synth::{IpVersion, Synth};

const RESOURCES: i32 = sys::NDIS_STATUS_RESOURCES;
/// The NIC's limit in most tests: three segments, so that short sends have several children.
const NIC_MAX: u32 = 3 * MSS;

/// The most elements that the filter is set to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Default,
    AtMost(u32),
}

const MODES: [Mode; 4] = [
    Mode::Default,
    Mode::AtMost(4),
    Mode::AtMost(16),
    Mode::AtMost(64),
];

/// A machine whose filter is set to `mode`, and whose NIC has the model hold it to that.
fn config(mode: Mode, nic_max: u32) -> Config {
    let (setting, most) = match mode {
        // A child has no room for more.
        Mode::Default => (0, 64),
        Mode::AtMost(most) => (most, most),
    };
    let mut nic = Nic::new(nic_max, 2);
    nic.max_elements = Some(most as usize);
    Config {
        processors: 1,
        parameters: vec![("MaxSgElements".into(), setting)],
        ..Config::with_nic(nic)
    }
}

fn start(mode: Mode) -> Machine {
    Machine::start(config(mode, NIC_MAX))
}

fn locked(packet: Packet) -> Packet {
    Packet {
        backing: Backing::LockedPages,
        ..packet
    }
}

#[test]
fn payload_in_buffers_of_every_size_reaches_the_wire() {
    for mode in MODES {
        let machine = Machine::start(config(mode, 62_780));
        let send = || {
            for size in [64 << 10, 4096, 4095, 1448, 997, 62_780] {
                machine.assert_split(large_v4(200_000).in_buffers(size));
                machine.assert_split(locked(large_v6(200_000).in_buffers(size)));
            }
            machine.world.pool_allocations()
        };
        // The arrays of MDLs stay.
        let before = send();
        let after = send();
        assert_eq!(after, before, "copies are gone with the children");
        machine.stop_clean();
    }
}

#[test]
fn payload_in_buffers_of_1_mib_reaches_the_wire() {
    for mode in MODES {
        let machine = Machine::start(config(mode, 1 << 20));
        let packet = large_v4((2 << 20) + 5).in_buffers(1 << 20);
        machine.assert_split(locked(Packet {
            page_offset: 4095,
            ..packet
        }));
        machine.stop_clean();
    }
}

#[test]
fn payload_in_buffers_of_one_byte_reaches_the_wire() {
    for mode in MODES {
        let machine = start(mode);
        for backing in [Backing::NonPagedPool, Backing::LockedPages] {
            machine.assert_split(Packet {
                backing,
                ..large_v4(9_000).in_buffers(1)
            });
        }
        machine.stop_clean();
    }
}

#[test]
fn a_chain_of_4000_elements_reaches_the_wire() {
    for mode in MODES {
        let machine = Machine::start(config(mode, 62_780));
        machine.assert_split(large_v4(4_000 * 37).in_buffers(37));
        machine.stop_clean();
    }
}

#[test]
fn mixed_and_empty_buffers_reach_the_wire() {
    let header = header_length(IpVersion::V4);
    for mode in MODES {
        let machine = start(mode);
        for buffers in [
            vec![header, 1, 0, 0, 4343, 4344, 0, 5000, 1],
            vec![header + 4344, 4344, 4344],
            vec![header, 4344, 4344, 4344],
            vec![header + 1, 0, 8687],
            vec![header, 20_000, 0],
            vec![header, 0, 0, 0, 0, 1000, 1000, 1000, 0, 1000, 344, 0, 0],
        ] {
            machine.assert_split(Packet {
                buffers,
                ..large_v4(20_000)
            });
        }
        machine.stop_clean();
    }
}

#[test]
fn buffers_may_start_and_end_anywhere_in_a_page() {
    for mode in MODES {
        let machine = start(mode);
        for (data_offset, page_offset) in [(0, 1), (64, 0), (256, 4095), (5000, 2048), (4096, 4090)]
        {
            for packet in [
                large_v4(20_000),
                large_v6(20_000).in_buffers(4096),
                large_v4(20_000).in_buffers(777),
            ] {
                machine.assert_split(locked(Packet {
                    data_offset,
                    page_offset,
                    ..packet
                }));
            }
        }
        machine.stop_clean();
    }
}

#[test]
fn elements_are_as_many_as_allowed_before_anything_is_copied() {
    // A child's window of 4,344 bytes: in three buffers, or in more than the NIC's limit.
    let header = header_length(IpVersion::V4);
    for (buffers, copies) in [
        (vec![header, 1448, 1448, 1448, 1448, 1448, 1448], false),
        (vec![header, 1448, 1448, 1447, 1, 1448, 1448], true),
    ] {
        let mut config = config(Mode::AtMost(4), NIC_MAX);
        config.nic.completion.deferred = true;
        let machine = Machine::start(config);
        if !copies {
            machine.world.warmed_up();
        }
        let asked = machine.world.fail_allocations(Failing::None);
        machine.assert_split(Packet {
            buffers,
            ..large_v4(2 * NIC_MAX)
        });
        let after = machine.world.fail_allocations(Failing::None);
        assert_eq!(after - asked, u64::from(copies));
        machine.stop_clean();
    }
}

#[test]
fn children_with_mapped_elements_are_used_again() {
    for mode in MODES {
        let mut config = config(mode, NIC_MAX);
        config.nic.completion = Completion {
            deferred: true,
            merged: true,
            order: Order::Reversed,
            ..Completion::default()
        };
        let machine = Machine::start(config);
        for _ in 0..3 {
            for size in [1000, 4096, 100] {
                machine.assert_split(locked(large_v4(20_000).in_buffers(size)));
            }
        }
        machine.stop_clean();
    }
}

#[test]
fn usual_buffers_take_nothing_from_the_pool() {
    for mode in [Mode::Default, Mode::AtMost(32)] {
        let machine = Machine::start(config(mode, 62_780));
        let sizes = [2048, 4096, 64 << 10, 1 << 20];
        for size in sizes {
            machine.assert_split(large_v4(500_000).in_buffers(size));
        }
        machine.world.warmed_up();
        for size in sizes {
            machine.assert_split(large_v4(500_000).in_buffers(size));
        }
        machine.stop_clean();
    }
}

/// Sends with every number of an allocation failing until there is none of that number.
fn sweep(mode: Mode, failing: fn(u64) -> Failing, completion: Completion) -> u64 {
    for n in 0.. {
        let mut config = config(mode, NIC_MAX);
        config.nic.completion = completion;
        let machine = Machine::start(config);
        let asked = machine.world.fail_allocations(Failing::None);
        machine.world.fail_allocations(failing(asked + n));
        let sends = || {
            vec![
                locked(large_v4(2 * NIC_MAX).in_buffers(300)),
                large_v6(2 * NIC_MAX).in_buffers(100),
            ]
        };
        let numbers = machine.send(sends());
        machine.deliver_all();
        machine.world.fail_allocations(Failing::None);
        let statuses: Vec<_> = numbers.iter().map(|n| machine.status(*n)).collect();
        assert!(
            statuses
                .iter()
                .all(|status| [0, RESOURCES].contains(status))
        );
        // A failure loses nothing: later sends pass as ever.
        for packet in sends() {
            machine.assert_split(packet);
        }
        machine.stop_clean();
        if statuses == [0, 0] {
            return n;
        }
    }
    unreachable!("some round goes through")
}

#[test]
fn a_copy_that_fails_costs_its_own_send() {
    let completion = Completion {
        deferred: true,
        ..Completion::default()
    };
    // For each of four children a buffer, and for two of them a mapping of each of a dozen MDLs that
    // are copied from.
    assert!(sweep(Mode::AtMost(4), Failing::Nth, completion) > 4 + 2 * 12);
    assert!(sweep(Mode::AtMost(4), Failing::From, Completion::default()) > 4 + 2 * 12);
}

#[test]
fn a_chain_that_is_too_short_is_refused() {
    for mode in MODES {
        let machine = start(mode);
        // The arrays of MDLs stay.
        machine.assert_split(large_v4(20_000).in_buffers(10));
        let before = machine.world.pool_allocations();
        for size in [20_000, 4096, 10] {
            let number = machine.send_one(Packet {
                extra_length: 1,
                ..large_v4(20_000).in_buffers(size)
            });
            assert_eq!(machine.status(number), sys::NDIS_STATUS_INVALID_PACKET);
            // The copies of those children that were whole are gone with the send.
            assert_eq!(machine.world.pool_allocations(), before);
        }
        machine.assert_split(large_v4(20_000));
        machine.stop_clean();
    }
}

/// Found by chaos: the model took the MDL of a copy for the partial one that had stood in its
/// place, in a split that failed and whose parent was not completed yet.
#[test]
fn a_copy_may_stand_where_a_split_that_failed_had_lent() {
    let mut config = config(Mode::AtMost(4), NIC_MAX);
    config.nic = config.nic.without_lso();
    config.nic.completion.deferred = true;
    let machine = Machine::start(config);
    let numbers = machine.send(vec![
        Packet {
            extra_length: 1291,
            ..large(&Synth::v4(5, 5)).in_buffers(2)
        },
        large(&Synth::v4(4, 4)).in_buffers(1),
    ]);
    machine.deliver_all();
    let statuses: Vec<_> = numbers.into_iter().map(|one| machine.status(one)).collect();
    assert_eq!(statuses, [sys::NDIS_STATUS_INVALID_PACKET, 0]);
    machine.stop_clean();
}

#[test]
fn the_model_sees_chains_that_go_on_and_elements_that_are_too_many() {
    let machine = start(Mode::Default);
    machine.world.tamper(|tamper| {
        if let Tamper::Send(chain) = tamper {
            let nbls = nbls(*chain);
            // SAFETY: the first child's chain goes on with the second's, for good.
            unsafe {
                let mut last = (*(*nbls[0]).FirstNetBuffer).MdlChain;
                while !(*last).Next.is_null() {
                    last = (*last).Next;
                }
                (*last).Next = (*(*nbls[1]).FirstNetBuffer).MdlChain;
            }
        }
    });
    machine.send_one(large_v4(20_000));
    let mut counts = config(Mode::Default, NIC_MAX);
    counts.nic.max_elements = Some(4);
    let counting = Machine::start(counts);
    counting.send_one(large_v4(20_000).in_buffers(1000));
    for machine in [machine, counting] {
        let broken = machine.stop();
        assert!(!broken.is_empty());
        assert!(broken.iter().all(|violation| violation.rule == Rule::Chain));
    }
    // NBLs that are not the filter's are as the overlying driver has them.
    let machine = start(Mode::AtMost(4));
    machine.assert_sent(large_v4(NIC_MAX).in_buffers(100));
    machine.stop_clean();
}

#[test]
fn a_setting_out_of_range_is_not_in_effect() {
    for (setting, broken) in [(3, true), (65, true), (4, false)] {
        let mut config = config(Mode::AtMost(4), NIC_MAX);
        config.parameters = vec![("MaxSgElements".into(), setting)];
        let machine = Machine::start(config);
        machine.send_one(large_v4(20_000).in_buffers(1000));
        assert_eq!(!machine.stop().is_empty(), broken, "{setting}");
    }
}

/// The parent's own chain may go on behind it, or be shared by a clone: it is used as it is only
/// where it ends with the parent, and is never cut.
#[test]
fn bytes_behind_the_parent_are_not_in_a_child() {
    for mode in MODES {
        let machine = start(mode);
        for (last, tail) in [(5000, 0), (5000, 100), (4999, 100), (5001, 3000)] {
            let mut packet = large_v4(20_000).in_buffers(5000);
            *packet.buffers.last_mut().expect("buffers") = last;
            packet.tail = tail;
            machine.assert_split(packet);
        }
        machine.stop_clean();
    }
}

/// One send in any buffers.
#[derive(Clone, Debug)]
struct Case {
    mode: Mode,
    nic_max: u32,
    packet: Packet,
}

fn case() -> impl Strategy<Value = Case> {
    let buffers = vec(
        prop_oneof![Just(0), 1..5_u32, 1..200_u32, 1..5_000_u32, Just(4096)],
        0..60,
    );
    (
        select(&MODES[..]),
        select(&[NIC_MAX, 5 * MSS, 62_780][..]),
        buffers,
        0..60_000_u32,
        0..4096_u32,
        select(&[0, 0, 1, 77, 4096, 5000][..]),
        any::<bool>(),
    )
        .prop_map(
            |(mode, nic_max, mut buffers, more, page_offset, data_offset, is_locked)| {
                buffers.insert(0, header_length(IpVersion::V4));
                let packet = Packet {
                    buffers,
                    page_offset,
                    data_offset,
                    ..large_v4(nic_max + 1 + more)
                };
                Case {
                    mode,
                    nic_max,
                    packet: if is_locked { locked(packet) } else { packet },
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_buffers_reach_the_wire_in_any_mode(case in case()) {
        let machine = Machine::start(config(case.mode, case.nic_max));
        for _ in 0..2 {
            machine.assert_split(case.packet.clone());
        }
        assert_clean(&machine.stop());
    }
}
