//! The size advertised to the overlying driver, when several threads that would advertise it meet.

use interleave::{Machine, Nic, Preemptions, explore, on, sample, wait};

const BEFORE: u32 = 12_000;
const AFTER: u32 = 13_000;

fn nic(max: u32) -> Nic {
    Nic {
        max,
        min_segments: 1,
    }
}

fn start() -> Machine {
    Machine::start(nic(BEFORE))
}

/// The size that the overlying driver received last matches the NIC and the tuning, and READ
/// reports it as advertised.
fn assert_advertised(machine: &Machine, max: u32) {
    let read = machine.read();
    let indicated = machine.indicated();
    let last = indicated.last().copied();
    assert_eq!(last, Some(max * read.tuning.multiple()), "{indicated:?}");
    assert_eq!(last, Some(read.advertised_v2_ipv4), "READ, {indicated:?}");
    assert_eq!(read.nic.v2_ipv4.max_payload, max);
}

/// Seen once with real threads, when the overlying driver was left with the size of an outdated
/// tuning: one retune was indicated between a status indication and the record of the size it had
/// advertised, and a second retune, back to that size, then found nothing to indicate.
fn a_status_and_two_retunes() {
    let machine = start();
    wait([
        on(0, move || machine.nic_indicates(nic(AFTER))),
        on(1, move || {
            machine.retune(14);
            machine.retune(8);
        }),
    ]);
    assert_advertised(&machine, AFTER);
    machine.stop();
}

#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn a_status_meets_two_retunes() {
    let orders = explore(Preemptions::Most(2), a_status_and_two_retunes);
    assert!(orders > 1000, "{orders}");
}

#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn a_status_meets_two_administrators() {
    sample(4000, || {
        let machine = start();
        let retune = |processor, multiple| on(processor, move || machine.retune(multiple));
        wait([
            on(0, move || machine.nic_indicates(nic(AFTER))),
            retune(1, 14),
            retune(2, 8),
        ]);
        assert_advertised(&machine, AFTER);
        machine.stop();
    });
}

/// Without concurrent threads, each change is advertised to the overlying driver once.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn a_change_is_indicated_once() {
    explore(Preemptions::Any, || {
        let machine = start();
        machine.nic_indicates(nic(AFTER));
        machine.retune(14);
        assert_eq!(
            machine.indicated(),
            [8 * BEFORE, 8 * BEFORE, 8 * AFTER, 14 * AFTER],
            "the binding, the restart, and each change"
        );
        machine.stop();
    });
}

/// After the true configuration was indicated, no other indication follows, whichever thread was
/// about to send one.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn a_retune_meets_pre_detach() {
    let orders = explore(Preemptions::Most(3), || {
        let machine = start();
        wait([
            on(0, move || machine.retune(14)),
            on(1, move || {
                machine.pre_detach();
                assert_eq!(machine.indicated().last(), Some(&BEFORE));
                machine.pause();
                machine.detach();
            }),
        ]);
        assert_eq!(machine.indicated().last(), Some(&BEFORE));
        machine.unload();
    });
    assert!(orders > 1000, "{orders}");
}

#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn a_status_meets_pre_detach() {
    explore(Preemptions::Most(3), || {
        let machine = start();
        wait([
            on(0, move || machine.nic_indicates(nic(AFTER))),
            on(1, move || {
                machine.pre_detach();
                let indicated = machine.indicated();
                let last = indicated.last().expect("the attach");
                assert!([BEFORE, AFTER].contains(last), "{indicated:?}");
            }),
        ]);
        assert_eq!(machine.indicated().last(), Some(&AFTER));
        machine.stop();
    });
}
