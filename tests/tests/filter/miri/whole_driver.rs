//! Very small scenarios over all of the driver, to be run under Miri.

use model::{Answering, Backing, Completion, Config, Failing, Nic, OidCall, Order, Packet};
use ndis::sys;
use scenarios::{
    Machine,
    adapter::{assert_last_indication, persist, read, set, times},
    assert_clean,
    packets::{MSS, large, large_v4, small},
};
use testpkt::synth::{Synth, Tunnel};

fn machine(completion: Completion) -> Machine {
    let mut nic = Nic::new(3 * MSS, 2);
    nic.completion = completion;
    Machine::start(Config {
        processors: 1,
        ..Config::with_nic(nic)
    })
}

#[test]
fn a_large_send_in_one_buffer_is_split() {
    let machine = machine(Completion::default());
    assert_eq!(machine.assert_split(large_v4(2 * 3 * MSS + 9)).len(), 3);
    machine.stop_clean();
}

#[test]
fn large_sends_in_locked_pages_are_split_twice_and_completed_in_reverse() {
    let machine = machine(Completion {
        deferred: true,
        order: Order::Reversed,
        merged: true,
        ..Completion::default()
    });
    let packet = large(&Synth::v6(2 * 3 * MSS, MSS));
    for _ in 0..2 {
        machine.assert_split(Packet {
            backing: Backing::LockedPages,
            data_offset: 16,
            ..packet.clone().in_buffers(2_000)
        });
    }
    machine.stop_clean();
}

#[test]
fn a_batch_is_split_refused_forwarded_and_paused() {
    let machine = machine(Completion::default());
    let short = Packet {
        extra_length: 1,
        ..large_v4(2 * 3 * MSS)
    };
    let numbers = machine.send(vec![small(), large_v4(2 * 3 * MSS), short]);
    let statuses: Vec<_> = numbers.iter().map(|n| machine.status(*n)).collect();
    assert_eq!(statuses, [0, 0, sys::NDIS_STATUS_INVALID_PACKET]);
    machine.world.pause();
    let number = machine.send_one(large_v4(2 * 3 * MSS));
    assert_eq!(machine.status(number), sys::NDIS_STATUS_PAUSED);
    machine.world.restart().expect("a restart");
    machine.stop_clean();
}

#[test]
fn large_sends_are_split_into_chains_that_end_with_and_without_a_copy() {
    let mut nic = Nic::new(3 * MSS, 2);
    nic.max_elements = Some(4);
    nic.completion.deferred = true;
    let machine = Machine::start(Config {
        processors: 1,
        parameters: vec![("MaxSgElements".into(), 4)],
        ..Config::with_nic(nic)
    });
    for size in [2_000, 700] {
        machine.assert_split(Packet {
            backing: Backing::LockedPages,
            page_offset: 4_000,
            ..large_v4(2 * 3 * MSS).in_buffers(size)
        });
    }
    machine.stop_clean();
}

#[test]
fn sends_beyond_the_nics_offloads_are_cut_with_its_checksums_and_without() {
    let nics = [
        Nic::default().without_lso().without_uso(),
        Nic::default()
            .without_lso()
            .without_uso()
            .without_tunnels()
            .without_checksum_offload(),
    ];
    for nic in nics {
        let machine = Machine::start(Config {
            processors: 1,
            ..Config::with_nic(nic)
        });
        let udp = Synth::udp_v6(2_001, 1_000);
        let inside = Synth::v4(2_001, 1_000).inside(Tunnel::vxlan_v6());
        for packet in [
            large(&Synth::v4(2_001, 1_000)),
            Packet::udp_large_send(udp.frame(true), udp.mss),
            Packet::encapsulated(inside.frame(false), inside.mss),
        ] {
            let packets = machine.assert_split(Packet {
                backing: Backing::LockedPages,
                ..packet.in_buffers(701)
            });
            assert!(packets.iter().all(model::SentChild::is_packet));
        }
        machine.stop_clean();
    }
}

#[test]
fn settings_requests_and_statuses_go_their_way() {
    let machine = machine(Completion::default());
    let world = &machine.world;
    set(world, times(2)).expect("a tuning");
    persist(world, times(3)).expect("a tuning that lasts");
    assert_eq!(read(world).tuning, times(3));
    assert_eq!(machine.statistics().split, 0);

    for answering in [Answering::Inline, Answering::Later] {
        world.set_nic(|nic| nic.oids = answering);
        let call = OidCall::query(sys::OID_TCP_OFFLOAD_CURRENT_CONFIG, 1024);
        assert_eq!(world.oid(call).status, 0);
    }
    let number = world.start_oid(OidCall::set(sys::OID_GEN_STATISTICS, vec![1; 8]));
    world.cancel_oid(number);
    world.complete_oids();

    world.nic_changes(|nic| nic.enabled.v2_ipv4 = false);
    world.indicate(sys::NDIS_STATUS_LINK_STATE, vec![7; 40]);
    assert_last_indication(world);
    world.pre_detach();
    machine.stop_clean();
}

#[test]
fn a_start_that_fails_when_memory_is_low_leaves_nothing() {
    // An allocation of the driver, one of the module, and one among its children.
    for nth in [2, 7, 60] {
        let machine = Machine::without_driver(Config {
            processors: 1,
            ..Config::with_nic(Nic::new(3 * MSS, 2))
        });
        machine.world.fail_allocations(Failing::Nth(nth));
        let loaded = machine.load();
        let attached = loaded.and_then(|()| machine.world.attach());
        assert_eq!(attached, Err(sys::NDIS_STATUS_RESOURCES), "{nth}");
        machine.world.fail_allocations(Failing::None);
        if loaded.is_ok() {
            machine.world.unload();
        }
        assert_clean(&machine.world.finish());
    }
}
