//! A phase in a process of its own, which is ended where it makes no progress.

use std::{
    process::Command,
    sync::mpsc::RecvTimeoutError,
    time::{Duration, Instant},
};

use super::{
    reply::Reply,
    report::{Ended, Stopped, Verdict},
};
use crate::cli::{ExerciseArgs, Pages, Phase};
use crate::error::Error;
use clap::ValueEnum;
use harness::driver::Build;
use harness::worker::Worker;

/// Runs a phase to its end.
pub(super) fn run(
    args: &ExerciseArgs,
    build: &Build,
    phase: Phase,
    pages: Pages,
    seed: u64,
) -> Result<Ended, Error> {
    let mut worker =
        Worker::start(|command| add_arguments(command, args, build, phase, pages, seed))
            .map_err(Error::Worker)?;
    let mut ended = Ended::default();
    let timeout = Duration::from_secs(args.timeout);
    let mut progress = Instant::now();
    let stopped = loop {
        let left = timeout.saturating_sub(progress.elapsed());
        match worker.replies.recv_timeout(left) {
            Ok(reply) => {
                // A finding within a step is no progress.
                if matches!(reply, Reply::Step(_)) {
                    progress = Instant::now();
                }
                if let Some(stopped) = ended.take(reply) {
                    break Some(stopped);
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                let detail = format!("no progress for {} seconds", args.timeout);
                break Some((Verdict::Hung, detail));
            }
            Err(RecvTimeoutError::Disconnected) => break None,
        }
    };
    if stopped
        .as_ref()
        .is_some_and(|(verdict, _)| *verdict == Verdict::Hung)
    {
        worker.kill();
    }
    let (status, tail) = worker.wait().map_err(Error::Worker)?;
    if let Some(routine) = ended.missing {
        return Err(Error::Missing(routine, ended.step));
    }
    ended.stopped = match stopped {
        Some((verdict, detail)) => Some(Stopped::new(verdict, &ended.step, detail)),
        None if ended.finished => None,
        None => {
            let mut detail = format!("the process ended: {status}");
            for line in tail {
                detail.push_str("; ");
                detail.push_str(&line);
            }
            Some(Stopped::new(Verdict::Crashed, &ended.step, detail))
        }
    };
    Ok(ended)
}

fn add_arguments(
    command: &mut Command,
    args: &ExerciseArgs,
    build: &Build,
    phase: Phase,
    pages: Pages,
    seed: u64,
) {
    command.arg("exercise");
    match build {
        Build::Image(path) => command.arg(path),
        Build::Native => command.args(["--driver", harness::driver::NATIVE]),
    };
    let word = |value: Option<clap::builder::PossibleValue>| {
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    };
    command.args(["--phase", &word(phase.to_possible_value())]);
    command.args(["--pages", &word(pages.to_possible_value())]);
    command.args(["--level", args.level.name(), "--seed", &seed.to_string()]);
    command.args(["--timeout", &args.timeout.to_string()]);
    if args.stress {
        command.arg("--stress");
    }
    for code in &args.ioctl {
        command.args(["--ioctl", &code.to_string()]);
    }
}
