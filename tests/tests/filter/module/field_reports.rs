//! Faults of other network filters in the field, which this one must not have. Reports with tests of
//! their own elsewhere: requests with an empty header (`oids`), a mapping that fails and an NBL held
//! for memory (`memory::low_memory`), a leaked reference at unload (the same, whose every failure is
//! followed by a detach), an open handle (`admin::device`), the service's start type (`inf` of the
//! program `image`).

use std::thread;

use model::{Completion, Config, Nic, OidCall, Order, SendCall};
use ndis::sys;
use scenarios::{
    Machine,
    adapter::{assert_last_indication, persist, times},
    packets::{MSS, large_v4, on_port, small},
};

/// Npcap: FilterPause returned success, and NdisFPauseComplete was called as well.
#[test]
fn a_pause_ends_once() {
    for order in [Order::Sent, Order::Reversed] {
        let mut nic = Nic::new(3 * MSS, 2);
        nic.completion = Completion {
            order,
            deferred: true,
            ..Completion::default()
        };
        let machine = Machine::with_nic(nic);
        for _ in 0..3 {
            let packets = vec![large_v4(20_000), small()];
            machine.world.send(packets, SendCall::default());
            // The NIC completes while the pause waits.
            machine.world.pause();
            machine.world.restart().expect("a restart");
        }
        machine.stop_clean();
    }
}

/// NetKVM: hosts with 60 or more processors, and so several processor groups.
#[test]
fn as_many_processors_as_there_are() {
    for processors in [1, 64, 65, 128, 200] {
        let machine = Machine::start(Config {
            processors,
            nic: Nic::new(3 * MSS, 2),
            ..Config::default()
        });
        let world = &machine.world;
        for processor in [0, processors / 2, processors - 1] {
            world.set_nic(|nic| {
                nic.completion.deferred = true;
                nic.completion.on_processor = Some(processors - 1 - processor);
            });
            let port = 100 + processor as u16;
            let call = SendCall {
                processor,
                at_dispatch: processor % 2 == 0,
            };
            world.send(vec![on_port(large_v4(20_000), port)], call);
            while world.deliver() > 0 {}
        }
        let split = machine.statistics().split;
        assert_eq!(split, 3, "{processors} processors");
        machine.stop_clean();
    }
}

/// A processor that is added while the driver runs sends and completes, before the module is restarted
/// and afterwards.
#[test]
fn a_hot_added_processor_sends_and_completes() {
    let machine = Machine::start(Config {
        processors: 1,
        hot_added: 1,
        nic: Nic::new(3 * MSS, 2),
        ..Config::default()
    });
    let world = &machine.world;
    world.set_nic(|nic| {
        nic.completion.deferred = true;
        nic.completion.on_processor = Some(1);
    });
    let send = |processor, port| {
        let call = SendCall {
            processor,
            at_dispatch: true,
        };
        world.send(vec![on_port(large_v4(20_000), port)], call);
        while world.deliver() > 0 {}
    };
    world.add_processors();
    send(1, 100);
    send(0, 101);
    world.pause();
    world.restart().expect("a restart");
    send(1, 102);
    assert_eq!(machine.statistics().split, 3);
    machine.stop_clean();
}

/// NetKVM: with task offload turned off for all of the host, OID_OFFLOAD_ENCAPSULATION never comes.
/// Whether it comes, when, and with what, large sends are split in the same way.
#[test]
fn nothing_depends_on_the_encapsulation_being_set() {
    let children = |sets: &[u32]| {
        let machine = Machine::with_nic(Nic::new(3 * MSS, 2));
        for encapsulation in sets {
            let mut bytes = vec![0; 24];
            bytes[..4].copy_from_slice(&encapsulation.to_le_bytes());
            let set = OidCall::set(sys::OID_OFFLOAD_ENCAPSULATION, bytes);
            let _ = machine.world.oid(set);
        }
        assert_last_indication(&machine.world);
        let children = machine.assert_split(large_v4(20_000)).len();
        machine.stop_clean();
        children
    };
    let never = children(&[]);
    assert_eq!(never, children(&[1]));
    assert_eq!(never, children(&[1, 0, 2]));
}

/// Npcap: an adapter without connection after a reset, or after sleep, with virtual machines running.
#[test]
fn resets_sleep_and_links_in_any_order() {
    let power = |state: u32| state.to_le_bytes().to_vec();
    let machine = Machine::with_nic(Nic::new(10 * MSS, 2));
    let world = &machine.world;
    persist(world, times(4)).expect("a tuning");
    let steps: [&dyn Fn(); 8] = [
        &|| world.indicate(sys::NDIS_STATUS_RESET_START, Vec::new()),
        &|| world.indicate(sys::NDIS_STATUS_RESET_END, Vec::new()),
        &|| world.indicate(sys::NDIS_STATUS_MEDIA_DISCONNECT, Vec::new()),
        &|| world.indicate(sys::NDIS_STATUS_MEDIA_CONNECT, Vec::new()),
        &|| {
            // NetDeviceStateD3, and back to D0 over a pause.
            world.net_event(sys::NetEventSetPower, &power(4), 0);
            world.pause();
            world.restart().expect("a restart");
            world.net_event(sys::NetEventSetPower, &power(1), 0);
        },
        &|| {
            world.pause();
            world.set_nic(|nic| nic.limits.v2_ipv4.max_payload = 5 * MSS);
            world.restart().expect("a restart");
            world.indicate_offload(sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG);
        },
        &|| world.nic_changes(|nic| nic.limits.v2_ipv4.max_payload = 12 * MSS),
        &|| {
            world.net_event(sys::NetEventSetPower, &power(4), 0);
            world.net_event(sys::NetEventSetPower, &power(1), 0);
        },
    ];
    for first in 0..steps.len() {
        for second in 0..steps.len() {
            steps[first]();
            steps[second]();
            assert_last_indication(world);
            let max = world.nic().current().v2_ipv4.max_payload;
            machine.assert_split(large_v4(4 * max));
        }
    }
    machine.stop_clean();
}

/// Npcap: a filter that only sends made receiving slower. Without receive handlers, and without
/// those of direct OIDs and canceled sends, NDIS bypasses the filter for them.
#[test]
fn no_handler_is_registered_without_a_use() {
    let machine = Machine::start(Config::default());
    let handlers = machine.world.handlers().expect("a driver");
    assert!(handlers.ReceiveNetBufferListsHandler.is_none());
    assert!(handlers.ReturnNetBufferListsHandler.is_none());
    assert!(handlers.CancelSendNetBufferListsHandler.is_none());
    assert!(handlers.DirectOidRequestHandler.is_none());
    assert!(handlers.DirectOidRequestCompleteHandler.is_none());
    assert!(handlers.CancelDirectOidRequestHandler.is_none());
    assert!(handlers.SendNetBufferListsHandler.is_some());
    machine.stop_clean();
}

/// Npcap: a control path waited at DISPATCH_LEVEL for readers that never stopped coming. Here an
/// administrator tunes, reads and resets while all processors send, and both go on.
#[test]
fn sends_that_never_stop_delay_no_administrator() {
    let machine = Machine::start(Config {
        processors: 3,
        nic: Nic::new(3 * MSS, 2),
        ..Config::default()
    });
    let world = &machine.world;
    thread::scope(|scope| {
        for processor in 0..2 {
            scope.spawn(move || {
                let call = SendCall {
                    processor,
                    at_dispatch: true,
                };
                for _ in 0..100 {
                    let port = 100 * (processor as u16 + 1);
                    world.send(vec![on_port(large_v4(20_000), port)], call);
                    drop(world.take_children());
                }
            });
        }
        for multiple in (2..16).cycle().take(50) {
            scenarios::adapter::set(world, times(multiple)).expect("a tuning");
            let _ = machine.statistics();
        }
    });
    assert_last_indication(world);
    machine.stop_clean();
}
