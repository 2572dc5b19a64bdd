//! `mslso-lab demo`: the advertised size, step by step.
//!
//! The *advertised size* limits the large sends of a guest. [`story`] triggers events on a
//! [`stage`] of hosts and guests; each [`step`] records every advertised size and the outcome of
//! each send, and is judged at once. [`text`] and [`plot`] show it.

mod plot;
mod stage;
mod step;
mod story;
mod text;

use harness::chart;
use harness::driver::{Build, Driver};
use harness::output::{note, print};

use crate::cli::DemoArgs;
use crate::error::Error;

/// Prints the story, and faults on the standard error stream. Returns whether there is no fault.
///
/// # Errors
///
/// The driver does not load, start or answer, or the chart cannot be written.
pub fn run(args: &DemoArgs, build: &Build) -> Result<bool, Error> {
    let driver = Driver::load(build)?;
    args.plot.as_deref().map_or(Ok(()), chart::try_path)?;
    let report = story::run(&driver)?;
    if let Some(path) = &args.plot {
        plot::chart(&report.steps).write(path)?;
    }
    report.faults.iter().for_each(note);
    let text = if args.json {
        report.steps.iter().map(harness::json::line).collect()
    } else {
        text::whole(&report, build, args.plot.as_deref())
    };
    print(text);
    Ok(report.faults.is_empty())
}
