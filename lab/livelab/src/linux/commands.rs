//! The user's own commands, run in a guest and in the peer's namespace.

use std::io::{self, IsTerminal};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

use super::doing::Doing;
use super::namespace::Namespace;
use super::network::{Network, Station};
use crate::error::Error;

/// A shell that runs a command of the user's, and its child processes. Dropping it ends them.
struct Running(Child);

/// The terminal, while a command has it: the command reads the keystrokes, and Ctrl-C ends the
/// command and not the lab.
struct Terminal;

/// How long a server may take to listen, or a command to end when it is asked to.
const TIMEOUT: Duration = Duration::from_secs(10);
/// After how long a server without TCP is believed to be ready.
const SETTLED: Duration = Duration::from_millis(500);
/// How often to look.
const LOOK: Duration = Duration::from_millis(20);

/// A command and the server that it needs.
#[derive(Clone, Copy, Debug)]
pub struct Commands<'a> {
    /// Decides when the end is.
    pub run: &'a str,
    /// Runs meanwhile, if anything does.
    pub serve: Option<&'a str>,
    /// Whether the server is in the guest and the command in the peer's namespace, rather than the
    /// other way round.
    pub server_in_guest: bool,
    /// Whether their output goes to this program's notes, not to its output.
    pub quiet: bool,
}

/// Runs `commands` in the first guest and in the peer's namespace. Returns how the one that decides
/// ended.
///
/// # Errors
///
/// A command does not start, the server ends early, or the end was asked for.
pub fn run(
    network: &Network,
    commands: &Commands<'_>,
    stop: &AtomicBool,
) -> Result<ExitStatus, Error> {
    let (guest, peer) = (&network.guests[0], &network.peer);
    let (client, server) = if commands.server_in_guest {
        (peer, guest)
    } else {
        (guest, peer)
    };
    let start = |station: &Station, command: &str, input| {
        let quiet = commands.quiet;
        Running::start(&station.namespace, command, guest, peer, quiet, input)
    };
    let serve = commands.serve;
    let serve = serve.map(|command| start(server, command, Stdio::null()));
    let mut serving = serve.transpose()?;
    if let Some(running) = &mut serving {
        running.await_listening(&server.namespace, stop)?;
    }
    let command = commands.run;
    let has_terminal = Terminal::is_ours();
    let input = if has_terminal {
        Stdio::inherit()
    } else {
        Stdio::null()
    };
    let mut running = start(client, command, input)?;
    let mut terminal = None;
    loop {
        if stop.load(Relaxed) {
            return Err(Error::Interrupted);
        }
        match running.stopped_by().filter(|_| has_terminal) {
            // It used the terminal at the moment at which it was given it.
            Some(Signal::SIGTTIN | Signal::SIGTTOU) if terminal.is_some() => {
                running.signal(Signal::SIGCONT);
            }
            Some(Signal::SIGTSTP | Signal::SIGSTOP) => {
                terminal = None;
                // As Ctrl-Z does without a command in between: whoever started the lab has the
                // terminal until it continues the lab. Where nobody could, the kernel ignores the
                // signal.
                let _ = killpg(getpgrp(), Signal::SIGTSTP);
            }
            _ if has_terminal && terminal.is_none() && Terminal::is_ours() => {
                terminal = Some(Terminal::give(&running));
            }
            _ => {}
        }
        let ended = running
            .0
            .try_wait()
            .doing(|| format!("waiting for '{command}'"))?;
        if let Some(status) = ended {
            let by_ctrl_c = status.signal() == Some(Signal::SIGINT as i32);
            return if has_terminal && by_ctrl_c {
                Err(Error::Interrupted)
            } else {
                Ok(status)
            };
        }
        thread::sleep(LOOK);
    }
}

impl Running {
    fn start(
        namespace: &Namespace,
        command: &str,
        guest: &Station,
        peer: &Station,
        quiet: bool,
        input: Stdio,
    ) -> Result<Self, Error> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command);
        shell.env("GUEST", guest.ipv4.to_string());
        shell.env("GUEST6", guest.ipv6.to_string());
        shell.env("PEER", peer.ipv4.to_string());
        shell.env("PEER6", peer.ipv6.to_string());
        // A group of its own, so that all that it starts can be ended together.
        shell.process_group(0).stdin(input);
        if quiet {
            shell.stdout(io::stderr());
        }
        // A process is born in the namespace of the thread that makes it.
        let child = namespace.inside(|| shell.spawn().doing(|| format!("running '{command}'")))?;
        Ok(Self(child))
    }

    /// Waits until a socket in `namespace` listens, by whatever protocol.
    ///
    /// # Errors
    ///
    /// The command ends without that, or does not listen in time.
    fn await_listening(&mut self, namespace: &Namespace, stop: &AtomicBool) -> Result<(), Error> {
        let begun = Instant::now();
        while !stop.load(Relaxed) {
            // Looked at before: a server that goes to the background listens first.
            let ended = self.0.try_wait().ok().flatten();
            // A port of another kind may be a tunnel's, which a server opens before its own.
            let any = ended.is_some() || begun.elapsed() > SETTLED;
            if namespace.inside(|| Ok(somebody_listens(any)))? {
                break;
            }
            let why = match ended {
                Some(status) => format!("ended with {status} and does not listen"),
                None if begun.elapsed() < TIMEOUT => {
                    thread::sleep(LOOK);
                    continue;
                }
                None => format!("has opened no port after {} s", TIMEOUT.as_secs()),
            };
            return Err(Error::Command(format!(
                "the command of --serve {why}; let it run a server that stays, such as 'iperf3 -s'"
            )));
        }
        Ok(())
    }

    /// The signal that has stopped it since the last call, as Ctrl-Z does.
    fn stopped_by(&self) -> Option<Signal> {
        let id = Id::Pid(Pid::from_raw(self.0.id().cast_signed()));
        // Its end is left for `try_wait`.
        let what = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG;
        match waitid(id, what) {
            Ok(WaitStatus::Stopped(_, signal)) => Some(signal),
            _ => None,
        }
    }

    fn signal(&self, signal: Signal) {
        // It may be gone already, which is fine.
        let _ = killpg(Pid::from_raw(self.0.id().cast_signed()), signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::SIGTERM);
        // A stopped process ends only when it goes on.
        self.signal(Signal::SIGCONT);
        let begun = Instant::now();
        while begun.elapsed() < TIMEOUT && matches!(self.0.try_wait(), Ok(None)) {
            thread::sleep(LOOK);
        }
        self.signal(Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

impl Terminal {
    /// Whether the lab is what the user sees and types to.
    fn is_ours() -> bool {
        io::stdin().is_terminal() && tcgetpgrp(io::stdin()) == Ok(getpgrp())
    }

    fn give(to: &Running) -> Self {
        let group = Pid::from_raw(to.0.id().cast_signed());
        // It may have ended already.
        let _ = tcsetpgrp(io::stdin(), group);
        // It may have been stopped for reading before it had the terminal.
        to.signal(Signal::SIGCONT);
        Self
    }
}

impl Drop for Terminal {
    /// Takes it back. A process that does not have the terminal is stopped for that, unless it
    /// blocks the signal (`man 3 tcsetpgrp`).
    fn drop(&mut self) {
        let mut stopping = SigSet::empty();
        stopping.add(Signal::SIGTTOU);
        let _ = stopping.thread_block();
        let _ = tcsetpgrp(io::stdin(), getpgrp());
        let _ = stopping.thread_unblock();
    }
}

/// Whether a socket waits for packets in the calling thread's namespace: a listening TCP socket
/// (state 0A in `/proc/net/tcp`), or with `any` one of another kind.
fn somebody_listens(any: bool) -> bool {
    let read = |name| std::fs::read_to_string(format!("/proc/thread-self/net/{name}"));
    let tcp = ["tcp", "tcp6"]
        .into_iter()
        .filter_map(|name| read(name).ok());
    let others = ["udp", "udp6", "udplite", "raw", "raw6", "packet"];
    let mut others = others.into_iter().filter_map(|name| read(name).ok());
    tcp.into_iter().any(|table| listens(&table))
        || any && others.any(|table| table.lines().count() > 1)
}

fn listens(table: &str) -> bool {
    let states = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().nth(3));
    states.into_iter().any(|state| state == Some("0A"))
}

#[cfg(test)]
mod tests {
    use super::listens;

    #[test]
    fn a_listening_socket_is_found() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue\n";
        let line = |state| format!("   0: 0100007F:1F90 00000000:0000 {state} 00000000:00000000\n");
        assert!(!listens(head) && !listens(""));
        assert!(!listens(&format!("{head}{}", line("01"))));
        assert!(listens(&format!("{head}{}{}", line("01"), line("0A"))));
    }
}
