//! Nanoseconds: the best of many short rounds, which is the one that was disturbed least.
//!
//! Works that are compared take turns, round by round, so that a machine that is busy or slow for a
//! while is so for all of them.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::{
    cases::Case,
    completer::Completer,
    floor::Floor,
    module::{Handlers, Module},
    packets::Batch,
    steady::{self, Still},
};

/// Rounds, of which the best counts.
pub(crate) const ROUNDS: u32 = 1000;
/// The approximate duration of a round: shorter than what a scheduler lets a thread run, and long
/// beside the clock's resolution.
const ROUND: Duration = Duration::from_micros(250);

/// One of the works that are compared.
pub(crate) struct Work<'a> {
    /// Units that one call makes.
    pub(crate) units: u64,
    /// Does the work so many times.
    pub(crate) run: Box<dyn FnMut(u32) + 'a>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(units: u64, run: impl FnMut(u32) + 'a) -> Self {
        Self {
            units,
            run: Box::new(run),
        }
    }

    fn round(&mut self, times: u32) -> Duration {
        let start = Instant::now();
        (self.run)(times);
        start.elapsed()
    }

    /// How often to work in a round.
    pub(crate) fn calibrate(&mut self) -> u32 {
        let mut times = 1;
        loop {
            let took = (0..5).map(|_| self.round(times)).min().unwrap_or_default();
            if took * 4 > ROUND {
                let fits = ROUND.as_nanos() * u128::from(times) / took.as_nanos().max(1);
                return u32::try_from(fits).unwrap_or(times).max(1);
            }
            times *= 2;
        }
    }
}

/// The nanoseconds that one unit of each work takes.
pub(crate) fn best(works: &mut [Work<'_>]) -> Vec<f64> {
    let times: Vec<_> = works.iter_mut().map(Work::calibrate).collect();
    let mut best = vec![Duration::MAX; works.len()];
    for _ in 0..ROUNDS {
        for ((work, times), best) in works.iter_mut().zip(&times).zip(&mut best) {
            *best = work.round(*times).min(*best);
        }
    }
    let each = |((work, times), best): ((&Work<'_>, &u32), &Duration)| {
        best.as_nanos() as f64 / (u64::from(*times) * work.units) as f64
    };
    works.iter().zip(&times).zip(&best).map(each).collect()
}

/// The time of one unit of a case, in nanoseconds.
pub(crate) struct Measured {
    pub(crate) units: u64,
    pub(crate) filter: f64,
    pub(crate) floor: Option<f64>,
    /// The time of the work that the filter's was compared with.
    pub(crate) other: Option<f64>,
}

/// Measures the filter's time for `case`, with the floor's where there is one, and with that of
/// `other`.
pub(crate) fn measure(case: &Case, other: Option<Work<'_>>) -> anyhow::Result<Measured> {
    let module = Module::start(case)?;
    let floor = Floor::supports(case).then(|| Floor::start(case));
    let floor = floor.transpose()?;
    let completer = case.elsewhere.then(Completer::start).flatten();
    let mut batches = (Batch::new(case), Batch::new(case));
    let units = steady::warm_up(case, module.handlers(), &mut batches.0)?;
    let mut works = vec![work(
        (case, units),
        module.handlers(),
        completer.as_ref(),
        &mut batches.0,
    )];
    if let Some(floor) = &floor {
        let same = steady::warm_up(case, floor.handlers(), &mut batches.1)?;
        ensure!(same == units, "{}: the floor sends {same} NBLs", case.name);
        works.push(work(
            (case, units),
            floor.handlers(),
            completer.as_ref(),
            &mut batches.1,
        ));
    }
    works.extend(other);
    let still = Still::now();
    let mut times = best(&mut works).into_iter();
    still.check(case)?;
    let mut next = || times.next().unwrap_or(f64::NAN);
    Ok(Measured {
        units,
        filter: next(),
        floor: floor.as_ref().map(|_| next()),
        other: times.next(),
    })
}

/// Sends and completes `batch`, on a machine with one processor always on that.
fn work<'a>(
    (case, units): (&Case, u64),
    filter: &'a Handlers,
    completer: Option<&'a Completer>,
    batch: &'a mut Batch,
) -> Work<'a> {
    let elsewhere = case.elsewhere;
    Work::new(units, move |times| match completer {
        None => steady::run(filter, elsewhere, batch, times),
        Some(completer) => completer.run(filter, batch, times),
    })
}

/// How many units a batch of `case` makes, where no time is measured.
pub(crate) fn units(case: &Case) -> anyhow::Result<u64> {
    let module = Module::start(case)?;
    let mut batch = Batch::new(case);
    let units = steady::warm_up(case, module.handlers(), &mut batch)?;
    let still = Still::now();
    steady::run(module.handlers(), case.elsewhere, &mut batch, 1);
    still.check(case)?;
    Ok(units)
}
