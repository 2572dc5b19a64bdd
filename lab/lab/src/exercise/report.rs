//! The verdict, and the findings behind it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
};

use serde::Serialize;

use super::reply::{Cause, Reply};

/// The outcome of an exercise, the worst last.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::Display,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Verdict {
    /// No rule was broken.
    #[default]
    Clean,
    /// A rule was broken.
    Violations,
    /// A step of its life failed.
    Refused,
    /// It made no progress.
    Hung,
    /// It ended its process.
    Crashed,
}

/// Why a phase did not come to its end.
#[derive(Clone, Debug)]
pub(super) struct Stopped {
    verdict: Verdict,
    step: String,
    detail: String,
}

impl Stopped {
    pub(super) fn new(verdict: Verdict, step: &str, detail: String) -> Self {
        Self {
            verdict,
            step: step.into(),
            detail,
        }
    }
}

/// The outcome of a phase.
#[derive(Default)]
pub(super) struct Ended {
    /// The step that it took last.
    pub(super) step: String,
    causes: Vec<(String, Cause)>,
    pub(super) stopped: Option<Stopped>,
    pub(super) finished: bool,
    /// A routine that the driver called and the model does not have.
    pub(super) missing: Option<String>,
}

impl Ended {
    /// Takes a reply of the phase. Returns its end, where the reply is one.
    pub(super) fn take(&mut self, reply: Reply) -> Option<(Verdict, String)> {
        match reply {
            Reply::Step(step) => self.step = step,
            Reply::Cause(key, cause) => self.causes.push((key, cause)),
            // The steps that end its life were taken since.
            Reply::Refused(step, detail) => {
                self.step = step;
                return Some((Verdict::Refused, detail));
            }
            Reply::Faulted(key, cause) => {
                let detail = cause.first.clone();
                self.causes.push((key, cause));
                return Some((Verdict::Crashed, detail));
            }
            Reply::Missing(routine) => self.missing = Some(routine),
            Reply::Finished => self.finished = true,
        }
        None
    }
}

/// The outcome of all phases.
#[derive(Default)]
pub(super) struct Report {
    causes: BTreeMap<String, Cause>,
    /// The keys of the causes, in the order in which they were found.
    order: Vec<String>,
    stopped: Option<Stopped>,
}

/// The JSON form.
#[derive(Serialize)]
pub(super) struct Record<'a> {
    verdict: Verdict,
    step: Option<&'a str>,
    detail: Option<&'a str>,
    violations: Vec<&'a Cause>,
}

impl Report {
    pub(super) fn add(&mut self, ended: Ended) {
        for (key, cause) in ended.causes {
            match self.causes.entry(key) {
                Entry::Occupied(mut known) => known.get_mut().count += cause.count,
                Entry::Vacant(place) => {
                    self.order.push(place.key().clone());
                    place.insert(cause);
                }
            }
        }
        let worse = |stopped: &Stopped| stopped.verdict > self.verdict();
        if ended.stopped.as_ref().is_some_and(worse) {
            self.stopped = ended.stopped;
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        let found = if self.causes.is_empty() {
            Verdict::Clean
        } else {
            Verdict::Violations
        };
        self.stopped
            .as_ref()
            .map_or(found, |stopped| stopped.verdict.max(found))
    }

    fn causes(&self) -> impl Iterator<Item = &Cause> {
        self.order.iter().map(|key| &self.causes[key])
    }

    pub(super) fn record(&self) -> Record<'_> {
        let stopped = self.stopped.as_ref();
        Record {
            verdict: self.verdict(),
            step: stopped.map(|stopped| stopped.step.as_str()),
            detail: stopped.map(|stopped| stopped.detail.as_str()),
            violations: self.causes().collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for cause in self.causes() {
            let Cause {
                rule,
                name,
                level,
                count,
                first,
                ..
            } = cause;
            writeln!(f, "rule {rule} ({name}), {level}, {count} times")?;
            writeln!(f, "    {first}")?;
            if let Some(page) = &cause.page {
                writeln!(f, "    {page}")?;
            }
        }
        write!(f, "{}", self.verdict())?;
        match &self.stopped {
            Some(Stopped { step, detail, .. }) => writeln!(f, " in step \"{step}\": {detail}"),
            None if self.causes.is_empty() => writeln!(f, ": no rule was broken"),
            None => writeln!(f),
        }
    }
}
