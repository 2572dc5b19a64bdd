//! Worker processes: one is started for the first request, killed where it hangs, and started again
//! where it died.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{
    outcome::Failure,
    script::Script,
    worker::{Ended, Reply, Request},
};
use crate::error::Error;
use harness::driver::Build;

/// How long a worker may go without a reply.
const HANG_TIMEOUT: Duration = Duration::from_secs(60);
/// Lines of the end of a dead worker's stderr that a failure shows.
const STDERR_TAIL: usize = 12;
/// The kind of failure of a driver that ends its process.
const DIED: &str = "died";
/// The failure kind of a worker that hangs.
const HUNG: &str = "hung";

/// See the module.
pub struct WorkerPool {
    driver: Build,
    worker: Option<Worker>,
}

struct Worker {
    child: Child,
    requests: ChildStdin,
    replies: Receiver<Reply>,
    stderr: Arc<Mutex<VecDeque<String>>>,
}

impl WorkerPool {
    /// A pool whose workers run `driver`.
    #[must_use]
    pub fn new(driver: &Build) -> Self {
        Self {
            driver: driver.clone(),
            worker: None,
        }
    }

    /// Runs an episode of a seed. Where the worker dies, the run is repeated step by step, to
    /// find the one with which it does.
    ///
    /// # Errors
    ///
    /// There is no worker.
    pub fn episode(&mut self, seed: u64, episode: u64, steps: u64) -> Result<Ended, Error> {
        let ended = self.request(&Request::Episode {
            seed,
            episode,
            steps,
        })?;
        match &ended.failure {
            Some((_, failure)) if [DIED, HUNG].contains(&failure.kind.as_str()) => {
                self.script(&Script::episode(seed, episode, steps))
            }
            _ => Ok(ended),
        }
    }

    /// Runs a script.
    ///
    /// # Errors
    ///
    /// There is no worker.
    pub fn script(&mut self, script: &Script) -> Result<Ended, Error> {
        self.request(&Request::Script(script.clone(), true))
    }

    fn request(&mut self, request: &Request) -> Result<Ended, Error> {
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::start(&self.driver).map_err(Error::Worker)?,
        };
        let (mut step, mut why) = (0, None);
        let line = serde_json::to_string(request).unwrap_or_default();
        // A worker that is gone does not reply, which is found next.
        let _ = writeln!(worker.requests, "{line}");
        while why.is_none() {
            match worker.replies.recv_timeout(HANG_TIMEOUT) {
                Ok(Reply::Step(number)) => step = number,
                Ok(Reply::Ended(ended)) => {
                    self.worker = Some(worker);
                    return Ok(*ended);
                }
                Err(RecvTimeoutError::Timeout) => why = Some(HUNG),
                Err(RecvTimeoutError::Disconnected) => why = Some(DIED),
            }
        }
        let failure = worker.give_up(why.unwrap_or(DIED));
        Ok(Ended {
            failure: Some((step, failure)),
            ..Ended::default()
        })
    }
}

impl Worker {
    fn start(driver: &Build) -> std::io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["chaos", "--worker"]);
        if let Build::Image(path) = driver {
            command.arg("--driver").arg(path);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pipe = || std::io::Error::other("it has no pipes");
        let requests = child.stdin.take().ok_or_else(pipe)?;
        let replies = replies(child.stdout.take().ok_or_else(pipe)?);
        let stderr = tail_stderr(child.stderr.take().ok_or_else(pipe)?);
        Ok(Self {
            child,
            requests,
            replies,
            stderr,
        })
    }

    /// Ends the process, and returns the failure as far as it is known.
    fn give_up(mut self, kind: &str) -> Failure {
        let _ = self.child.kill();
        let status = self.child.wait();
        let mut found = match (kind, status) {
            (DIED, Ok(status)) => vec![format!("the process ended: {status}")],
            _ => vec!["the process did not reply for a minute".into()],
        };
        let stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        found.extend(stderr.iter().cloned());
        Failure {
            kind: kind.into(),
            found,
        }
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        if let Some(mut worker) = self.worker.take() {
            // Without requests it ends.
            drop(worker.requests);
            let _ = worker.child.wait();
        }
    }
}

/// The replies of the worker, until it exits.
fn replies(out: impl Read + Send + 'static) -> Receiver<Reply> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let lines = BufReader::new(out).lines().map_while(Result::ok);
        for reply in lines.map_while(|line| serde_json::from_str(&line).ok()) {
            if sender.send(reply).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The last lines of the worker's stderr.
fn tail_stderr(notes: impl Read + Send + 'static) -> Arc<Mutex<VecDeque<String>>> {
    let tail = Arc::new(Mutex::new(VecDeque::new()));
    let kept = Arc::clone(&tail);
    thread::spawn(move || {
        for line in BufReader::new(notes).lines().map_while(Result::ok) {
            let mut tail = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if tail.len() == STDERR_TAIL {
                tail.pop_front();
            }
            tail.push_back(line);
        }
    });
    tail
}
