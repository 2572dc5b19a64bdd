//! The program on a terminal, by a pseudo-terminal and an independent terminal emulator: each
//! command that draws ends, ends on one Ctrl-C, and works with a narrow screen, NO_COLOR, or a
//! reader that is gone.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command as PtyCommand, Pty, open};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mslso-lab");
const ROWS: u16 = 200;
const COLUMNS: u16 = 40;
/// How long anything here may take, by far.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the end may take after Ctrl-C.
const END: Duration = Duration::from_secs(15);

/// A program on a terminal of 40 columns.
struct OnTerminal {
    child: std::process::Child,
    terminal: Arc<Pty>,
    output: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl OnTerminal {
    /// The program with the arguments in `line`.
    fn start(line: &str, no_color: bool) -> Self {
        let arguments = line.split(' ').filter(|word| !word.is_empty());
        Self::start_program(PROGRAM, arguments, no_color)
    }

    fn start_program<'a>(
        program: &str,
        arguments: impl Iterator<Item = &'a str>,
        no_color: bool,
    ) -> Self {
        let (terminal, end) = open().unwrap();
        terminal.resize(Size::new(ROWS, COLUMNS)).unwrap();
        // A script in the background ignores SIGINT, and so would what it starts.
        let mut command = PtyCommand::new("env")
            .args(["--default-signal=INT", program])
            .args(arguments)
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR");
        if no_color {
            command = command.env("NO_COLOR", "1");
        }
        let child = command.spawn(end).unwrap();
        let terminal = Arc::new(terminal);
        let screen = Arc::clone(&terminal);
        let (to, output) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The read fails when no process has the terminal any more.
            while let Ok(length @ 1..) = (&*screen).read(&mut bytes) {
                let _ = to.send(bytes[..length].to_vec());
            }
        });
        Self {
            child,
            terminal,
            output,
            seen: Vec::new(),
        }
    }

    /// Waits until `text` was on the screen.
    fn until_seen(&mut self, text: &str) {
        let begun = Instant::now();
        while !String::from_utf8_lossy(&self.seen).contains(text) {
            assert!(begun.elapsed() < PATIENCE, "no '{text}': {}", self.screen());
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(50)) {
                self.seen.extend(bytes);
            }
        }
    }

    fn type_in(&mut self, keys: &str) {
        (&*self.terminal).write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end, which is to come within `time`.
    fn end(&mut self, time: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            self.seen.extend(self.output.try_iter().flatten());
            if let Some(status) = self.child.try_wait().unwrap() {
                thread::sleep(Duration::from_millis(50));
                self.seen.extend(self.output.try_iter().flatten());
                return status;
            }
            if begun.elapsed() > time {
                let _ = self.child.kill();
                panic!("it hangs: {}", self.screen());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The text on the screen.
    fn screen(&self) -> String {
        let size = |cells: u16| cells.try_into().unwrap();
        let mut parser = vt100::Parser::new(size(ROWS), size(COLUMNS), 0);
        parser.process(&self.seen);
        parser.screen().contents()
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Characters of which a bar consists.
const BAR: [char; 2] = ['█', '░'];

fn ends(line: &str) {
    for no_color in [false, true] {
        let mut lab = OnTerminal::start(line, no_color);
        let status = lab.end(PATIENCE);
        let screen = lab.screen();
        assert_eq!(status.code(), Some(0), "{line}: {screen}");
        assert!(!screen.contains(BAR), "{line}: a bar is left: {screen}");
        let text = String::from_utf8_lossy(&lab.seen).into_owned();
        assert!(!no_color || !text.contains("\x1b[3"), "{line}: {text:?}");
    }
}

/// With a full disk in place of `stdout`, of `stderr` and of both, and with pipes that have no
/// reader, it ends with the same code.
fn ends_unheard(line: &str, code: i32) {
    let run = |out: &dyn Fn() -> std::process::Stdio, notes: &dyn Fn() -> std::process::Stdio| {
        let mut command = Command::new(PROGRAM);
        command.args(line.split(' ').filter(|word| !word.is_empty()));
        command.current_dir(env!("CARGO_TARGET_TMPDIR"));
        command.stdout(out()).stderr(notes()).status().unwrap()
    };
    let full = || {
        File::options()
            .write(true)
            .open("/dev/full")
            .unwrap()
            .into()
    };
    let unread = || std::io::pipe().unwrap().1.into();
    let heard = std::process::Stdio::null;
    for (out, notes) in [
        (&full as &dyn Fn() -> _, &heard as &dyn Fn() -> _),
        (&heard, &full),
        (&unread, &unread),
    ] {
        assert_eq!(run(out, notes).code(), Some(code), "{line}");
    }
}

/// One Ctrl-C, while something is drawn.
fn ends_on_ctrl_c(line: &str, once: &str) {
    let before = namespaces();
    let mut lab = OnTerminal::start(line, false);
    lab.until_seen(once);
    lab.type_in("\x03");
    let status = lab.end(END);
    assert!(!status.success(), "{line}: {}", lab.screen());
    assert_ne!(status.code(), Some(101), "{line}: {}", lab.screen());
    let screen = lab.screen();
    assert!(!screen.contains("panicked"), "{line}: {screen}");
    // The kernel takes them away a moment after the process.
    let begun = Instant::now();
    while !namespaces().iter().all(|one| before.contains(one)) {
        assert!(begun.elapsed() < END, "{line}: a namespace is left");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The network namespaces that processes of the program are in.
fn namespaces() -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut all: Vec<_> = processes
        .filter(|process| {
            let name = fs::read_to_string(process.path().join("comm"));
            name.is_ok_and(|name| name.starts_with("mslso-lab"))
        })
        .filter_map(|process| fs::read_dir(process.path().join("fd")).ok())
        .flat_map(|files| files.flatten())
        .filter_map(|file| fs::read_link(file.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .filter(|target| target.starts_with("net:"))
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Prints the kernel's version and repeats what is typed.
const WAITING: &str = "traffic --run cat\t/proc/version\t-";

const SPLIT: &str = concat!(
    "split ",
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/data/bigtcp-ipv4.pcapng --children c.pcapng --wire w.pcapng"
);

#[test]
fn commands_that_need_no_rights_end() {
    for line in ["--out terminal", SPLIT, "demo", "chaos --steps 20000"] {
        ends(line);
    }
}

#[test]
fn output_without_a_reader_is_no_error() {
    for line in ["--out unheard", SPLIT, "demo", "chaos --steps 2000"] {
        ends_unheard(line, 0);
    }
    for line in [
        "traffic --driver absent.sys",
        "split absent.pcapng --children c --wire w",
    ] {
        ends_unheard(line, 2);
    }
}

#[test]
fn one_ctrl_c_ends_chaos() {
    ends_on_ctrl_c("chaos --steps 100000000", "seed 1");
}

#[test]
#[ignore = "needs root; .ci/live runs it"]
fn live_traffic_ends() {
    for line in [
        "traffic --bytes 16M",
        "traffic --bytes 16M --faults 1",
        "traffic --judge",
        "migrate --bytes 32M",
        "tune --multiples 2 --rounds 2 --bytes 16M",
    ] {
        ends(line);
    }
}

#[test]
#[ignore = "needs root; .ci/live runs it"]
fn live_traffic_needs_no_reader() {
    ends_unheard("traffic --bytes 16M", 0);
    ends_unheard("migrate --bytes 32M", 0);
}

/// Keystrokes reach the shell; its Ctrl-C ends the program that it runs, and neither the shell nor
/// the lab.
#[test]
#[ignore = "needs root; .ci/live runs it"]
fn a_shell_in_the_guest_has_the_terminal() {
    let mut lab = OnTerminal::start("traffic --run bash", false);
    lab.type_in("echo here $((6 * 7))\n");
    lab.until_seen("here 42");
    lab.type_in("sleep 1000; echo after $((6 * 8))\n");
    lab.until_seen("after $((6");
    thread::sleep(Duration::from_millis(500));
    lab.type_in("\x03");
    thread::sleep(Duration::from_millis(500));
    lab.type_in("echo again $((6 * 9))\n");
    lab.until_seen("again 54");
    lab.type_in("exit\n");
    let status = lab.end(END);
    assert_eq!(status.code(), Some(3), "{}", lab.screen());
    assert!(lab.screen().contains("NOTHING TESTED"), "{}", lab.screen());
}

/// Ctrl-Z stops the lab and the command together, where a shell can continue them; otherwise the
/// command goes on.
#[test]
#[ignore = "needs root; .ci/live runs it"]
fn ctrl_z_stops_live_traffic_until_it_is_continued() {
    let mut alone = OnTerminal::start(WAITING, false);
    alone.until_seen("Linux version");
    alone.type_in("\x1a");
    alone.type_in("still here\n");
    alone.until_seen("still here\r\nstill here");
    alone.type_in("\x03");
    assert!(!alone.end(END).success(), "{}", alone.screen());

    let mut shell = OnTerminal::start_program("bash", ["--norc", "-i"].into_iter(), false);
    let line = WAITING.replace('\t', "\\ ");
    shell.type_in(&format!("PS1='ready> '\n{PROGRAM} {line}\n"));
    shell.until_seen("Linux version");
    shell.type_in("\x1a");
    shell.until_seen("Stopped");
    shell.type_in("echo shell $((6 * 7))\n");
    shell.until_seen("shell 42");
    shell.type_in("fg\n");
    thread::sleep(Duration::from_millis(500));
    shell.type_in("back\n");
    shell.until_seen("back\r\nback");
    shell.type_in("\x03");
    shell.until_seen("interrupted");
    // What is typed before the shell has the terminal is lost.
    thread::sleep(Duration::from_millis(500));
    shell.type_in("echo shell $((6 * 8))\n");
    shell.until_seen("shell 48");
    shell.type_in("exit\n");
    shell.end(END);
}

#[test]
#[ignore = "needs root; .ci/live runs it"]
fn one_ctrl_c_ends_live_traffic() {
    for line in [
        "traffic --bytes 1000G",
        "traffic --bytes 1000G --faults 1",
        "migrate --bytes 1000G",
    ] {
        ends_on_ctrl_c(line, "Gbit/s");
    }
    // A shell that starts a program may lose a Ctrl-C; one that becomes the program does not.
    ends_on_ctrl_c(WAITING, "Linux version");
    ends_on_ctrl_c("tune --bytes 64M --rounds 1000", "█");
}
