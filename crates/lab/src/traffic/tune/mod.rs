//! `mslso-lab tune`: which multiple is worth it on this machine.
//!
//! Live traffic runs at each multiple in turn, and again, so that whatever drifts drifts for all.
//! Each round's measurements are divided by that round's own at multiple 1, and the ratios of all
//! rounds tell how far to believe their mean.

mod load;
mod ratio;

use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use control::{Multiple, Profile, Raise, Tuning};
use indicatif::ProgressBar;
use model::Backing;
use serde::Serialize;

use load::{Measured, measure};
use ratio::Ratio;

use super::chart::{COLORS, Chart, Look, Series, SeriesLabelPosition};
use super::datapath::Sample;
use super::error::TrafficError;
use super::lab::{HostPlan, Lab, LabPlan};
use super::network::{Ip, Shape, VETH_MOST};
use super::signals;
use crate::cli::{SecondStage, TuneArgs};
use crate::device;
use crate::driver::{Build, Driver};
use crate::failure::Failure;
use crate::report::{driver_line, lined, number};

/// What a sweep came to, as `--json` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct Sweep {
    /// What the NIC takes, in bytes of payload.
    pub nic_max: u32,
    /// Rounds that were measured.
    pub rounds: u32,
    /// Bytes of each measurement.
    pub bytes: u64,
    /// By which IP.
    pub ip: &'static str,
    /// Each multiple.
    pub multiples: Vec<Point>,
    /// What is to be had from that, by profile.
    pub recommended: Vec<Recommendation>,
    /// What was wrong, in one line each.
    pub violations: Vec<String>,
}

/// A multiple against multiple 1.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// The multiple.
    pub multiple: u32,
    /// What guests are told, in bytes of payload.
    pub told: u32,
    /// The largest large send that was seen.
    pub largest_large_send: u64,
    /// Processor time for a byte, as a ratio.
    pub cpu: Ratio,
    /// Throughput, as a ratio.
    pub throughput: Ratio,
    /// Latency of nine in ten requests beside the transfer, as a ratio.
    pub latency: Ratio,
}

/// What suits a profile.
#[derive(Clone, Debug, Serialize)]
pub struct Recommendation {
    /// The profile.
    pub profile: &'static str,
    /// The multiple.
    pub multiple: u32,
    /// Why.
    pub why: String,
}

/// Measures, and tells on `out` what came of it, on `notes` what is wrong. Returns whether nothing
/// is.
///
/// # Errors
///
/// This machine cannot be used for it, the driver does not load, start or answer, a file cannot be
/// written, or it was interrupted.
pub fn run(
    args: &TuneArgs,
    build: &Build,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<bool, Failure> {
    let stop = signals::end_on_request()?;
    let driver = Driver::load(build)?;
    let sweep = sweep(args, &driver, &stop)?;
    if let Some(path) = &args.plot {
        chart(&sweep).write(path)?;
    }
    let json = serde_json::to_string_pretty(&sweep).unwrap_or_default() + "\n";
    if let Some(path) = &args.out {
        write(path, &json)?;
    }
    for line in &sweep.violations {
        let _ = writeln!(notes, "{line}");
    }
    let text = if args.json {
        json
    } else {
        driver_line(build) + &text(&sweep)
    };
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok(sweep.violations.is_empty())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|why| Failure::Write(path.to_owned(), why))
}

fn sweep(args: &TuneArgs, driver: &Driver, stop: &AtomicBool) -> Result<Sweep, Failure> {
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
        // What is compared costs the same for each byte, and much.
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
        rounds: args.rounds,
        bytes: args.bytes,
        ip: ip(args).name(),
        recommended: recommend(&points),
        multiples: points,
        violations,
    })
}

fn ip(args: &TuneArgs) -> Ip {
    if args.ip6 { Ip::V6 } else { Ip::V4 }
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
    told: u32,
    largest: u64,
    measured: Vec<Measured>,
}

impl Measuring {
    fn new(multiple: u32) -> Self {
        Self {
            multiple,
            told: 0,
            largest: 0,
            measured: Vec::new(),
        }
    }

    fn measure(
        &mut self,
        lab: &Lab<'_>,
        args: &TuneArgs,
        stop: &AtomicBool,
    ) -> Result<Measured, Failure> {
        let host = &lab.hosts[0];
        // The command line takes no other.
        let raise = Multiple::new(self.multiple).map_or(Raise::default(), Raise::Multiple);
        device::tune(host.world(), Tuning { raise, cap: None })?;
        self.told = host.host.filter_advertises().v2_ipv4.max_payload;
        self.await_guest(lab)?;
        let _ = lab.counters.largest_lately.take();
        let (guest, peer) = (&lab.network.guests[0], &lab.network.peer);
        let measured = measure(guest, peer, ip(args), args.bytes, stop)?;
        self.largest = self.largest.max(lab.counters.largest_lately.take());
        Ok(measured)
    }

    /// Waits until the guest has followed; where the size is the same as before, it has already.
    fn await_guest(&self, lab: &Lab<'_>) -> Result<(), TrafficError> {
        let due = self.told;
        let wait = Duration::from_millis(300);
        while let Ok(change) = lab.changes.recv_timeout(wait) {
            if change.told.v2_ipv4.max_payload == due {
                return Ok(());
            }
        }
        if lab.guests[0].indicator().v2_ipv4.max_payload == due {
            return Ok(());
        }
        let line = "the guest was not told the size that the filter advertises";
        Err(TrafficError::Transfer(line.to_owned()))
    }
}

/// All against multiple 1, which is the first, round by round.
fn compare(all: &[Measuring]) -> Vec<Point> {
    let Some(base) = all.first() else {
        return Vec::new();
    };
    let point = |one: &Measuring| {
        let ratio = |of: fn(&Measured) -> f64| {
            if one.multiple == base.multiple {
                return Ratio::ONE;
            }
            let pairs = one.measured.iter().zip(&base.measured);
            let ratios: Vec<_> = pairs.map(|(this, base)| of(this) / of(base)).collect();
            Ratio::of(&ratios)
        };
        Point {
            multiple: one.multiple,
            told: one.told,
            largest_large_send: one.largest,
            cpu: ratio(|one| one.cpu),
            throughput: ratio(|one| one.throughput),
            latency: ratio(|one| one.latency),
        }
    };
    all.iter().map(point).collect()
}

/// The multiple for each profile. Where noise leaves several, the smallest: it delays others least.
fn recommend(points: &[Point]) -> Vec<Recommendation> {
    let cpu = best(points, |point| point.cpu, 1.0);
    let throughput = best(points, |point| point.throughput, -1.0);
    let quick: Vec<_> = points
        .iter()
        .filter(|point| point.latency.is_noise() || point.latency.mean < 1.0)
        .cloned()
        .collect();
    let latency = best(&quick, |point| point.cpu, 1.0);
    let one = |profile: Profile, point: Option<&Point>, what: &str, ratio: fn(&Point) -> Ratio| {
        let point = point?;
        let ratio = ratio(point);
        let why = if point.multiple == 1 {
            "no larger multiple is better by more than the noise".to_owned()
        } else {
            format!("{what} {}", shown(ratio))
        };
        Some(Recommendation {
            profile: profile.name(),
            multiple: point.multiple,
            why,
        })
    };
    let all = [
        one(Profile::Cpu, cpu, "processor time for a byte", |point| {
            point.cpu
        }),
        one(Profile::Throughput, throughput, "throughput", |point| {
            point.throughput
        }),
        one(
            Profile::Latency,
            latency,
            "processor time for a byte without more latency,",
            |point| point.cpu,
        ),
    ];
    all.into_iter().flatten().collect()
}

/// The smallest multiple that is as good as the best, as far as can be told. `sign` is 1 where less
/// is better.
fn best(points: &[Point], ratio: fn(&Point) -> Ratio, sign: f64) -> Option<&Point> {
    let value = |point: &Point| ratio(point).mean * sign;
    let best = points.iter().min_by(|a, b| value(a).total_cmp(&value(b)))?;
    let margin = ratio(best).off_by;
    points
        .iter()
        .find(|point| value(point) - value(best) <= margin.max(ratio(point).off_by))
}

fn shown(ratio: Ratio) -> String {
    let noise = if ratio.is_noise() && ratio.off_by > 0.0 {
        " (noise)"
    } else {
        ""
    };
    format!("{:.2} ±{:.2}{noise}", ratio.mean, ratio.off_by)
}

fn text(sweep: &Sweep) -> String {
    let columns = [
        ("multiple", true),
        ("told", true),
        ("largest\nlarge send", true),
        ("processor time\nfor a byte", false),
        ("throughput", false),
        ("latency, nine of ten\nbeside bulk", false),
    ];
    let columns = columns.map(|(head, number)| (head.to_owned(), number));
    let rows = sweep.multiples.iter().map(|point| {
        [
            point.multiple.to_string(),
            number(point.told.into()),
            number(point.largest_large_send),
            shown(point.cpu),
            shown(point.throughput),
            shown(point.latency),
        ]
    });
    let mut text = lined(&columns, rows);
    text += &format!(
        "\n\nRatios to multiple 1, mean of {} rounds and 95 % interval; \"noise\" where that holds 1. \
         The model's work is part of all.\n\n",
        sweep.rounds
    );
    for one in &sweep.recommended {
        text += &format!(
            "profile {}: multiple {}, {}\n",
            one.profile, one.multiple, one.why
        );
    }
    text
}

fn chart(sweep: &Sweep) -> Chart<'static> {
    type Of = fn(&Point) -> Ratio;
    let all: [(&str, Of); 3] = [
        ("processor time for a byte", |point| point.cpu),
        ("throughput", |point| point.throughput),
        ("latency of requests beside it, nine of ten", |point| {
            point.latency
        }),
    ];
    let place = |point: &Point| f64::from(point.multiple);
    let series: Vec<_> = all
        .iter()
        .zip(COLORS)
        .enumerate()
        .map(|(number, ((label, of), color))| {
            // A little apart, so that no interval hides another.
            let aside = (number as f64 - 1.0) * 0.04;
            let points = sweep.multiples.iter();
            Series {
                label: (*label).to_owned(),
                look: Look::Line(3),
                color,
                points: points
                    .clone()
                    .map(|one| (place(one) + aside, of(one).mean))
                    .collect(),
                spread: points.map(|one| of(one).off_by).collect(),
            }
        })
        .collect();
    let points = sweep.multiples.iter();
    let means = points.flat_map(|point| all.map(|(_, of)| of(point).mean));
    // Room for the names of the series; an interval may leave the chart.
    let top = means.fold(1.5, f64::max) * 1.4;
    let right = sweep.multiples.last().map_or(1.0, place);
    Chart {
        title: "Multiples of what the NIC takes, against multiple 1, with 95 % intervals",
        x: ("multiple", 0.8..right + 0.2),
        y: ("ratio to multiple 1", 0.0..top),
        y_text: &|ratio| format!("{ratio:.1}"),
        x_text: &|multiple| format!("{multiple:.0}"),
        marks: Vec::new(),
        legend: SeriesLabelPosition::UpperRight,
        series,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(multiple: u32, cpu: (f64, f64), latency: (f64, f64)) -> Point {
        let ratio = |(mean, off_by)| Ratio { mean, off_by };
        Point {
            multiple,
            told: 0,
            largest_large_send: 0,
            cpu: ratio(cpu),
            throughput: ratio((1.0 / cpu.0, cpu.1)),
            latency: ratio(latency),
        }
    }

    fn multiples(points: &[Point]) -> Vec<u32> {
        recommend(points).iter().map(|one| one.multiple).collect()
    }

    #[test]
    fn noise_recommends_the_smallest() {
        let one = point(1, (1.0, 0.0), (1.0, 0.0));
        let noise = point(4, (0.97, 0.10), (1.05, 0.20));
        assert_eq!(multiples(&[one.clone(), noise]), [1, 1, 1]);
        let clear = point(4, (0.80, 0.02), (1.40, 0.10));
        assert_eq!(multiples(&[one.clone(), clear.clone()]), [4, 4, 1]);
        let hardly_better = point(8, (0.79, 0.02), (1.90, 0.10));
        assert_eq!(multiples(&[one, clear, hardly_better]), [4, 4, 1]);
    }
}
