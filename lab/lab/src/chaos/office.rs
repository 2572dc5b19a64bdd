//! Where work is ordered: a worker process is started, listened to, given up where it hangs, and
//! started anew where it died.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{
    outcome::Wrong,
    script::Script,
    worker::{Ended, Order, Said},
};
use crate::{driver::Build, failure::Failure};

/// How long a worker may go without a reply.
const PATIENCE: Duration = Duration::from_secs(60);
/// Lines of a dead worker's last words.
const LAST_WORDS: usize = 12;
/// The kind of failure of a driver that ends its process.
const DIED: &str = "died";
/// The failure kind of a worker that hangs.
const HUNG: &str = "hung";

/// See the module.
pub struct Office {
    driver: Build,
    worker: Option<Worker>,
}

struct Worker {
    child: Child,
    orders: ChildStdin,
    said: Receiver<Said>,
    words: Arc<Mutex<VecDeque<String>>>,
}

impl Office {
    /// An office whose workers run `driver`.
    #[must_use]
    pub fn new(driver: &Build) -> Self {
        Self {
            driver: driver.clone(),
            worker: None,
        }
    }

    /// Has an episode of a seed run. Where the worker dies, the run is repeated step by step, to
    /// find the one with which it does.
    ///
    /// # Errors
    ///
    /// There is no worker.
    pub fn episode(&mut self, seed: u64, episode: u64, steps: u64) -> Result<Ended, Failure> {
        let ended = self.order(&Order::Episode {
            seed,
            episode,
            steps,
        })?;
        match &ended.wrong {
            Some((_, wrong)) if [DIED, HUNG].contains(&wrong.kind.as_str()) => {
                self.script(&Script::episode(seed, episode, steps))
            }
            _ => Ok(ended),
        }
    }

    /// Has a script run.
    ///
    /// # Errors
    ///
    /// There is no worker.
    pub fn script(&mut self, script: &Script) -> Result<Ended, Failure> {
        self.order(&Order::Script(script.clone(), true))
    }

    fn order(&mut self, order: &Order) -> Result<Ended, Failure> {
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::start(&self.driver).map_err(Failure::Worker)?,
        };
        let (mut step, mut why) = (0, None);
        let line = serde_json::to_string(order).unwrap_or_default();
        // A worker that is gone does not reply, which is found next.
        let _ = writeln!(worker.orders, "{line}");
        while why.is_none() {
            match worker.said.recv_timeout(PATIENCE) {
                Ok(Said::Takes(number)) => step = number,
                Ok(Said::Ended(ended)) => {
                    self.worker = Some(worker);
                    return Ok(*ended);
                }
                Err(RecvTimeoutError::Timeout) => why = Some(HUNG),
                Err(RecvTimeoutError::Disconnected) => why = Some(DIED),
            }
        }
        let wrong = worker.give_up(why.unwrap_or(DIED));
        Ok(Ended {
            wrong: Some((step, wrong)),
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
        let orders = child.stdin.take().ok_or_else(pipe)?;
        let said = listen(child.stdout.take().ok_or_else(pipe)?);
        let words = overhear(child.stderr.take().ok_or_else(pipe)?);
        Ok(Self {
            child,
            orders,
            said,
            words,
        })
    }

    /// Ends the process, and returns the failure as far as it is known.
    fn give_up(mut self, kind: &str) -> Wrong {
        let _ = self.child.kill();
        let status = self.child.wait();
        let mut found = match (kind, status) {
            (DIED, Ok(status)) => vec![format!("the process ended: {status}")],
            _ => vec!["the process said nothing for a minute".into()],
        };
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        found.extend(words.iter().cloned());
        Wrong {
            kind: kind.into(),
            found,
        }
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        if let Some(mut worker) = self.worker.take() {
            // Without orders it ends.
            drop(worker.orders);
            let _ = worker.child.wait();
        }
    }
}

/// The replies of the worker, until it exits.
fn listen(out: impl Read + Send + 'static) -> Receiver<Said> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let lines = BufReader::new(out).lines().map_while(Result::ok);
        for said in lines.map_while(|line| serde_json::from_str(&line).ok()) {
            if sender.send(said).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The last lines that the worker writes for people.
fn overhear(notes: impl Read + Send + 'static) -> Arc<Mutex<VecDeque<String>>> {
    let words = Arc::new(Mutex::new(VecDeque::new()));
    let kept = Arc::clone(&words);
    thread::spawn(move || {
        for line in BufReader::new(notes).lines().map_while(Result::ok) {
            let mut words = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if words.len() == LAST_WORDS {
                words.pop_front();
            }
            words.push_back(line);
        }
    });
    words
}
