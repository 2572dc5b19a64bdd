//! The rules that were broken, behind a lock of their own. No driver's memory is touched under it,
//! so that they can be reported even where the driver has made the model fault within a call.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::rules::{Finding, Level, Rule, Violation};

/// The violations of one machine.
pub(crate) struct Findings {
    /// Findings of a higher level are left out.
    level: Level,
    all: Mutex<Vec<Violation>>,
}

impl Findings {
    pub(crate) fn new(level: Level) -> Self {
        Self {
            level,
            all: Mutex::default(),
        }
    }

    fn all(&self) -> MutexGuard<'_, Vec<Violation>> {
        // A panic of one thread must not hide the findings of the others.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a finding about `subject`, unless its level is not asked for.
    pub(crate) fn record(&self, subject: impl Into<String>, finding: Finding) {
        let Finding {
            rule,
            level,
            found,
            page,
        } = finding;
        if level <= self.level {
            let subject = subject.into();
            self.all().push(Violation {
                rule,
                level,
                subject,
                found,
                own_page: page,
            });
        }
    }

    /// Records a finding unless the rule is known to be broken.
    pub(crate) fn record_once(&self, rule: Rule, subject: &str, found: String) {
        if !self.all().iter().any(|one| one.rule == rule) {
            self.record(subject, Finding::new(rule, found));
        }
    }

    /// All but the first `known`.
    pub(crate) fn since(&self, known: usize) -> Vec<Violation> {
        self.all().iter().skip(known).cloned().collect()
    }

    /// Takes all.
    pub(crate) fn take(&self) -> Vec<Violation> {
        std::mem::take(&mut self.all())
    }
}
