//! `mslso-lab demo`: the advertised size, step by step.
//!
//! The *advertised size* limits the large sends of a guest. [`story`] triggers events on a
//! [`stage`] of hosts and guests; each [`step`] records every advertised size and the outcome of
//! each send, and is judged at once. [`text`] and [`plot`] show it.

mod actor;
mod plot;
mod stage;
mod step;
mod story;
mod text;

use std::io::Write;

pub use step::{Family, GuestView, HostView, SendRecord, Sizes, Step};

use crate::cli::DemoArgs;
use crate::error::Error;
use harness::driver::{Build, Driver};

/// The result of a demo.
pub struct Report {
    /// Its steps.
    pub steps: Vec<Step>,
    /// Faults while the drivers stopped, in one line each.
    pub at_end: Vec<String>,
    /// The filters' counters, added over all hosts.
    pub counted: Counted,
}

/// Sums of the filters' own counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Large sends that came down.
    pub large_sends: u64,
    /// Those that were split.
    pub split: u64,
    /// Into how many children.
    pub children: u64,
}

impl Report {
    /// How often something was wrong.
    #[must_use]
    pub fn faults(&self) -> usize {
        let in_steps: usize = self.steps.iter().map(|step| step.violations.len()).sum();
        in_steps + self.at_end.len()
    }
}

/// Prints the story on `out`, and faults on `notes`. Returns whether there is no fault.
///
/// # Errors
///
/// The driver does not load, start or answer, or the chart cannot be written.
pub fn run(
    args: &DemoArgs,
    build: &Build,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<bool, Error> {
    let driver = Driver::load(build)?;
    let report = story::run(&driver)?;
    if let Some(path) = &args.plot {
        plot::write(&report.steps, path)?;
    }
    for step in &report.steps {
        for line in &step.violations {
            let _ = writeln!(notes, "step {}: {line}", step.step);
        }
    }
    for line in &report.at_end {
        let _ = writeln!(notes, "{line}");
    }
    let text = if args.json {
        report.steps.iter().map(harness::json::line).collect()
    } else {
        text::whole(&report, build, args.plot.as_deref())
    };
    // A reader that closed the pipe is no fault of the driver.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok(report.faults() == 0)
}
