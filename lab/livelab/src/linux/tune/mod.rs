//! `mslso-lab tune`: which multiple is worth it on this machine.
//!
//! Live traffic runs at each multiple in turn, and again, so that any drift affects all of them.
//! Each round's measurements are divided by that round's own at multiple 1, and the spread of the
//! ratios over all rounds gives the confidence in their mean. The processor time is that of the
//! sending thread with its TCP stack: the receiver and the model would hide it.

mod load;
mod ratio;
mod recommend;
mod report;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use control::{Multiple, Raise, Tuning};
use indicatif::ProgressBar;
use lso::IpVersion;
use model::Backing;
use serde::Serialize;

use load::{Measured, measure};
use ratio::Ratio;
use recommend::recommend;
use report::{around_marks, chart, into_document, text};

use super::datapath::Sample;
use super::lab::{HostPlan, Lab, LabPlan};
use super::network::{Shape, VETH_MOST};
use super::provenance;
use super::signals;
use crate::args::{SecondStage, TuneArgs};
use crate::error::Error;
use harness::device;
use harness::driver::{Build, Driver};
use harness::output::{note, print, try_to_write};
use harness::text::{driver_line, ip_name};

/// The result of a sweep, as `--json` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct Sweep {
    /// The NIC's maximum, in bytes of payload.
    pub nic_max: u32,
    /// The day, as 2026-01-31, in UTC.
    pub date: String,
    /// The release of the Linux kernel.
    pub kernel: String,
    /// Rounds that were measured.
    pub rounds: u32,
    /// Bytes of each measurement.
    pub bytes: u64,
    pub ip: &'static str,
    pub multiples: Vec<Point>,
    /// The recommendations, by profile.
    pub recommended: Vec<Recommendation>,
    /// Faults, in one line each.
    pub violations: Vec<String>,
}

/// A multiple against multiple 1.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    pub multiple: u32,
    /// The size advertised to guests, in bytes of payload.
    pub advertised: u32,
    /// The largest large send that was seen.
    pub largest_large_send: u64,
    /// The sender's processor time for a byte, as a ratio.
    pub cpu: Ratio,
    pub throughput: Ratio,
    /// Latency of nine in ten requests beside the transfer, as a ratio.
    pub latency: Ratio,
}

/// The recommendation for a profile.
#[derive(Clone, Debug, Serialize)]
pub struct Recommendation {
    pub profile: &'static str,
    /// The multiple; none where the noise is too large.
    pub multiple: Option<u32>,
    pub why: String,
}

/// Measures, and reports the result, and faults on the standard error stream. Returns whether there
/// is no fault.
///
/// # Errors
///
/// This machine cannot be used for it, the driver does not load, start or answer, a file cannot be
/// written, or it was interrupted.
pub fn run(args: &TuneArgs, build: &Build) -> Result<bool, Error> {
    let stop = signals::end_on_request()?;
    let driver = Driver::load(build)?;
    try_outputs(args)?;
    let sweep = sweep(args, &driver, &stop)?;
    if let Some(path) = &args.plot {
        chart(&sweep).write(path)?;
    }
    if let Some(path) = &args.document {
        let after = into_document(&document(path)?, &sweep)
            .map_err(|why| Error::Document(path.clone(), why))?;
        write(path, &after)?;
    }
    let json = harness::json::pretty(&sweep);
    if let Some(path) = &args.out {
        write(path, &json)?;
    }
    sweep.violations.iter().for_each(note);
    let text = if args.json {
        json
    } else {
        driver_line(build) + &text(&sweep)
    };
    print(text);
    Ok(sweep.violations.is_empty())
}

/// A sweep takes long, and its result is not to be lost.
fn try_outputs(args: &TuneArgs) -> Result<(), Error> {
    args.plot
        .as_deref()
        .map_or(Ok(()), harness::chart::try_path)?;
    args.document.as_deref().map(document).transpose()?;
    let written = [&args.document, &args.out];
    written
        .into_iter()
        .flatten()
        .try_for_each(|path| try_to_write(path).map_err(|why| Error::Write(path.clone(), why)))
}

/// The document, which has its marks.
fn document(path: &Path) -> Result<String, Error> {
    let wrong = |why| Error::Document(path.to_owned(), why);
    let text = std::fs::read_to_string(path).map_err(|why| {
        wrong(format!(
            "cannot be read ({why}); name a Markdown file with marks"
        ))
    })?;
    around_marks(&text).map_err(wrong)?;
    Ok(text)
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|why| Error::Write(path.to_owned(), why))
}

fn sweep(args: &TuneArgs, driver: &Driver, stop: &AtomicBool) -> Result<Sweep, Error> {
    let plan = LabPlan {
        shape: Shape {
            guests: 1,
            mtu: args.mtu,
            finished_packets: false,
        },
        hosts: vec![HostPlan {
            nic_max: args.nic_max,
            min_segments: 2,
            multiple: Some(1),
        }],
        stage: SecondStage::Kernel,
        // The compared work costs the same for each byte, and much.
        sample: Sample(u64::MAX),
        backing: Backing::NonPagedPool,
        capture: None,
        faults: None,
    };
    let lab = Lab::start(driver, &plan)?;
    let _ = lab.settled(1);
    let multiples = all_multiples(args);
    let mut points: Vec<_> = multiples.iter().map(|of| Measuring::new(*of)).collect();
    let bar = ProgressBar::new(u64::from(args.rounds + 1) * points.len() as u64);
    // A round before the first, of which nothing is kept: caches fill, buffers grow.
    for round in 0..=args.rounds {
        let count = points.len();
        for turn in 0..count {
            // Each round begins elsewhere.
            let point = &mut points[(turn + round as usize) % count];
            let measured = point.measure(&lab, args, stop)?;
            if round > 0 {
                point.measured.push(measured);
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let violations = lab.stop()?.wrong;
    let points = compare(&points);
    Ok(Sweep {
        nic_max: args.nic_max,
        date: provenance::today(),
        kernel: provenance::kernel(),
        rounds: args.rounds,
        bytes: args.bytes,
        ip: ip_name(ip(args)),
        recommended: recommend(&points),
        multiples: points,
        violations,
    })
}

fn ip(args: &TuneArgs) -> IpVersion {
    if args.ip6 {
        IpVersion::V6
    } else {
        IpVersion::V4
    }
}

/// Those that were asked for, and 1, against which all are held.
fn all_multiples(args: &TuneArgs) -> Vec<u32> {
    let mut all = args.multiples.clone();
    if all.is_empty() {
        let useful = |multiple: &u32| multiple * args.nic_max <= VETH_MOST;
        all.extend([1, 2, 3, 4, 6, 8, 12, 16].into_iter().filter(useful));
    }
    all.push(1);
    all.sort_unstable();
    all.dedup();
    all
}

/// A multiple while it is measured.
struct Measuring {
    multiple: u32,
    advertised: u32,
    largest: u64,
    measured: Vec<Measured>,
}

impl Measuring {
    fn new(multiple: u32) -> Self {
        Self {
            multiple,
            advertised: 0,
            largest: 0,
            measured: Vec::new(),
        }
    }

    fn measure(
        &mut self,
        lab: &Lab<'_>,
        args: &TuneArgs,
        stop: &AtomicBool,
    ) -> Result<Measured, Error> {
        let host = &lab.hosts[0];
        // The command line accepts no other.
        let raise = Multiple::new(self.multiple).map_or(Raise::default(), Raise::Multiple);
        device::tune(host.world(), Tuning { raise, cap: None })?;
        self.advertised = host.host.filter_advertises().v2_ipv4.max_payload;
        self.await_guest(lab)?;
        let _ = lab.counters.largest_lately.take();
        let (guest, peer) = (&lab.network.guests[0], &lab.network.peer);
        let measured = measure(guest, peer, ip(args), args.bytes, stop)?;
        self.largest = self.largest.max(lab.counters.largest_lately.take());
        Ok(measured)
    }

    /// Waits until the guest has followed; where the size is the same as before, it has already.
    fn await_guest(&self, lab: &Lab<'_>) -> Result<(), Error> {
        let due = self.advertised;
        let wait = Duration::from_millis(300);
        while let Ok(limits) = lab.changes.recv_timeout(wait) {
            if limits.v2_ipv4.max_payload == due {
                return Ok(());
            }
        }
        if lab.guests[0].indicator().v2_ipv4.max_payload == due {
            return Ok(());
        }
        let line = "the guest did not get the size that the filter advertises";
        Err(Error::Transfer(line.to_owned()))
    }
}

/// All against multiple 1, which is the first, round by round.
fn compare(all: &[Measuring]) -> Vec<Point> {
    let Some(base) = all.first() else {
        return Vec::new();
    };
    // With several intervals each is wider, so that all hold in 95 of 100 sweeps (Bonferroni). Each
    // multiple has three of them.
    let compared = 3.0 * all.len().saturating_sub(1).max(1) as f64;
    let confidence = 1.0 - 0.05 / compared;
    let point = |one: &Measuring| {
        let ratio = |of: fn(&Measured) -> f64| {
            if one.multiple == base.multiple {
                return Ratio::ONE;
            }
            let pairs = one.measured.iter().zip(&base.measured);
            let ratios: Vec<_> = pairs.map(|(this, base)| of(this) / of(base)).collect();
            Ratio::of(&ratios, confidence)
        };
        Point {
            multiple: one.multiple,
            advertised: one.advertised,
            largest_large_send: one.largest,
            cpu: ratio(|one| one.cpu),
            throughput: ratio(|one| one.throughput),
            latency: ratio(|one| one.latency),
        }
    };
    all.iter().map(point).collect()
}
