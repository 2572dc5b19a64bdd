//! The part that both jobs share: packets go through the machine one at a time, and each outcome is
//! written, judged, counted and dropped.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use control::StatisticsReply;
use harness::ingest::LsoVersion;
use lso::IpVersion;
use model::SentChild;
use serde::Serialize;

use crate::error::Error;
use harness::driver::Driver;
use harness::ingest::LargeSend;
use harness::judge::{Verdict, judge};
use harness::machine::{Machine, SendError, Sent, Setup};
use reference::Kind;
use testpkt::capture::{CaptureError, CaptureWriter, Captured};

/// The numbers of a whole run, as `--json` prints them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Large sends that went out, whether or not they had to be split.
    pub parents: u64,
    /// Children that the NIC got for them.
    pub children: u64,
    /// Single packets among that, which the NIC does not cut.
    pub packets: u64,
    /// Packets that left on the wire, those that passed unchanged included.
    pub wire_packets: u64,
    /// Most bytes of TCP payload in one of the children.
    pub largest_child_payload: u64,
    /// Packets that did not go out, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Faults: differences on the wire, and broken rules.
    pub violations: u64,
    /// Packets that passed unchanged.
    #[serde(skip)]
    pub passed: u64,
    /// Bytes of TCP payload in the parents.
    #[serde(skip)]
    pub bytes: u64,
}

impl Totals {
    /// Packets that did not go out.
    pub fn refused_in_all(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// One large send and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it came from.
    pub source: String,
    /// Its network protocol.
    pub ip: IpVersion,
    /// The version of the offload.
    pub lso: LsoVersion,
    /// The kind of large send.
    pub kind: Kind,
    /// Whether it has a VLAN tag beside it.
    pub tag_beside: bool,
    /// Bytes of payload.
    pub payload: u32,
    /// Its MSS in bytes of payload.
    pub mss: u32,
    /// Bytes of payload in each of its children.
    pub children: Vec<usize>,
    /// How many of these, the last ones, are single packets.
    pub packets: usize,
    /// How many packets left on the wire.
    pub wire: usize,
    /// Whether all this is right.
    pub verdict: Verdict,
}

/// The two capture files that a run writes.
pub struct Outputs {
    children: CaptureWriter,
    wire: CaptureWriter,
}

impl Outputs {
    /// Creates or empties both.
    pub fn create(children: &Path, wire: &Path) -> Result<Self, CaptureError> {
        Ok(Self {
            children: CaptureWriter::create(children)?,
            wire: CaptureWriter::create(wire)?,
        })
    }

    /// Writes the children that the NIC got, each with its comment, and the packets on the wire.
    fn write(
        &mut self,
        sent: &Sent,
        comment: impl Fn(&SentChild) -> Option<String>,
        time: Duration,
    ) -> Result<(), CaptureError> {
        for child in &sent.children {
            let comment = comment(child);
            self.children
                .packet(&child.frame, time, comment.as_deref())?;
        }
        for packet in &sent.wire {
            self.wire.packet(packet, time, None)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), CaptureError> {
        self.children.finish()?;
        self.wire.finish()
    }
}

/// A machine with its outputs and its numbers.
pub struct Session<'driver> {
    machine: Machine<'driver>,
    outputs: Outputs,
    setup: Setup,
    totals: Totals,
    strict: bool,
}

/// The comment in a capture for a child of `send`: an MSS only where the NIC is to segment it.
fn beside(child: &SentChild, send: &LargeSend) -> Option<String> {
    let checksum = child.slots.checksum;
    let parts = [
        (!child.is_packet()).then(|| format!("mss={}", send.mss)),
        (checksum.tcp || checksum.udp).then(|| "checksum=nic".to_owned()),
        send.vlan.map(|tag| tag.to_string()),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// The end of a run.
pub struct End {
    /// Its numbers.
    pub totals: Totals,
    /// The filter's own counters.
    pub statistics: StatisticsReply,
    /// Rules that were broken while the driver stopped.
    pub broken: Vec<String>,
}

impl End {
    /// Whether nothing went wrong. Refused packets do not count as wrong.
    pub fn is_good(&self) -> bool {
        self.totals.violations == 0
    }
}

impl<'driver> Session<'driver> {
    /// Starts `driver` on a machine made by `setup`.
    pub fn start(driver: &'driver Driver, setup: Setup, outputs: Outputs) -> Result<Self, Error> {
        Ok(Self {
            machine: Machine::start(driver, setup)?,
            outputs,
            setup,
            totals: Totals::default(),
            strict: false,
        })
    }

    /// Replaces the NIC by that of `setup` for all further sends.
    pub fn change_nic(&mut self, setup: Setup) {
        if setup != self.setup {
            self.machine.change_nic(setup);
            self.setup = setup;
        }
    }

    /// Sends a large send.
    pub fn large_send(
        &mut self,
        source: String,
        send: &LargeSend,
        time: Duration,
    ) -> Result<Row, Error> {
        let sent = self.machine.send(send);
        self.outputs
            .write(&sent, |child| beside(child, send), time)?;
        let row = Row {
            source,
            ip: send.ip,
            lso: send.lso,
            kind: send.kind,
            tag_beside: send.vlan.is_some(),
            payload: send.payload,
            mss: send.mss,
            children: sent.children.iter().map(|child| child.payload).collect(),
            packets: sent.children.iter().filter(|c| c.is_packet()).count(),
            wire: sent.wire.len(),
            verdict: judge(send, &sent, self.setup.ip_id_bits),
        };
        self.count(&row, sent.error);
        Ok(row)
    }

    /// Counts refusals as faults, for runs in which every packet is expected to go out.
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    fn count(&mut self, row: &Row, error: Option<SendError>) {
        let totals = &mut self.totals;
        totals.children += row.children.len() as u64;
        totals.packets += row.packets as u64;
        totals.wire_packets += row.wire as u64;
        let largest = row.children.iter().copied().max().unwrap_or(0) as u64;
        totals.largest_child_payload = totals.largest_child_payload.max(largest);
        match error {
            Some(why) => self.refuse(why),
            None => {
                totals.parents += 1;
                totals.bytes += u64::from(row.payload);
            }
        }
        if let Verdict::Wrong(lines) = &row.verdict {
            self.totals.violations += lines.len() as u64;
        }
    }

    /// Sends a packet that is to pass unchanged. Returns what went wrong, in
    /// one line each.
    pub fn pass(&mut self, packet: &Captured) -> Result<Vec<String>, Error> {
        let sent = self.machine.pass(packet.bytes.clone());
        let comment = |_: &SentChild| packet.mss.map(|mss| format!("mss={mss}"));
        self.outputs.write(&sent, comment, packet.timestamp)?;
        self.totals.wire_packets += sent.wire.len() as u64;
        self.totals.passed += 1;
        let mut wrong: Vec<_> = sent.broken.iter().map(ToString::to_string).collect();
        if let Some(why) = sent.error {
            wrong.push(format!("it was to pass unchanged: {why}"));
        } else if sent.wire != [&packet.bytes[..]]
            || sent.children.len() != 1
            || sent.children[0].frame != packet.bytes
        {
            wrong.push("it was to pass unchanged, and did not".to_owned());
        }
        self.totals.violations += wrong.len() as u64;
        Ok(wrong)
    }

    /// Counts a packet that is not sent. It is a fault unless the packet is the reason.
    pub fn refuse(&mut self, why: SendError) {
        *self.totals.refused.entry(why.name()).or_default() += 1;
        if self.strict || !why.is_refusal() {
            self.totals.violations += 1;
        }
    }

    /// Stops the driver and finishes the files.
    ///
    /// # Errors
    ///
    /// An output cannot be written, or the driver does not report its counters.
    pub fn finish(mut self) -> Result<End, Error> {
        let statistics = self.machine.statistics()?;
        let broken: Vec<_> = self
            .machine
            .stop()
            .iter()
            .map(ToString::to_string)
            .collect();
        self.outputs.finish()?;
        self.totals.violations += broken.len() as u64;
        Ok(End {
            totals: self.totals,
            statistics,
            broken,
        })
    }
}
