//! Rundown protection: a pause waits for the handlers that hold it, and none acquires it
//! afterwards.

use interleave::{Machine, Preemptions, explore, on, sample, wait};
use ndis::sys::{NDIS_STATUS_PAUSED, NDIS_STATUS_SUCCESS};

use super::{NIC, TWO};

/// The NIC accepts it unchanged.
const SMALL: u32 = 2000;

/// A send meets a pause: it is sent and completed before the pause has ended, or refused.
fn a_send_meets_a_pause(payload: u32) {
    explore(Preemptions::Most(3), move || {
        let machine = Machine::start(NIC);
        let sender = on(0, move || {
            let id = machine.send(payload);
            machine.complete_all(NDIS_STATUS_SUCCESS);
            let status = machine.completed(id).expect("it has come back");
            assert!([NDIS_STATUS_SUCCESS, NDIS_STATUS_PAUSED].contains(&status));
        });
        let pauser = on(1, move || {
            machine.pause();
            if payload > NIC.max {
                // Forwarded NBLs are for their sender, and for NDIS, to wait for.
                assert_eq!(machine.at_nic(), 0, "children after the pause");
            }
        });
        wait([sender, pauser]);
        machine.restart();
        machine.stop();
    });
}

#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn a_large_send_meets_a_pause() {
    a_send_meets_a_pause(TWO);
}

#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn an_untouched_send_meets_a_pause() {
    a_send_meets_a_pause(SMALL);
}

/// The send is completed to the overlying driver, so NDIS pauses and detaches the module, and it is
/// gone, while the handlers that sent and completed are on their way out.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn a_module_is_gone_before_its_handlers_have_returned() {
    let case = || {
        let machine = Machine::start(NIC);
        wait([
            on(0, move || {
                machine.send(TWO);
                machine.complete_all(NDIS_STATUS_SUCCESS);
            }),
            on(1, move || {
                machine.wait_for(0);
                machine.pause();
                machine.detach();
            }),
            on(2, move || machine.complete_all(NDIS_STATUS_SUCCESS)),
        ]);
        machine.unload();
    };
    let orders = explore(Preemptions::Most(1), case);
    assert!(orders > 1000, "{orders}");
    sample(2000, case);
}

/// The same where each child is completed by a processor of its own: the first of the two to count
/// off its child is still in its handler when the other completes the parent.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn a_module_waits_for_the_handler_that_completed_no_parent() {
    let orders = explore(Preemptions::Most(2), || {
        let machine = Machine::start(NIC);
        machine.send(TWO);
        let complete_one = move || machine.complete(1, NDIS_STATUS_SUCCESS);
        wait([
            on(0, complete_one),
            on(1, move || {
                machine.wait_for(0);
                machine.pause();
                machine.detach();
            }),
            on(2, complete_one),
        ]);
        machine.unload();
    });
    assert!(orders > 1000, "{orders}");
}
