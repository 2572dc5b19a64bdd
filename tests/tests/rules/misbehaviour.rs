//! Rules that only a driver of another build can break: see [`mini_filter`](crate::mini_filter).

use std::sync::Arc;

use model::{Config, Failing, Rule, SendCall, Violation, World};
use ndis::sys;
use scenarios::packets::small;

use crate::{
    Run, assert_breaks, assert_tampering_breaks, deferring_config,
    mini_filter::{entry, fault, start},
    on_complete,
};

/// A world with the driver that does nothing wrong, or with the one that has `FAULT`.
fn started<const FAULT: u8>(run: Run) -> Arc<World> {
    match run {
        Run::Right => start::<{ fault::NONE }>(Config::default()),
        Run::Wrong => start::<FAULT>(Config::default()),
    }
}

fn send(world: &Arc<World>) {
    world.send(vec![small()], SendCall::default());
}

/// A packet sent through the driver with `FAULT` breaks `rule`.
#[track_caller]
fn assert_sending_breaks<const FAULT: u8>(rule: Rule, subject: &str) {
    assert_breaks(rule, subject, |run| {
        let world = started::<FAULT>(run);
        send(&world);
        world.stop()
    });
}

#[test]
fn a_child_marked_as_a_clone_is_noticed() {
    assert_sending_breaks::<{ fault::AS_A_CLONE }>(Rule::Clones, "child NBL 0");
}

#[test]
fn a_child_with_anothers_source_handle_is_noticed() {
    assert_sending_breaks::<{ fault::OTHER_HANDLE }>(Rule::SourceHandle, "child NBL 0");
}

#[test]
fn memory_behind_a_childs_nbl_is_not_the_filters() {
    assert_sending_breaks::<{ fault::WRITES_BEHIND }>(Rule::OneOwner, "child NBL 0");
}

#[test]
fn a_child_for_which_ndis_is_not_asked_is_noticed() {
    assert_sending_breaks::<{ fault::NOT_COPIED }>(Rule::OutOfBand, "child NBL 0");
}

#[test]
fn an_object_of_wfps_that_is_lost_is_noticed() {
    assert_breaks(Rule::OutOfBand, "child NBL 0", |run| {
        let world = started::<{ fault::CLEARS_SLOTS }>(run);
        let tagged = small().with_slot(sys::WfpNetBufferListInfo, 0x7A6);
        world.send(vec![tagged], SendCall::default());
        world.stop()
    });
}

#[test]
fn a_send_handler_that_returns_at_another_irql_is_noticed() {
    assert_sending_breaks::<{ fault::KEEPS_IRQL }>(Rule::Irql, "send handler");
}

#[test]
fn a_registration_that_outlives_its_driver_is_noticed() {
    assert_sending_breaks::<{ fault::STAYS }>(Rule::NothingLeft, "driver");
}

#[test]
fn a_configuration_that_is_left_open_is_noticed() {
    assert_sending_breaks::<{ fault::CONFIGURATION_OPEN }>(Rule::NothingLeft, "configuration");
}

#[test]
fn a_pause_that_never_ends_is_noticed() {
    assert_sending_breaks::<{ fault::PAUSES_LATER }>(Rule::Pause, "module");
}

/// The violations for a packet when the `n`-th allocation from then on fails.
fn send_without_memory(world: &Arc<World>, n: u64) -> Vec<Violation> {
    let asked = world.fail_allocations(Failing::None);
    world.fail_allocations(Failing::Nth(asked + n));
    send(world);
    world.stop()
}

#[test]
fn a_send_that_is_sent_in_part_when_memory_is_low_is_noticed() {
    assert_breaks(Rule::FailedAllocation, "packet 0", |run| {
        let world = start::<{ fault::HALF_SENT }>(Config::default());
        // The second child cannot be allocated, or the failure is set for one that is never
        // requested.
        send_without_memory(&world, if run == Run::Wrong { 1 } else { 2 })
    });
}

#[test]
fn low_memory_with_another_status_is_noticed() {
    assert_breaks(Rule::FailedAllocation, "send", |run| {
        send_without_memory(&started::<{ fault::OTHER_STATUS }>(run), 0)
    });
}

#[test]
fn a_parent_called_starved_after_its_children_went_down_is_noticed() {
    assert_tampering_breaks(
        Rule::FailedAllocation,
        "large send 0",
        // SAFETY: the parent is on its way up.
        on_complete(|nbl| unsafe { (*nbl).Status = sys::NDIS_STATUS_RESOURCES }),
    );
}

#[test]
fn children_that_are_out_when_the_pause_completes_are_noticed() {
    for subject in ["child NBL 0", "packet 0"] {
        assert_breaks(Rule::Pause, subject, |run| {
            let world = start::<{ fault::NONE }>(deferring_config());
            send(&world);
            if run == Run::Right {
                world.deliver();
            }
            world.pause();
            world.deliver();
            world.stop()
        });
    }
}

/// A driver with `FAULT` that does not even start breaks rule 21.
#[track_caller]
fn assert_starting_breaks<const FAULT: u8>(subject: &str) {
    assert_breaks(Rule::NothingLeft, subject, |run| {
        let world = World::new(Config::default());
        // SAFETY: the entry points are those of the small driver.
        let started = unsafe {
            match run {
                Run::Right => world.start(entry::<{ fault::NONE }>),
                Run::Wrong => world.start(entry::<FAULT>),
            }
        };
        match started {
            Ok(()) => world.stop(),
            Err(_) => world.finish(),
        }
    });
}

#[test]
fn an_attach_that_fails_after_it_set_its_attributes_is_noticed() {
    assert_starting_breaks::<{ fault::FAILS_LATE }>("module");
}

#[test]
fn an_attach_without_attributes_is_noticed() {
    assert_starting_breaks::<{ fault::NO_CONTEXT }>("module");
}

#[test]
fn a_driver_that_fails_to_load_and_stays_registered_is_noticed() {
    assert_starting_breaks::<{ fault::FAILS_REGISTERED }>("driver");
}

#[test]
fn a_driver_that_unloads_with_a_module_attached_is_noticed() {
    assert_breaks(Rule::NothingLeft, "driver", |run| {
        let world = start::<{ fault::NONE }>(Config::default());
        world.pause();
        if run == Run::Right {
            world.detach();
            world.unload();
        } else {
            world.unload();
            world.detach();
        }
        world.finish()
    });
}
