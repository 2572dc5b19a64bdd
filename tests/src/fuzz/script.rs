//! Any bytes as decisions of `mslso-lab chaos`: a machine, and the events on it. No failure that
//! chaos would report may occur.

use std::path::PathBuf;

use chaos::{
    outcome::Summary,
    script::{Origin, Script},
    worker,
};
use harness::driver::Driver;

/// Most steps of a run.
const MOST_STEPS: usize = 100;

/// Runs the steps that `bytes` select, and returns them.
///
/// # Panics
/// If something went wrong. The script is then in a file for `mslso-lab chaos --replay`.
#[must_use]
pub fn run(bytes: &[u8]) -> Summary {
    let script = Script::of_bytes(bytes, MOST_STEPS);
    let steps = script.steps.iter().cloned();
    let ended = worker::run(&Driver::Native, &script.machine, steps, |_| {});
    if let Some((step, failure)) = ended.failure {
        let path = written(&script);
        panic!("step {step} of {}: {failure:#?}", path.display());
    }
    ended.summary
}

fn written(script: &Script) -> PathBuf {
    let name = format!("mslso-script-{}.jsonl", std::process::id());
    let path = std::env::temp_dir().join(name);
    match script.write(&path, &Origin::default()) {
        Ok(()) => path,
        Err(why) => panic!("no script: {why}"),
    }
}
