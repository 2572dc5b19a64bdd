//! What the layer above is told, when several who would tell it meet.

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

/// What the layer above heard last is what is so, and what READ says it was told.
fn assert_last_word(machine: &Machine, max: u32) {
    let says = machine.read();
    let heard = machine.heard();
    let last = heard.last().copied();
    assert_eq!(last, Some(max * says.tuning.multiple()), "{heard:?}");
    assert_eq!(last, Some(says.advertised_v2_ipv4), "READ, {heard:?}");
    assert_eq!(says.nic.v2_ipv4.max_payload, max);
}

/// Seen once with real threads, the layer above having heard last of a tuning that was none any
/// more: one retune was heard between a status and the note of what it had said, and a second one,
/// back to that, then had nothing to say.
fn a_status_and_two_retunes() {
    let machine = start();
    wait([
        on(0, move || machine.nic_says(nic(AFTER))),
        on(1, move || {
            machine.retune(14);
            machine.retune(8);
        }),
    ]);
    assert_last_word(&machine, AFTER);
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
        let retune = |processor, multiple| {
            on(processor, move || {
                machine.retune(multiple);
            })
        };
        wait([
            on(0, move || machine.nic_says(nic(AFTER))),
            retune(1, 14),
            retune(2, 8),
        ]);
        assert_last_word(&machine, AFTER);
        machine.stop();
    });
}

/// Without anybody else, the layer above hears of a change once.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn a_change_is_told_once() {
    explore(Preemptions::Any, || {
        let machine = start();
        machine.nic_says(nic(AFTER));
        machine.retune(14);
        assert_eq!(machine.heard(), [8 * BEFORE, 8 * AFTER, 14 * AFTER]);
        machine.stop();
    });
}

/// Once the truth was told nothing else is, whoever was about to say it.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn a_retune_meets_the_announcement_of_the_detach() {
    let orders = explore(Preemptions::Most(3), || {
        let machine = start();
        wait([
            on(0, move || {
                machine.retune(14);
            }),
            on(1, move || {
                machine.pre_detach();
                assert_eq!(machine.heard().last(), Some(&BEFORE));
                machine.pause();
                machine.detach();
            }),
        ]);
        assert_eq!(machine.heard().last(), Some(&BEFORE));
        machine.unload();
    });
    assert!(orders > 1000, "{orders}");
}

#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn a_status_meets_the_announcement_of_the_detach() {
    explore(Preemptions::Most(3), || {
        let machine = start();
        wait([
            on(0, move || machine.nic_says(nic(AFTER))),
            on(1, move || {
                machine.pre_detach();
                let heard = machine.heard();
                let last = heard.last().expect("the attach");
                assert!([BEFORE, AFTER].contains(last), "{heard:?}");
            }),
        ]);
        assert_eq!(machine.heard().last(), Some(&AFTER));
        machine.stop();
    });
}
