//! The exit code is the same if the output cannot be written.

use std::fs::File;
use std::process::{Command, Stdio};

#[test]
fn a_failure_that_cannot_be_told_is_no_panic() {
    for words in [&["list"][..], &["list", "--json"], &["nonsense"]] {
        let code = |out: Stdio, notes: Stdio| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_mslsoctl"));
            let status = command.args(words).stdout(out).stderr(notes).status();
            status.unwrap().code()
        };
        let full = || File::options().write(true).open("/dev/full").unwrap();
        let heard = code(Stdio::null(), Stdio::null());
        assert_ne!(heard, Some(101));
        assert_eq!(code(full().into(), full().into()), heard, "{words:?}");
    }
}
