//! How much more two processors do in the same time than one.
//!
//! Both send through one filter module, or each through one of its own. The second is what this
//! machine's processors cost each other anyway: memory, caches, other programs. The difference is what
//! the filter's processors cost each other.

use std::{
    hint::spin_loop,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    thread,
    time::Instant,
};

use serde::Serialize;

use crate::{
    cases::Case,
    completer::two_cores,
    module::Module,
    ndis::become_processor,
    packets::Batch,
    steady,
    time::{ROUNDS, Work},
};

/// The work of two processors as a multiple of one processor's.
#[derive(Serialize)]
pub(crate) struct Gain {
    /// Through one module.
    pub(crate) shared: f64,
    /// Through one module each.
    pub(crate) apart: f64,
}

/// A round's participants: the first or the second processor alone, or both.
const SECTIONS: [Section; 4] = [
    Section {
        who: [true, false],
        shared: true,
    },
    Section {
        who: [false, true],
        shared: true,
    },
    Section {
        who: [true, true],
        shared: true,
    },
    Section {
        who: [true, true],
        shared: false,
    },
];

struct Section {
    who: [bool; 2],
    /// The second processor sends through the first one's module.
    shared: bool,
}

/// A place where both threads wait for each other, without sleeping: they begin at the same time.
#[derive(Default)]
struct Meeting(AtomicU32);

impl Meeting {
    /// Waits until both threads are in their `number`th meeting, from 1.
    fn wait(&self, number: u32) {
        self.0.fetch_add(1, Ordering::AcqRel);
        while self.0.load(Ordering::Acquire) < number * 2 {
            spin_loop();
        }
    }
}

/// One of the two processors.
struct Processor<'a> {
    number: usize,
    modules: &'a [Module; 2],
    batch: Batch,
    /// How often it sends the batch in a round.
    times: u32,
    clock: Instant,
    meeting: &'a Meeting,
    /// When each processor began and ended its part of a round, in nanoseconds of the clock.
    ends: &'a [[AtomicU64; 2]; 2],
}

impl Processor<'_> {
    /// Works in all rounds. Returns the best duration of each section, in nanoseconds.
    fn run(mut self) -> [u64; SECTIONS.len()] {
        let mut best = [u64::MAX; SECTIONS.len()];
        let mut met = 0;
        for _ in 0..ROUNDS {
            for (section, best) in SECTIONS.iter().zip(&mut best) {
                self.meeting.wait(met + 1);
                self.work(section);
                self.meeting.wait(met + 2);
                met += 2;
                *best = duration(self.ends, section).min(*best);
            }
        }
        best
    }

    fn work(&mut self, section: &Section) {
        let module = &self.modules[if section.shared { 0 } else { self.number }];
        let start = self.clock.elapsed();
        if section.who[self.number] {
            steady::run(module.handlers(), false, &mut self.batch, self.times);
        }
        let times = [start, self.clock.elapsed()];
        for (end, time) in self.ends[self.number].iter().zip(times) {
            end.store(time.as_nanos() as u64, Ordering::Relaxed);
        }
    }
}

/// Measures `case`, in rounds in which one processor works, the other one, and both. `None` if the
/// machine has but one.
pub(crate) fn gain(case: &Case) -> anyhow::Result<Option<Gain>> {
    let Some(cores) = two_cores() else {
        return Ok(None);
    };
    let modules = [Module::start(case)?, Module::start(case)?];
    let (meeting, clock, ends) = (Meeting::default(), Instant::now(), Default::default());
    let mut processors = Vec::new();
    for number in 0..2 {
        become_processor(number);
        let mut batch = Batch::new(case);
        for module in &modules {
            steady::warm_up(case, module.handlers(), &mut batch)?;
        }
        processors.push(Processor {
            number: number as usize,
            modules: &modules,
            batch,
            times: 0,
            clock,
            meeting: &meeting,
            ends: &ends,
        });
    }
    become_processor(0);
    let times = Work::new(1, |times| {
        let (handlers, batch) = (modules[0].handlers(), &mut processors[0].batch);
        steady::run(handlers, false, batch, times);
    })
    .calibrate();
    let best = thread::scope(|scope| {
        let start = processors.into_iter().map(|mut processor| {
            processor.times = times;
            scope.spawn(move || {
                core_affinity::set_for_current(cores[processor.number]);
                become_processor(processor.number as u32);
                processor.run()
            })
        });
        let threads: Vec<_> = start.collect();
        let bests = threads.into_iter().map(|one| one.join().expect("no panic"));
        bests.last().unwrap_or_default()
    });
    let [first, second, shared, apart] = best.map(|nanoseconds| nanoseconds as f64);
    let one = (1.0 / first + 1.0 / second) / 2.0;
    Ok(Some(Gain {
        shared: 2.0 / shared / one,
        apart: 2.0 / apart / one,
    }))
}

/// The nanoseconds from the first start to the last end of those who worked.
fn duration(ends: &[[AtomicU64; 2]; 2], section: &Section) -> u64 {
    let times = |index: usize| {
        let working = ends.iter().zip(section.who).filter(|(_, works)| *works);
        working.map(move |(ends, _)| ends[index].load(Ordering::Relaxed))
    };
    let start = times(0).min().unwrap_or_default();
    times(1).max().unwrap_or(u64::MAX) - start
}
