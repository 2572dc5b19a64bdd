//! The findings of the model, reported step by step.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use model::{Level, Rule, Violation, World};

use harness::worker::reply;

use super::reply::{Cause, Reply};

/// The driver faulted: the process is about to end.
pub(super) fn faulted(found: &str) {
    report_new();
    let cause = Cause {
        first: found.into(),
        ..cause(&Violation {
            rule: Rule::Memory,
            level: Level::Contract,
            subject: "driver".into(),
            found: String::new(),
            own_page: None,
        })
    };
    reply(&Reply::Faulted(found.into(), cause));
}

/// Reports a finding about the image itself.
pub(super) fn report_image(found: &str) {
    let violation = Violation {
        rule: Rule::Memory,
        level: Level::Contract,
        subject: "image".into(),
        found: found.into(),
        own_page: Some("devtest/code-integrity-checking"),
    };
    reply(&Reply::Cause(key(&violation), cause(&violation)));
}

fn cause(violation: &Violation) -> Cause {
    let Violation {
        rule,
        level,
        subject,
        found,
        ..
    } = violation;
    Cause {
        rule: rule.number(),
        name: rule.name().into(),
        level: level.name().into(),
        page: violation.page(),
        count: 1,
        first: format!("{subject}: {found}"),
    }
}

/// The machine whose findings are reported now, with how many of them are, and the step.
static REPORTED: Mutex<Option<(Arc<World>, usize, String)>> = Mutex::new(None);

fn reported() -> MutexGuard<'static, Option<(Arc<World>, usize, String)>> {
    REPORTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reports what was found since the last time.
fn report_new() {
    if let Some((world, known, step)) = reported().as_mut() {
        let new = world.violations_since(*known);
        *known += new.len();
        report_all(&new, step);
    }
}

/// Reports again and again: a step that hangs, or ends the process, has found something before.
pub(super) fn report_meanwhile() {
    thread::spawn(|| {
        loop {
            thread::sleep(Duration::from_millis(200));
            report_new();
        }
    });
}

/// A machine whose findings are reported step by step.
pub(super) struct Observed {
    pub(super) world: Arc<World>,
}

impl Observed {
    pub(super) fn new(world: Arc<World>) -> Self {
        *reported() = Some((Arc::clone(&world), 0, String::new()));
        Self { world }
    }

    /// Reports that `step` is taken, takes it, and reports what was found meanwhile.
    pub(super) fn step<T>(&mut self, step: &str, body: impl FnOnce(&Arc<World>) -> T) -> T {
        if let Some((_, _, name)) = reported().as_mut() {
            *name = step.into();
        }
        reply(&Reply::Step(step.into()));
        let result = body(&self.world);
        self.world.run_deferred();
        self.world.pass_to_timer();
        report_new();
        result
    }

    /// The driver is gone: a last look.
    pub(super) fn finish(self) {
        let known = reported().take().map_or(0, |(_, known, _)| known);
        let all = self.world.finish();
        report_all(&all[known.min(all.len())..], "after unload");
    }
}

/// Reports findings, each cause once with its count.
fn report_all(violations: &[Violation], step: &str) {
    let mut causes: BTreeMap<String, Cause> = BTreeMap::new();
    let mut order = Vec::new();
    for violation in violations {
        let key = key(violation);
        if let Some(known) = causes.get_mut(&key) {
            known.count += 1;
            continue;
        }
        let mut new = cause(violation);
        new.first = format!("{} (step \"{step}\")", new.first);
        order.push(key.clone());
        causes.insert(key, new);
    }
    for key in order {
        let cause = causes[&key].clone();
        reply(&Reply::Cause(key, cause));
    }
}

/// The text that findings of one cause have in common: all but the numbers.
fn key(violation: &Violation) -> String {
    let text = format!(
        "{} {} {} {}",
        violation.rule.number(),
        violation.level.name(),
        violation.subject,
        violation.found
    );
    let mut key = String::new();
    let mut in_number = false;
    for letter in text.chars() {
        let digit = letter.is_ascii_digit() || in_number && letter.is_ascii_hexdigit();
        let digit = digit || in_number && letter == 'x';
        if !digit {
            key.push(letter);
        } else if !in_number {
            key.push('#');
        }
        in_number = digit;
    }
    key
}
