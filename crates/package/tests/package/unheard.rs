//! The exit code is the same if the output cannot be written.

use std::fs::File;
use std::process::Command;

#[test]
fn a_failure_that_cannot_be_told_is_no_panic() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mslso-package"));
    command.args(["build", "--out", "unheard", "--sys", "absent.sys"]);
    command.args(["--inf", "absent.inf", "--ctl", "absent.exe"]);
    let status = command.stdout(full()).stderr(full()).status().unwrap();
    assert!(status.code() == Some(1), "{status}");
}
