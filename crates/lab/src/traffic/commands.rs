//! The user's own commands, run in a guest and in the peer's namespace.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::error::{Doing, TrafficError};
use super::namespace::Namespace;
use super::network::{Network, Station};

/// A shell with a command of the user's, and whatever that starts. It ends with this.
struct Running(Child);

/// How long a server may take to listen, or a command to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to look.
const LOOK: Duration = Duration::from_millis(20);

/// A command and the server that it wants.
#[derive(Clone, Copy, Debug)]
pub struct Commands<'a> {
    /// Decides when the end is.
    pub run: &'a str,
    /// Runs meanwhile, if anything does.
    pub serve: Option<&'a str>,
    /// Whether the server is in the guest and the command in the peer's namespace, rather than the
    /// other way round.
    pub server_in_guest: bool,
    /// Whether what they print goes to this program's notes, not to its output.
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
) -> Result<ExitStatus, TrafficError> {
    let (guest, peer) = (&network.guests[0], &network.peer);
    let (client, server) = if commands.server_in_guest {
        (peer, guest)
    } else {
        (guest, peer)
    };
    let start = |station: &Station, command: &str| {
        Running::start(&station.namespace, command, guest, peer, commands.quiet)
    };
    let serve = commands.serve.map(|command| start(server, command));
    let mut serving = serve.transpose()?;
    if let Some(running) = &mut serving {
        running.await_listening(&server.namespace, stop)?;
    }
    let command = commands.run;
    let mut running = start(client, command)?;
    loop {
        if stop.load(Relaxed) {
            return Err(TrafficError::Interrupted);
        }
        let ended = running
            .0
            .try_wait()
            .doing(|| format!("waiting for '{command}'"))?;
        if let Some(status) = ended {
            return Ok(status);
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
    ) -> Result<Self, TrafficError> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command);
        shell.env("GUEST", guest.ipv4.to_string());
        shell.env("GUEST6", guest.ipv6.to_string());
        shell.env("PEER", peer.ipv4.to_string());
        shell.env("PEER6", peer.ipv6.to_string());
        // A group of its own, so that all that it starts can be ended together.
        shell.process_group(0).stdin(Stdio::null());
        if quiet {
            shell.stdout(io::stderr());
        }
        // A process is born in the namespace of the thread that makes it.
        let child = namespace.inside(|| shell.spawn().doing(|| format!("running '{command}'")))?;
        Ok(Self(child))
    }

    /// Waits until somebody in `namespace` listens for TCP. A server of another kind is given the
    /// same time to get ready.
    fn await_listening(
        &mut self,
        namespace: &Namespace,
        stop: &AtomicBool,
    ) -> Result<(), TrafficError> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && !stop.load(Relaxed) {
            if let Ok(Some(status)) = self.0.try_wait()
                && !status.success()
            {
                let line = format!("the command of --serve ended at once, with {status}");
                return Err(TrafficError::Command(line));
            }
            if namespace.inside(|| Ok(somebody_listens()))? {
                break;
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        // It may be gone, which is what is wanted.
        let _ = killpg(Pid::from_raw(self.0.id().cast_signed()), signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::SIGTERM);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && matches!(self.0.try_wait(), Ok(None)) {
            thread::sleep(LOOK);
        }
        self.signal(Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

/// Whether there is a listening TCP socket in the calling thread's namespace (state 0A in
/// `/proc/net/tcp`).
fn somebody_listens() -> bool {
    let files = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"];
    let texts = files
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok());
    texts.into_iter().any(|text| listens(&text))
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
