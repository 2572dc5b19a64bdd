//! The result of a run of live traffic, as `--json` prints it and as [`text`].

mod text;

use std::time::Duration;

use serde::Serialize;

use super::counters::{Counters, Filter};
use super::faults::Happened;
use super::stream::{Transfer, Transferred};
use harness::text::ip_name;

/// A run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// The transfers, in order.
    pub transfers: Vec<Row>,
    /// Bytes of TCP payload in the largest large send that was advertised to the guest, at the
    /// start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertised: Option<AdvertisedSizes>,
    /// The counters of the lab.
    pub counted: Counters,
    /// The filters' counters, added up.
    pub filter: Filter,
    /// TCP packets that the peer dropped for a wrong checksum.
    pub wrong_checksums: u64,
    /// Whether the peer verified every checksum.
    pub checksums_verified: bool,
    /// Every byte of one large send in so many was compared (rules 4 and 10); all other rules were
    /// held against every packet.
    pub compared_one_in: u64,
    /// Processor seconds for a gigabyte (10^9 bytes) that arrived, this program's and the kernel's
    /// for it.
    pub cpu_seconds_per_gigabyte: f64,
    /// The faults made on purpose, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faults: Option<Happened>,
    /// Faults found, in one line each.
    pub violations: Vec<String>,
}

/// Sizes for both versions of IP.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct AdvertisedSizes {
    /// Over IPv4.
    pub ipv4: u32,
    /// Over IPv6.
    pub ipv6: u32,
}

/// A transfer.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The sender.
    pub from: String,
    /// The receiver.
    pub to: String,
    pub ip: &'static str,
    /// Bytes that arrived.
    pub bytes: u64,
    /// How long it took.
    pub seconds: f64,
    /// Packets that were sent again.
    pub retransmitted: u32,
    /// SHA-256 of the sent bytes.
    pub sha256_sent: String,
    /// SHA-256 of what arrived.
    pub sha256_received: String,
}

impl Row {
    /// The line of a transfer.
    pub fn of(transfer: &Transfer<'_>, done: &Transferred) -> Self {
        Self {
            from: transfer.from.name.clone(),
            to: transfer.to.name.clone(),
            ip: ip_name(transfer.ip),
            bytes: done.received,
            seconds: done.time.as_secs_f64(),
            retransmitted: done.retransmitted,
            sha256_sent: hex(&done.sent_digest),
            sha256_received: hex(&done.received_digest),
        }
    }
}

impl Summary {
    /// Notes the processor time that all transfers took.
    pub fn cost(&mut self, time: Duration) {
        let bytes = self.bytes();
        if bytes > 0 {
            self.cpu_seconds_per_gigabyte = time.as_secs_f64() * 1e9 / bytes as f64;
        }
    }

    /// Adds a transfer, which is judged.
    pub fn add(&mut self, transfer: &Transfer<'_>, done: &Transferred) {
        if !done.is_whole() {
            self.violations.push(format!(
                "{} to {}, {}: {} bytes were sent and {} arrived, or others",
                transfer.from.name,
                transfer.to.name,
                ip_name(transfer.ip),
                done.sent,
                done.received
            ));
        }
        self.transfers.push(Row::of(transfer, done));
    }

    /// Bytes that arrived.
    pub fn bytes(&self) -> u64 {
        self.transfers.iter().map(|row| row.bytes).sum()
    }

    /// Reports sends that were lost, where no fault was asked for: a sender may not notice, as TCP
    /// retransmits them in small packets.
    pub fn note_lost_sends(&mut self) {
        let of = &self.counted;
        let lost = [
            (of.odd.get(), "were of a kind that nothing can segment"),
            (of.uncut.get(), "could not be cut into packets"),
            (of.failed.get(), "came back failed"),
            (of.paused.get(), "came while the filter was paused"),
            (of.too_large.get(), "came while the filter was away"),
        ];
        let on_purpose = self.faults.is_some();
        let counted = if on_purpose { &lost[..2] } else { &lost };
        let lost = counted.iter().filter(|(count, _)| *count > 0);
        let lines = lost.map(|(count, why)| format!("{count} sends were lost: they {why}"));
        self.violations.extend(lines.collect::<Vec<_>>());
    }

    /// Reports frames that queues of the lab had no place for. In a command's traffic they would go
    /// unnoticed.
    pub fn note_lost_frames(&mut self) {
        let lost = self.counted.no_place.get() + self.counted.overflown.get();
        if lost > 0 {
            self.violations.push(format!(
                "{lost} frames were lost in the lab's queues, not in the filter: send more slowly"
            ));
        }
    }

    /// Whether no large send came to the filter or to a guest, so that nothing was tried.
    pub fn is_empty(&self) -> bool {
        self.filter.large_sends == 0 && self.counted.whole_between_guests.get() == 0
    }

    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.violations.is_empty()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
