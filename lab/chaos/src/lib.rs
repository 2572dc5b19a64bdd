//! Everything at random, against the model and all its rules: sends of every shape, completions in
//! every order, NICs that change, settings, requests, failures of memory, and the whole life of the
//! driver, from a seed.
//!
//! A run is a list of [`step`]s, in episodes of a [`Machine`](step::Machine) each. A [`worker`], a
//! process of its own, takes them one after the other; a driver that kills it, or hangs, is found
//! as surely as one that breaks a rule. A failure is [shrunk](mod@shrink) to a few steps and
//! written as a [`script`] to be run again.
//!
//! The only concurrency is that of the model's processors, so a seed is always the same run.

pub mod args;
mod counter_check;
mod error;
mod generate;
pub mod nic;
pub mod outcome;
pub mod packet;
mod progress;
mod record;
mod report;
pub mod run;
pub mod script;
pub mod shrink;
pub mod step;
pub mod worker;
pub mod worker_pool;

use std::io::{self, BufReader};
use std::time::Instant;

pub use error::Error;

use args::ChaosArgs;
use harness::driver::{Build, Driver};
use harness::output::{note, print, try_to_write};
use outcome::Summary;
use progress::Progress;
use record::Record;
use report::Report;
use script::{Origin, Script};
use shrink::{Trial, shrink};
use worker_pool::WorkerPool;

/// Steps of an episode. It is as much as is run again and again to be shrunk.
pub const EPISODE: u64 = 1000;

/// Runs the command. Returns whether no failure was found.
pub fn run(args: &ChaosArgs, driver: &Build) -> Result<bool, Error> {
    let loaded = Driver::load(driver)?;
    if args.worker {
        worker::work(&loaded, BufReader::new(io::stdin()));
        return Ok(true);
    }
    let mut pool = WorkerPool::new(driver);
    if let Some(path) = &args.replay {
        let script = Script::read(path)?;
        let ended = pool.script(&script)?;
        if args.json {
            let record = Record::of_script(path, &script, &ended);
            print(harness::json::line(&record));
        } else {
            print(Report::of_script(path, &script, &ended));
        }
        return Ok(ended.failure.is_none());
    }
    try_to_write(&args.script).map_err(|why| Error::Write(args.script.clone(), why))?;
    for seed in (args.seed..).take(args.seeds as usize) {
        if !one_seed(seed, args, &mut pool)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs all episodes of a seed, until one fails.
fn one_seed(seed: u64, args: &ChaosArgs, pool: &mut WorkerPool) -> Result<bool, Error> {
    let (begun, progress) = (Instant::now(), Progress::new(seed, args.steps));
    let mut summary = Summary::default();
    for (episode, first) in (0..args.steps).step_by(EPISODE as usize).enumerate() {
        let steps = EPISODE.min(args.steps - first);
        let episode = episode as u64;
        let ended = pool.episode(seed, episode, steps)?;
        summary.add(&ended.summary);
        progress.at(first + steps);
        let Some((step, failure)) = ended.failure else {
            continue;
        };
        progress.finish();
        let origin = Origin {
            seed,
            episode,
            step: first + step,
            failure: Some(failure),
        };
        if !args.json {
            print(Report::of_failure(&origin));
        }
        note(format_args!("mslso-lab: shrinking {} steps", step + 1));
        let script = Script::episode(seed, episode, (step + 1).min(steps));
        let script = shrunk(pool, script, &origin)?;
        script.write(&args.script, &origin)?;
        if args.json {
            let record = Record::of_seed(seed, &summary, begun.elapsed());
            let record = record.failed(&origin, &args.script, &script);
            print(harness::json::line(&record));
        } else {
            print(Report::of_shrunk(&args.script, &script));
        }
        return Ok(false);
    }
    progress.finish();
    if args.json {
        let record = Record::of_seed(seed, &summary, begun.elapsed());
        print(harness::json::line(&record));
    } else {
        print(Report::of_seed(seed, &summary, begun.elapsed()));
    }
    Ok(true)
}

/// Fails in the way that `kind` names.
struct SameFailure<'a> {
    pool: &'a mut WorkerPool,
    kind: &'a str,
}

impl Trial for SameFailure<'_> {
    fn fails(&mut self, script: &Script) -> Result<bool, Error> {
        let ended = self.pool.script(script)?;
        Ok(ended
            .failure
            .is_some_and(|(_, failure)| failure.kind == self.kind))
    }
}

/// The shortest script that fails as `origin` did; where it does not fail again, the whole.
fn shrunk(pool: &mut WorkerPool, script: Script, origin: &Origin) -> Result<Script, Error> {
    let kind = origin.failure.as_ref().map_or("", |failure| &failure.kind);
    let mut trial = SameFailure { pool, kind };
    if trial.fails(&script)? {
        shrink(&mut trial, script)
    } else {
        Ok(script)
    }
}
