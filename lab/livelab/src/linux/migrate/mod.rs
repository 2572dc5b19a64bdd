//! `mslso-lab migrate`: a guest with a connection is moved, and everything changes but the
//! connection.

mod report;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use control::{Multiple, Raise, Tuning, first_stage_size};
use lso::IpVersion;
use model::Backing;
use serde::Serialize;

use report::{chart, text};

use super::datapath::Sample;
use super::flow::{a_fault_or_the_end, finish};
use super::lab::{HostPlan, Lab, LabPlan};
use super::network::Shape;
use super::progress::Progress;
use super::signals;
use super::stream::{Amount, Transfer};
use super::summary::Summary;
use crate::error::Error;

use crate::args::{MigrateArgs, SecondStage};
use harness::device;
use harness::driver::{Build, Driver};
use harness::output::{note, print};
use harness::text::{driver_line, ip_name};

/// The events, in order; each begins when its share of the bytes has arrived.
const STAGES: [(f64, Event); 5] = [
    (0.0, Event::Start),
    (0.2, Event::Retune(0)),
    (0.4, Event::Migrate(0, 1)),
    (0.6, Event::Retune(1)),
    (0.8, Event::Migrate(1, 0)),
];

/// The multiple that a retune sets on each host.
const RETUNED: [u32; 2] = [3, 4];
/// How long a guest may take to follow.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(5);

/// Something that happens to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Start,
    Retune(usize),
    Migrate(usize, usize),
}

/// A time between two events.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    /// The event that began it.
    pub event: String,
    /// Seconds since the start.
    pub at: f64,
    /// The guest's host.
    pub host: String,
    /// The maximum of the host's NIC, in bytes of payload.
    pub nic: u32,
    /// The size advertised to the guest, and used by it, in bytes of payload.
    pub advertised: u32,
    /// Milliseconds until its stack was set to that.
    pub followed_after: f64,
    /// The largest large send since, in bytes of payload.
    pub largest_large_send: u64,
}

/// The result of a migration, as `--json` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct Migration {
    /// The phases, in order.
    pub phases: Vec<Phase>,
    /// All else.
    #[serde(flatten)]
    pub summary: Summary,
}

/// Migrates a guest, and reports the result, and faults on the standard error stream. Returns
/// whether there is no fault.
///
/// # Errors
///
/// This machine cannot be used for it, the driver does not load, start or answer, the chart cannot
/// be written, no large send was made, or it was interrupted.
pub fn run(args: &MigrateArgs, build: &Build) -> Result<bool, Error> {
    let stop = signals::end_on_request()?;
    let driver = Driver::load(build)?;
    args.plot
        .as_deref()
        .map_or(Ok(()), harness::chart::try_path)?;
    let lab = Lab::start(&driver, &plan(args))?;
    let (phases, sizes, mut summary) = Director::direct(&lab, args, &stop)?;
    summary.compared_one_in = args.compare;
    summary.checksums_verified = true;
    let summary = finish(lab, summary)?;
    let migration = Migration { phases, summary };
    if let Some(path) = &args.plot {
        chart(&migration, &sizes).write(path)?;
    }
    migration.summary.violations.iter().for_each(note);
    let text = if args.json {
        harness::json::line(&migration)
    } else {
        driver_line(build) + &text(&migration)
    };
    print(text);
    if migration.summary.is_good() && migration.summary.is_empty() {
        return Err(Error::NothingTried);
    }
    Ok(migration.summary.is_good())
}

fn plan(args: &MigrateArgs) -> LabPlan {
    let host = |nic_max, multiple| HostPlan {
        nic_max,
        min_segments: 2,
        multiple: Some(multiple),
    };
    LabPlan {
        shape: Shape {
            guests: 1,
            mtu: 1500,
            finished_packets: true,
        },
        hosts: vec![
            host(args.nic_max, args.multiple),
            host(args.other_nic_max, args.other_multiple),
        ],
        stage: SecondStage::Kernel,
        sample: Sample(args.compare),
        backing: Backing::NonPagedPool,
        capture: None,
        faults: None,
    }
}

/// The largest large send of each moment: seconds, and bytes of payload.
type Sizes = Vec<(f64, u64)>;

/// Triggers the events while a transfer runs.
struct Director<'a, 'driver> {
    lab: &'a Lab<'driver>,
    ip: IpVersion,
    begun: Instant,
    phases: Vec<Phase>,
    sizes: Sizes,
    wrong: Vec<String>,
    /// The guest's host.
    host: usize,
    /// The size last advertised to the guest, in bytes of payload.
    advertised: u32,
}

impl<'a, 'driver> Director<'a, 'driver> {
    fn direct(
        lab: &'a Lab<'driver>,
        args: &MigrateArgs,
        stop: &AtomicBool,
    ) -> Result<(Vec<Phase>, Sizes, Summary), Error> {
        let ip = if args.ip6 {
            IpVersion::V6
        } else {
            IpVersion::V4
        };
        let mut director = Self {
            lab,
            ip,
            begun: Instant::now(),
            phases: Vec::new(),
            sizes: Vec::new(),
            wrong: Vec::new(),
            host: 0,
            advertised: 0,
        };
        director.begin(Event::Start)?;
        let transfer = Transfer {
            from: &lab.network.guests[0],
            to: &lab.network.peer,
            ip,
            amount: Amount::Bytes(args.bytes),
            seed: 1,
        };
        let what = format!("guest 1 to the peer, {}", ip_name(ip));
        let progress = Progress::default();
        let done = AtomicBool::new(false);
        let before = super::system::processor_time();
        let (transferred, followed) = thread::scope(|scope| {
            let (transfer, done, progress) = (&transfer, &done, &progress);
            let running = scope.spawn(move || {
                let result =
                    progress.show(&what, transfer.amount, |bytes| transfer.run(bytes, stop));
                done.store(true, Relaxed);
                result
            });
            let followed = director.follow(&progress.bytes, args.bytes, done);
            (running.join(), followed)
        });
        followed?;
        let lost = || Error::Transfer("the transfer ended early".to_owned());
        let mut summary = Summary::default();
        match transferred.map_err(|_| lost())? {
            Ok(transferred) => summary.add(&transfer, &transferred),
            Err(error) => summary.violations.extend(a_fault_or_the_end(Err(error))?),
        }
        summary.violations.append(&mut director.wrong);
        summary.cost(super::system::processor_time().saturating_sub(before));
        Ok((director.phases, director.sizes, summary))
    }

    /// Lets one thing after the other happen, as bytes arrive.
    fn follow(&mut self, arrived: &AtomicU64, bytes: u64, done: &AtomicBool) -> Result<(), Error> {
        for (share, event) in &STAGES[1..] {
            while (arrived.load(Relaxed) as f64) < share * bytes as f64 {
                if done.load(Relaxed) {
                    return Ok(());
                }
                self.look();
            }
            self.begin(*event)?;
        }
        while !done.load(Relaxed) {
            self.look();
        }
        Ok(())
    }

    /// Notes the largest large send of this moment.
    fn look(&mut self) {
        thread::sleep(LOOK);
        let largest = self.lab.counters.largest_lately.take();
        if largest > 0 {
            let at = self.begun.elapsed().as_secs_f64();
            self.sizes.push((at, largest));
        }
        if let Some(phase) = self.phases.last_mut() {
            phase.largest_large_send = phase.largest_large_send.max(largest);
        }
    }

    /// Lets `event` happen, and waits until the guest has taken note.
    fn begin(&mut self, event: Event) -> Result<(), Error> {
        let at = self.begun.elapsed();
        let text = match event {
            Event::Start => "start".to_owned(),
            Event::Retune(host) => {
                let multiple = RETUNED[host];
                // The constants are multiples.
                let raise = Multiple::new(multiple).map_or(Raise::default(), Raise::Multiple);
                let tuning = Tuning { raise, cap: None };
                device::tune(self.lab.hosts[host].world(), tuning)?;
                format!("retune to {multiple} times")
            }
            Event::Migrate(from, to) => {
                self.lab.migrate(0, from, to);
                self.host = to;
                format!("migrate to {}", self.lab.hosts[to].host.name())
            }
        };
        let host = &self.lab.hosts[self.host];
        let of = |limits: model::LargeSendLimits| match self.ip {
            IpVersion::V4 => limits.v2_ipv4.max_payload,
            IpVersion::V6 => limits.v2_ipv6.max_payload,
        };
        let nic = of(host.host.nic_limits());
        let due = first_stage_size(nic, device::read(host.world())?.tuning);
        // Where it has that size already, as with the same multiple again, there is no change.
        while self.advertised != due {
            let left = TIMEOUT.saturating_sub(self.begun.elapsed() - at);
            let Ok(limits) = self.lab.changes.recv_timeout(left) else {
                break;
            };
            self.advertised = of(limits);
        }
        let followed_after = (self.begun.elapsed() - at).as_secs_f64() * 1e3;
        let advertised = self.advertised;
        if advertised != due {
            let line = format!("{text}: the guest uses {advertised} bytes, not {due}");
            self.wrong.push(line);
        }
        let name = host.host.name().to_owned();
        let _ = self.lab.counters.largest_lately.take();
        self.phases.push(Phase {
            event: text,
            at: at.as_secs_f64(),
            host: name,
            nic,
            advertised,
            followed_after,
            largest_large_send: 0,
        });
        Ok(())
    }
}
