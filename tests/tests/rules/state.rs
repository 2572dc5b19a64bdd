//! Rules 19 and 22: the states and IRQLs at which routines may be called.

use std::ptr;

use model::Rule;
use ndis::sys;

use crate::{
    Run,
    kernel::{TAG, assert_calls_break},
};

#[test]
fn nothing_is_sent_while_paused() {
    assert_calls_break(Rule::Running, "module", |run, machine| {
        if run == Run::Wrong {
            machine.world.pause();
        }
        let module = machine.world.module_handle();
        // SAFETY: an empty chain.
        unsafe { sys::NdisFSendNetBufferLists(module, ptr::null_mut(), 0, 0) };
    });
}

#[test]
fn the_flag_for_dispatch_level_matches_the_irql() {
    for send in [true, false] {
        assert_calls_break(Rule::Irql, "module", |run, machine| {
            let flags = u32::from(run == Run::Wrong);
            let (module, chain) = (machine.world.module_handle(), ptr::null_mut());
            // SAFETY: an empty chain.
            unsafe {
                if send {
                    sys::NdisFSendNetBufferLists(module, chain, 0, flags);
                } else {
                    sys::NdisFSendNetBufferListsComplete(module, chain, flags);
                }
            }
        });
    }
}

#[test]
fn routines_are_called_at_an_irql_that_they_allow() {
    assert_calls_break(
        Rule::Irql,
        "ExAllocateCacheAwareRundownProtection",
        |run, _| {
            let irql = if run == Run::Right { 1 } else { 2 };
            // SAFETY: raised and lowered again; the reference is freed.
            unsafe {
                let before = sys::KfRaiseIrql(irql);
                let reference = sys::ExAllocateCacheAwareRundownProtection(512, TAG);
                sys::KeLowerIrql(before);
                sys::ExFreeCacheAwareRundownProtection(reference);
            }
        },
    );
}

#[test]
fn the_irql_is_raised_upward_and_lowered_downward() {
    let calls = |right: u8, wrong: u8, run| if run == Run::Right { right } else { wrong };
    assert_calls_break(Rule::Irql, "KfRaiseIrql", |run, _| {
        // SAFETY: lowered again, to where it was.
        unsafe {
            sys::KfRaiseIrql(2);
            sys::KfRaiseIrql(calls(2, 1, run));
            sys::KeLowerIrql(0);
        }
    });
    assert_calls_break(Rule::Irql, "KeLowerIrql", |run, _| {
        // SAFETY: as above.
        unsafe {
            sys::KfRaiseIrql(1);
            sys::KfRaiseIrql(calls(2, 1, run));
            sys::KeLowerIrql(calls(1, 2, run));
            sys::KeLowerIrql(0);
        }
    });
}
