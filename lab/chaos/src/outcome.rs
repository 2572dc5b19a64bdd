//! The outcome of a run.

use std::collections::BTreeMap;

use model::Violation;
use serde::{Deserialize, Serialize};

/// A failure that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The rule that was broken, or what else is wrong, in a few words that are the same whenever
    /// the same thing happens.
    pub kind: String,
    /// The details of the failure.
    pub found: Vec<String>,
}

impl Failure {
    /// A failure of this kind, described by `found`.
    pub(super) fn new(kind: &str, found: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            found: vec![found.into()],
        }
    }

    /// The rules that were broken; `None` where none was.
    pub(super) fn of(broken: &[Violation]) -> Option<Self> {
        let first = broken.first()?;
        Some(Self {
            kind: format!("rule {} ({})", first.rule.number(), first.rule.name()),
            found: broken.iter().take(10).map(ToString::to_string).collect(),
        })
    }
}

/// The steps taken, and their results.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Steps by kind, and how many of them did something.
    pub steps: BTreeMap<String, [u64; 2]>,
    /// NBLs that the overlying driver sent.
    pub sends: u64,
    /// Large sends that were split.
    pub split: u64,
    /// Children that went down for them.
    pub children: u64,
    /// NBLs that the NIC was given.
    pub given: u64,
    /// Packets that left on the wire, where the model judged them.
    pub wire: u64,
    /// Sends that came back, by status.
    pub statuses: BTreeMap<String, u64>,
    /// Large sends that were refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Allocations that were made to fail.
    pub failed_allocations: u64,
    /// How often all counters of the filter were found right.
    pub checked: u64,
    /// Times that the module was attached, and attaches that failed for lack of memory.
    pub attached: [u64; 2],
}

impl Summary {
    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        for (name, [taken, effective]) in &other.steps {
            let sum = self.steps.entry(name.clone()).or_default();
            *sum = [sum[0] + taken, sum[1] + effective];
        }
        let add = |sum: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>| {
            for (name, count) in more {
                *sum.entry(name.clone()).or_default() += count;
            }
        };
        add(&mut self.statuses, &other.statuses);
        add(&mut self.refused, &other.refused);
        self.sends += other.sends;
        self.split += other.split;
        self.children += other.children;
        self.given += other.given;
        self.wire += other.wire;
        self.failed_allocations += other.failed_allocations;
        self.checked += other.checked;
        self.attached[0] += other.attached[0];
        self.attached[1] += other.attached[1];
    }
}
