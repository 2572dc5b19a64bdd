//! Rule 36: the control device.

use std::sync::Arc;

use model::{Config, Rule, World};
use ndis::sys;
use scenarios::{assert_clean, memory_fault::in_both_ways};

use crate::{
    assert_breaks,
    pass_through::{
        device::{ADD_ONE, OVERFLOW},
        fault,
    },
    start,
};

fn add(world: &Arc<World>) {
    // The model judges the outcome.
    let _ = world.ioctl(ADD_ONE, &[1, 2, 3], 32);
}

#[track_caller]
fn assert_a_request_breaks<const FAULT: u8>(found: &str) {
    assert_breaks::<FAULT>(Rule::ControlDevice, found, add);
}

#[test]
fn a_request_that_is_completed_twice_is_noticed() {
    in_both_ways(|| assert_a_request_breaks::<{ fault::IRP_TWICE }>("completed twice"));
}

#[test]
fn a_request_that_is_never_completed_is_noticed() {
    assert_a_request_breaks::<{ fault::IRP_NEVER }>("never completed");
}

#[test]
fn another_status_from_the_handler_is_noticed() {
    assert_a_request_breaks::<{ fault::IRP_OTHER_STATUS }>("the handler returned 0xc0000001");
}

#[test]
fn a_status_that_is_read_back_from_a_completed_request_is_noticed() {
    in_both_ways(|| {
        assert_a_request_breaks::<{ fault::IRP_READ_BACK }>("the handler returned 0xdededede")
    });
}

#[test]
fn more_output_than_there_is_room_for_is_noticed() {
    assert_a_request_breaks::<{ fault::IRP_TOO_MUCH }>("33 bytes of output in room for 32");
}

#[test]
fn output_that_was_never_written_is_noticed() {
    assert_a_request_breaks::<{ fault::IRP_DISCLOSES }>("that nobody wrote");
}

#[test]
fn a_request_that_is_touched_after_its_completion_is_noticed() {
    in_both_ways(|| {
        assert_a_request_breaks::<{ fault::IRP_TOUCHED }>("touched after it was completed")
    });
}

#[test]
fn a_buffer_that_is_overrun_is_noticed() {
    in_both_ways(|| {
        assert_a_request_breaks::<{ fault::IRP_BEHIND }>("written to behind its buffer")
    });
}

#[test]
fn a_wait_while_the_program_can_be_suspended_is_noticed() {
    let found = "called outside of a critical region";
    assert_a_request_breaks::<{ fault::REGION_NONE }>(found);
}

#[test]
fn a_critical_region_that_is_kept_is_noticed() {
    let found = "called in 0 critical regions, returned in 1";
    assert_breaks::<{ fault::REGION_KEPT }>(Rule::Irql, found, add);
}

#[test]
fn a_critical_region_that_was_not_entered_is_noticed() {
    let found = "in no critical region";
    assert_breaks::<{ fault::REGION_LEFT_TWICE }>(Rule::Irql, found, add);
}

#[test]
fn a_critical_region_at_dispatch_level_is_noticed() {
    let found = "called at IRQL 2, allowed up to 1";
    assert_breaks::<{ fault::REGION_HIGH }>(Rule::Irql, found, add);
}

#[test]
fn a_device_that_everybody_may_open_is_noticed() {
    assert_breaks::<{ fault::DEVICE_OPEN_TO_ALL }>(Rule::ControlDevice, "its protection is", add);
}

#[test]
fn a_device_that_outlives_its_driver_is_noticed() {
    let found = "still registered after unload";
    assert_breaks::<{ fault::DEVICE_LEFT }>(Rule::NothingLeft, found, add);
}

#[test]
fn a_program_gets_what_the_device_answers() {
    let world = start::<{ fault::NONE }>(Config::default());
    assert!(world.has_control_device());
    let names = world.control_device_names().expect("registered");
    assert_eq!(names, ["\\Device\\mini", "\\DosDevices\\mini"]);
    assert_eq!(world.ioctl(ADD_ONE, &[1, 2, 3], 3), Ok(vec![2, 3, 4]));
    assert_eq!(world.ioctl(ADD_ONE, &[], 0), Ok(vec![]));
    let short = world.ioctl(ADD_ONE, &[1, 2, 3], 2);
    assert_eq!(short, Err(sys::STATUS_BUFFER_TOO_SMALL));
    let unknown = world.ioctl(0x0012_3000, &[], 8);
    assert_eq!(unknown, Err(sys::STATUS_INVALID_DEVICE_REQUEST));

    // A warning is returned with its output, if the caller asks for it.
    let overflow = world.device_control(OVERFLOW, &[1, 2, 3], 2);
    assert_eq!(overflow.status, sys::STATUS_BUFFER_OVERFLOW);
    assert_eq!(overflow.bytes, [2, 3]);
    let warned = world.ioctl(OVERFLOW, &[1, 2, 3], 2);
    assert_eq!(warned, Err(sys::STATUS_BUFFER_OVERFLOW));

    assert_clean(&world.stop());
    assert!(!world.has_control_device());
    let gone = world.ioctl(ADD_ONE, &[], 0);
    assert_eq!(gone, Err(sys::STATUS_OBJECT_NAME_NOT_FOUND));
}
