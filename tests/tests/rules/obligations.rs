//! Rules 1, 12, 24, 45 to 47 and 52, and the levels of findings: what the model asks of any filter
//! driver. lab/calibration breaks the rest of these rules, in a driver of its own.

use std::ptr;

use model::{Config, Level, Rule, exports};
use ndis::sys::{self, KSPIN_LOCK, NDIS_HANDLE};
use scenarios::Machine;

use crate::{
    Nbl, Run, assert_breaks,
    kernel::{TAG, assert_calls_break},
    machine, on_complete, once, send_five_children,
};

#[test]
fn a_routine_called_with_anothers_handle_is_noticed() {
    assert_calls_break(Rule::Handles, "NdisFSendNetBufferLists", |run, machine| {
        let handle = match run {
            Run::Right => machine.world.module_handle(),
            Run::Wrong => ptr::without_provenance_mut(0x1234),
        };
        // SAFETY: an empty chain; the model looks the handle up.
        unsafe { sys::NdisFSendNetBufferLists(handle, ptr::null_mut(), 0, 0) };
    });
}

#[test]
fn a_flag_that_is_not_defined_is_noticed() {
    let complete = "NdisFSendNetBufferListsComplete";
    assert_calls_break(Rule::PortAndFlags, complete, |run, machine| {
        let flags = if run == Run::Wrong { 0x8000_0000 } else { 0 };
        let module = machine.world.module_handle();
        // SAFETY: an empty chain.
        unsafe { sys::NdisFSendNetBufferListsComplete(module, ptr::null_mut(), flags) };
    });
}

#[test]
fn the_return_of_what_was_not_received_is_noticed() {
    assert_calls_break(Rule::Receives, "NBL at", |run, machine| {
        let mut nothing = [0_usize; 64];
        let nbl: Nbl = match run {
            Run::Right => ptr::null_mut(),
            Run::Wrong => nothing.as_mut_ptr().cast(),
        };
        let module = machine.world.module_handle();
        // SAFETY: the model looks the NBL up.
        unsafe { exports::receive::NdisFReturnNetBufferLists(module, nbl, 0) };
    });
}

#[test]
fn a_count_of_received_nbls_that_is_wrong_is_noticed() {
    let routine = "NdisFIndicateReceiveNetBufferLists";
    assert_calls_break(Rule::Receives, routine, |run, machine| {
        let count = u32::from(run == Run::Wrong);
        let (module, chain) = (machine.world.module_handle(), ptr::null_mut());
        // SAFETY: an empty chain.
        unsafe {
            exports::receive::NdisFIndicateReceiveNetBufferLists(module, chain, 0, count, 0);
        }
    });
}

#[test]
fn locks_taken_in_two_orders_are_noticed() {
    assert_calls_break(Rule::SpinLock, "spin lock", |run, _| {
        let mut locks: [KSPIN_LOCK; 2] = [0; 2];
        let [first, second] = locks.each_mut().map(ptr::from_mut);
        let orders = match run {
            Run::Right => [(first, second), (first, second)],
            Run::Wrong => [(first, second), (second, first)],
        };
        // SAFETY: the locks live during the calls, and nobody else has them.
        unsafe {
            sys::KeInitializeSpinLock(first);
            sys::KeInitializeSpinLock(second);
            for (outer, inner) in orders {
                let before = sys::KeAcquireSpinLockRaiseToDpc(outer);
                sys::KeAcquireSpinLockAtDpcLevel(inner);
                sys::KeReleaseSpinLockFromDpcLevel(inner);
                sys::KeReleaseSpinLock(outer, before);
            }
        }
    });
}

#[test]
fn a_structure_of_no_known_revision_is_noticed() {
    assert_calls_break(
        Rule::Structures,
        "NdisOpenConfigurationEx",
        |run, machine| {
            let mut object = sys::NDIS_CONFIGURATION_OBJECT {
                Header: sys::NDIS_OBJECT_HEADER {
                    Type: sys::NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT,
                    Revision: sys::NDIS_CONFIGURATION_OBJECT_REVISION_1,
                    Size: sys::NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1,
                },
                NdisHandle: machine.world.module_handle(),
                Flags: 0,
            };
            if run == Run::Wrong {
                object.Header.Revision = 9;
            }
            let mut opened: NDIS_HANDLE = ptr::null_mut();
            // SAFETY: object and place live during the call; what was opened is closed.
            unsafe {
                if sys::NdisOpenConfigurationEx(&raw mut object, &raw mut opened) == 0 {
                    sys::NdisCloseConfiguration(opened);
                }
            }
        },
    );
}

#[test]
fn members_of_others_that_are_overwritten_are_noticed() {
    assert_breaks(Rule::OneOwner, "large send 0", |run| {
        let machine = machine();
        let wrong = run == Run::Wrong;
        once(
            &machine,
            on_complete(move |nbl| {
                if wrong {
                    // SAFETY: the parent is on its way up.
                    unsafe { (*nbl).ProtocolReserved[1] = ptr::without_provenance_mut(0x77) };
                }
            }),
        );
        send_five_children(&machine);
        machine.stop()
    });
}

/// Frees memory without its tag, which is advice, with findings up to `level`.
fn freed_without_tag(level: Level) -> Vec<model::Violation> {
    let machine = Machine::start(Config {
        level,
        ..Config::default()
    });
    machine.world.inside(|| {
        // SAFETY: what was allocated is freed.
        unsafe {
            let memory = sys::ExAllocatePool2(sys::POOL_FLAG_NON_PAGED, 8, TAG);
            sys::ExFreePoolWithTag(memory, 0);
        }
    });
    machine.stop()
}

#[test]
fn findings_above_the_level_are_left_out_and_others_name_their_page() {
    assert_eq!(freed_without_tag(Level::Contract), []);
    let found = freed_without_tag(Level::Advice);
    let [one] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((one.rule, one.level), (Rule::PoolTags, Level::Advice));
    let page = one.page().expect("advice has a page");
    assert!(
        page.ends_with("/ddi/wdm/nf-wdm-exfreepoolwithtag"),
        "{page}"
    );
}
