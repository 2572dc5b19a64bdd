//! `mslso-lab chaos`.

use std::fs;

use crate::common::{Run, folder, lab};

/// A run that must end with `code`.
#[track_caller]
fn chaos(code: i32, options: &[&str]) -> Run {
    let run = Run::of(lab().arg("chaos").args(options));
    assert_eq!(run.code, code, "{}{}", run.out, run.notes);
    run
}

#[test]
fn seeds_run_one_after_the_other() {
    let Run { out, notes, .. } = chaos(0, &["--seed", "5", "--seeds", "2", "--steps", "1200"]);
    for line in ["seed 5: 1200 steps in ", "seed 6: 1200 steps in "] {
        assert!(out.contains(line), "{out}");
    }
    assert!(out.contains(": no rule was broken\n"), "{out}");
    assert_eq!(notes, "");
}

#[test]
fn as_json_each_seed_is_one_object() {
    let lines = chaos(0, &["--seeds", "2", "--steps", "1000", "--json"]).objects();
    assert_eq!(lines.len(), 2);
    for (line, seed) in lines.iter().zip([1, 2]) {
        assert_eq!((&line["schema"], &line["seed"]), (&2.into(), &seed.into()));
        assert!(line["failure"].is_null() && line["summary"]["sends"].is_u64());
    }
    let folder = folder("chaos-json");
    let path = folder.join("old.jsonl");
    fs::write(&path, "{\"machine\":{\"ndis-minor\":30}}\n\"deliver\"\n").unwrap();
    let objects = chaos(1, &["--json", "--replay", path.to_str().unwrap()]).objects();
    let failure = &objects[0]["failure"];
    assert_eq!(
        (&failure["step"], &failure["kind"]),
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
        let out = chaos(1, &["--replay", path]).out;
        let expected = format!("{path}: step 1 of 1: DriverEntry\n");
        assert!(out.starts_with(&expected), "{out}");
    }
    fs::write(path, "{\"machine\":{}}\n\"deliver\"\n\"pause\"\n").unwrap();
    let out = chaos(0, &["--replay", path]).out;
    assert!(out.starts_with(&format!("{path}: 2 steps: no rule was broken\n")));
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
        let run = chaos(2, &["--replay", path.to_str().unwrap()]);
        run.assert_unusable(&format!("line {line}: "));
    }
}
