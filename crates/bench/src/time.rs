//! Nanoseconds: the best of several rounds, which is the one that was disturbed least.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::{cases::Case, module::Module, ndis::become_processor, packets::Batch, steady};

/// Rounds, of which the best counts.
pub(crate) const ROUNDS: u32 = 9;
/// The approximate duration of a round.
const ROUND: Duration = Duration::from_millis(20);

/// The nanoseconds that one of `work`'s units takes, `units` of which one call makes.
pub(crate) fn best(units: u64, mut work: impl FnMut(u32)) -> f64 {
    let times = calibrate(&mut work);
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        work(times);
        start.elapsed()
    });
    let best = rounds.min().unwrap_or_default();
    best.as_nanos() as f64 / (u64::from(times) * units) as f64
}

/// How often to work in a round.
fn calibrate(work: &mut impl FnMut(u32)) -> u32 {
    let mut times = 1;
    loop {
        let start = Instant::now();
        work(times);
        let took = start.elapsed();
        if took * 4 > ROUND {
            let fits = ROUND.as_nanos() / took.as_nanos().max(1);
            return times.saturating_mul(u32::try_from(fits).unwrap_or(1).max(1));
        }
        times *= 2;
    }
}

/// The nanoseconds that one unit of `case` takes, and how many units a batch makes.
pub(crate) fn measure(case: &Case) -> anyhow::Result<(u64, f64)> {
    let module = Module::start(case)?;
    let mut batch = Batch::new(case);
    let units = steady::warm_up(case, &module, &mut batch)?;
    let still = steady::Still::now();
    let nanoseconds = best(units, |times| steady::run(&module, &mut batch, times));
    still.check(case)?;
    Ok((units, nanoseconds))
}

/// How many units a batch of `case` makes, where no time is measured.
pub(crate) fn units(case: &Case) -> anyhow::Result<u64> {
    let module = Module::start(case)?;
    let mut batch = Batch::new(case);
    let units = steady::warm_up(case, &module, &mut batch)?;
    let still = steady::Still::now();
    steady::run(&module, &mut batch, 1);
    still.check(case)?;
    Ok(units)
}

/// How much more two processors do in the same time than one, both sending through one module. The
/// median of the rounds: the best round of one and the best of the other need not be alike.
pub(crate) fn two_processors(case: &Case) -> anyhow::Result<f64> {
    let cores = core_affinity::get_core_ids().context("the processors are not known")?;
    anyhow::ensure!(cores.len() > 1, "there is only one processor");
    let module = Module::start(case)?;
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let one = throughput(case, &module, &cores[..1])?;
        let two = throughput(case, &module, &cores[..2])?;
        ratios.push(two / one);
    }
    ratios.sort_by(f64::total_cmp);
    Ok(ratios[ratios.len() / 2])
}

/// Batches a second that these cores send together.
fn throughput(
    case: &Case,
    module: &Module,
    cores: &[core_affinity::CoreId],
) -> anyhow::Result<f64> {
    let barrier = Barrier::new(cores.len());
    let rate = AtomicU64::new(0);
    thread::scope(|scope| {
        let start = |(number, core): (u32, &core_affinity::CoreId)| {
            let (core, barrier, rate) = (*core, &barrier, &rate);
            scope.spawn(move || -> anyhow::Result<()> {
                core_affinity::set_for_current(core);
                become_processor(number);
                let mut batch = Batch::new(case);
                let warm = steady::warm_up(case, module, &mut batch);
                barrier.wait();
                warm?;
                let sent = send_for(ROUND * 2, module, &mut batch);
                rate.fetch_add(sent, Ordering::Relaxed);
                Ok(())
            })
        };
        let threads: Vec<_> = (0..).zip(cores).map(start).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    Ok(rate.into_inner() as f64)
}

/// Batches a second that this processor sends while it is tried.
fn send_for(while_: Duration, module: &Module, batch: &mut Batch) -> u64 {
    let start = Instant::now();
    let mut sent = 0;
    loop {
        steady::run(module, batch, 100);
        sent += 100;
        let took = start.elapsed();
        if took > while_ {
            return (f64::from(sent) / took.as_secs_f64()) as u64;
        }
    }
}
