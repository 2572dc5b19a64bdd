//! How much the filter costs: the whole way of a send down and back up, over an NDIS that does
//! nothing.
//!
//! `cargo run --profile sys -p mslso-bench` prints instructions and time for each case, built as
//! the driver's image is. The filter is the same source that runs in the kernel; instead of the
//! model NDIS, which checks everything, it is linked with the null one in [`ndis`]. So no package
//! may depend on this one, and this one not on the model.

mod baseline;
mod callgrind;
mod cases;
mod completer;
mod floor;
mod frame;
mod module;
mod ndis;
mod packets;
mod peers;
mod report;
mod steady;
mod time;
mod two_processors;

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
};

use anyhow::Context;
use clap::Parser;

use crate::{
    baseline::Baseline,
    cases::{CASES, Case},
    floor::Floor,
    report::{Figures, PeerRow, Report, Row, TwoProcessors},
};

/// The compiler that built this.
const RUSTC: &str = env!("MSLSO_RUSTC");
const BASELINE: &str = "lab/bench/baseline.json";

/// Measures the cost of the filter over an NDIS that does nothing.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Write the results to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only compare the instructions with this baseline; fail where they are above it by over 5 %
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = BASELINE)]
    check: Option<PathBuf>,
    /// Only count instructions, and write them to this baseline
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = BASELINE,
          conflicts_with = "check")]
    write_baseline: Option<PathBuf>,
    /// Only the cases that have this in their names
    #[arg(long, value_name = "TEXT", default_value = "")]
    case: String,
    /// Print so many of each case's most expensive functions
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    functions: usize,
    /// Do not count instructions, for which valgrind is needed
    #[arg(long, conflicts_with_all = ["check", "write_baseline"])]
    no_instructions: bool,
    /// Do not measure time
    #[arg(long)]
    no_time: bool,
    /// Send one case's batches: the part that runs under valgrind
    #[arg(long, hide = true, value_name = "NAME")]
    run_case: Option<String>,
    /// Send it through the floor
    #[arg(long, hide = true, requires = "run_case")]
    floor: bool,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if let Some(name) = &cli.run_case {
        let case = cases::find(name).context("there is no such case")?;
        return callgrind::run(case, cli.floor);
    }
    let only_instructions = cli.check.is_some() || cli.write_baseline.is_some();
    let report = measure(&cli, !cli.no_time && !only_instructions)?;
    let mut out = io::stdout();
    // Standard output may be closed; a file and the exit code carry the result too, here and below.
    let _ = out.write_all(report.text(cli.functions).as_bytes());
    if let Some(path) = &cli.json {
        let text = report.json()? + "\n";
        fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    if let Some(path) = &cli.write_baseline {
        Baseline::of(&report).write(path)?;
    }
    if let Some(path) = &cli.check {
        let summary = Baseline::read(path)?.check(&Baseline::of(&report))?;
        let _ = out.write_all(summary.as_bytes());
    }
    Ok(())
}

fn measure(cli: &Cli, with_time: bool) -> anyhow::Result<Report> {
    if !cli.no_instructions {
        callgrind::require()?;
    }
    module::load()?;
    let chosen = || CASES.iter().filter(|case| case.name.contains(&cli.case));
    let mut report = Report {
        rustc: RUSTC,
        ..Report::default()
    };
    for case in chosen() {
        report.cases.push(row(cli, case, with_time)?);
    }
    if with_time {
        for case in chosen().filter(|case| case.batch == 16 && !case.elsewhere) {
            if let Some(gain) = two_processors::gain(case)? {
                let name = case.name;
                report.two_processors.push(TwoProcessors { name, gain });
            }
        }
        report.peers = peers(&report)?;
    }
    Ok(report)
}

fn row(cli: &Cli, case: &Case, with_time: bool) -> anyhow::Result<Row> {
    let mut figures = Figures::default();
    if with_time {
        figures.time = Some(time::measure(case, None)?);
    }
    let units = match &figures.time {
        Some(time) => time.units,
        None => time::units(case)?,
    };
    if !cli.no_instructions {
        figures.instructions = Some(callgrind::count(case, units, false)?);
        if Floor::supports(case) {
            figures.floor = Some(callgrind::count(case, units, true)?);
        }
    }
    Ok(Row::new(case, units, figures))
}

/// The cost of the same work in peers, for some of the cases.
fn peers(report: &Report) -> anyhow::Result<Vec<PeerRow>> {
    let mut rows = Vec::new();
    for (peer, prepare) in peers::ALL {
        for row in &report.cases {
            let case = cases::find(row.name).context("a case of the report")?;
            let Some(work) = prepare(case)? else {
                continue;
            };
            let time = time::measure(case, Some(work))?;
            rows.push(PeerRow {
                peer,
                work: case.name,
                nanoseconds: time.other.context("the peer was measured")?,
                ours: time.filter,
            });
        }
    }
    Ok(rows)
}
