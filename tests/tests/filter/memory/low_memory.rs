//! Any allocation may fail: the driver starts whole or not at all, and a send goes whole or is
//! completed with RESOURCES. Once warm, it allocates nothing.

use model::{Backing, Completion, Config, Failing, Nic, Packet, SendCall};
use ndis::sys;
use scenarios::{
    Machine, assert_clean,
    packets::{MSS, arp, large_v4, large_v6, on_port, small},
};

const RESOURCES: i32 = sys::NDIS_STATUS_RESOURCES;
const NIC_MAX: u32 = 2 * MSS;

fn config() -> Config {
    Config {
        processors: 1,
        ..Config::with_nic(Nic::new(NIC_MAX, 2))
    }
}

/// Starts the driver while allocations fail. Where it does not start, nothing may be left behind.
fn start(failing: Failing) -> Result<Machine, i32> {
    let machine = Machine::without_driver(config());
    machine.world.fail_allocations(failing);
    let loaded = machine.load();
    if let Err(status) = loaded.and_then(|()| machine.world.attach()) {
        machine.world.fail_allocations(Failing::None);
        if loaded.is_ok() {
            machine.world.unload();
        }
        assert_clean(&machine.world.finish());
        return Err(status);
    }
    machine.world.restart().expect("a restart cannot fail");
    Ok(machine)
}

/// Calls `start` with every number of an allocation until there is none of that number; returns
/// how many there were.
fn sweep_start(failing: fn(u64) -> Failing) -> u64 {
    for n in 0.. {
        match start(failing(n)) {
            Err(status) => assert_eq!(status, RESOURCES, "allocation {n}"),
            Ok(machine) => {
                // Settings that cannot be read have their defaults.
                let asked = machine.world.fail_allocations(Failing::None);
                machine.assert_split(large_v4(20_000));
                machine.stop_clean();
                if asked <= n {
                    return n;
                }
            }
        }
    }
    unreachable!("some start succeeds")
}

#[test]
fn the_driver_starts_whole_or_not_at_all_whichever_allocation_fails() {
    assert!(sweep_start(Failing::Nth) > 64);
}

#[test]
fn the_driver_starts_whole_or_not_at_all_from_wherever_memory_is_out() {
    assert!(sweep_start(Failing::From) > 64);
}

#[test]
fn an_attach_that_failed_may_be_repeated() {
    let machine = Machine::without_driver(config());
    machine.load().expect("the driver loads");
    let asked = machine.world.fail_allocations(Failing::None);
    machine.world.fail_allocations(Failing::From(asked + 40));
    assert_eq!(machine.world.attach(), Err(RESOURCES));
    machine.world.fail_allocations(Failing::None);
    machine.world.attach().expect("an attach");
    machine.world.restart().expect("a restart");
    machine.assert_split(large_v4(20_000));
    machine.stop_clean();
}

/// Sends for which children must be allocated beyond the 64 that are ready, and headers mapped.
fn hungry() -> Vec<Vec<Packet>> {
    let locked = |packet| Packet {
        backing: Backing::LockedPages,
        ..packet
    };
    vec![
        vec![
            small(),
            locked(large_v4(20_000)),
            arp(),
            on_port(locked(large_v4(60 * NIC_MAX)), 9),
            locked(large_v6(20_000).in_buffers(4096)),
        ],
        vec![locked(large_v4(75 * NIC_MAX)), small()],
    ]
}

/// Sends while allocations fail, counted from here; returns whether all went through.
fn send_hungry(machine: &Machine, failing: fn(u64) -> Failing, n: u64) -> bool {
    let asked = machine.world.fail_allocations(Failing::None);
    machine.world.fail_allocations(failing(asked + n));
    let numbers: Vec<_> = hungry()
        .into_iter()
        .flat_map(|batch| {
            let numbers = machine.send(batch);
            machine.deliver_all();
            numbers
        })
        .collect();
    machine.world.fail_allocations(Failing::None);
    let statuses: Vec<_> = numbers.iter().map(|n| machine.status(*n)).collect();
    assert!(
        statuses
            .iter()
            .all(|status| [0, RESOURCES].contains(status))
    );
    for place in [0, 2, 6] {
        assert_eq!(statuses[place], 0, "what needs no memory goes through");
    }
    statuses.iter().all(|status| *status == 0)
}

/// Sends with every number of an allocation failing until there is none of that number.
fn sweep_sends(failing: fn(u64) -> Failing, completion: Completion) -> u64 {
    for n in 0.. {
        let mut config = config();
        config.nic.completion = completion;
        let machine = Machine::start(config);
        let through = send_hungry(&machine, failing, n);
        // A failure loses nothing: later sends pass as ever.
        machine.assert_split(large_v4(20_000));
        machine.stop_clean();
        if through {
            return n;
        }
    }
    unreachable!("some round goes through")
}

#[test]
fn a_send_goes_whole_or_comes_back_whichever_allocation_fails() {
    assert!(sweep_sends(Failing::Nth, Completion::default()) > 10);
}

#[test]
fn a_send_goes_whole_or_comes_back_from_wherever_memory_is_out() {
    assert!(sweep_sends(Failing::From, Completion::default()) > 10);
}

#[test]
fn failures_with_children_still_out_are_no_worse() {
    let completion = Completion {
        deferred: true,
        merged: true,
        ..Completion::default()
    };
    assert!(sweep_sends(Failing::Nth, completion) > 10);
}

#[test]
fn a_header_that_cannot_be_mapped_costs_its_own_send() {
    let machine = Machine::start(config());
    let asked = machine.world.fail_allocations(Failing::None);
    machine.world.fail_allocations(Failing::Nth(asked));
    let locked = || Packet {
        backing: Backing::LockedPages,
        ..large_v4(20_000)
    };
    let numbers = machine.send(vec![locked(), locked()]);
    let statuses = [machine.status(numbers[0]), machine.status(numbers[1])];
    assert_eq!(statuses, [RESOURCES, 0]);
    machine.stop_clean();
}

#[test]
fn nothing_is_allocated_while_children_are_ready() {
    let machine = Machine::start(config());
    // Arrays of MDLs are not ready, and not needed here.
    machine.world.warmed_up();
    for _ in 0..50 {
        machine.send(vec![large_v4(64 * NIC_MAX), small()]);
    }
    machine.stop_clean();
}

#[test]
fn children_are_allocated_once_and_reused() {
    let mut config = config();
    config.processors = 2;
    config.nic.completion = Completion {
        deferred: true,
        on_processor: Some(1),
        ..Completion::default()
    };
    let machine = Machine::start(config);
    let round = || {
        for processor in [0, 1] {
            let call = SendCall {
                processor,
                ..SendCall::default()
            };
            for batch in hungry() {
                machine.world.send(batch, call);
            }
        }
        machine.deliver_all();
    };
    round();
    machine.world.warmed_up();
    for _ in 0..3 {
        round();
    }
    machine.stop_clean();
}
