//! `stats --watch`: rates, interval by interval.

use std::time::{Duration, Instant};
use std::{io, thread};

use control::{Refused, StatisticsReply};
use serde::Serialize;

use super::{Session, stats::Counters, title};
use crate::cli::StatsArgs;
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

/// One line of JSON: how long the interval was, and what was counted in it. `largest_large_send`
/// and `children_allocated` are as they stand.
#[derive(Serialize)]
struct Sample {
    if_index: u32,
    seconds: f64,
    interval: Counters,
}

pub(super) fn run(
    session: &mut Session<'_>,
    args: &StatsArgs,
    interval: Duration,
) -> Result<(), Failure> {
    let adapter = session.adapter(args.choice.adapter.as_deref())?;
    if !session.json {
        writeln!(session.out, "{}", title(&adapter))?;
    }
    let mut before = session.driver.statistics(&adapter)?;
    let mut since = Instant::now();
    for sample in 0..args.count.unwrap_or(u32::MAX) {
        thread::sleep(interval);
        let now = session.driver.statistics(&adapter)?;
        let seconds = since.elapsed().as_secs_f64();
        since = Instant::now();
        print(
            session,
            adapter.if_index,
            sample,
            &counted(&before, &now),
            seconds,
        )?;
        before = now;
    }
    Ok(())
}

fn print(
    session: &mut Session<'_>,
    if_index: u32,
    sample: u32,
    counted: &StatisticsReply,
    seconds: f64,
) -> io::Result<()> {
    if !session.json && sample.is_multiple_of(SCREEN) {
        writeln!(session.out, "{}", line(HEADS.map(str::to_owned)))?;
    }
    let of = Sample {
        if_index,
        seconds,
        interval: counted.into(),
    };
    session.print(&of, |_| line(rates(counted, seconds)) + "\n")
}

/// What was counted between two readings. A counter that went back was reset, so that it counts
/// from zero.
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

fn line(cells: [String; 9]) -> String {
    cells.map(|cell| format!("{cell:>11}")).concat()
}
