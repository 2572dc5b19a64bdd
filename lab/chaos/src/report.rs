//! The text report of a run.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use super::{
    outcome::{Failure, Summary},
    script::{Origin, Script},
    worker::Ended,
};

/// Text for a person.
pub struct Report(String);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Report {
    /// A seed that went well.
    pub fn of_seed(seed: u64, summary: &Summary, time: Duration) -> Self {
        let taken: u64 = summary.steps.values().map(|[taken, _]| taken).sum();
        let seconds = time.as_secs_f64().max(0.001);
        let rate = taken as f64 / seconds;
        let mut text = format!(
            "seed {seed}: {taken} steps in {seconds:.1} s, {rate:.0} a second: no rule was broken\n"
        );
        write_summary(&mut text, summary);
        Self(text)
    }

    /// A script that was run again.
    pub fn of_script(path: &Path, script: &Script, ended: &Ended) -> Self {
        let (path, steps) = (path.display(), script.steps.len());
        let mut text = match &ended.failure {
            None => format!("{path}: {steps} steps: no rule was broken\n"),
            Some((step, failure)) => {
                let mut text = format!("{path}: step {} of {steps}: ", step + 1);
                write_failure(&mut text, failure);
                text
            }
        };
        write_summary(&mut text, &ended.summary);
        Self(text)
    }

    /// A run that went wrong.
    pub fn of_failure(origin: &Origin) -> Self {
        let mut text = format!("seed {}, step {}: ", origin.seed, origin.step + 1);
        if let Some(failure) = &origin.failure {
            write_failure(&mut text, failure);
        }
        Self(text)
    }

    /// The report of its shrunk script.
    pub fn of_shrunk(path: &Path, script: &Script) -> Self {
        let (steps, path) = (script.steps.len(), path.display());
        Self(format!(
            "{steps} steps that do the same are in {path}; run them with --replay {path}\n"
        ))
    }
}

fn write_failure(text: &mut String, failure: &Failure) {
    let _ = writeln!(text, "{}", failure.kind);
    for found in &failure.found {
        let _ = writeln!(text, "  {found}");
    }
}

fn write_summary(text: &mut String, summary: &Summary) {
    let [attached, starved] = summary.attached;
    let _ = writeln!(
        text,
        "  {} sends, {} split into {} children; the NIC received {}, {} packets left on the wire\n  \
         attached {attached} times, {starved} failed attaches and loads; {} allocations failed; \
         counters right {} times",
        summary.sends,
        summary.split,
        summary.children,
        summary.given,
        summary.wire,
        summary.failed_allocations,
        summary.checked
    );
    let steps = summary.steps.iter();
    let steps: BTreeMap<_, _> = steps
        .map(|(name, [taken, effective])| (name.clone(), format!("{taken} ({effective})")))
        .collect();
    list(
        text,
        "steps, and in parentheses those with an effect",
        &steps,
    );
    list(text, "completion statuses", &summary.statuses);
    list(text, "refused", &summary.refused);
}

fn list(text: &mut String, what: &str, entries: &BTreeMap<String, impl fmt::Display>) {
    let entries: Vec<_> = entries
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    if !entries.is_empty() {
        let _ = writeln!(text, "  {what}: {}", entries.join(", "));
    }
}
