//! The judge, judged: `mslso-lab exercise` on a filter with seeded bugs, and with unusual but
//! documented behavior. See lab/calibration.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::Value;

/// The folder of the calibration set.
const SET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../lab/calibration");

/// The rule of data races, which only an instrumented image shows.
const RACE: &str = "50";
/// The rule about spin locks.
const SPIN_LOCKS: &str = "24";

/// A variant of the filter.
struct Variant {
    /// `BUG`, `LEGAL` or `MUTANT`.
    kind: &'static str,
    number: String,
    name: String,
    /// The rule that has to be named; a verdict in place of one, or `-` for a variant that is clean.
    rule: String,
}

/// The variants in a table, with the rule from the column `rule`, if there is one.
fn variants(kind: &'static str, table: &str) -> Vec<Variant> {
    let text = fs::read_to_string(Path::new(SET).join(table)).expect("a table");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let rule = rows[0].iter().position(|column| *column == "rule");
    rows[1..]
        .iter()
        .map(|row| Variant {
            kind,
            number: row[0].into(),
            name: row[1].into(),
            rule: rule.map_or("-", |column| row[column]).into(),
        })
        .collect()
}

fn build(variant: &Variant, folder: &Path) -> PathBuf {
    let image = folder.join(format!("{}.sys", variant.name));
    let mut build = Command::new(format!("{SET}/build.sh"));
    if variant.number != "0" {
        build
            .arg(&image)
            .arg(format!("-D{}={}", variant.kind, variant.number));
    } else {
        build.arg(&image);
    }
    if variant.rule == RACE {
        build.env("TSAN", "1");
    }
    let built = build.output().expect("a shell");
    assert!(
        built.status.success(),
        "{} is not built; it needs clang, lld and llvm: {}",
        variant.name,
        String::from_utf8_lossy(&built.stderr)
    );
    image
}

/// Exercises an image; returns the JSON report. A race shows only in some orders of the threads, and
/// NDIS attaches within the registration in every other round, so that these get more rounds.
fn exercise(image: &Path, rule: &str) -> Value {
    let rounds = match rule {
        RACE => "4",
        SPIN_LOCKS => "2",
        _ => "1",
    };
    let run = Command::new(env!("CARGO_BIN_EXE_mslso-lab"))
        .arg("exercise")
        .arg(image)
        .args(["--json", "--rounds", rounds, "--timeout", "15"])
        .output()
        .expect("the lab runs");
    let report: Value = serde_json::from_slice(&run.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&run.stderr));
    });
    let clean = report["verdict"] == "clean";
    assert_eq!(
        run.status.code(),
        Some(i32::from(!clean)),
        "the exit code is the verdict's"
    );
    report
}

/// The verdict on `variant` if it is not the right one.
fn wrong(variant: &Variant, report: &Value) -> Option<String> {
    let named = |rule: &str| {
        let rule: u64 = rule.parse().expect("a rule's number");
        let violations = report["violations"].as_array();
        violations.is_some_and(|all| all.iter().any(|one| one["rule"] == rule))
    };
    let right = match variant.rule.as_str() {
        "-" => report["verdict"] == "clean",
        verdict @ ("hung" | "crashed" | "refused") => report["verdict"] == verdict,
        rule => report["verdict"] != "clean" && named(rule),
    };
    (!right).then(|| format!("{} (rule {}): {report}", variant.name, variant.rule))
}

#[test]
#[ignore = "builds two hundred drivers with clang, lld and llvm; run by `cargo make calibration`"]
fn the_judge_accepts_what_is_legal_and_names_what_is_wrong() {
    let mut all = vec![Variant {
        kind: "LEGAL",
        number: "0".into(),
        name: "base".into(),
        rule: "-".into(),
    }];
    all.extend(variants("LEGAL", "legal.tsv"));
    all.extend(variants("BUG", "bugs.tsv"));
    all.extend(variants("MUTANT", "mutants.tsv"));
    let folder = tempfile::tempdir().expect("a folder");
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(variant) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let image = build(variant, folder.path());
                    let found = wrong(variant, &exercise(&image, &variant.rule));
                    failed.lock().expect("no thread panicked").extend(found);
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no thread panicked");
    assert!(
        failed.is_empty(),
        "of {}:\n{}",
        all.len(),
        failed.join("\n")
    );
}
