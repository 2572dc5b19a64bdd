//! Live traffic where it cannot be: command lines that are wrong, and users who may not.
//!
//! Commands that need root run in CI, not here.

#[cfg(target_os = "linux")]
use std::process::Command;

use crate::common::{Run, folder, lab};

#[test]
fn command_lines() {
    for (line, message) in [
        ("traffic --bytes 0", "between 1 byte and 16 exbibytes"),
        ("traffic --bytes 12X", "such as 4096, 512K or 1G"),
        ("traffic --duration 0", "--duration"),
        ("traffic --faults x", "not a whole number between 0 and "),
        ("traffic --guests 999", "not a whole number between 1 and 8"),
        (
            "tune --multiples 1,,2",
            "not a whole number between 1 and 16",
        ),
        ("chaos --seeds -", "not a whole number between 1 and "),
        (
            "exercise --rounds 1e3",
            "not a whole number between 1 and 10000",
        ),
        ("traffic --nic-max 9G", "not between 1460 and 524280 bytes"),
        ("traffic --duration 5 --bytes 1G", "cannot be used with"),
        ("traffic --ip 5", "--ip"),
        ("traffic --nic-max 0", "--nic-max"),
        ("traffic --multiple 17", "--multiple"),
        ("traffic --guests 0", "--guests"),
        ("traffic --guests 9", "--guests"),
        ("traffic --mtu 576", "--mtu"),
        ("traffic --compare 0", "--compare"),
        ("traffic --second-stage hardware", "--second-stage"),
        ("traffic --serve true", "--run"),
        ("traffic --server-in guest", "--serve"),
        ("traffic --run true --bytes 1G", "cannot be used with"),
        ("traffic --judge --guests 2", "cannot be used with"),
        ("traffic --judge --faults 1", "cannot be used with"),
        ("migrate --other-multiple 0", "--other-multiple"),
        ("migrate --nic-max 1460", "--nic-max"),
        ("tune --multiples 1,2,17", "--multiples"),
        ("tune --rounds 1", "--rounds"),
        ("traffic --out folder", "unexpected argument"),
    ] {
        let Run { code, out, notes } = Run::of(lab().args(line.split(' ')));
        assert_eq!((code, out.as_str()), (2, ""), "{line}: {notes}");
        assert!(notes.contains(message), "{line}: {notes}");
    }
}

/// Nothing is measured whose result would be lost, not even where the rights for it lack.
#[test]
fn outputs_are_tried_first() {
    let folder = folder("traffic_outputs");
    let unmarked = folder.join("unmarked.md");
    std::fs::write(&unmarked, "text").unwrap();
    let unmarked = unmarked.to_str().unwrap();
    for (line, path, next) in [
        ("migrate --plot", "/", "check the folder"),
        ("migrate --plot", "/absent/a.svg", "check the folder"),
        ("tune --plot", "/", "check the folder"),
        ("tune --out", "/absent/a.json", "check the folder"),
        ("tune --document", "/absent/a.md", "name a Markdown file"),
        ("tune --document", unmarked, "add them"),
        ("chaos --script", "/absent/a.jsonl", "check the folder"),
        ("demo --plot", "/", "check the folder"),
    ] {
        let run = Run::of(lab().args(line.split(' ')).arg(path));
        run.assert_unusable(path);
        run.assert_unusable(next);
    }
    // A file that is there stays as it is, and one that is not is not made.
    assert_eq!(std::fs::read_to_string(unmarked).unwrap(), "text");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn an_image_that_does_not_load_is_reported_first() {
    for job in ["traffic", "migrate", "tune"] {
        Run::of(lab().args([job, "--driver", "absent.sys"])).assert_unusable("absent.sys");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_user_without_rights_reads_what_to_do() {
    let program = for_everybody();
    for job in [
        &["traffic"][..],
        &["traffic", "--judge"],
        &["migrate"],
        &["tune"],
    ] {
        run_as_nobody(&program, job).assert_unusable("run it as root");
    }
    std::fs::remove_file(program).unwrap();
}

/// A copy of the program where every user can run it.
#[cfg(target_os = "linux")]
fn for_everybody() -> std::path::PathBuf {
    let name = format!("mslso-lab-{}", std::process::id());
    let copy = std::env::temp_dir().join(name);
    std::fs::copy(env!("CARGO_BIN_EXE_mslso-lab"), &copy).unwrap();
    copy
}

/// Runs the program as a user without rights.
#[cfg(target_os = "linux")]
fn run_as_nobody(program: &std::path::Path, job: &[&str]) -> Run {
    use std::os::unix::{fs::MetadataExt, process::CommandExt};

    const NOBODY: u32 = 65_534;
    let own = std::fs::metadata("/proc/self").unwrap();
    loop {
        let mut command = Command::new(program);
        if own.uid() == 0 {
            command.uid(NOBODY).gid(NOBODY);
        }
        match command.args(job).output() {
            // A process that another test has just made may still have the copy open for writing.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            output => return output.unwrap().into(),
        }
    }
}
