//! Several processors at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use model::{Answering, Completion, Indication, OidCall, ReceiveCall, SendCall, World};

use super::{frames::Frames, subject::FRAME_SIZE, traffic};

/// Turns of each thread.
const TURNS: u32 = 150;

/// Two senders, a receiver with requests, and status indications with completions.
pub(super) fn all_at_once(world: &Arc<World>, codes: &[u32], deferred: bool) {
    world.set_nic(|nic| {
        nic.completion = Completion {
            deferred,
            ..Completion::default()
        };
    });
    thread::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || {
                let mut frames = Frames::of_thread(number);
                for turn in 0..TURNS {
                    turn_of(world, number, turn, &mut frames, codes);
                    thread::yield_now();
                }
            });
        }
    });
    traffic::deliver_all(world);
    world.set_nic(|nic| nic.completion = Completion::default());
}

/// One turn of one thread.
fn turn_of(world: &Arc<World>, number: u32, turn: u32, frames: &mut Frames, codes: &[u32]) {
    let at_dispatch = turn.is_multiple_of(2);
    match number {
        0 | 1 => {
            let call = SendCall {
                at_dispatch,
                processor: number,
            };
            world.send(vec![frames.packet(100)], call);
        }
        2 => {
            let call = ReceiveCall {
                at_dispatch,
                resources: turn.is_multiple_of(3),
                ..ReceiveCall::default()
            };
            world.receive(vec![frames.tcp(64)], call);
            world.oid(OidCall::query(FRAME_SIZE, 4));
        }
        _ => {
            world.inside(|| world.deliver());
            world.run_deferred();
            world.indicate_with(&Indication::new(0x4001_0017, vec![1; 40]));
            if let Some(code) = codes.get(turn as usize % codes.len().max(1)) {
                world.device_control(*code, &[], 2048);
            }
        }
    }
}

/// Pauses and restarts while two threads send and a third one receives.
pub(super) fn pauses(world: &Arc<World>) -> Result<(), i32> {
    let done = AtomicBool::new(false);
    let done = &done;
    thread::scope(|scope| {
        for number in 0..3 {
            scope.spawn(move || {
                let mut frames = Frames::of_thread(8 + number);
                for turn in 0..4000_u32 {
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                    let at_dispatch = turn.is_multiple_of(2);
                    let call = SendCall {
                        at_dispatch,
                        processor: number,
                    };
                    world.send(vec![frames.packet(100)], call);
                    thread::yield_now();
                }
            });
        }
        let mut result = Ok(());
        for _ in 0..6 {
            thread::sleep(Duration::from_millis(2));
            world.pause();
            result = world.restart();
            if result.is_err() {
                break;
            }
        }
        done.store(true, Ordering::SeqCst);
        result
    })
}

/// Requests that one thread makes and another cancels.
pub(super) fn cancels(world: &Arc<World>) {
    world.set_nic(|nic| nic.oids = Answering::Later);
    let latest = AtomicU64::new(0);
    let latest = &latest;
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..100 {
                let number = world.start_oid(OidCall::query(FRAME_SIZE, 4));
                latest.store(number, Ordering::SeqCst);
                thread::yield_now();
                world.complete_oids();
            }
        });
        scope.spawn(move || {
            for _ in 0..500 {
                world.inside(|| world.cancel_oid(latest.load(Ordering::SeqCst)));
                thread::yield_now();
            }
        });
    });
    world.complete_oids();
    world.set_nic(|nic| nic.oids = Answering::Inline);
}
