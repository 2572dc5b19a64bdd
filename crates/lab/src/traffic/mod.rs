//! `mslso-lab traffic`: live TCP through the driver.
//!
//! 1. [`network`] builds guests and a peer, each a [`namespace`] with a TCP/IP stack, and cables, by
//!    [`netlink`] and [`ethtool`];
//! 2. a [`lab`] starts the driver on model hosts, and sets each to work on a thread: its
//!    [`datapath`] reads what guests send from [`packet`] sockets, [`intake`] brings it into the
//!    shape of LSO, and the model has the filter split it, over the very memory it was received in;
//! 3. the model's NIC hands what it has to a [`wire`], where [`second_stage`] has the kernel or the
//!    model cut it to packets;
//! 4. [`stream`]s run through that, [`summary`] tells what came of them.
//!
//! The model holds everything that passes against its rules, as in the tests.

mod chart;
mod commands;
pub mod counters;
pub mod datapath;
mod error;
pub mod ethtool;
pub mod faults;
pub mod intake;
pub mod judge;
pub mod lab;
pub mod migrate;
pub mod namespace;
pub mod netlink;
pub mod network;
pub mod packet;
mod progress;
pub mod random;
pub mod second_stage;
mod signals;
pub mod stream;
pub mod summary;
mod system;
pub mod tune;
pub mod vnet;
pub mod wire;

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use model::Backing;

use commands::Commands;
pub use error::TrafficError;
use faults::{Faults, Happened, wire_faults};
use lab::{HostPlan, Lab, LabPlan};
use network::{Ip, Shape, Station};
use progress::Progress;
use stream::{Amount, Transfer};
use summary::{Counted, Filter, Row, Summary, Told};

use crate::cli::{IpChoice, LabArgs, SecondStage, StationChoice, TrafficArgs};
use crate::driver::{Build, Driver};
use crate::failure::Failure;

/// Has traffic flow, and tells on `out` what came of it, on `notes` what is wrong. Returns whether
/// nothing is.
///
/// # Errors
///
/// This machine cannot be used for it, the driver does not load, start or answer, or it was
/// interrupted.
pub fn run(
    args: &TrafficArgs,
    build: &Build,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<bool, Failure> {
    let stop = signals::end_on_request()?;
    let driver = Driver::load(build)?;
    if args.judge {
        return run_judge(args, build, &driver, out, notes);
    }
    let summary = flow(args, &driver, &stop)?;
    for line in &summary.violations {
        let _ = writeln!(notes, "{line}");
    }
    let text = if args.json {
        serde_json::to_string(&summary).unwrap_or_default() + "\n"
    } else {
        crate::report::driver_line(build) + &summary.text()
    };
    // Who reads may have gone away, which is no fault of the driver.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok(summary.is_good())
}

/// Has the kernel judge the filter.
fn run_judge(
    args: &TrafficArgs,
    build: &Build,
    driver: &Driver,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<bool, Failure> {
    let (judged, wrong) = judge::judge(driver, &args.lab)?;
    for line in &wrong {
        let _ = writeln!(notes, "{line}");
    }
    let text = if args.json {
        serde_json::json!({ "judged": judged, "violations": wrong }).to_string() + "\n"
    } else {
        crate::report::driver_line(build) + &judge::text(&judged, &wrong)
    };
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok(wrong.is_empty() && judged.iter().all(|one| one.difference.is_none()))
}

/// The plan of a lab with one host.
fn plan(args: &LabArgs, guests: u8) -> LabPlan {
    LabPlan {
        shape: Shape {
            guests,
            mtu: args.mtu,
            finished_packets: args.verify_checksums && args.second_stage == SecondStage::Kernel,
        },
        hosts: vec![HostPlan {
            nic_max: args.nic_max,
            min_segments: args.min_segments,
            multiple: args.multiple,
        }],
        stage: args.second_stage,
        sample: datapath::Sample(args.compare),
        backing: Backing::NonPagedPool,
        capture: None,
        faults: None,
    }
}

fn flow(args: &TrafficArgs, driver: &Driver, stop: &AtomicBool) -> Result<Summary, Failure> {
    let mut plan = plan(&args.lab, args.guests);
    if let Some(path) = &args.pcap {
        plan.capture = Some(wire::capture(path)?);
    }
    if let Some(seed) = args.faults {
        plan.faults = Some(wire_faults(seed));
        // Memory that has to be mapped can also fail to be.
        plan.backing = Backing::LockedPages;
    }
    let lab = Lab::start(driver, &plan)?;
    let told = lab.settled(lab.guests.len());
    let mut summary = Summary {
        compared_one_in: args.lab.compare,
        checksums_verified: args.lab.verify_checksums,
        ..Summary::default()
    };
    summary.told = told.first().map(|first| Told {
        ipv4: first.told.v2_ipv4.max_payload,
        ipv6: first.told.v2_ipv6.max_payload,
    });
    let before = system::processor_time();
    match &args.run {
        Some(command) => {
            let commands = Commands {
                run: command,
                serve: args.serve.as_deref(),
                server_in_guest: args.server_in == StationChoice::Guest,
                quiet: args.json,
            };
            let status = commands::run(&lab.network, &commands, stop)?;
            if !status.success() {
                let line = format!("the command of --run ended with {status}");
                summary.violations.push(line);
            }
        }
        None => {
            if let Err(error) = stream_all(args, &lab, stop, &mut summary) {
                return Err(lab.explain(error).into());
            }
        }
    }
    summary.cost(system::processor_time().saturating_sub(before));
    let raised = summary
        .told
        .is_some_and(|told| told.ipv4 > args.lab.nic_max);
    let mut summary = finish(lab, summary)?;
    if raised && summary.filter.split == 0 && summary.bytes() >= ENOUGH {
        let line = "the guest was told more than the NIC takes, and no large send was split";
        summary.violations.push(line.to_owned());
    }
    Ok(summary)
}

/// Bytes in which a guest that may make larger large sends than the NIC takes does make some.
const ENOUGH: u64 = 64 << 20;

/// Makes all transfers one after the other, with faults meanwhile where they are wanted.
fn stream_all(
    args: &TrafficArgs,
    lab: &Lab<'_>,
    stop: &AtomicBool,
    summary: &mut Summary,
) -> Result<(), TrafficError> {
    let mut all = || {
        let mut transfers = transfers(args, lab).into_iter();
        transfers.try_for_each(|transfer| one(&transfer, stop, summary))
    };
    let Some(seed) = args.faults else {
        return all();
    };
    let faults = Faults::new(&lab.hosts[0], args.lab.nic_max, seed);
    let (result, happened) = with_faults(vec![faults], all);
    summary.faults = Some(happened);
    result
}

/// Does `body` while `faults` happen, each on a thread of its own.
fn with_faults<T>(faults: Vec<Faults<'_>>, body: impl FnOnce() -> T) -> (T, Happened) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let done = &done;
        let threads: Vec<_> = faults
            .into_iter()
            .map(|faults| scope.spawn(move || faults.run(done)))
            .collect();
        let result = body();
        done.store(true, Relaxed);
        let happened = threads.into_iter().filter_map(|thread| thread.join().ok());
        (result, happened.fold(Happened::default(), Happened::and))
    })
}

/// Ends the lab, and adds what is known then.
fn finish(lab: Lab<'_>, mut summary: Summary) -> Result<Summary, Failure> {
    let stations = lab.network.guests.iter().chain([&lab.network.peer]);
    for station in stations {
        summary.wrong_checksums += system::wrong_checksums(&station.namespace)?;
    }
    if summary.wrong_checksums > 0 {
        let line = format!(
            "{} TCP packets arrived with a wrong checksum",
            summary.wrong_checksums
        );
        summary.violations.push(line);
    }
    let counters = std::sync::Arc::clone(&lab.counters);
    let end = lab.stop()?;
    summary.counted = Counted::from(&*counters);
    let detached = summary.faults.unwrap_or_default().counted;
    let filters = end.statistics.iter().map(|of| Filter::from(*of));
    summary.filter = filters.fold(detached, |all, one| all.and(&one));
    summary.violations.extend(end.wrong);
    Ok(summary)
}

/// Every transfer of a run: each guest to the peer, and the first guest to the second.
fn transfers<'a>(args: &TrafficArgs, lab: &'a Lab<'_>) -> Vec<Transfer<'a>> {
    let network = &lab.network;
    let amount = match args.duration {
        Some(seconds) => Amount::For(Duration::from_secs(seconds)),
        None => Amount::Bytes(args.bytes),
    };
    let mut pairs: Vec<(&Station, &Station)> = network
        .guests
        .iter()
        .map(|guest| (guest, &network.peer))
        .collect();
    if let [first, second, ..] = &network.guests[..] {
        pairs.push((first, second));
    }
    let ips: &[Ip] = match args.ip {
        IpChoice::V4 => &[Ip::V4],
        IpChoice::V6 => &[Ip::V6],
        IpChoice::Both => &[Ip::V4, Ip::V6],
    };
    let all = ips
        .iter()
        .flat_map(|ip| pairs.iter().map(move |pair| (*ip, *pair)));
    let all = all.enumerate().map(|(number, (ip, (from, to)))| Transfer {
        from,
        to,
        ip,
        amount,
        seed: number as u64 + 1,
    });
    all.collect()
}

/// Makes a transfer, and judges it.
fn one(
    transfer: &Transfer<'_>,
    stop: &AtomicBool,
    summary: &mut Summary,
) -> Result<(), TrafficError> {
    let what = format!(
        "{} to {}, {}",
        transfer.from.name,
        transfer.to.name,
        transfer.ip.name()
    );
    let progress = Progress::default();
    let done = progress.show(&what, transfer.amount, |bytes| transfer.run(bytes, stop))?;
    if !done.is_whole() {
        let line = format!(
            "{what}: {} bytes were sent and {} arrived, or others",
            done.sent, done.received
        );
        summary.violations.push(line);
    }
    summary.transfers.push(Row::of(transfer, &done));
    Ok(())
}
