//! Rules 31, 8 and 32: status indications, and the overlying driver's use of them.

use std::{
    sync::Arc,
    thread::{self, ScopedJoinHandle},
};

use model::{Config, Indication, Nic, OffloadShape, Packet, Rule, SendCall, StatusSource, World};
use ndis::sys;
use scenarios::{
    Machine, assert_clean,
    packets::{large_v4, on_port},
};

use crate::{
    assert_breaks, assert_breaks_with, assert_found,
    pass_through::{MULTIPLE, fault},
    run, start,
};

const CURRENT: i32 = sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG;

fn link_state(world: &Arc<World>) {
    world.indicate(sys::NDIS_STATUS_LINK_STATE, vec![7; 40]);
}

fn shrink(world: &Arc<World>) {
    world.nic_changes(|nic| nic.limits.v2_ipv4.max_payload = 30_000);
}

fn nothing(_world: &Arc<World>) {}

#[test]
fn an_indication_that_is_swallowed_is_noticed() {
    assert_breaks::<{ fault::STATUS_SWALLOWED }>(Rule::Status, "passed on 0 times", link_state);
}

#[test]
fn an_indication_that_is_passed_on_twice_is_noticed() {
    assert_breaks::<{ fault::STATUS_TWICE }>(Rule::Status, "passed on 2 times", link_state);
}

#[test]
fn an_indication_that_is_changed_is_noticed() {
    assert_breaks::<{ fault::STATUS_CHANGED }>(Rule::Status, "was passed on as", link_state);
}

#[test]
fn the_miniports_own_memory_is_not_the_filters() {
    let found = "wrote to the miniport's indication";
    assert_breaks::<{ fault::STATUS_IN_PLACE }>(Rule::Status, found, shrink);
}

#[test]
fn a_maximum_below_the_nics_is_noticed() {
    let found = "an LSOv2 maximum of 30000 became 15000";
    assert_breaks::<{ fault::STATUS_LOWERED }>(Rule::Status, found, shrink);
}

#[test]
fn large_sends_that_rise_from_the_dead_are_noticed() {
    let found = "an LSOv2 maximum of 0 became 60000";
    assert_breaks::<{ fault::RESURRECTED }>(Rule::Status, found, |world| {
        world.nic_changes(|nic| nic.enabled.v2_ipv4 = false);
    });
}

#[test]
fn an_own_indication_under_anothers_name_is_noticed() {
    let found = "originated with SourceHandle";
    assert_breaks::<{ fault::STATUS_OTHER_SOURCE }>(Rule::Status, found, nothing);
}

#[test]
fn a_size_that_is_not_the_configurations_is_noticed() {
    let found = "StatusBufferSize 220, Header.Size Some(216)";
    assert_breaks::<{ fault::STATUS_WRONG_SIZE }>(Rule::Status, found, nothing);
}

#[test]
fn an_indication_without_a_header_is_noticed() {
    let found = "its header is not that of a status indication";
    assert_breaks::<{ fault::STATUS_NO_HEADER }>(Rule::Status, found, nothing);
}

#[test]
fn an_own_indication_for_a_port_is_noticed() {
    let found = "originated for port 3";
    assert_breaks::<{ fault::STATUS_FOR_A_PORT }>(Rule::Status, found, nothing);
}

#[test]
fn an_indication_from_attach_is_noticed() {
    let found = "indicated while Attaching";
    assert_breaks::<{ fault::STATUS_WHILE_ATTACHING }>(Rule::Status, found, nothing);
}

#[test]
fn an_indication_from_detach_is_noticed() {
    let found = "indicated while Detaching";
    assert_breaks::<{ fault::STATUS_WHILE_DETACHING }>(Rule::Status, found, nothing);
}

#[test]
fn a_level_that_the_status_handler_leaves_is_noticed() {
    let found = "called at IRQL 0, returned at 2";
    assert_breaks::<{ fault::STATUS_KEEPS_IRQL }>(Rule::Irql, found, link_state);
}

#[test]
fn other_indications_go_up_whole() {
    let world = start::<{ fault::NONE }>(Config::default());
    let before = world.seen_statuses().len();
    let indication = Indication {
        port: 3,
        destination: 0xDE57,
        request_id: 0x1D,
        guid: 0x0123_4567_89AB_CDEF,
        flags: 1,
        ..Indication::new(sys::NDIS_STATUS_LINK_STATE, vec![1, 2, 3])
    };
    world.indicate_with(&indication);
    world.indicate_with(&Indication {
        at_dispatch: true,
        ..indication.clone()
    });
    let seen = world.seen_statuses().split_off(before);
    assert_eq!(seen.len(), 2);
    for one in seen {
        assert_eq!(one.source, StatusSource::Miniport);
        assert_eq!(one.indication, indication);
    }
    assert_clean(&world.stop());
}

#[test]
fn malformed_configurations_change_nothing() {
    let world = start::<{ fault::NONE }>(Config::default());
    let advertised = world.advertised();
    let whole = world.binding_offload().expect("a configuration");
    let mut other_type = whole.clone();
    other_type[0] = sys::NDIS_OBJECT_TYPE_DEFAULT;
    for bytes in [Vec::new(), vec![1, 2, 3], whole[..100].to_vec(), other_type] {
        world.indicate(CURRENT, bytes);
    }
    assert_eq!(world.advertised(), advertised);
    assert_clean(&world.stop());
}

#[test]
fn the_overlying_driver_learns_from_its_binding_and_from_every_change() {
    for (revision, size) in [
        (1, sys::NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_1),
        (5, sys::NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_5),
        (7, sys::NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_7),
        (9, 300),
    ] {
        let nic = Nic {
            offload: OffloadShape {
                revision,
                size,
                ..OffloadShape::default()
            },
            ..Nic::new(60_000, 2)
        };
        let world = start::<{ fault::NONE }>(Config::with_nic(nic));
        assert_eq!(world.advertised().v2_ipv4.max_payload, MULTIPLE * 60_000);
        shrink(&world);
        assert_eq!(world.advertised().v2_ipv4.max_payload, MULTIPLE * 30_000);
        assert_eq!(
            world.binding_offload().map(|all| all.len()),
            Some(size.into())
        );
        assert_clean(&world.stop());
        assert_eq!(world.advertised().v2_ipv4.max_payload, 30_000);
    }
}

fn send(world: &Arc<World>, packet: Packet) -> i32 {
    let number = world.send(vec![packet], SendCall::default())[0];
    world.completed(number).expect("completed").status
}

#[test]
fn the_newest_limit_holds_once_it_is_indicated() {
    // The driver does not split: a forwarded send breaks rule 8 as soon as the NIC's limit is
    // lower.
    let broken = run::<{ fault::NONE }>(&Nic::new(60_000, 2), |world| {
        send(world, large_v4(50_000));
        assert_clean(&world.violations());
        shrink(world);
        send(world, large_v4(50_000));
    });
    assert_found(&broken, Rule::Limit, "the NIC takes 30000 bytes");
}

#[test]
fn a_send_that_began_before_the_indication_may_go_by_the_old_limit() {
    let world = start::<{ fault::NONE }>(Config::with_nic(Nic::new(60_000, 2)));
    let changes = Arc::clone(&world);
    let mut once = true;
    world.tamper(move |_| {
        // The filter is in its send handler; the NIC changes meanwhile.
        if std::mem::take(&mut once) {
            shrink(&changes);
        }
    });
    send(&world, large_v4(50_000));
    assert_clean(&world.violations());
    send(&world, large_v4(50_000));
    assert_found(&world.stop(), Rule::Limit, "the NIC takes 30000 bytes");
}

#[test]
fn a_refusal_of_an_advertised_size_is_noticed() {
    let (nic, found) = (Nic::new(60_000, 2), "240000 were advertised");
    assert_breaks_with::<{ fault::REFUSES_LARGE }>(&nic, Rule::StaleSize, found, |world| {
        send(world, large_v4(50_000));
    });
}

#[test]
fn sends_and_changes_of_the_nic_may_cross() {
    let machine = Machine::with_nic(Nic::new(60_000, 2));
    let world = &machine.world;
    thread::scope(|scope| {
        let senders = [0, 1].map(|processor| {
            scope.spawn(move || {
                let call = SendCall {
                    processor,
                    ..SendCall::default()
                };
                let port = 5_000 + processor as u16;
                for _ in 0..30 {
                    let max = world.advertised().v2_ipv4.max_payload;
                    let packet = on_port(large_v4(max.min(200_000)), port);
                    world.send(vec![packet], call);
                }
            })
        });
        let sizes = [60_000, 20_000, 40_000].iter().cycle();
        for max in sizes.take_while(|_| !senders.iter().all(ScopedJoinHandle::is_finished)) {
            world.nic_changes(|nic| nic.limits.v2_ipv4.max_payload = *max);
        }
    });
    machine.stop_clean();
}
