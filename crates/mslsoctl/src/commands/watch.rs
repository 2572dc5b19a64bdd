//! `stats --watch`: rates, interval by interval.

use std::time::{Duration, Instant};
use std::{io, thread};

use control::{Refused, StatisticsReply};
use serde::Serialize;

use super::{Session, present, stats::Counters, title};
use crate::adapter::Adapter;
use crate::cli::StatsArgs;
use crate::device::DeviceError;
use crate::driver::Driver;
use crate::failure::Failure;
use crate::text::{number, rate};

/// Samples after which the heads are printed again: about a screen.
const SCREEN: u32 = 20;

const HEADS: [&str; 9] = [
    "sends/s",
    "large/s",
    "split/s",
    "children/s",
    "packets/s",
    "Mbit/s",
    "refused/s",
    "failed/s",
    "largest",
];

/// One line of JSON: the interval's length, and the counts in it. `largest_large_send` and
/// `children_allocated` are absolute.
#[derive(Serialize)]
struct Sample {
    if_index: u32,
    seconds: f64,
    #[serde(with = "Counters")]
    interval: StatisticsReply,
}

/// An adapter and its counters at the last reading.
struct Watched {
    adapter: Adapter,
    before: StatisticsReply,
    since: Instant,
}

impl Watched {
    fn begin(adapter: Adapter, driver: &mut Driver<'_>) -> Result<Self, Failure> {
        Ok(Self {
            before: driver.statistics(&adapter)?,
            since: Instant::now(),
            adapter,
        })
    }

    /// The counts since the last reading, and the seconds that they took.
    fn read(&mut self, driver: &mut Driver<'_>) -> Result<(StatisticsReply, f64), Failure> {
        let now = driver.statistics(&self.adapter)?;
        let seconds = self.since.elapsed().as_secs_f64();
        let counted = counted(&self.before, &now);
        (self.before, self.since) = (now, Instant::now());
        Ok((counted, seconds))
    }
}

pub(super) fn run(
    session: &mut Session<'_>,
    args: &StatsArgs,
    interval: Duration,
) -> Result<(), Failure> {
    let all = args.choice.all;
    let mut watched = Vec::new();
    for adapter in session.chosen(&args.choice)? {
        if !session.json {
            write!(session.out, "{}", title(&adapter))?;
        }
        watched.push(Watched::begin(adapter, &mut session.driver)?);
    }
    if !session.json {
        writeln!(session.out)?;
    }
    let mut lines = 0;
    for _ in 0..args.count.unwrap_or(u32::MAX) {
        thread::sleep(interval);
        let mut left = Vec::new();
        for mut one in watched {
            let read = one.read(&mut session.driver);
            let read = if all {
                present(read, &one.adapter)?
            } else {
                Some(read?)
            };
            if let Some((counted, seconds)) = read {
                let index = one.adapter.if_index;
                print(session, index, lines, all, &counted, seconds)?;
                lines += 1;
                left.push(one);
            }
        }
        if left.is_empty() {
            return Err(DeviceError::NoSuchAdapter.into());
        }
        watched = left;
    }
    Ok(())
}

/// Prints a sample; that of one adapter of all begins with its index.
fn print(
    session: &mut Session<'_>,
    if_index: u32,
    lines: u32,
    all: bool,
    counted: &StatisticsReply,
    seconds: f64,
) -> io::Result<()> {
    if !session.json && lines.is_multiple_of(SCREEN) {
        let heads = line(all.then_some("interface"), HEADS.map(str::to_owned));
        writeln!(session.out, "{heads}")?;
    }
    let sample = Sample {
        if_index,
        seconds,
        interval: *counted,
    };
    let index = if_index.to_string();
    let text = |_: &_| line(all.then_some(&index), rates(counted, seconds)) + "\n";
    session.print(&sample, text)
}

/// The counts between two readings. A counter that went back was reset, so that it counts from
/// zero.
fn counted(before: &StatisticsReply, now: &StatisticsReply) -> StatisticsReply {
    let since = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
    let earlier = before
        .refused
        .counters()
        .iter()
        .chain(std::iter::repeat(&0));
    let refused: Vec<_> = now
        .refused
        .counters()
        .iter()
        .zip(earlier)
        .map(|(now, before)| since(*now, *before))
        .collect();
    StatisticsReply {
        sends: since(now.sends, before.sends),
        large_sends: since(now.large_sends, before.large_sends),
        split: since(now.split, before.split),
        children: since(now.children, before.children),
        packets: since(now.packets, before.packets),
        bytes: since(now.bytes, before.bytes),
        largest_large_send: now.largest_large_send,
        completed: since(now.completed, before.completed),
        failed: since(now.failed, before.failed),
        low_memory: since(now.low_memory, before.low_memory),
        paused: since(now.paused, before.paused),
        children_allocated: now.children_allocated,
        refused: Refused::new(&refused).unwrap_or_default(),
    }
}

fn rates(counted: &StatisticsReply, seconds: f64) -> [String; 9] {
    [
        rate(counted.sends, seconds),
        rate(counted.large_sends, seconds),
        rate(counted.split, seconds),
        rate(counted.children, seconds),
        rate(counted.packets, seconds),
        rate(counted.bytes.saturating_mul(8) / 1_000_000, seconds),
        rate(counted.refused.in_all(), seconds),
        rate(counted.failed, seconds),
        number(counted.largest_large_send),
    ]
}

/// A line of cells; with several adapters, that of the adapter comes first.
fn line(adapter: Option<&str>, cells: [String; 9]) -> String {
    let adapter = adapter.map(str::to_owned);
    let cells = adapter.into_iter().chain(cells);
    cells.map(|cell| format!("{cell:>11}")).collect()
}
