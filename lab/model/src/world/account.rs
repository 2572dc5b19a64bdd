//! A long run is checked piece by piece: broken rules and the outcome of each send are returned,
//! and then all of it is forgotten, so that the model's work does not grow with the run.

use ndis::sys;

use super::World;
use crate::{
    above::Sent,
    oob::SendKind,
    rules::{Rule, Violation},
    segment::one_stage,
    state::State,
};

/// The outcome of one send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Account {
    /// The status with which it was completed.
    pub status: i32,
    /// The kind of send that its slots request.
    pub kind: SendKind,
    /// NET_BUFFERs in it.
    pub net_buffers: usize,
    /// Children that went down in its place.
    pub children: u32,
    /// Whether it was a large send that no filter may refuse.
    pub sound: bool,
}

impl World {
    /// The rules broken since the last call, without those that the overlying driver's sends broke
    /// rather than the filter: the filter forwards packets that it need not change, and the NIC
    /// decides about them. To be called while the sends are remembered.
    #[must_use]
    pub fn take_violations(&self) -> Vec<Violation> {
        let state = self.state();
        let mut broken = self.findings.take();
        broken.retain(|violation| !state.is_by_overlying_driver(violation));
        broken
    }

    /// Stops keeping the packets that the NIC is given and that leave on the wire, for tests that
    /// do not take them. They are checked all the same.
    pub fn keep_no_packets(&self) {
        self.state().miniport.live = true;
    }

    /// Forgets what is over, after a last check whether it was touched since: completed sends,
    /// whose accounts it returns, indications, and OID requests.
    #[must_use]
    pub fn settle(&self) -> Vec<Account> {
        let mut state = self.state();
        state.indications.seen.clear();
        state.kernel.tracing.events.clear();
        let done = state
            .sends
            .sent
            .values()
            .filter(|sent| sent.pages.is_none());
        let accounts = done.filter_map(|sent| state.account(sent)).collect();
        state.forget_completed();
        state.forget_answered();
        accounts
    }

    /// How many of the overlying driver's sends are not completed yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        let state = self.state();
        let open = state
            .sends
            .sent
            .values()
            .filter(|sent| sent.completed.is_none());
        open.count()
    }

    /// How many NBLs the miniport was given so far: the number of the next one.
    #[must_use]
    pub fn given(&self) -> u64 {
        self.state().miniport.accepted
    }

    /// How many packets have left on the wire so far.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.state().miniport.left
    }

    /// The number of allocations requested so far.
    #[must_use]
    pub fn asked_allocations(&self) -> u64 {
        self.state().kernel.memory.asked
    }

    /// How many allocations were made to fail so far.
    #[must_use]
    pub fn failed_allocations(&self) -> u64 {
        self.state().kernel.memory.failed
    }
}

impl State {
    fn account(&self, sent: &Sent) -> Option<Account> {
        Some(Account {
            status: sent.completed?.status,
            kind: sent.slots.kind(),
            net_buffers: sent.packet.net_buffers,
            children: sent.children,
            sound: self.sound(sent),
        })
    }

    /// Whether the overlying driver is to blame.
    fn is_by_overlying_driver(&self, violation: &Violation) -> bool {
        let number = number(&violation.subject);
        let Some(sent) = number.and_then(|number| self.sends.sent.get(&number)) else {
            // The subject is a child, or not a packet: the filter alone is to blame.
            return false;
        };
        let packet = &sent.packet;
        let misdescribed = packet.extra_length != 0 || packet.skew != 0;
        match violation.rule {
            // It goes down as it came.
            Rule::Limit | Rule::Headers | Rule::Chain | Rule::OneNetBuffer => !self.sound(sent),
            Rule::Wire => {
                misdescribed
                    || packet.net_buffers != 1
                    || sent.slots.kind() != SendKind::Packet
                        && one_stage(&packet.frame, &sent.slots, self.miniport.id_bits).is_err()
            }
            Rule::Order | Rule::TransmitComplete => misdescribed,
            // More children than there are at a time.
            Rule::StaleSize => sent
                .completed
                .is_some_and(|completed| completed.status == sys::NDIS_STATUS_RESOURCES),
            _ => false,
        }
    }
}

/// The number of the overlying driver's send that a violation is about.
fn number(subject: &str) -> Option<u64> {
    let number = subject
        .strip_prefix("large send ")
        .or_else(|| subject.strip_prefix("packet "))?;
    number.parse().ok()
}
