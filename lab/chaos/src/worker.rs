//! The process in which a run takes place. Its parent survives whatever a driver does to it, and
//! reports what happened.

use std::io::BufRead;

use serde::{Deserialize, Serialize};

use super::{
    generate::Generator,
    outcome::{Failure, Summary},
    run::Run,
    script::Script,
    step::{Machine, Step},
};
use harness::driver::Driver;
use harness::worker::reply;

/// A request to a worker; one line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// An episode of that seed, of so many steps.
    Episode {
        /// The seed.
        seed: u64,
        /// The number of the episode.
        episode: u64,
        /// Steps.
        steps: u64,
    },
    /// A script; with tracing, each step is reported before it is taken.
    Script(Script, bool),
}

/// A reply of a worker; one line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The worker takes this step, counted from 0.
    Step(u64),
    /// It has finished.
    Ended(Box<Ended>),
}

/// The outcome of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The steps taken.
    pub summary: Summary,
    /// The step with which it went wrong, counted from 0, and how. After the last step, it went
    /// wrong at the end.
    pub failure: Option<(u64, Failure)>,
}

/// Handles requests until there are no more.
pub fn work(driver: &Driver, requests: impl BufRead) {
    let requests = requests.lines().map_while(Result::ok);
    for request in requests.map_while(|line| serde_json::from_str(&line).ok()) {
        let ended = match request {
            Request::Episode {
                seed,
                episode,
                steps,
            } => {
                let mut generator = Generator::new(seed, episode);
                let machine = generator.machine();
                let steps = (0..steps).map(|_| generator.step());
                run(driver, &machine, steps, |_| {})
            }
            Request::Script(script, traced) => {
                run(driver, &script.machine, script.steps, |number| {
                    if traced {
                        reply(&Reply::Step(number));
                    }
                })
            }
        };
        reply(&Reply::Ended(Box::new(ended)));
    }
}

/// Has `steps` happen to `machine`, passing the number of each to `trace` before it does.
pub fn run(
    driver: &Driver,
    machine: &Machine,
    steps: impl IntoIterator<Item = Step>,
    mut trace: impl FnMut(u64),
) -> Ended {
    let mut run = match Run::start(driver, machine) {
        Ok(run) => run,
        Err(failure) => return failed(Summary::default(), 0, failure),
    };
    let mut number = 0;
    for step in steps {
        trace(number);
        if let Err(failure) = run.take(&step) {
            return failed(run.summary(), number, failure);
        }
        number += 1;
    }
    trace(number);
    let before = run.summary();
    match run.end() {
        Ok(summary) => Ended {
            summary,
            failure: None,
        },
        Err(failure) => failed(before, number, failure),
    }
}

fn failed(summary: Summary, number: u64, failure: Failure) -> Ended {
    Ended {
        summary,
        failure: Some((number, failure)),
    }
}
