//! The three jobs.
//!
//! 1. [`network`] builds guests and a peer, each a [`namespace`] with a TCP/IP stack, and cables, by
//!    [`netlink`] and [`ethtool`];
//! 2. a [`lab`] starts the driver on model hosts, and sets each to work on a thread: its
//!    [`datapath`] reads the guests' packets from [`packet`] sockets, [`intake`] brings them into
//!    the shape of LSO, and the model has the filter split them, in the memory that they were
//!    received in;
//! 3. the model's NIC passes its packets to a [`wire`], where [`second_stage`] has the kernel or the
//!    model segment them;
//! 4. [`stream`]s run through that, or the user's own commands, with [`faults`] if asked for;
//!    [`summary`] reports the result.
//!
//! These parts also serve [`judge`], which has the kernel judge the filter, [`migrate`], which
//! moves a guest between two hosts, and [`tune`], which measures.
//!
//! The model checks all traffic against its rules, as in the tests.

mod checksum;
mod commands;
mod counters;
mod datapath;
mod delivery;
mod doing;
mod ethtool;
mod faults;
mod flow;
mod incoming;
mod intake;
mod judge;
mod lab;
mod migrate;
mod namespace;
mod netlink;
mod network;
mod packet;
mod progress;
mod provenance;
mod second_stage;
mod signals;
mod stream;
mod summary;
mod system;
mod tune;
mod virtual_nic;
mod vnet;
mod wire;

use std::sync::atomic::AtomicBool;

use flow::flow;

use crate::args::{Command, TrafficArgs};
use crate::error::Error;
use harness::driver::{Build, Driver};
use harness::output::{note, print};

/// Does `job`, and reports the result, and faults on the standard error stream. Returns whether there
/// is no fault.
///
/// # Errors
///
/// This machine cannot be used for it, the driver does not load, start or answer, or it was
/// interrupted.
pub fn run(job: &Command, build: &Build) -> Result<bool, Error> {
    match job {
        Command::Traffic(args) => traffic(args, build),
        Command::Migrate(args) => migrate::run(args, build),
        Command::Tune(args) => tune::run(args, build),
    }
}

fn traffic(args: &TrafficArgs, build: &Build) -> Result<bool, Error> {
    let stop = signals::end_on_request()?;
    let driver = Driver::load(build)?;
    if args.judge {
        return run_judge(args, build, &driver, &stop);
    }
    let summary = flow(args, &driver, &stop)?;
    summary.violations.iter().for_each(note);
    let text = if args.json {
        harness::json::line(&summary)
    } else {
        harness::text::driver_line(build) + &summary.text()
    };
    print(text);
    if summary.is_good() && summary.is_empty() {
        return Err(Error::NothingTried);
    }
    Ok(summary.is_good())
}

/// Has the kernel judge the filter.
fn run_judge(
    args: &TrafficArgs,
    build: &Build,
    driver: &Driver,
    stop: &AtomicBool,
) -> Result<bool, Error> {
    let (judged, wrong) = judge::judge(driver, &args.lab, stop)?;
    wrong.iter().for_each(note);
    let text = if args.json {
        harness::json::line(&serde_json::json!({ "judged": judged, "violations": wrong }))
    } else {
        harness::text::driver_line(build) + &judge::text(&judged, &wrong)
    };
    print(text);
    if wrong.is_empty() && judged.is_empty() {
        return Err(Error::NothingTried);
    }
    Ok(wrong.is_empty() && judged.iter().all(|one| one.difference.is_none()))
}
