//! Live traffic where it cannot be: command lines that are wrong, and users who may not.
//!
//! Commands that need root run in CI, not here.

#[cfg(target_os = "linux")]
use std::process::Command;

use crate::common::{Run, lab};

#[test]
fn command_lines() {
    for (line, message) in [
        ("traffic --bytes 0", "between 1 byte and 16 exbibytes"),
        ("traffic --bytes 12X", "such as 4096, 512K or 1G"),
        ("traffic --duration 0", "--duration"),
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
