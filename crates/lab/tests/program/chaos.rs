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

/// A driver that cannot be attached to NDIS 6.30 goes wrong at once, and as each time before.
#[test]
fn what_goes_wrong_is_told_with_its_step() {
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
fn what_is_no_script_is_said_to_be_none() {
    let folder = folder("chaos-none");
    let path = folder.join("none.jsonl");
    for (content, line) in [("", 1), ("{\"machine\":{}}\n\"dance\"\n", 2)] {
        fs::write(&path, content).unwrap();
        let output = chaos(&["--replay", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let notes = text(&output.stderr);
        assert!(notes.contains(&format!("line {line}: ")), "{notes}");
        assert_eq!(notes.lines().count(), 1, "{notes}");
    }
}
