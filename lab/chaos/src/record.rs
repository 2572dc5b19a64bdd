//! The JSON output of `chaos --json`.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::outcome::{Failure, Summary};
use super::script::{Origin, Script};
use super::worker::Ended;

/// A seed, or a script that was run again.
#[derive(Serialize)]
pub struct Record<'a> {
    seed: Option<u64>,
    /// The script.
    replayed: Option<&'a Path>,
    seconds: Option<f64>,
    failure: Option<Failed<'a>>,
    summary: &'a Summary,
}

/// The failure.
#[derive(Serialize)]
struct Failed<'a> {
    /// From 1.
    step: u64,
    #[serde(flatten)]
    failure: Option<&'a Failure>,
    /// A file with steps that do the same.
    script: &'a Path,
    script_steps: usize,
}

impl<'a> Record<'a> {
    /// A seed that went well, as far as it was run.
    pub fn of_seed(seed: u64, summary: &'a Summary, time: Duration) -> Self {
        Self {
            seed: Some(seed),
            replayed: None,
            seconds: Some(time.as_secs_f64()),
            failure: None,
            summary,
        }
    }

    /// The same with what went wrong, and a script that does so again.
    pub fn failed(self, origin: &'a Origin, path: &'a Path, script: &Script) -> Self {
        let failure = Failed {
            step: origin.step + 1,
            failure: origin.failure.as_ref(),
            script: path,
            script_steps: script.steps.len(),
        };
        Self {
            failure: Some(failure),
            ..self
        }
    }

    /// A script that was run again.
    pub fn of_script(path: &'a Path, script: &Script, ended: &'a Ended) -> Self {
        let failure = ended.failure.as_ref().map(|(step, failure)| Failed {
            step: step + 1,
            failure: Some(failure),
            script: path,
            script_steps: script.steps.len(),
        });
        Self {
            seed: None,
            replayed: Some(path),
            seconds: None,
            failure,
            summary: &ended.summary,
        }
    }
}
