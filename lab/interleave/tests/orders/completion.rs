//! Children of one parent complete on several processors: the parent is completed once, with the
//! status of the first that failed.

use std::sync::{Arc, Mutex};

use interleave::{Machine, Preemptions, explore, on, sample, wait};
use ndis::sys::{
    NDIS_STATUS, NDIS_STATUS_FAILURE, NDIS_STATUS_INVALID_PACKET, NDIS_STATUS_SUCCESS,
};

use super::{NIC, TWO};

const THREE: u32 = 9000;

/// When each child's completion began and ended, and with which status.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<(u32, Vec<Call>)>>);

#[derive(Clone, Copy)]
struct Call {
    began: u32,
    ended: u32,
    status: NDIS_STATUS,
}

impl Calls {
    fn now(&self) -> u32 {
        let mut all = self.0.lock().expect("no panic");
        all.0 += 1;
        all.0
    }

    /// Completes one child with `status`, once it is there.
    fn complete(&self, machine: &Machine, status: NDIS_STATUS) {
        machine.wait_for_children(1);
        let began = self.now();
        machine.complete(1, status);
        let ended = self.now();
        self.0.lock().expect("no panic").1.push(Call {
            began,
            ended,
            status,
        });
    }

    /// The statuses that the parent may have: that of a failure that began before any other had
    /// ended.
    fn allowed(&self) -> Vec<NDIS_STATUS> {
        let calls = &self.0.lock().expect("no panic").1;
        let failed = |call: &&Call| call.status != NDIS_STATUS_SUCCESS;
        let first_end = calls.iter().filter(failed).map(|call| call.ended).min();
        let Some(first_end) = first_end else {
            return vec![NDIS_STATUS_SUCCESS];
        };
        let first = |call: &&Call| failed(call) && call.began < first_end;
        calls.iter().filter(first).map(|call| call.status).collect()
    }
}

/// As many processors as there are statuses complete a child each.
fn children(statuses: &'static [NDIS_STATUS]) -> impl Fn() + Clone {
    move || {
        let machine = Machine::start(NIC);
        machine.send(NIC.max * statuses.len() as u32);
        let calls = Calls::default();
        wait((0..).zip(statuses).map(|(processor, status)| {
            let calls = calls.clone();
            on(processor, move || calls.complete(&machine, *status))
        }));
        let status = machine.completed(0).expect("it has come back");
        let allowed = calls.allowed();
        assert!(allowed.contains(&status), "{status:#x}, not {allowed:x?}");
        let counted = machine.statistics();
        let failed = u64::from(status != NDIS_STATUS_SUCCESS);
        assert_eq!((counted.completed, counted.failed), (1, failed));
        machine.stop();
    }
}

#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn both_succeed() {
    const BOTH: [NDIS_STATUS; 2] = [NDIS_STATUS_SUCCESS; 2];
    let orders = explore(Preemptions::Most(4), children(&BOTH));
    assert!(orders > 1000, "{orders}");
}

#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn one_fails() {
    const ONE: [NDIS_STATUS; 2] = [NDIS_STATUS_FAILURE, NDIS_STATUS_SUCCESS];
    explore(Preemptions::Most(4), children(&ONE));
}

#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn both_fail() {
    const BOTH: [NDIS_STATUS; 2] = [NDIS_STATUS_FAILURE, NDIS_STATUS_INVALID_PACKET];
    explore(Preemptions::Most(4), children(&BOTH));
}

#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn two_of_three_fail() {
    const THREE: [NDIS_STATUS; 3] = [
        NDIS_STATUS_FAILURE,
        NDIS_STATUS_SUCCESS,
        NDIS_STATUS_INVALID_PACKET,
    ];
    explore(Preemptions::Most(1), children(&THREE));
    sample(2000, children(&THREE));
}

/// The first child is completed from within the send.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn one_completes_before_the_send_has_returned() {
    explore(Preemptions::Most(3), || {
        let machine = Machine::start(NIC);
        machine.completes_inline(1);
        wait([
            on(0, move || machine.send(TWO)),
            on(1, move || machine.complete(1, NDIS_STATUS_FAILURE)),
        ]);
        assert_eq!(machine.completed(0), Some(NDIS_STATUS_FAILURE));
        machine.stop();
    });
}

/// DPCs complete children on the processor that sends more at that time, and on another one: the
/// first takes them back at once, and the other returns them.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn dpcs_return_children_to_a_processor_that_takes_others() {
    sample(2000, || {
        let machine = Machine::start(NIC);
        wait([
            on(0, move || {
                machine.send(TWO);
                machine.send(TWO);
            }),
            on(0, move || machine.complete_in_dpc(2)),
            on(1, move || machine.complete_in_dpc(2)),
        ]);
        for parent in [0, 1] {
            assert_eq!(machine.completed(parent), Some(NDIS_STATUS_SUCCESS));
        }
        machine.stop();
    });
}

/// Two parents, whose children are completed in chains in which they are mixed.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn parents_come_back_from_mixed_chains() {
    sample(2000, || {
        let machine = Machine::start(NIC);
        wait([
            on(0, move || {
                machine.send(THREE);
                machine.send(TWO);
            }),
            on(1, move || {
                machine.complete(2, NDIS_STATUS_SUCCESS);
                machine.complete(1, NDIS_STATUS_SUCCESS);
            }),
            on(2, move || machine.complete(2, NDIS_STATUS_SUCCESS)),
        ]);
        for id in 0..2 {
            assert_eq!(machine.completed(id), Some(NDIS_STATUS_SUCCESS));
        }
        machine.stop();
    });
}
