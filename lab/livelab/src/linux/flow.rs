//! A run of `traffic`: a lab with one host, streams or commands through it, a summary.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lso::IpVersion;
use model::Backing;

use super::commands::{self, Commands};
use super::counters::Filter;
use super::datapath::Sample;
use super::faults::{Faults, Happened, wire_faults};
use super::lab::{HostPlan, Lab, LabPlan};
use super::network::{Shape, Station, VETH_MOST};
use super::progress::Progress;
use super::stream::{Amount, Transfer};
use super::summary::{AdvertisedSizes, Summary};
use super::{system, wire};
use crate::args::{IpChoice, LabArgs, SecondStage, StationChoice, TrafficArgs};
use crate::error::Error;
use harness::driver::Driver;
use harness::text::ip_name;

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
        sample: Sample(args.compare),
        backing: Backing::NonPagedPool,
        capture: None,
        faults: None,
    }
}

pub(super) fn flow(
    args: &TrafficArgs,
    driver: &Driver,
    stop: &AtomicBool,
) -> Result<Summary, Error> {
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
    let advertised = lab.settled(lab.guests.len());
    let mut summary = Summary {
        compared_one_in: args.lab.compare,
        checksums_verified: args.lab.verify_checksums,
        ..Summary::default()
    };
    summary.advertised = advertised.first().map(|first| AdvertisedSizes {
        ipv4: first.v2_ipv4.max_payload,
        ipv6: first.v2_ipv6.max_payload,
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
            let result = stream_all(args, &lab, stop, &mut summary);
            if let Some(line) = a_fault_or_the_end(result)? {
                summary.violations.push(line);
            }
        }
    }
    summary.cost(system::processor_time().saturating_sub(before));
    let mut summary = finish(lab, summary)?;
    if let Some(capture) = &plan.capture {
        let mut capture = capture.lock().unwrap_or_else(PoisonError::into_inner);
        capture.flush()?;
    }
    // A guest's device makes none beyond its own size, whatever is advertised; and with a size
    // little above the NIC's, whole segments may fit both.
    let most = summary
        .advertised
        .map_or(0, |advertised| advertised.ipv4.max(advertised.ipv6));
    let raised = most.min(VETH_MOST) >= args.lab.nic_max.saturating_mul(2);
    if raised && summary.is_good() && summary.filter.split == 0 && summary.bytes() >= ENOUGH {
        let line =
            "more was advertised to the guest than the NIC accepts, and no large send was split";
        summary.violations.push(line.to_owned());
    }
    if args.run.is_some() {
        summary.note_lost_frames();
    }
    Ok(summary)
}

/// A transfer that fails is a fault like others, which the rest of the run may explain; for all
/// else there is no verdict.
pub(super) fn a_fault_or_the_end(result: Result<(), Error>) -> Result<Option<String>, Error> {
    match result {
        Ok(()) => Ok(None),
        Err(Error::Transfer(line)) => Ok(Some(line)),
        Err(error) => Err(error),
    }
}

/// Bytes after which a guest that may exceed the NIC's maximum certainly does.
const ENOUGH: u64 = 64 << 20;

/// Makes all transfers, with faults meanwhile where they are wanted.
fn stream_all(
    args: &TrafficArgs,
    lab: &Lab<'_>,
    stop: &AtomicBool,
    summary: &mut Summary,
) -> Result<(), Error> {
    let mut all = || {
        let steps = transfers(args, lab);
        steps
            .iter()
            .try_for_each(|step| together(step, stop, summary))
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
    thread::scope(|scope| {
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

/// Ends the lab, and adds its final results.
pub(super) fn finish(lab: Lab<'_>, mut summary: Summary) -> Result<Summary, Error> {
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
    summary.counted = (*counters).clone();
    summary.note_lost_sends();
    let detached = summary.faults.unwrap_or_default().counted;
    let filters = end.statistics.iter().map(|of| Filter::from(*of));
    summary.filter = filters.fold(detached, |all, one| all.and(&one));
    summary.violations.extend(end.wrong);
    Ok(summary)
}

/// The transfers of a run: for each version of IP each guest to the peer, all at once, and then the
/// first guest to the second.
fn transfers<'a>(args: &TrafficArgs, lab: &'a Lab<'_>) -> Vec<Vec<Transfer<'a>>> {
    let network = &lab.network;
    let amount = match args.duration {
        Some(seconds) => Amount::For(Duration::from_secs(seconds)),
        None => Amount::Bytes(args.bytes),
    };
    let outside = network.guests.iter().map(|guest| (guest, &network.peer));
    let mut steps: Vec<Vec<(&Station, &Station)>> = vec![outside.collect()];
    if let [first, second, ..] = &network.guests[..] {
        steps.push(vec![(first, second)]);
    }
    let ips: &[IpVersion] = match args.ip {
        IpChoice::V4 => &[IpVersion::V4],
        IpChoice::V6 => &[IpVersion::V6],
        IpChoice::Both => &[IpVersion::V4, IpVersion::V6],
    };
    let mut seed = 0;
    let mut transfer = |ip, (from, to)| {
        seed += 1;
        Transfer {
            from,
            to,
            ip,
            amount,
            seed,
        }
    };
    let mut all = Vec::new();
    for ip in ips {
        for step in &steps {
            all.push(step.iter().map(|pair| transfer(*ip, *pair)).collect());
        }
    }
    all
}

/// Makes transfers at the same time, and judges each.
fn together(
    transfers: &[Transfer<'_>],
    stop: &AtomicBool,
    summary: &mut Summary,
) -> Result<(), Error> {
    let Some(first) = transfers.first() else {
        return Ok(());
    };
    let from = match transfers.len() {
        1 => first.from.name.clone(),
        many => format!("{many} guests"),
    };
    let what = format!("{from} to {}, {}", first.to.name, ip_name(first.ip));
    let amount = match first.amount {
        Amount::Bytes(bytes) => Amount::Bytes(bytes * transfers.len() as u64),
        time @ Amount::For(_) => time,
    };
    let all = Progress::default().show(&what, amount, |progress| {
        thread::scope(|scope| {
            let start = |transfer| scope.spawn(move || Transfer::run(transfer, progress, stop));
            let running: Vec<_> = transfers.iter().map(start).collect();
            let ended = running.into_iter().map(|one| one.join());
            ended.collect::<Vec<_>>()
        })
    });
    for (transfer, done) in transfers.iter().zip(all) {
        let early = |_| Error::Transfer("a transfer ended early".to_owned());
        summary.add(transfer, &done.map_err(early)??);
    }
    Ok(())
}
