//! The path behind a NIC: its second stage, the wire, and the faults of the wire.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use model::{Outgoing, Wire, layout, tunnel};

use super::counters::Counters;
use super::netlink::Mac;
use super::packet::{Message, PacketSocket};
use super::second_stage::second_stage;
use super::vnet::VnetHeader;
use crate::args::SecondStage;
use harness::random::Random;
use testpkt::capture::{CaptureError, CaptureWriter};

/// The receivers of frames, by destination: guests, on whatever host, or else the peer.
#[derive(Debug)]
pub struct Directory {
    /// Each guest with the switch's end of its cable.
    pub guests: Vec<(Mac, Arc<PacketSocket>)>,
    /// The peer's end.
    pub peer: Arc<PacketSocket>,
}

impl Directory {
    pub fn guest(&self, frame: &[u8]) -> Option<&Arc<PacketSocket>> {
        let to: &Mac = frame.first_chunk()?;
        let mut guests = self.guests.iter();
        guests.find(|(mac, _)| mac == to).map(|(_, socket)| socket)
    }

    /// The guests that `frame` from the wire is for: one, or all where it is for many.
    pub fn guests_of(&self, frame: &[u8]) -> Vec<Arc<PacketSocket>> {
        if is_for_many(frame) {
            return self.guests.iter().map(|(_, one)| Arc::clone(one)).collect();
        }
        self.guest(frame).cloned().into_iter().collect()
    }

    fn socket(&self, frame: &[u8]) -> &Arc<PacketSocket> {
        self.guest(frame).unwrap_or(&self.peer)
    }
}

/// Whether a frame is for a group or for all (IEEE 802, 8.2.2: the first bit on the wire).
pub fn is_for_many(frame: &[u8]) -> bool {
    frame.first().is_some_and(|first| first & 1 != 0)
}

/// A capture file that several NICs write to.
pub type Capture = Arc<Mutex<CaptureWriter>>;

/// Makes a capture file.
pub fn capture(path: &Path) -> Result<Capture, CaptureError> {
    Ok(Arc::new(Mutex::new(CaptureWriter::create(path)?)))
}

/// Faults of a wire, in frames: one in so many.
#[derive(Clone, Debug)]
pub struct WireFaults {
    pub lost: u64,
    /// Leaves behind the next.
    pub late: u64,
    /// The source of randomness.
    pub random: Random,
}

/// The wire that a NIC sends into.
pub struct LabWire {
    /// Whom it reaches.
    pub directory: Arc<Directory>,
    /// The stage that segments large sends.
    pub stage: SecondStage,
    /// Where is counted.
    pub counters: Arc<Counters>,
    /// Where every frame is written, if anywhere.
    pub capture: Option<Capture>,
    /// The faults of the wire, if any.
    pub faults: Option<WireFaults>,
    /// A frame that leaves behind the next.
    late: Option<(VnetHeader, Vec<u8>)>,
}

impl LabWire {
    /// A wire without faults and without a receiver.
    pub fn new(directory: Arc<Directory>, stage: SecondStage, counters: Arc<Counters>) -> Self {
        Self {
            directory,
            stage,
            counters,
            capture: None,
            faults: None,
            late: None,
        }
    }

    fn count(&self, packets: &[Outgoing<'_>]) {
        for packet in packets.iter().filter(|one| one.slots.mss() != 0) {
            let length: usize = packet.bytes.iter().map(|part| part.len()).sum();
            let headers = packet.bytes.first().and_then(|first| {
                if packet.slots.kind().is_tunnelled() {
                    tunnel(first).map(|tunnel| tunnel.inner)
                } else {
                    layout(first)
                }
            });
            let payload = length - headers.map_or(0, |found| found.payload);
            self.counters.given_to_nic.add(1);
            self.counters.largest_given_to_nic.at_least(payload as u64);
        }
    }

    /// Loses some messages, and holds one back for the next time.
    fn spoil(&mut self, messages: &mut Vec<Message<'_>>) {
        let Some(faults) = &mut self.faults else {
            return;
        };
        let before = messages.len();
        messages.retain(|_| !faults.random.once_in(faults.lost));
        self.counters.lost.add((before - messages.len()) as u64);
        if let Some((header, front)) = self.late.take() {
            self.counters.late.add(1);
            messages.push(Message {
                header,
                front,
                rest: Vec::new(),
            });
        } else if !messages.is_empty() && faults.random.once_in(faults.late) {
            let at = faults.random.below(messages.len() as u64) as usize;
            let one = messages.remove(at);
            self.late = Some((one.header, one.frame()));
        }
    }

    fn write(&self, messages: &[Message<'_>]) {
        let Some(capture) = &self.capture else {
            return;
        };
        let mut capture = capture.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        for one in messages {
            let mss = one.header.segment_size;
            let comment = (mss != 0).then(|| format!("mss={mss}"));
            // A full disk shows when the file is flushed.
            let _ = capture.packet(&one.frame(), now, comment.as_deref());
        }
    }

    fn send(&self, messages: &[Message<'_>]) {
        let socket = |one: &Message<'_>| self.directory.socket(one.first_bytes());
        for run in messages.chunk_by(|a, b| Arc::ptr_eq(socket(a), socket(b))) {
            let lost = socket(&run[0]).send(run);
            // A cable that is gone loses frames, as cables do.
            self.counters.no_place.add(lost.unwrap_or(run.len() as u64));
        }
    }
}

impl Wire for LabWire {
    fn transmit(&mut self, packets: &[Outgoing<'_>]) {
        self.count(packets);
        let mut messages = Vec::with_capacity(packets.len());
        for packet in packets {
            if second_stage(self.stage, packet, &mut messages).is_none() {
                self.counters.uncut.add(1);
            }
        }
        self.spoil(&mut messages);
        self.counters.frames.add(messages.len() as u64);
        self.write(&messages);
        self.send(&messages);
    }
}
