//! Live traffic, judged by the kernel's own devices and by programs that know nothing of the lab.
#![cfg(target_os = "linux")]

use std::process::{Command, Output};

fn lab(line: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mslso-lab"));
    let Output {
        status,
        stdout,
        stderr,
    } = command.args(line).output().unwrap();
    let text = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    (status.code(), text.into_owned())
}

fn words(line: &str) -> (Option<i32>, String) {
    lab(&line.split(' ').collect::<Vec<_>>())
}

#[test]
#[ignore = "needs root; .ci/live runs it"]
fn every_multiple_and_every_nic_is_good() {
    for line in [
        "migrate --multiple 3 --other-multiple 4 --bytes 64M",
        "migrate --nic-max 32000 --multiple 2 --bytes 64M",
        "traffic --nic-max 524280 --bytes 96M",
        "traffic --nic-max 262000 --mtu 9000 --bytes 96M --ip 4",
    ] {
        let (code, text) = words(line);
        assert_eq!(code, Some(0), "{line}: {text}");
    }
}

#[test]
#[ignore = "needs root; .ci/live runs it"]
fn without_a_large_send_there_is_no_pass() {
    for line in ["traffic --bytes 1000", "traffic --run true"] {
        let (code, text) = words(line);
        assert_eq!(code, Some(3), "{line}: {text}");
        assert!(!text.contains("PASS"), "{line}: {text}");
        assert!(text.contains("no large send was made"), "{line}: {text}");
    }
}
