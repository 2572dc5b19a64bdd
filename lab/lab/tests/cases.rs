//! Cases that went wrong in other projects: a folder of captures, and a table of what `split` has to
//! make of each. The folder is `MSLSO_CASES`, or `../shared/cases` beside the repository.
//!
//! A row of the table in its `README.md` is `file | origin | what it is | options | expected`, with
//! options and expectations in code spans. The program's own judge compares bytes; tshark, where it
//! is installed, looks for wrong checksums and lengths on the wire. A process of its own: it asks for the
//! most memory that any of its children has held.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::sys::resource::{UsageWho, getrusage};
use testpkt::capture::{Captured, read};

/// A file with one line of options, and what is expected.
#[derive(Debug)]
struct Case {
    file: PathBuf,
    options: String,
    expected: String,
}

/// The cases of a table. After "with `…`" stands the result expected with that line of options.
fn cases(folder: &Path) -> Vec<Case> {
    let table = std::fs::read_to_string(folder.join("README.md")).expect("the cases' README.md");
    let mut cases = Vec::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [file, _, _, lines, expected] = cells[..] else {
            panic!("a row of 5 cells: {row}");
        };
        for line in lines.split("<br>") {
            let options = line.trim_matches('`').replace("none", "");
            let (general, special): (Vec<_>, Vec<_>) = expected
                .split("; ")
                .partition(|part| !part.starts_with("with "));
            let special = special.iter().find_map(|part| {
                let part = part.strip_prefix("with ")?;
                if let Some(rest) = part.strip_prefix("no option ") {
                    return options.is_empty().then(|| rest.to_owned());
                }
                let (of, rest) = part.strip_prefix('`')?.split_once("` ")?;
                (of == options).then(|| rest.to_owned())
            });
            // Those that the special case leaves out are as in general.
            let general = general.join("; ");
            let expected = match special {
                Some(special) if special.contains(": all") => special,
                Some(special) => format!("{general}; {special}"),
                None => general,
            };
            cases.push(Case {
                file: folder.join(file.trim_matches('`')),
                options,
                expected,
            });
        }
    }
    cases
}

/// The result of one run.
struct Outcome {
    code: Option<i32>,
    notes: String,
    /// The numbers of the packets with a line on stderr, and a reason.
    refused: BTreeSet<usize>,
    wire: PathBuf,
}

impl Case {
    fn run(&self, number: usize) -> Outcome {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let wire = folder.join(format!("case-{number}.pcapng"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_mslso-lab"));
        command.arg("split").arg(&self.file);
        command.args(self.options.split_whitespace());
        command.args(["--children", "/dev/null", "--wire"]);
        let Output { status, stderr, .. } = command.arg(&wire).output().unwrap();
        let notes = String::from_utf8_lossy(&stderr).into_owned();
        let number = |line: &str| {
            let (number, reason) = line.strip_prefix("packet ")?.split_once(": ")?;
            (!reason.is_empty()).then(|| number.parse().ok())?
        };
        Outcome {
            code: status.code(),
            refused: notes.lines().filter_map(number).collect(),
            notes,
            wire,
        }
    }

    /// Compares an outcome with the expected one.
    fn judge(&self, of: &Outcome) -> Result<(), String> {
        if of.code == Some(2) && self.expected.contains("exit 2") {
            let named = of.notes.lines().count() == 1 && of.notes.contains("pcapng");
            return named.then_some(()).ok_or_else(|| of.notes.clone());
        }
        if of.code != Some(0) {
            return Err(format!("exit {:?}: {}", of.code, of.notes));
        }
        let given = read(&self.file).map_err(|error| error.to_string())?;
        let wire = read(&of.wire).map_err(|error| error.to_string())?;
        let mut allowed = BTreeSet::new();
        let mut parts: Vec<_> = self.expected.split("; ").collect();
        // A later part is about single packets, and stands above one about all.
        parts.reverse();
        let mut settled = BTreeSet::new();
        for part in parts {
            let (word, numbers) = part.split_once(": ").unwrap_or((part, "all"));
            let all =
                (1..=given.len()).filter(|_| !numbers.starts_with(|c: char| c.is_ascii_digit()));
            let named = numbers.split(", ").filter_map(|number| number.parse().ok());
            let numbers: BTreeSet<_> = all.chain(named).collect();
            for number in numbers.difference(&settled.clone()) {
                settled.insert(*number);
                let refused = of.refused.contains(number);
                let right = match word {
                    word if word.starts_with("cut right or refused") => {
                        allowed.insert(*number);
                        true
                    }
                    word if word.starts_with("refused") => {
                        allowed.insert(*number);
                        refused
                    }
                    "pass unchanged" => !refused && is_on(&wire, &given[number - 1]),
                    word if word.starts_with("cut") || word.starts_with("read and cut") => {
                        !refused && !is_on(&wire, &given[number - 1])
                    }
                    _ => return Err(format!("an expectation that is not known: {part}")),
                };
                if !right {
                    return Err(format!("packet {number} is not: {part}; {}", of.notes));
                }
            }
        }
        let more: Vec<_> = of.refused.difference(&allowed).collect();
        if !more.is_empty() {
            return Err(format!("refused, but not expected so: {more:?}"));
        }
        wrong_by_tshark(&of.wire)
    }
}

/// Whether a packet went out as it came; a trailer may be missing.
fn is_on(wire: &[Captured], packet: &Captured) -> bool {
    let same = |one: &Captured| packet.bytes.starts_with(&one.bytes);
    wire.iter()
        .any(|one| same(one) && one.bytes.len() + 64 > packet.bytes.len())
}

const WRONG: &str = "ip.checksum.status == 0 || tcp.checksum.status == 0 \
    || udp.checksum.status == 0 || ip.bogus_ip_length || ip.bogus_header_length \
    || ipv6.plen_exceeds_framing || udp.length.bad || udp.length.bad_zero || _ws.malformed";
const CHECKS: [&str; 14] = [
    "-o",
    "ip.check_checksum:TRUE",
    "-o",
    "tcp.check_checksum:TRUE",
    "-o",
    "udp.check_checksum:TRUE",
    "-o",
    "tcp.desegment_tcp_streams:FALSE",
    "-o",
    "tcp.analyze_sequence_numbers:FALSE",
    "-d",
    "tcp.port==5555,data",
    "-d",
    "udp.port==5555,data",
];

fn wrong_by_tshark(wire: &Path) -> Result<(), String> {
    // A million packets take it minutes.
    if wire.metadata().is_ok_and(|about| about.len() > 64 << 20) {
        return Ok(());
    }
    let mut command = Command::new("tshark");
    command.arg("-r").arg(wire).args(CHECKS).args(["-Y", WRONG]);
    match command.output() {
        Ok(output) if output.stdout.is_empty() => Ok(()),
        Ok(output) => {
            let lines = String::from_utf8_lossy(&output.stdout).into_owned();
            let first: Vec<_> = lines.lines().take(3).collect();
            Err(format!("wrong by tshark: {first:?}"))
        }
        // The gate has it.
        Err(_) => Ok(()),
    }
}

#[test]
#[ignore = "takes minutes; .ci/run runs it"]
fn every_case_gives_its_expected_result() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases");
    let folder = std::env::var_os("MSLSO_CASES").map_or(beside, PathBuf::from);
    if !folder.join("README.md").exists() {
        eprintln!("no cases: {} does not exist", folder.display());
        return;
    }
    let mut cases = cases(&folder);
    assert!(!cases.is_empty(), "{} has no cases", folder.display());
    // First, while no child of this process has held more.
    cases.sort_by_key(|case| !case.expected.contains("of memory"));
    let mut wrong = Vec::new();
    for (number, case) in cases.iter_mut().enumerate() {
        let outcome = case.run(number);
        if let Some((expected, limit)) = case.expected.split_once(", with less than ") {
            let limit: i64 = limit
                .split(' ')
                .next()
                .and_then(|one| one.parse().ok())
                .expect("MB");
            let held = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss() / 1024;
            assert!(held < limit, "{case:?}: {held} MiB");
            case.expected = expected.to_owned();
        }
        if let Err(why) = case.judge(&outcome) {
            wrong.push(format!("{} {}: {why}", case.file.display(), case.options));
        }
        let _ = std::fs::remove_file(&outcome.wire);
    }
    eprintln!("{} cases of {} are tried", cases.len(), folder.display());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
