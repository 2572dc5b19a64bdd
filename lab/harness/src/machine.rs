//! A machine with the filter between an overlying driver and a NIC.
#![expect(unsafe_code, reason = "starts the driver, and lets go of it in time")]

mod setup;

pub use setup::{ETHERNET_MTU, Setup, TUNNEL_MTU, turned_on};

use std::marker::PhantomData;
use std::sync::Arc;

use control::StatisticsReply;
use lso::Refusal;
use model::{Packet, SendCall, SentChild, Violation, World};
use ndis::sys;

use crate::Error;
use crate::device::{self, ControlError};
use crate::driver::Driver;
use crate::ingest::{LargeSend, Unfit};

/// A model machine on which the driver runs, which therefore outlives it.
pub struct Machine<'driver> {
    world: Arc<World>,
    /// The filter's counters when they were last read. Sends that are forwarded change no counter
    /// of those that fail.
    counted: StatisticsReply,
    driver: PhantomData<&'driver Driver>,
    /// Broken rules that were already reported.
    reported: usize,
}

/// The outcome of one packet.
pub struct Sent {
    /// The children that the NIC got for it, in order.
    pub children: Vec<SentChild>,
    /// The packets on the wire, in order.
    pub wire: Vec<Vec<u8>>,
    /// Why it did not go out, where it did not.
    pub error: Option<SendError>,
    /// Rules that were broken meanwhile.
    pub broken: Vec<Violation>,
}

/// Why a packet did not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what it is")]
pub enum SendError {
    #[error("{0}")]
    Refused(Refusal),
    #[error("the capture holds only its first bytes; capture again without a snap length")]
    NotWhole,
    #[error("its checksum is over an address that neither its IP header nor its route gives")]
    UnknownRoute,
    #[error("it makes fewer packets than the NIC's minimum for a large send")]
    TooFewSegments,
    #[error("the filter had no memory for its parts")]
    LowMemory,
    #[error("the filter was paused")]
    Paused,
    #[error("it came back with the status {0:#010x}")]
    Failed(i32),
    #[error("it was never completed")]
    Lost,
}

impl SendError {
    /// A short identifier in kebab case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused(reason) => reason.name(),
            Self::NotWhole => "not-whole",
            Self::UnknownRoute => "unknown-route",
            Self::TooFewSegments => "too-few-segments",
            Self::LowMemory => "low-memory",
            Self::Paused => "paused",
            Self::Failed(_) => "failed",
            Self::Lost => "lost",
        }
    }

    /// Whether the packet is at fault, rather than the filter.
    pub fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::Refused(_) | Self::NotWhole | Self::UnknownRoute | Self::TooFewSegments
        )
    }
}

impl From<Unfit> for SendError {
    fn from(why: Unfit) -> Self {
        match why {
            Unfit::Refused(reason) => Self::Refused(reason),
            Unfit::UnknownRoute => Self::UnknownRoute,
            Unfit::TooFewSegments => Self::TooFewSegments,
        }
    }
}

impl<'driver> Machine<'driver> {
    /// A machine with `driver` running.
    pub fn start(driver: &'driver Driver, setup: Setup) -> Result<Self, Error> {
        let world = World::new(setup.config());
        // SAFETY: only this machine has the world, and the driver is borrowed for its life.
        unsafe { driver.start(&world)? };
        Ok(Self {
            world,
            counted: StatisticsReply::default(),
            driver: PhantomData,
            reported: 0,
        })
    }

    /// Replaces the NIC by that of `setup`, and indicates it. The driver's settings, and the MTU,
    /// stay.
    pub fn change_nic(&mut self, setup: Setup) {
        self.world.nic_changes(|nic| *nic = setup.nic());
    }

    /// Sends a large send and waits for it. A VLAN tag beside it, which the NIC
    /// is to put into each packet, is on the wire then.
    pub fn send(&mut self, send: &LargeSend) -> Sent {
        let mut sent = self.carry(send.packet());
        if let Some(tag) = send.vlan {
            sent.wire.iter_mut().for_each(|frame| tag.put_back(frame));
        }
        sent
    }

    /// Sends a packet that is no large send and waits for it.
    pub fn pass(&mut self, frame: Vec<u8>) -> Sent {
        self.carry(Packet::new(frame))
    }

    fn carry(&mut self, packet: Packet) -> Sent {
        let number = self.world.send(vec![packet], SendCall::default())[0];
        Sent {
            error: self.error(number),
            broken: self.newly_broken(),
            ..self.gone()
        }
    }

    /// The children and packets since the last call, of a send that counts as good so far.
    pub fn gone(&self) -> Sent {
        Sent {
            children: self.world.take_children(),
            wire: self.world.take_wire(),
            error: None,
            broken: Vec::new(),
        }
    }

    /// Why the send of this number, which the model gave it, is not completed with success.
    pub fn error(&mut self, number: u64) -> Option<SendError> {
        match self.world.completed(number) {
            None => Some(SendError::Lost),
            Some(completed) if completed.status == sys::NDIS_STATUS_SUCCESS => None,
            Some(completed) => Some(self.reason(completed.status)),
        }
    }

    /// The machine in the model.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Rules that were broken since the last call.
    pub fn newly_broken(&mut self) -> Vec<Violation> {
        let broken = self.world.violations().split_off(self.reported);
        self.reported += broken.len();
        broken
    }

    /// Why a send came back with `status`: which counter moved.
    fn reason(&mut self, status: i32) -> SendError {
        let Ok(now) = self.statistics() else {
            return SendError::Failed(status);
        };
        let before = std::mem::replace(&mut self.counted, now);
        reason(&before, &now, status)
    }

    /// The filter's counters.
    pub fn statistics(&self) -> Result<StatisticsReply, ControlError> {
        device::statistics(&self.world)
    }

    /// Stops the driver. Returns the broken rules that were not yet reported.
    #[must_use]
    pub fn stop(self) -> Vec<Violation> {
        self.world.stop().split_off(self.reported)
    }
}

/// The counter that moved while one packet was sent.
fn reason(before: &StatisticsReply, after: &StatisticsReply, status: i32) -> SendError {
    let count = |all: &StatisticsReply, reason: Refusal| {
        let counter = all.refused.counters().get(reason.index());
        counter.copied().unwrap_or(0)
    };
    let refused = Refusal::ALL
        .into_iter()
        .find(|reason| count(after, *reason) > count(before, *reason));
    match refused {
        Some(reason) => SendError::Refused(reason),
        None if after.low_memory > before.low_memory => SendError::LowMemory,
        None if after.paused > before.paused => SendError::Paused,
        None => SendError::Failed(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reference::segment;
    use testpkt::synth::Synth;

    fn machine() -> Machine<'static> {
        Machine::start(&Driver::Native, Setup::new(62_780, 2)).unwrap()
    }

    #[test]
    fn one_mebibyte_becomes_17_children() {
        let mut machine = machine();
        let sent = machine.send(&LargeSend::of(&Synth::v4(1 << 20, 1460)));
        assert_eq!((sent.children.len(), sent.wire.len()), (17, 719));
        assert_eq!(sent.error, None);
        assert_eq!(machine.statistics().unwrap().split, 1);
        assert!(sent.broken.is_empty() && machine.stop().is_empty());
    }

    /// The children carry it in their slot; the wire has it in each packet.
    #[test]
    fn a_tag_beside_the_frame_is_on_the_wire() {
        let mut machine = machine();
        let tagged = Synth::v6(200_000, 1428).vlan(&[0x6007]);
        let send = LargeSend::of(&tagged).with_tag_beside();
        assert_eq!(send.frame[12..14], [0x86, 0xDD]);
        let sent = machine.send(&send);
        assert!(
            sent.children.len() > 1
                && sent
                    .children
                    .iter()
                    .all(|c| c.frame[12..14] == [0x86, 0xDD])
        );
        assert!(sent.wire == segment(&tagged.frame(false), 1428, 16).unwrap());
        assert!(sent.broken.is_empty() && machine.stop().is_empty());
    }

    #[test]
    fn a_refusal_of_the_filter_is_found_by_its_counter() {
        let mut machine = machine();
        for _ in 0..2 {
            // More than the NIC accepts, and, as packets, than the medium does.
            let sent = machine.send(&LargeSend::of(&Synth::v4(200_000, 62_781)));
            assert_eq!(
                sent.error,
                Some(SendError::Refused(Refusal::SegmentAboveMtu))
            );
            assert!(sent.children.is_empty() && sent.wire.is_empty());
        }
        assert!(machine.stop().is_empty());
    }

    #[test]
    fn a_nic_changes_under_way() {
        let mut machine = machine();
        let setup = Setup::new(62_780, 2);
        let none = Setup {
            nic_lso: false,
            ..setup
        };
        let send = LargeSend::of(&Synth::v6(100_000, 1428));
        for (setup, packets) in [(setup, 0), (none, 71), (setup, 0)] {
            machine.change_nic(setup);
            let sent = machine.send(&send);
            let found = sent.children.iter().filter(|child| child.is_packet());
            assert_eq!((found.count(), sent.wire.len()), (packets, 71));
        }
        assert!(machine.stop().is_empty());
    }

    #[test]
    fn other_packets_pass_as_they_are() {
        let mut machine = machine();
        for length in [0, 1, 13, 14, 60, 9000] {
            let frame = vec![7; length];
            let sent = machine.pass(frame.clone());
            assert_eq!(sent.error, None);
            assert_eq!(sent.wire, [frame], "{length} bytes");
        }
        assert!(machine.stop().is_empty());
    }

    #[test]
    fn a_broken_rule_is_handed_out_once() {
        let mut machine = machine();
        // One segment, which the NIC does not take, and with a SYN, for which the filter leaves it
        // alone; ingest refuses it.
        let mut small = LargeSend {
            mss: 20_000,
            ..LargeSend::of(&Synth::v4(9000, 1448))
        };
        small.frame[47] |= 2;
        let broken = machine.send(&small).broken;
        assert_eq!(broken.len(), 1, "{broken:?}");
        assert_eq!(broken[0].rule.name(), "NIC limit");
        let next = machine.send(&LargeSend::of(&Synth::v4(9000, 1448)));
        assert!(next.broken.is_empty() && machine.stop().is_empty());
    }
}
