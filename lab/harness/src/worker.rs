//! Worker processes: the program started again, so that a driver that ends or hangs its process is
//! found by the parent.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::output::print;

/// Last lines of a worker's stderr that are kept.
const STDERR_TAIL: usize = 12;

/// A process of this program, which writes its replies on stdout, a line of JSON each.
pub struct Worker<Reply> {
    child: Child,
    /// Its standard input.
    pub requests: ChildStdin,
    /// Its replies; disconnected when it ends.
    pub replies: Receiver<Reply>,
    stderr: JoinHandle<VecDeque<String>>,
}

impl<Reply: DeserializeOwned + Send + 'static> Worker<Reply> {
    /// Starts this program with the arguments that `with` adds.
    pub fn start(with: impl FnOnce(&mut Command)) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        with(&mut command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pipe = || io::Error::other("it has no pipes");
        let requests = child.stdin.take().ok_or_else(pipe)?;
        let replies = replies(child.stdout.take().ok_or_else(pipe)?);
        let stderr = tail(child.stderr.take().ok_or_else(pipe)?);
        Ok(Self {
            child,
            requests,
            replies,
            stderr,
        })
    }

    /// Kills it.
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
    }

    /// Closes its standard input, and waits until it has ended. Returns its status and the last lines of its stderr.
    pub fn wait(mut self) -> io::Result<(ExitStatus, VecDeque<String>)> {
        drop(self.requests);
        let status = self.child.wait()?;
        Ok((status, self.stderr.join().unwrap_or_default()))
    }
}

/// Writes `reply` as a worker, on the standard output.
pub fn reply(reply: &impl Serialize) {
    // If the parent is gone there is no more work, and no reply is needed.
    if let Ok(line) = serde_json::to_string(reply) {
        print(line + "\n");
    }
}

fn replies<Reply: DeserializeOwned + Send + 'static>(
    out: impl Read + Send + 'static,
) -> Receiver<Reply> {
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

fn tail(notes: impl Read + Send + 'static) -> JoinHandle<VecDeque<String>> {
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
