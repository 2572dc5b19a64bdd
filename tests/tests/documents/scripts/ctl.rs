//! The verification run's questions to mslsoctl, put to the tool itself.

use clap::Parser;
use model::Config;
use mslsoctl::{cli::Cli, connections::Unnamed};
use scenarios::{Machine, control::ModelDevice};
use serde_json::Value;

use super::read;

/// A question, as it is written there and as a command line; and the field read from the answer, as
/// it is written there and as a JSON pointer.
type Question = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const ASKED: [Question; 6] = [
    (
        "Invoke-MslsoCtl list)",
        "list",
        &[
            (").adapters ", "/adapters"),
            ("$_.base_if_index ", "/adapters/0/base_if_index"),
            ("$_.running }", "/adapters/0/running"),
        ],
    ),
    (
        "Invoke-MslsoCtl show, \"$($nic.ifIndex)\"",
        "show 5",
        &[
            ("$report.Settings.tuning\n", "/tuning"),
            ("$Tuning.profile)", "/tuning/profile"),
            ("$Tuning.multiple)", "/tuning/multiple"),
            ("$Tuning.cap_bytes\n", "/tuning/cap_bytes"),
        ],
    ),
    (
        "Invoke-MslsoCtl stats, \"$($nic.ifIndex)\"",
        "stats 5",
        &[
            (").statistics\n", "/statistics"),
            ("$after.sends ", "/statistics/sends"),
            ("$after.split ", "/statistics/split"),
            ("$after.children ", "/statistics/children"),
            ("$after.completed ", "/statistics/completed"),
            ("$after.failed ", "/statistics/failed"),
            ("$after.low_memory ", "/statistics/low_memory"),
            ("$after.refused_in_all ", "/statistics/refused_in_all"),
            (
                "$after.largest_large_send)",
                "/statistics/largest_large_send",
            ),
        ],
    ),
    (
        "Invoke-MslsoCtl set, \"$($nic.ifIndex)\", '--multiple', \"$multiple\"",
        "set 5 --multiple 16",
        &[("$set.tuning.multiple)", "/tuning/multiple")],
    ),
    (
        "@('--profile', $Tuning.profile)",
        "set 5 --profile throughput",
        &[],
    ),
    (
        "(@('set', \"$($Nic.ifIndex)\", '--cap', \"$cap\") + $back)",
        "set 5 --cap 0 --profile throughput",
        &[],
    ),
];

#[test]
fn mslsoctl_has_the_fields_that_the_verification_run_reads() {
    let script = read("tests/vm-lab", "Invoke-Verification.ps1")
        + &read("tests/vm-lab", "Mslso.Restore.ps1");
    let machine = Machine::start(Config::default());
    for (asked, line, read) in ASKED {
        assert!(script.contains(asked), "the script does not ask {asked}");
        let words = ["mslsoctl"]
            .into_iter()
            .chain(line.split(' '))
            .chain(["--json"]);
        let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
        let mut device = ModelDevice {
            world: &machine.world,
        };
        let mut out = Vec::new();
        mslsoctl::run(&cli, &mut device, &Unnamed, &mut out)
            .unwrap_or_else(|error| panic!("{error}"));
        let answer: Value = serde_json::from_slice(&out).expect("JSON");
        for (text, pointer) in read {
            assert!(script.contains(text), "the script does not read {text}");
            assert!(
                answer.pointer(pointer).is_some(),
                "{line}: {pointer} in {answer}"
            );
        }
    }
    machine.stop_clean();
}
