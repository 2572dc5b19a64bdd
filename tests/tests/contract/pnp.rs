//! Rules 33, 34, 37, 19 and 20: attach, network events, pause, detach.

use std::sync::Arc;

use model::{Config, Failing, ModuleState, Rule, SendCall, World};
use ndis::sys;
use scenarios::{assert_clean, packets::small};

use crate::{
    assert_breaks, assert_found,
    pass_through::{self, MULTIPLE, fault},
    start,
};

/// NDIS_DEVICE_POWER_STATE.
const D0: u8 = 1;
const D3: u8 = 4;

/// A device that must not be removed: a driver above refuses it.
fn refused_removal(world: &Arc<World>) {
    let busy = sys::NDIS_STATUS_FAILURE;
    world.net_event(sys::NetEventQueryRemoveDevice, &[1, 2, 3], busy);
}

#[test]
fn an_event_that_is_swallowed_is_noticed() {
    let found = "passed on 0 times";
    assert_breaks::<{ fault::EVENT_SWALLOWED }>(Rule::NetEvent, found, refused_removal);
}

#[test]
fn an_event_that_is_passed_on_twice_is_noticed() {
    let found = "passed on 2 times";
    assert_breaks::<{ fault::EVENT_TWICE }>(Rule::NetEvent, found, refused_removal);
}

#[test]
fn an_event_whose_status_is_lost_is_noticed() {
    let found = "answered 0xc0000001, the filter answered 0x0";
    assert_breaks::<{ fault::EVENT_STATUS }>(Rule::NetEvent, found, refused_removal);
}

#[test]
fn an_event_that_is_changed_is_noticed() {
    let found = "changed on its way";
    assert_breaks::<{ fault::EVENT_CHANGED }>(Rule::NetEvent, found, refused_removal);
}

#[test]
fn a_request_of_a_filter_whose_device_sleeps_is_noticed() {
    let found = "the filter originates a request after NetEventSetPower";
    assert_breaks::<{ fault::OWN_OID_FROM_STATUS }>(Rule::NetEvent, found, |world| {
        let set = |state: u8| {
            let state = [state, 0, 0, 0];
            world.net_event(sys::NetEventSetPower, &state, sys::NDIS_STATUS_SUCCESS);
        };
        set(D3);
        set(D0);
        world.indicate(sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG, Vec::new());
        assert_clean(&world.violations());
        set(D3);
        world.indicate(sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG, Vec::new());
    });
}

#[test]
fn a_send_that_is_not_looped_back_is_noticed() {
    let found = "a send with NDIS_SEND_FLAGS_CHECK_FOR_LOOPBACK goes down without it";
    assert_breaks::<{ fault::LOOPBACK_LOST }>(Rule::PortAndFlags, found, |world| {
        for _ in 0..2 {
            world.send(vec![small()], SendCall::default());
        }
    });
}

#[test]
fn a_configuration_that_stays_raised_is_noticed() {
    assert_breaks::<{ fault::STAYS_RAISED }>(Rule::PreDetach, "the NIC has", |_| {});
}

#[test]
fn the_configuration_stays_true_until_the_detach() {
    let world = start::<{ fault::NONE }>(Config::default());
    assert_eq!(world.advertised().v2_ipv4.max_payload, MULTIPLE * 62_780);
    world.pre_detach();
    world.nic_changes(|nic| nic.limits.v2_ipv4.max_payload = 20_000);
    assert_eq!(world.advertised(), world.nic().current());
    assert_clean(&world.stop());
}

#[test]
fn without_a_filter_events_are_answered_by_the_overlying_driver() {
    let world = World::new(Config::default());
    world.pre_detach();
    let busy = sys::NDIS_STATUS_FAILURE;
    assert_eq!(world.net_event(sys::NetEventQueryPower, &[], busy), busy);
    assert_clean(&world.finish());
}

/// Attaches the driver with `FAULT` where NdisFSetAttributes fails.
fn attach_in_vain<const FAULT: u8>() -> Vec<model::Violation> {
    let world = World::new(Config::default());
    // SAFETY: the entry point is this driver's.
    unsafe { world.load(pass_through::entry::<FAULT>) }.expect("loads");
    let asked = world.fail_allocations(Failing::None);
    // The first is the lock's in the pool.
    world.fail_allocations(Failing::Nth(asked + 1));
    assert_eq!(world.attach(), Err(sys::NDIS_STATUS_RESOURCES));
    assert_eq!(world.module_state(), ModuleState::Detached);
    assert_eq!(world.advertised(), world.nic().current());
    world.unload();
    world.finish()
}

#[test]
fn an_attach_that_fails_and_leaves_the_configuration_changed_is_noticed() {
    assert_clean(&attach_in_vain::<{ fault::NONE }>());
    let broken = attach_in_vain::<{ fault::ATTACH_CHANGES }>();
    assert_found(
        &broken,
        Rule::Attach,
        "left the offload configuration changed",
    );
}

#[test]
fn a_send_that_passes_while_paused_is_noticed() {
    let found = "sent while paused, came back with 0x0";
    assert_breaks::<{ fault::SENDS_PAUSED }>(Rule::Running, found, |world| {
        world.pause();
        world.send(vec![small()], SendCall::default());
        world.restart().expect("runs again");
    });
}

#[test]
fn a_send_that_is_refused_as_paused_while_running_is_noticed() {
    let found = "refused as paused while running";
    assert_breaks::<{ fault::REFUSES_RUNNING }>(Rule::Running, found, |world| {
        world.send(vec![small()], SendCall::default());
    });
}

#[test]
fn a_pause_that_completes_twice_is_noticed() {
    assert_breaks::<{ fault::PAUSE_TWICE }>(Rule::Pause, "completed 2 times", |_| {});
}
