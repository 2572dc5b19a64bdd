//! Rule 53: entries of the System event log.

use std::{ffi::c_void, ptr};

use model::{Config, Failing, LogEntry, Rule, World};
use ndis::{ErrorLog, Insertion, Status, sys};
use scenarios::assert_clean;

use crate::assert_found;

/// The driver object of a model.
fn object(world: &World) -> *mut c_void {
    world.driver_object().cast()
}

/// Allocates an entry, and changes it in some way.
fn entry(world: &World, change: impl FnOnce(&mut sys::IO_ERROR_LOG_PACKET)) -> *mut c_void {
    // SAFETY: the entry is as long as a packet.
    unsafe {
        let entry = sys::IoAllocateErrorLogEntry(object(world), 64);
        change(&mut *entry.cast::<sys::IO_ERROR_LOG_PACKET>());
        entry
    }
}

#[track_caller]
fn assert_breaks(found: &str, calls: impl Fn(&World)) {
    let world = World::new(Config::default());
    world.inside(|| calls(&world));
    assert_found(&world.finish(), Rule::ErrorLog, found);
}

fn write(entry: *mut c_void) {
    // SAFETY: the model reads no entry that it does not know.
    unsafe { sys::IoWriteErrorLogEntry(entry) };
}

#[test]
fn an_entry_has_its_strings_as_far_as_there_is_room() {
    let world = World::new(Config::default());
    let long = [0x3A9; 200];
    let write = |more: &[Insertion<'_>]| {
        let object = object(&world).cast();
        // SAFETY: the object is the driver's, which is not unloaded here.
        let log = unsafe { ErrorLog::new(ptr::NonNull::new(object).expect("an object")) };
        world.inside(|| log.write(0xE000_0002, Status::RESOURCES, more));
    };
    write(&[]);
    write(&[Insertion::Number(0), Insertion::Text(&[])]);
    write(&[Insertion::Number(u32::MAX), Insertion::Text(&long)]);
    write(&[Insertion::Text(&long), Insertion::Number(7)]);
    world.fail_allocations(Failing::From(0));
    write(&[]);
    world.fail_allocations(Failing::None);
    let status = "0xC000009A".to_owned();
    // 96 units follow the packet: what the status and its NUL leave is 85.
    let cut = |units: usize| "\u{3A9}".repeat(units);
    let expected = [
        vec![status.clone()],
        vec![status.clone(), "0".into(), String::new()],
        vec![status.clone(), "4294967295".into(), cut(73)],
        vec![status, cut(84), String::new()],
    ];
    let strings: Vec<_> = world
        .error_log()
        .into_iter()
        .map(|one| one.strings)
        .collect();
    assert_eq!(strings[..3], expected[..3]);
    assert_eq!(strings[3][..2], expected[3][..2]);
    let LogEntry { code, status, .. } = world.error_log()[0];
    assert_eq!((code, status), (0xE000_0002, sys::NDIS_STATUS_RESOURCES));
    assert_clean(&world.finish());
}

#[test]
fn a_wrong_entry_is_noticed() {
    assert_breaks("a string without an end", |world| {
        write(entry(world, |packet| {
            (packet.NumberOfStrings, packet.StringOffset) = (9, 48);
        }));
    });
    assert_breaks("its strings begin at byte 8", |world| {
        write(entry(world, |packet| {
            (packet.NumberOfStrings, packet.StringOffset) = (1, 8);
        }));
    });
    assert_breaks("DumpDataSize is 3", |world| {
        write(entry(world, |packet| packet.DumpDataSize = 3));
    });
}

#[test]
fn an_entry_that_is_lost_or_given_twice_is_noticed() {
    assert_breaks("neither written nor freed", |world| {
        entry(world, |_| {});
    });
    assert_breaks("that is not allocated", |world| {
        let entry = entry(world, |_| {});
        write(entry);
        write(entry);
    });
    assert_breaks("that is not allocated", |world| {
        let entry = entry(world, |_| {});
        // SAFETY: the model frees no entry that it does not know.
        unsafe {
            sys::IoFreeErrorLogEntry(entry);
            sys::IoFreeErrorLogEntry(entry);
        }
    });
}

#[test]
fn an_entry_for_another_object_or_of_another_size_is_noticed() {
    assert_breaks("not the driver's", |_| {
        // SAFETY: the model does not read the object.
        unsafe { sys::IoFreeErrorLogEntry(sys::IoAllocateErrorLogEntry(ptr::null_mut(), 64)) };
    });
    for size in [0, 47, 241] {
        assert_breaks(&format!("an entry of {size} bytes"), |world| {
            // SAFETY: the model does not read the object.
            let entry = unsafe { sys::IoAllocateErrorLogEntry(object(world), size) };
            assert!(entry.is_null());
        });
    }
}
