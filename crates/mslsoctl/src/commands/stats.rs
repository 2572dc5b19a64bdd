//! `stats`: the outcomes of an adapter's large sends.

use std::collections::BTreeMap;

use control::StatisticsReply;
use serde::Serialize;

use super::{Session, title};
use crate::adapter::Adapter;
use crate::cli::StatsArgs;
use crate::failure::Failure;
use crate::refusal_advice::reasons;
use crate::text::{bytes, number, table};

/// The output of `stats`.
#[derive(Serialize)]
struct Stats {
    adapter: Adapter,
    #[serde(rename = "statistics", with = "Counters")]
    reply: StatisticsReply,
    reset: bool,
}

/// The counters by name. All are since the driver was attached or the last reset, or over an
/// interval.
#[derive(Serialize)]
#[serde(remote = "StatisticsReply")]
pub(super) struct Counters {
    sends: u64,
    large_sends: u64,
    split: u64,
    children: u64,
    /// Children that were single packets, which the NIC does not cut.
    packets: u64,
    /// Bytes of TCP or UDP payload in children.
    bytes: u64,
    /// In bytes of frame.
    largest_large_send: u64,
    completed: u64,
    failed: u64,
    low_memory: u64,
    paused: u64,
    children_allocated: u64,
    #[serde(getter = "refused_by_reason")]
    refused: BTreeMap<String, u64>,
    #[serde(getter = "refused_in_all")]
    refused_in_all: u64,
}

fn refused_by_reason(reply: &StatisticsReply) -> BTreeMap<String, u64> {
    let reasons = reasons(&reply.refused);
    reasons.map(|reason| (reason.name, reason.count)).collect()
}

fn refused_in_all(reply: &StatisticsReply) -> u64 {
    reply.refused.in_all()
}

pub(super) fn run(session: &mut Session<'_>, args: &StatsArgs) -> Result<(), Failure> {
    session.each(&args.choice, |session, adapter| {
        one(session, adapter, args.reset)
    })
}

fn one(session: &mut Session<'_>, adapter: Adapter, reset: bool) -> Result<(), Failure> {
    let reply = session.driver.statistics(&adapter)?;
    if reset {
        session.driver.reset_statistics(&adapter)?;
    }
    let stats = Stats {
        adapter,
        reply,
        reset,
    };
    Ok(session.print(&stats, text)?)
}

fn text(stats: &Stats) -> String {
    let reply = &stats.reply;
    let mut text =
        title(&stats.adapter) + "\n" + &table(1, ["counter", "value"], counters(reply)) + "\n";
    text += &refused(reply);
    for note in notes(reply) {
        text += &format!("{note}\n");
    }
    if stats.reset {
        text += "The counters are reset to zero.\n";
    }
    text
}

fn counters(reply: &StatisticsReply) -> Vec<[String; 2]> {
    [
        ("sends", number(reply.sends)),
        ("of which large sends", number(reply.large_sends)),
        ("large sends split", number(reply.split)),
        ("children sent for them", number(reply.children)),
        ("of which single packets", number(reply.packets)),
        ("payload in children", bytes(reply.bytes)),
        ("largest large send, frame", bytes(reply.largest_large_send)),
        ("split sends completed", number(reply.completed)),
        ("of which the NIC failed", number(reply.failed)),
        ("refused", number(reply.refused.in_all())),
        ("not sent: low on memory", number(reply.low_memory)),
        ("not sent: paused", number(reply.paused)),
        ("children allocated", number(reply.children_allocated)),
    ]
    .map(|(name, value)| [name.into(), value])
    .into()
}

fn refused(reply: &StatisticsReply) -> String {
    let mut text = String::new();
    for reason in reasons(&reply.refused).filter(|reason| reason.count > 0) {
        text += &format!(
            " refused {} x {}: {}\n   -> {}\n",
            number(reason.count),
            reason.name,
            reason.meaning,
            reason.advice
        );
    }
    text
}

fn notes(reply: &StatisticsReply) -> Vec<&'static str> {
    [
        (
            reply.packets,
            " single packets among the children\n   -> the filter cut them, because the NIC accepts \
             no such large send, or a remainder was too short for one; see `mslsoctl show`",
        ),
        (
            reply.failed,
            " failed by the NIC\n   -> check the NIC's own counters and its driver's version; an \
             unplugged cable counts too",
        ),
        (
            reply.low_memory,
            " not sent: low on memory\n   -> TCP retransmits them; if the counter grows, set a \
             lower multiple, raise --memory-bound, or free memory",
        ),
    ]
    .into_iter()
    .filter_map(|(counter, note)| (counter > 0).then_some(note))
    .collect()
}
