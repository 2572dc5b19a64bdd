//! Rules 23, 24 and 26: levels, spin locks, recursion.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    thread,
};

use model::{Config, Nic, RegistryValue, Rule, SendCall, World};
use ndis::sys;
use scenarios::{assert_clean, packets::small};

use crate::{assert_breaks, assert_found, pass_through::fault, run};

fn send(world: &Arc<World>) {
    world.send(vec![small()], SendCall::default());
}

#[test]
fn a_lock_that_is_held_across_a_send_is_noticed() {
    let found = "called with a spin lock held";
    assert_breaks::<{ fault::LOCK_ACROSS }>(Rule::SpinLock, found, send);
}

#[test]
fn a_lock_that_is_taken_twice_is_noticed() {
    let found = "taken twice by one thread";
    assert_breaks::<{ fault::LOCK_TWICE }>(Rule::SpinLock, found, send);
}

#[test]
fn a_lock_that_is_not_initialized_is_noticed() {
    let found = "taken before it was initialized";
    assert_breaks::<{ fault::LOCK_UNINITIALISED }>(Rule::SpinLock, found, send);
    // Its release is no fault of its own.
    let broken = run::<{ fault::LOCK_UNINITIALISED }>(&Nic::default(), &send);
    assert!(
        broken.iter().all(|one| one.found.contains(found)),
        "{broken:#?}"
    );
}

#[test]
fn a_lock_in_freed_memory_is_noticed() {
    let found = "or after it was freed";
    assert_breaks::<{ fault::LOCK_FREED }>(Rule::SpinLock, found, send);
    let found = "freed while it is held";
    assert_breaks::<{ fault::LOCK_FREED_HELD }>(Rule::SpinLock, found, send);
}

#[test]
fn a_lock_that_a_handler_keeps_is_noticed() {
    // The thread takes the lock along; no other test may run on it.
    thread::spawn(|| {
        let found = "returned with a spin lock held";
        assert_breaks::<{ fault::LOCK_KEPT }>(Rule::SpinLock, found, send);
    })
    .join()
    .expect("noticed");
}

#[test]
fn a_lock_that_is_released_to_another_level_is_noticed() {
    let found = "released to Some(1)";
    assert_breaks::<{ fault::LOCK_OTHER_IRQL }>(Rule::SpinLock, found, send);
}

#[test]
fn a_lock_that_is_released_without_being_held_is_noticed() {
    let found = "by a thread that does not hold it";
    assert_breaks::<{ fault::LOCK_NOT_HELD }>(Rule::SpinLock, found, send);
}

#[test]
fn a_lock_that_needs_dispatch_level_is_noticed_below() {
    let found = "called at IRQL 0, allowed at 2 only";
    assert_breaks::<{ fault::LOCK_LOW }>(Rule::Irql, found, send);
}

#[test]
fn a_passive_routine_at_dispatch_level_is_noticed() {
    let found = "called at IRQL 2, allowed up to 0";
    assert_breaks::<{ fault::PASSIVE_HIGH }>(Rule::Passive, found, send);
}

#[test]
fn handlers_that_nest_without_end_are_noticed() {
    assert_breaks::<{ fault::RESENDS }>(Rule::Recursion, "handlers are nested", send);
}

#[test]
fn handlers_that_take_much_stack_are_noticed() {
    assert_breaks::<{ fault::BIG_FRAME }>(Rule::Recursion, "bytes of stack in use", send);
}

#[test]
fn the_overlying_driver_may_send_from_completions_any_number_of_times() {
    let world = crate::start::<{ fault::NONE }>(Config::default());
    for _ in 0..60 {
        world.send_on_completion(vec![small()]);
    }
    send(&world);
    assert_clean(&world.stop());
}

#[test]
fn a_spin_lock_lets_in_one_thread_at_a_time() {
    let world = World::new(Config::default());
    let (lock, inside, all) = (AtomicUsize::new(0), AtomicU32::new(0), AtomicU32::new(0));
    // SAFETY: the lock lives as long as the test.
    world.inside(|| unsafe { sys::KeInitializeSpinLock(lock.as_ptr()) });
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                world.inside(|| {
                    for _ in 0..200 {
                        // SAFETY: the lock is initialized.
                        let old = unsafe { sys::KeAcquireSpinLockRaiseToDpc(lock.as_ptr()) };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        all.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        // SAFETY: taken just before.
                        unsafe { sys::KeReleaseSpinLock(lock.as_ptr(), old) };
                    }
                });
            });
        }
    });
    assert_eq!(all.load(Ordering::SeqCst), 600);
    assert_clean(&world.finish());
}

#[test]
fn calls_out_of_place_are_noticed() {
    // Something of the right size that is none of the model's.
    let mut memory = [0_u64; 64];
    let any = memory.as_mut_ptr();
    let null = std::ptr::null_mut();
    let calls: [(Rule, &str, &dyn Fn()); 6] = [
        // SAFETY: the model reads none of the memory before it recognizes the object.
        (Rule::Oid, "it is no clone", &|| unsafe {
            sys::NdisFreeCloneOidRequest(null, any.cast());
        }),
        // SAFETY: a request without a header, in memory that is long enough.
        (Rule::Oid, "its header is not", &|| unsafe {
            sys::NdisFOidRequest(null, any.cast());
        }),
        // SAFETY: as the first.
        (Rule::NetEvent, "not under way", &|| unsafe {
            sys::NdisFNetPnPEvent(null, any.cast());
        }),
        // SAFETY: as the first.
        (Rule::ControlDevice, "does not exist", &|| unsafe {
            sys::IofCompleteRequest(any.cast(), sys::IO_NO_INCREMENT);
        }),
        // SAFETY: the handle belongs to no object.
        (Rule::Once, "it is not registered", &|| unsafe {
            sys::NdisDeregisterDeviceEx(null);
        }),
        // SAFETY: the module runs.
        (Rule::Pause, "while Running", &|| unsafe {
            sys::NdisFPauseComplete(null);
        }),
    ];
    for (rule, found, call) in calls {
        let world = crate::start::<{ fault::NONE }>(Config::default());
        world.inside(call);
        assert_found(&world.stop(), rule, found);
    }
}

#[test]
fn a_lock_that_is_initialized_while_it_is_held_is_noticed() {
    let world = World::new(Config::default());
    let lock = AtomicUsize::new(0);
    // SAFETY: the lock lives as long as the test.
    world.inside(|| unsafe {
        sys::KeInitializeSpinLock(lock.as_ptr());
        let old = sys::KeAcquireSpinLockRaiseToDpc(lock.as_ptr());
        sys::KeInitializeSpinLock(lock.as_ptr());
        sys::KeReleaseSpinLock(lock.as_ptr(), old);
    });
    assert_found(
        &world.finish(),
        Rule::SpinLock,
        "initialized while it is held",
    );
}

#[test]
fn a_value_that_a_driver_writes_into_the_registry_is_read_back() {
    let world = crate::start::<{ fault::NONE }>(Config::default());
    world.inside(|| write_and_read(&world));
    assert_eq!(world.registry()["Multiple"], RegistryValue::Integer(8));
    assert_clean(&world.stop());
}

fn write_and_read(world: &Arc<World>) {
    world.set_registry("Multiple", RegistryValue::Integer(2));
    // Its case does not count.
    let text: Vec<u16> = "MULTIPLE".encode_utf16().chain([0]).collect();
    let mut object = sys::NDIS_CONFIGURATION_OBJECT {
        Header: ndis::driver::header(
            sys::NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT,
            sys::NDIS_CONFIGURATION_OBJECT_REVISION_1,
            sys::NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1,
        ),
        NdisHandle: world.module_handle(),
        Flags: 0,
    };
    let mut keyword = ndis::driver::unicode_string(text.leak());
    let mut value = sys::NDIS_CONFIGURATION_PARAMETER {
        ParameterType: sys::NdisParameterInteger,
        ParameterData: sys::NDIS_CONFIGURATION_PARAMETER_DATA { IntegerData: 8 },
    };
    let (mut handle, mut status) = (std::ptr::null_mut(), -1);
    let mut read = std::ptr::null_mut();
    // SAFETY: everything lives during the calls, and the value until the configuration is closed.
    unsafe {
        sys::NdisOpenConfigurationEx(&raw mut object, &raw mut handle);
        sys::NdisWriteConfiguration(&raw mut status, handle, &raw mut keyword, &raw mut value);
        assert_eq!(status, 0);
        let mut read_by = |keyword: &mut sys::NDIS_STRING| {
            let kind = sys::NdisParameterInteger;
            sys::NdisReadConfiguration(&raw mut status, &raw mut read, handle, keyword, kind);
            (status, read)
        };
        let (status, read) = read_by(&mut keyword);
        assert_eq!((status, (*read).ParameterData.IntegerData), (0, 8));
        // Without the NUL it is no keyword.
        keyword.MaximumLength = keyword.Length;
        assert_eq!(read_by(&mut keyword).0, sys::NDIS_STATUS_FAILURE);
        sys::NdisCloseConfiguration(handle);
    }
}
