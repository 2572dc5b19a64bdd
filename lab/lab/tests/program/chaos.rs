//! `mslso-lab chaos`.

use std::fs;
use std::process::Output;

use crate::common::{folder, lab};

fn chaos(options: &[&str]) -> Output {
    lab().arg("chaos").args(options).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn seeds_run_one_after_the_other() {
    let output = chaos(&["--seed", "5", "--seeds", "2", "--steps", "1200"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let out = text(&output.stdout);
    for line in ["seed 5: 1200 steps in ", "seed 6: 1200 steps in "] {
        assert!(out.contains(line), "{out}");
    }
    assert!(out.contains(": no rule was broken\n"), "{out}");
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn as_json_each_seed_is_one_object() {
    let output = chaos(&["--seeds", "2", "--steps", "1000", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines: Vec<serde_json::Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    for (line, seed) in lines.iter().zip([1, 2]) {
        assert_eq!((&line["schema"], &line["seed"]), (&2.into(), &seed.into()));
        assert!(line["failure"].is_null() && line["summary"]["sends"].is_u64());
    }
    let folder = folder("chaos-json");
    let path = folder.join("old.jsonl");
    fs::write(&path, "{\"machine\":{\"ndis-minor\":30}}\n\"deliver\"\n").unwrap();
    let output = chaos(&["--json", "--replay", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&json["failure"]["step"], &json["failure"]["kind"]),
        (&1.into(), &"DriverEntry".into())
    );
}

/// A driver that cannot be attached to NDIS 6.30 goes wrong at once, and as each time before.
#[test]
fn a_failure_is_reported_with_its_step() {
    let folder = folder("chaos-replay");
    let path = folder.join("old.jsonl");
    let path = path.to_str().unwrap();
    fs::write(path, "{\"machine\":{\"ndis-minor\":30}}\n\"deliver\"\n").unwrap();
    for _ in 0..2 {
        let output = chaos(&["--replay", path]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let out = text(&output.stdout);
        assert!(
            out.starts_with(&format!("{path}: step 1 of 1: DriverEntry\n")),
            "{out}"
        );
    }
    fs::write(path, "{\"machine\":{}}\n\"deliver\"\n\"pause\"\n").unwrap();
    let output = chaos(&["--replay", path]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).starts_with(&format!("{path}: 2 steps: no rule was broken\n")));
}

#[test]
fn an_unusable_script_is_reported_with_its_line() {
    let folder = folder("chaos-none");
    let path = folder.join("none.jsonl");
    for (content, line) in [
        ("", 1),
        ("{\"schema\":99,\"machine\":{}}\n", 1),
        ("{\"machine\":{}}\n\"dance\"\n", 2),
    ] {
        fs::write(&path, content).unwrap();
        let output = chaos(&["--replay", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let notes = text(&output.stderr);
        assert!(notes.contains(&format!("line {line}: ")), "{notes}");
        assert_eq!(notes.lines().count(), 1, "{notes}");
    }
}
