//! The driver's start, and a little of its life, with one allocation failing after the other.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use model::{Failing, OidCall, SendCall, World};

use super::{
    control,
    frames::Frames,
    observe::Observed,
    subject::{FRAME_SIZE, Refused, STATISTICS, Subject},
};

/// The first allocations fail one by one, those behind them at random.
const FIRST: u64 = 24;
/// Most allocations that are made to fail.
const MOST: u64 = 40;

/// How long the phase goes on: a driver whose every pause is endless would be here for long.
const LONGEST: Duration = Duration::from_secs(20);

/// Runs the phase.
pub(super) fn run(subject: &mut Subject) -> Result<(), Refused> {
    let codes = control::codes(subject);
    let mut failing = 0;
    let begun = Instant::now();
    for turn in 0..MOST {
        let world = subject.machine();
        let mut observed = Observed::new(world);
        let step = format!("allocation {failing} fails");
        let asked = observed.step(&step, |world| {
            world.fail_allocations(Failing::Nth(failing));
            one_life(subject, world, &codes);
            world.fail_allocations(Failing::None)
        });
        observed.finish();
        if failing >= asked || begun.elapsed() > LONGEST {
            break;
        }
        failing = if turn < FIRST {
            turn + 1
        } else {
            FIRST + subject.random.below(asked.max(FIRST + 1) - FIRST)
        };
    }
    Ok(())
}

/// As much of a life as the failing allocation lets there be.
fn one_life(subject: &Subject, world: &Arc<World>, codes: &[u32]) {
    // SAFETY: the driver outlives the machine, which is not used after this process's phase.
    #[expect(unsafe_code, reason = "runs a driver")]
    let loaded = unsafe { subject.driver.load_into(world) };
    if loaded.is_err() {
        return;
    }
    if world.attach().is_ok() {
        if world.restart().is_ok() {
            let mut frames = Frames::default();
            for at_dispatch in [false, true] {
                let call = SendCall {
                    at_dispatch,
                    processor: 0,
                };
                world.send(vec![frames.packet(100), frames.large(9000)], call);
            }
            world.oid(OidCall::query(FRAME_SIZE, 4));
            world.oid(OidCall::method(STATISTICS, 0, vec![1], 64));
            if let Some(code) = codes.first() {
                world.device_control(*code, &[], 512);
            }
            world.pre_detach();
            world.pause();
        }
        world.detach();
    }
    world.unload();
}
