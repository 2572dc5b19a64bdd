//! Any lightweight filter, exercised and judged.
//!
//! A round has two [phases](crate::cli::Phase), each in a process of its own, which [`worker`] runs
//! and [`process`] watches: the [whole life](lifecycle) of the driver, and its [start](starve) with one
//! allocation failing after the other. Their findings are one [`Report`].

mod adapters;
mod control;
mod frames;
mod lifecycle;
mod observe;
mod process;
mod reply;
mod report;
mod starve;
mod subject;
mod threads;
mod traffic;
mod worker;

use crate::cli::{ExerciseArgs, Pages, Phase, Switch};
use crate::error::Error;
use harness::driver::{Build, Driver};
use harness::output::print;
use report::{Report, Verdict};

/// Runs the command. Returns whether the driver is clean.
pub fn run(args: &ExerciseArgs, driver: &Build) -> Result<bool, Error> {
    let build = match &args.image {
        Some(path) => Build::Image(path.clone()),
        None => driver.clone(),
    };
    if let Some(phase) = args.phase {
        worker::work(args, phase, &build)?;
        return Ok(true);
    }
    // An image that cannot be loaded at all is found here, with what to do about it.
    drop(Driver::load_with_gaps(&build, worker::missing)?);
    let mut report = Report::default();
    for round in 0..args.rounds {
        let pages = match (args.guard_pages, round % 2) {
            (Switch::Off, _) => Pages::Off,
            (Switch::On, 0) => Pages::End,
            (Switch::On, _) => Pages::Start,
        };
        for phase in [Phase::Life, Phase::Starve] {
            let seed = args.seed.wrapping_add(round);
            let ended = process::run(args, &build, phase, pages, seed)?;
            report.add(ended);
        }
        if matches!(report.verdict(), Verdict::Crashed | Verdict::Hung) {
            break;
        }
    }
    match args.json {
        true => print(harness::json::line(&report.record())),
        false => print(&report),
    }
    Ok(report.verdict() == Verdict::Clean)
}
