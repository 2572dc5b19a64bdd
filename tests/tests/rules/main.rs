//! Every rule of the model, broken on purpose and seen reported.
//!
//! A judge that never reports a fault proves nothing. Each test runs one scenario twice: untouched,
//! when no rule may be broken, and with one fault, when the model must name that rule and its
//! subject. A broken rule may break others with it. The fault is either a change to a chain on its
//! way between the filter and NDIS, or a call of a routine, or a small [driver](mini_filter) that
//! misbehaves, or a [driver](software) that cuts large sends in every way.
#![expect(
    unsafe_code,
    reason = "does to NBLs and MDLs what a broken driver might do"
)]

mod adapters;
mod chaos_findings;
mod completions;
mod durations;
mod kernel;
mod mini_filter;
mod misbehaviour;
mod obligations;
mod ownership;
mod packet_children;
mod packets;
mod pools;
mod restarting;
mod second_stage;
mod software;
mod state;
mod tracing;
mod udp_and_tunnels;

use std::{
    ptr,
    sync::{Arc, Mutex},
};

use model::{Completion, Config, Nic, Rule, Tamper, Violation};
use ndis::sys;
use scenarios::{
    Machine, assert_clean,
    packets::{MSS, large_v4},
};

type Nbl = *mut sys::NET_BUFFER_LIST;

/// A machine with the filter and a NIC with a maximum of three segments.
fn machine() -> Machine {
    Machine::with_nic(Nic::new(3 * MSS, 2))
}

/// The same with a NIC that completes later.
fn deferring() -> Machine {
    Machine::start(deferring_config())
}

fn deferring_config() -> Config {
    let mut nic = Nic::new(3 * MSS, 2);
    nic.completion = Completion {
        deferred: true,
        ..Completion::default()
    };
    Config::with_nic(nic)
}

/// Whether a run of a scenario is to go wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Right,
    Wrong,
}

/// `scenario` breaks no rule when it runs right, and `rule` for `subject` when it runs wrong.
#[track_caller]
fn assert_breaks(rule: Rule, subject: &str, scenario: impl Fn(Run) -> Vec<Violation>) {
    assert_clean(&scenario(Run::Right));
    let broken = scenario(Run::Wrong);
    let reported = |one: &Violation| one.rule == rule && one.subject.starts_with(subject);
    assert!(
        broken.iter().any(reported),
        "rule {} for {subject} is not among {broken:#?}",
        rule.name()
    );
}

/// The same for five children of one large send (number 0), with `change` made to the first chain
/// that passes it and for which it returns true.
#[track_caller]
fn assert_tampering_breaks(
    rule: Rule,
    subject: &str,
    change: impl FnMut(Tamper<'_>) -> bool + Clone + Send + 'static,
) {
    assert_breaks(rule, subject, |run| {
        let machine = machine();
        if run == Run::Wrong {
            once(&machine, change.clone());
        }
        send_five_children(&machine);
        machine.stop()
    });
}

/// Makes `change` to the first chain for which it returns true.
fn once(machine: &Machine, mut change: impl FnMut(Tamper<'_>) -> bool + Send + 'static) {
    let mut done = false;
    machine.world.tamper(move |tamper| {
        if !done {
            done = change(tamper);
        }
    });
}

fn send_five_children(machine: &Machine) {
    machine.send_one(large_v4(5 * 3 * MSS));
}

/// Changes the NBLs that go down.
fn on_send(
    mut change: impl FnMut(&[Nbl]) + Clone + Send + 'static,
) -> impl FnMut(Tamper<'_>) -> bool + Clone + Send + 'static {
    move |tamper| match tamper {
        Tamper::Send(chain) => {
            change(&scenarios::tampering::nbls(*chain));
            true
        }
        Tamper::Complete(_) => false,
    }
}

/// Changes the parent that goes up.
fn on_complete(
    mut change: impl FnMut(Nbl) + Clone + Send + 'static,
) -> impl FnMut(Tamper<'_>) -> bool + Clone + Send + 'static {
    move |tamper| match tamper {
        Tamper::Send(_) => false,
        Tamper::Complete(chain) => {
            change(*chain);
            true
        }
    }
}

/// An address that a tamper function leaves for the scenario.
#[derive(Clone, Default)]
struct Found(Arc<Mutex<Option<usize>>>);

impl Found {
    fn set<T>(&self, place: *mut T) {
        *self.0.lock().expect("not poisoned") = Some(place.expose_provenance());
    }

    #[track_caller]
    fn get<T>(&self) -> *mut T {
        let place = self.0.lock().expect("not poisoned").expect("an address");
        ptr::with_exposed_provenance_mut(place)
    }
}

/// The only packet of an NBL.
///
/// # Safety
/// `nbl` is live.
unsafe fn packet(nbl: Nbl) -> *mut sys::NET_BUFFER {
    // SAFETY: as the caller vouches.
    unsafe { (*nbl).FirstNetBuffer }
}

/// The header of a child's frame.
///
/// # Safety
/// `nbl` is a child on its way down.
unsafe fn header(nbl: Nbl) -> *mut u8 {
    // SAFETY: a child's first MDL is non-paged memory with the header at the packet's offset.
    unsafe {
        let packet = packet(nbl);
        let base = (*(*packet).CurrentMdl).MappedSystemVa.cast::<u8>();
        base.add((*packet).CurrentMdlOffset as usize)
    }
}

/// Replaces the value of a slot.
fn set_slot(nbl: Nbl, slot: usize, change: impl Fn(usize) -> usize) {
    // SAFETY: the children are on their way down.
    unsafe {
        let slot = &raw mut (*nbl).NetBufferListInfo[slot];
        *slot = ptr::without_provenance_mut(change((*slot).addr()));
    }
}
