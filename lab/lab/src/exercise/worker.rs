//! The process of a phase: it runs the driver, and reports each step and each finding.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use model::{Config, Level, Nic, Rule, STACK, Violation, World};
use serde::{Deserialize, Serialize};

use super::{life, report::Cause, starve};
use crate::{
    cli::{ExerciseArgs, Pages, Phase},
    driver::{Build, Driver},
    failure::Failure,
    random::Random,
};

/// A reply of a worker; one line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// It takes this step.
    Step(String),
    /// It found this, or found it again; the key is the cause's.
    Cause(String, Cause),
    /// The driver failed in this step.
    Refused(String),
    /// The driver touched what it must not, and the process ends.
    Faulted(String, Cause),
    /// The phase has come to its end.
    Finished,
}

fn reply(reply: &Reply) {
    // If the parent is gone, nobody waits for the reply.
    if let Ok(line) = serde_json::to_string(reply) {
        let mut out = io::stdout();
        let _ = out.write_all(format!("{line}\n").as_bytes());
        let _ = out.flush();
    }
}

/// A step of the driver's life failed, with this status.
pub(super) struct Refused {
    step: &'static str,
    status: i32,
}

impl Refused {
    pub(super) fn new(step: &'static str) -> impl FnOnce(i32) -> Self {
        move |status| Self { step, status }
    }
}

/// The driver of a phase, and its options.
pub(super) struct Bench {
    pub(super) driver: Driver,
    pub(super) random: Random,
    /// Control codes that the command line names.
    pub(super) codes: Vec<u32>,
    /// Whether what no page rules out is tried too.
    stress: bool,
    level: Level,
    /// How long a pause or a restart may stay pending.
    pub(super) patience: Duration,
}

impl Bench {
    /// A machine for the driver.
    pub(super) fn machine(&mut self) -> Arc<World> {
        let mut nic = Nic::new(62_780, 2);
        nic.answers = vec![
            (super::control::FRAME_SIZE, vec![0xDC, 5, 0, 0]),
            (super::control::PACKET_FILTER, vec![0; 4]),
            (super::control::STATISTICS, vec![9; 16]),
        ];
        let stack = match self.driver {
            Driver::Native => Config::default().stack,
            Driver::Image(_) => STACK,
        };
        World::new(Config {
            level: self.level,
            patience: self.patience,
            stack,
            restart_attributes_reversed: self.stress,
            ..Config::with_nic(nic)
        })
    }
}

/// Runs `phase` and reports on stdout.
pub(super) fn work(
    args: &ExerciseArgs,
    phase: Phase,
    build: &Build,
    _out: &mut impl Write,
) -> Result<(), Failure> {
    match args.pages {
        Pages::Off => {}
        Pages::End => model::guard::turn_on(model::guard::Edge::End, faulted),
        Pages::Start => model::guard::turn_on(model::guard::Edge::Start, faulted),
    }
    report_meanwhile();
    let mut bench = Bench {
        driver: Driver::load(build)?,
        random: Random::new(args.seed),
        codes: args.ioctl.clone(),
        stress: args.stress,
        level: args.level.into(),
        patience: Duration::from_secs(args.timeout.min(20) / 2).max(Duration::from_millis(500)),
    };
    let result = match phase {
        Phase::Life => life::run(&mut bench),
        Phase::Starve => starve::run(&mut bench),
    };
    match result {
        Ok(()) => reply(&Reply::Finished),
        Err(Refused { step, status }) => {
            reply(&Reply::Refused(format!("{step}: status {status:#010x}")));
        }
    }
    // Its memory goes with the process: the driver may have left threads or pointers.
    let _ = io::stdout().flush();
    std::process::exit(0)
}

/// The driver faulted: the process is about to end.
fn faulted(found: &str) {
    report_new();
    let cause = Cause {
        first: found.into(),
        ..cause(&Violation {
            rule: Rule::Memory,
            level: Level::Contract,
            subject: "driver".into(),
            found: String::new(),
        })
    };
    reply(&Reply::Faulted(found.into(), cause));
}

fn cause(violation: &Violation) -> Cause {
    let Violation {
        rule,
        level,
        subject,
        found,
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
fn report_meanwhile() {
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
