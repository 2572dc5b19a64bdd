//! Every failure: its exit code, and a text that states what to do.

use std::process::{Command, Output};

use clap::Parser;
use mslsoctl::cli::Cli;
use mslsoctl::device::DeviceError;
use mslsoctl::failure::{Failure, exit};

use crate::fake::{Fake, run};

fn failure(fake: &mut Fake, line: &[&str]) -> Failure {
    run(fake, line).expect_err("the command fails")
}

#[test]
fn errors_of_the_device_have_codes_and_advice() {
    for (error, code, words) in [
        (DeviceError::NotInstalled, exit::NO_DRIVER, "netcfg"),
        (DeviceError::NotWindows, exit::NO_DRIVER, "Windows"),
        (DeviceError::AccessDenied, exit::ACCESS_DENIED, "elevated"),
        (DeviceError::NoSuchAdapter, exit::NO_SUCH_ADAPTER, "list"),
        (DeviceError::InvalidParameter, exit::USAGE, "out of range"),
        (DeviceError::Version, exit::OTHER, "came with the driver"),
        (
            DeviceError::UnknownCode,
            exit::OTHER,
            "came with the driver",
        ),
        (DeviceError::BufferTooSmall, exit::OTHER, "longer"),
        (DeviceError::NoMemory, exit::OTHER, "memory"),
        (DeviceError::Other(31), exit::OTHER, "error 31"),
    ] {
        let mut fake = Fake::on(&[(7, "Ethernet")]);
        fake.error = Some(error);
        for line in [&["list"][..], &["show"], &["set", "7", "--off"], &["stats"]] {
            let failure = failure(&mut fake, line);
            // A list for which no buffer is large enough is not believed in the end.
            if error != DeviceError::BufferTooSmall {
                assert!(failure.to_string().contains(words), "{failure}");
            }
            assert_eq!(failure.exit_code(), code, "{failure}");
            assert!(!failure.to_string().contains('\n'));
        }
    }
}

#[test]
fn codes_of_windows_and_statuses_of_the_driver_agree() {
    for (win32, status, error) in [
        (1, 0xC000_0010, DeviceError::UnknownCode),
        (5, 0xC000_0022, DeviceError::AccessDenied),
        (87, 0xC000_000D, DeviceError::InvalidParameter),
        (122, 0xC000_0023, DeviceError::BufferTooSmall),
        (1168, 0xC000_0225, DeviceError::NoSuchAdapter),
        (1306, 0xC000_0059, DeviceError::Version),
        (1450, 0xC000_009A, DeviceError::NoMemory),
    ] {
        assert_eq!(DeviceError::from_win32(win32), error);
        assert_eq!(DeviceError::from_status(u32::cast_signed(status)), error);
    }
    assert_eq!(DeviceError::from_win32(2), DeviceError::NotInstalled);
    assert_eq!(DeviceError::from_win32(31), DeviceError::Other(31));
}

#[test]
fn a_driver_of_another_version() {
    let mut fake = Fake::on(&[(7, "Ethernet")]);
    fake.version = Some(2);
    let failure = failure(&mut fake, &["list"]);
    assert!(failure.to_string().contains("another version"), "{failure}");
    assert_eq!(failure.exit_code(), exit::OTHER);
    assert_eq!(failure.name(), "version-mismatch");
}

#[test]
fn failures_as_json() {
    let failure = Failure::from(DeviceError::NotInstalled);
    let json = failure.to_json();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["error"], "driver-not-installed");
    assert_eq!(json["exit_code"], 3);
    assert_eq!(json["message"], failure.to_string());
}

#[test]
fn wrong_command_lines_end_before_the_device_is_asked() {
    for line in [
        "",
        "show 7 8",
        "set 7",
        "set --off",
        "set 7 --persist",
        "set 7 --multiple 0",
        "set 7 --multiple 17",
        "set 7 --multiple -1",
        "set 7 --multiple two",
        "set 7 --profile fast",
        "set 7 --multiple 2 --off",
        "set 7 --multiple 2 --profile cpu",
        "set 7 --off --profile cpu",
        "set 7 --cap 4095",
        "set 7 --cap 16777217",
        "set 7 --cap 99999999999",
        "set 7 --cap 17M",
        "set 7 --cap 4KX",
        "set 7 --cap -4K",
        "set 7 --cap 20000000000000000000000",
        "set 7 --ip-id-bits 14 --persist",
        "set 7 --ip-id-bits 17 --persist",
        "set 7 --software-segmentation sometimes --persist",
        "set 7 --software-segmentation 1 --persist",
        "set 7 --max-sg-elements 0 --persist",
        "set 7 --max-sg-elements 3 --persist",
        "set 7 --max-sg-elements 65 --persist",
        "set 7 --memory-bound 64 --persist",
        "set 7 --memory-bound 3M --persist",
        "set 7 --memory-bound 4097M --persist",
        "set 7 --memory-bound 4500K --persist",
        "set 7 --memory-bound 4503599627370496T --persist",
        "set 7 --ip-id-bits 15",
        "set 7 --off --memory-bound 64M",
        "stats --watch 0",
        "stats --watch inf",
        "stats --watch NaN",
        "stats --watch --reset",
        "stats --count 3",
        "stats --watch --count 0",
    ] {
        let words = ["mslsoctl"].into_iter().chain(line.split_whitespace());
        let error = Cli::try_parse_from(words).expect_err(line);
        assert_eq!(error.exit_code(), i32::from(exit::USAGE), "{line}");
    }
}

#[test]
fn wrong_command_lines_are_json_where_it_is_asked_for() {
    for (line, words) in [
        (
            "--json",
            "'mslsoctl' requires a subcommand but one was not provided [subcommands: list, show, \
             set, stats, help]; see `mslsoctl --help`",
        ),
        (
            "set 17 --multiple 17 --json",
            "invalid value '17' for '--multiple <N>': the multiple must be 1 to 16; see \
             `mslsoctl --help`",
        ),
        (
            "--json set 17 --persist",
            "the following required arguments were not provided: \
             <--multiple <N>|--profile <P>|--off|--cap <SIZE>|--ip-id-bits <BITS>|\
             --software-segmentation <WHEN>|--max-sg-elements <N>|--memory-bound <SIZE>>; see \
             `mslsoctl --help`",
        ),
        (
            "set 17 --memory-bound 64 --persist --json",
            "invalid value '64' for '--memory-bound <SIZE>': the memory bound must be 4 to 4,096 \
             MiB, a whole number of MiB; see `mslsoctl --help`",
        ),
        (
            "set 17 --ip-id-bits 15 --json",
            "the following required arguments were not provided: --persist; see `mslsoctl --help`",
        ),
    ] {
        let output = program(line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(output.stdout.is_empty(), "{line}");
        let json: serde_json::Value = serde_json::from_slice(&output.stderr).expect("JSON");
        assert_eq!(json["error"], "usage");
        assert_eq!(json["message"], words);
        assert_eq!(json["exit_code"], 2);
    }
    let plain = String::from_utf8(program("set 17 --multiple 17").stderr).expect("UTF-8");
    assert!(plain.starts_with("error: invalid value '17'"), "{plain}");
    let help = program("set --help --json");
    assert_eq!(help.status.code(), Some(0));
    assert!(help.stdout.starts_with(b"Set how far"), "{help:?}");
}

/// Runs the program itself.
fn program(line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mslsoctl"))
        .args(line.split_whitespace())
        .output()
        .expect("the program starts")
}

#[test]
fn help_documents_every_exit_code() {
    let error = Cli::try_parse_from(["mslsoctl", "--help"]).expect_err("help ends the program");
    assert_eq!(error.exit_code(), 0);
    let help = error.to_string();
    for code in 0..=exit::NO_SUCH_ADAPTER {
        assert!(help.contains(&format!("\n  {code}  ")), "{code}");
    }
}
