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

mod balance;
mod generate;
pub mod nic;
pub mod office;
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

use std::io::{self, BufReader, Write};
use std::time::Instant;

use crate::cli::ChaosArgs;
use crate::driver::{Build, Driver};
use crate::failure::Failure;
use office::Office;
use outcome::Summary;
use progress::Progress;
use record::Record;
use report::Told;
use script::{Origin, Script};
use shrink::{Trial, shrink};

/// Steps of an episode. It is as much as is run again and again to be shrunk.
pub const EPISODE: u64 = 1000;

/// Runs the command. Returns whether no failure was found.
///
/// # Errors
///
/// There is no verdict.
pub fn run(
    args: &ChaosArgs,
    driver: &Build,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<bool, Failure> {
    let loaded = Driver::load(driver)?;
    if args.worker {
        worker::work(&loaded, BufReader::new(io::stdin()), out);
        return Ok(true);
    }
    let mut office = Office::new(driver);
    if let Some(path) = &args.replay {
        let script = Script::read(path)?;
        let ended = office.script(&script)?;
        if args.json {
            let record = Record::of_script(path, &script, &ended);
            let _ = write!(out, "{}", crate::json::line(&record));
        } else {
            let _ = write!(out, "{}", Told::of_script(path, &script, &ended));
        }
        return Ok(ended.wrong.is_none());
    }
    for seed in (args.seed..).take(args.seeds as usize) {
        if !one_seed(seed, args, &mut office, out, notes)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs all episodes of a seed, until one fails.
fn one_seed(
    seed: u64,
    args: &ChaosArgs,
    office: &mut Office,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<bool, Failure> {
    let (begun, progress) = (Instant::now(), Progress::new(seed, args.steps));
    let mut summary = Summary::default();
    for (episode, first) in (0..args.steps).step_by(EPISODE as usize).enumerate() {
        let steps = EPISODE.min(args.steps - first);
        let episode = episode as u64;
        let ended = office.episode(seed, episode, steps)?;
        summary.add(&ended.summary);
        progress.at(first + steps);
        let Some((step, wrong)) = ended.wrong else {
            continue;
        };
        progress.finish();
        let origin = Origin {
            seed,
            episode,
            step: first + step,
            wrong: Some(wrong),
        };
        if !args.json {
            let _ = write!(out, "{}", Told::of_failure(&origin));
        }
        let _ = writeln!(notes, "mslso-lab: shrinking {} steps", step + 1);
        let script = Script::episode(seed, episode, (step + 1).min(steps));
        let script = shrunk(office, script, &origin)?;
        script.write(&args.script, &origin)?;
        if args.json {
            let record = Record::of_seed(seed, &summary, begun.elapsed());
            let record = record.failed(&origin, &args.script, &script);
            let _ = write!(out, "{}", crate::json::line(&record));
        } else {
            let _ = write!(out, "{}", Told::of_shrunk(&args.script, &script));
        }
        return Ok(false);
    }
    progress.finish();
    if args.json {
        let record = Record::of_seed(seed, &summary, begun.elapsed());
        let _ = write!(out, "{}", crate::json::line(&record));
    } else {
        let _ = write!(out, "{}", Told::of_seed(seed, &summary, begun.elapsed()));
    }
    Ok(true)
}

/// Fails in the way that `kind` names.
struct SameFailure<'a> {
    office: &'a mut Office,
    kind: &'a str,
}

impl Trial for SameFailure<'_> {
    fn fails(&mut self, script: &Script) -> Result<bool, Failure> {
        let ended = self.office.script(script)?;
        Ok(ended
            .wrong
            .is_some_and(|(_, wrong)| wrong.kind == self.kind))
    }
}

/// The shortest script that fails as `origin` did; where it does not fail again, the whole.
fn shrunk(office: &mut Office, script: Script, origin: &Origin) -> Result<Script, Failure> {
    let kind = origin.wrong.as_ref().map_or("", |wrong| &wrong.kind);
    let mut trial = SameFailure { office, kind };
    if trial.fails(&script)? {
        shrink(&mut trial, script)
    } else {
        Ok(script)
    }
}
