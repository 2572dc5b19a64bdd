//! A phase in a process of its own, which is ended where it makes no progress.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    reply::Reply,
    report::{Ended, Stopped, Verdict},
};
use crate::cli::{ExerciseArgs, Obligation, Pages, Phase};
use crate::error::Error;
use clap::ValueEnum;
use harness::driver::Build;

/// Last lines of the process's stderr that are kept.
const STDERR_TAIL: usize = 8;

/// Runs a phase to its end.
pub(super) fn run(
    args: &ExerciseArgs,
    build: &Build,
    phase: Phase,
    pages: Pages,
    seed: u64,
) -> Result<Ended, Error> {
    let mut child = command(args, build, phase, pages, seed)
        .and_then(|mut command| command.spawn())
        .map_err(Error::Worker)?;
    let no_pipe = || Error::Worker(std::io::Error::other("it has no pipes"));
    let replies = replies(child.stdout.take().ok_or_else(no_pipe)?);
    let tail = stderr_tail(child.stderr.take().ok_or_else(no_pipe)?);
    let mut ended = Ended::default();
    let timeout = Duration::from_secs(args.timeout);
    let mut progress = Instant::now();
    let stopped = loop {
        let left = timeout.saturating_sub(progress.elapsed());
        match replies.recv_timeout(left) {
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
        let _ = child.kill();
    }
    let status = child.wait().map_err(Error::Worker)?;
    let tail = tail.join().unwrap_or_default();
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

fn command(
    args: &ExerciseArgs,
    build: &Build,
    phase: Phase,
    pages: Pages,
    seed: u64,
) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("exercise");
    match build {
        Build::Image(path) => command.arg(path),
        Build::Native => command.args(["--driver", harness::driver::NATIVE]),
    };
    let level = match args.level {
        Obligation::Contract => "contract",
        Obligation::Advice => "advice",
        Obligation::Product => "product",
    };
    let word = |value: Option<clap::builder::PossibleValue>| {
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    };
    command.args(["--phase", &word(phase.to_possible_value())]);
    command.args(["--pages", &word(pages.to_possible_value())]);
    command.args(["--level", level, "--seed", &seed.to_string()]);
    command.args(["--timeout", &args.timeout.to_string()]);
    if args.stress {
        command.arg("--stress");
    }
    for code in &args.ioctl {
        command.args(["--ioctl", &code.to_string()]);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
}

/// The replies of the process, until it ends.
fn replies(out: impl Read + Send + 'static) -> Receiver<Reply> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let lines = BufReader::new(out).lines().map_while(Result::ok);
        for reply in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
            if sender.send(reply).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The last lines of the process's stderr, once it has ended.
fn stderr_tail(notes: impl Read + Send + 'static) -> JoinHandle<VecDeque<String>> {
    thread::spawn(move || {
        let mut tail = VecDeque::new();
        for line in BufReader::new(notes).lines().map_while(Result::ok) {
            if tail.len() == STDERR_TAIL {
                tail.pop_front();
            }
            tail.push_back(line);
        }
        tail
    })
}
