//! `--all`: every adapter, one after the other.

use clap::Parser;
use control::{Profile, Raise};
use mslsoctl::cli::Cli;
use mslsoctl::device::DeviceError;
use mslsoctl::failure::{Failure, exit};
use serde_json::Value;

use crate::fake::{Fake, run};
use crate::{CX6, Done, E810, tuning, two};

/// The output of a command with `--json`, a line each.
fn lines(fake: &mut Fake, line: &[&str]) -> Result<Vec<Value>, Failure> {
    let text = run(fake, &[line, &["--json"]].concat())?;
    let lines = text.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>().expect("each line is JSON"))
}

#[test]
fn each_adapter_is_shown() -> Done {
    for command in ["show", "stats"] {
        let shown = lines(&mut two(), &[command, "--all"])?;
        let names: Vec<_> = shown.iter().map(|one| &one["adapter"]["name"]).collect();
        assert_eq!(names, [E810, CX6], "{command}");
        assert!(shown.iter().all(|one| one["schema"] == 1), "{command}");
        let text = run(&mut two(), &[command, "--all"])?;
        for one in ["7", "Ethernet 2"] {
            let alone = run(&mut two(), &[command, one])?;
            assert!(text.contains(&alone), "{alone} is not in\n{text}");
        }
    }
    Ok(())
}

#[test]
fn each_adapter_is_set() -> Done {
    let mut fake = two();
    let set = lines(
        &mut fake,
        &["set", "--all", "--profile", "cpu", "--persist"],
    )?;
    assert_eq!(set.len(), 2);
    let cpu = tuning(Raise::Profile(Profile::Cpu), 0);
    for adapter in &fake.adapters {
        assert_eq!((adapter.read.tuning, adapter.lasting), (cpu, cpu));
    }
    Ok(())
}

#[test]
fn each_adapter_is_put_back_to_zero() -> Done {
    let mut fake = two();
    run(&mut fake, &["stats", "--all", "--reset"])?;
    assert!(fake.adapters.iter().all(|one| one.statistics.split == 0));
    Ok(())
}

#[test]
fn each_adapter_is_watched() -> Done {
    let watch = ["stats", "--all", "--watch", "0.1", "--count", "2"];
    let samples = lines(&mut two(), &watch)?;
    let indices: Vec<_> = samples.iter().map(|sample| &sample["if_index"]).collect();
    assert_eq!(indices, [7, 9, 7, 9]);
    assert_eq!(samples[3]["interval"]["sends"], 2000);
    let text = run(&mut two(), &watch)?;
    let heads = text.lines().find(|line| line.contains("children/s"));
    assert!(heads.is_some_and(|heads| heads.trim_start().starts_with("interface")));
    let rows: Vec<_> = text.lines().rev().take(4).collect();
    for (row, index) in rows.iter().zip(["9", "7", "9", "7"]) {
        assert_eq!(row.split_whitespace().next(), Some(index), "{text}");
    }
    Ok(())
}

#[test]
fn an_adapter_that_went_away_is_left_out() -> Done {
    let mut fake = two();
    fake.gone = Some(7);
    assert_eq!(lines(&mut fake, &["show", "--all"])?.len(), 1);
    let failure = run(&mut fake, &["show", "7"]).expect_err("it is gone");
    assert_eq!(failure.exit_code(), exit::NO_SUCH_ADAPTER);
    Ok(())
}

#[test]
fn without_an_adapter_there_is_none_to_choose() {
    for line in [&["show", "--all"][..], &["set", "--all", "--off"]] {
        let failure = run(&mut Fake::default(), line).expect_err("there is none");
        assert!(matches!(failure, Failure::NoAdapters), "{failure}");
    }
}

#[test]
fn a_failure_names_the_adapter_at_which_it_ended() {
    let mut fake = two();
    fake.fails_at = Some((9, DeviceError::NoMemory));
    let failure = run(&mut fake, &["set", "--all", "--off"]).expect_err("no memory");
    let text = failure.to_string();
    assert!(
        text.starts_with("at interface 9 (Ethernet 2: Mellanox"),
        "{text}"
    );
    assert_eq!(
        (failure.name(), failure.exit_code()),
        ("no-memory", exit::OTHER)
    );
    let off = tuning(Raise::Profile(Profile::Off), 0);
    assert_eq!(fake.adapters[0].read.tuning, off, "the first is done");
}

#[test]
fn all_and_one_contradict_each_other() {
    for line in [
        "show 7 --all",
        "set 7 --all --off",
        "stats --all 7",
        "set --all",
    ] {
        let words = ["mslsoctl"].into_iter().chain(line.split_whitespace());
        let error = Cli::try_parse_from(words).expect_err(line);
        assert_eq!(error.exit_code(), i32::from(exit::USAGE), "{line}");
    }
}
