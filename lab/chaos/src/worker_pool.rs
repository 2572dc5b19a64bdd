//! Worker processes: one is started for the first request, killed where it hangs, and started again
//! where it died.

use std::io::Write;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use harness::driver::Build;
use harness::worker::Worker;

use super::{
    outcome::Failure,
    script::Script,
    worker::{Ended, Reply, Request},
};
use crate::error::Error;

/// How long a worker may go without a reply.
const HANG_TIMEOUT: Duration = Duration::from_secs(60);
/// The kind of failure of a driver that ends its process.
const DIED: &str = "died";
/// The failure kind of a worker that hangs.
const HUNG: &str = "hung";

/// See the module.
pub struct WorkerPool {
    driver: Build,
    worker: Option<Worker<Reply>>,
}

impl WorkerPool {
    /// A pool whose workers run `driver`.
    pub fn new(driver: &Build) -> Self {
        Self {
            driver: driver.clone(),
            worker: None,
        }
    }

    /// Runs an episode of a seed. Where the worker dies, the run is repeated step by step, to
    /// find the one with which it does.
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
    pub fn script(&mut self, script: &Script) -> Result<Ended, Error> {
        self.request(&Request::Script(script.clone(), true))
    }

    fn start(&self) -> std::io::Result<Worker<Reply>> {
        Worker::start(|command| {
            command.args(["chaos", "--worker"]);
            if let Build::Image(path) = &self.driver {
                command.arg("--driver").arg(path);
            }
        })
    }

    fn request(&mut self, request: &Request) -> Result<Ended, Error> {
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => self.start().map_err(Error::Worker)?,
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
        let failure = failure(worker, why.unwrap_or(DIED));
        Ok(Ended {
            failure: Some((step, failure)),
            ..Ended::default()
        })
    }
}

/// Ends the worker, and returns the failure as far as it is known.
fn failure(mut worker: Worker<Reply>, kind: &str) -> Failure {
    worker.kill();
    let (first, stderr) = match (kind, worker.wait()) {
        (DIED, Ok((status, stderr))) => (format!("the process ended: {status}"), stderr),
        (_, waited) => (
            "the process did not reply for a minute".into(),
            waited.map(|(_, stderr)| stderr).unwrap_or_default(),
        ),
    };
    Failure {
        kind: kind.into(),
        found: std::iter::once(first).chain(stderr).collect(),
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            // Without requests it ends.
            let _ = worker.wait();
        }
    }
}
