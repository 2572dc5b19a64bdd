//! Counters on the data path, shared by several threads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use control::StatisticsReply;
use serde::Serialize;

/// A number that several threads count up.
#[derive(Debug, Default, Serialize)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    /// Raises it to `value`, where it is less.
    pub fn at_least(&self, value: u64) {
        self.0.fetch_max(value, Relaxed);
    }

    /// Its value now, from which on it is 0.
    pub fn take(&self) -> u64 {
        self.0.swap(0, Relaxed)
    }

    /// Its value now.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Clone for Counter {
    fn clone(&self) -> Self {
        Self(self.get().into())
    }
}

/// The counters of a lab's switches and NICs, as `--json` prints them; sizes are bytes of TCP payload.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counters {
    /// Large sends to the outside.
    pub large_sends: Counter,
    /// Those of UDP among them, by USO.
    pub uso: Counter,
    /// Those in tunnels among them.
    pub tunnelled: Counter,
    pub largest_large_send: Counter,
    /// The largest since the last read.
    #[serde(skip)]
    pub largest_lately: Counter,
    /// Those of which every byte was compared.
    pub compared: Counter,
    /// Other packets to the outside.
    pub packets: Counter,
    /// Large sends from guest to guest of a host, delivered whole.
    pub whole_between_guests: Counter,
    /// The largest of them, in bytes of frame.
    pub largest_whole_frame: Counter,
    /// Large sends that NICs were given.
    pub given_to_nic: Counter,
    /// The largest of them.
    pub largest_given_to_nic: Counter,
    /// Frames that left NICs.
    pub frames: Counter,
    /// Large sends that the switch cut itself, since they make too few segments for the NIC.
    pub cut_by_switch: Counter,
    /// Large sends that the switch cut itself, since NDIS has no offload for them.
    pub no_offload: Counter,
    /// Frames for which the kernel had no place.
    pub no_place: Counter,
    /// Frames that came faster than the lab read them.
    pub overflown: Counter,
    /// Large sends that neither the switch nor the second stage could cut.
    pub uncut: Counter,
    /// Sends that came back failed.
    pub failed: Counter,
    /// Sends that came back since the filter was paused.
    pub paused: Counter,
    /// Sends dropped because no NIC accepted them while the filter was away.
    pub too_large: Counter,
    /// Large sends of a kind that neither NDIS has an offload for nor the switch can cut, dropped.
    pub odd: Counter,
    /// Frames lost on the wire on purpose.
    pub lost: Counter,
    /// Frames late on the wire on purpose.
    pub late: Counter,
}

/// The counters of filters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// Large sends that came down.
    pub large_sends: u64,
    /// Those that were split.
    pub split: u64,
    /// Into how many children.
    pub children: u64,
    /// The largest large send, in bytes of frame.
    pub largest_frame: u64,
}

impl Filter {
    /// Adds what another filter counted.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self {
            large_sends: self.large_sends + other.large_sends,
            split: self.split + other.split,
            children: self.children + other.children,
            largest_frame: self.largest_frame.max(other.largest_frame),
        }
    }
}

impl From<StatisticsReply> for Filter {
    fn from(of: StatisticsReply) -> Self {
        Self {
            large_sends: of.large_sends,
            split: of.split,
            children: of.children,
            largest_frame: of.largest_large_send,
        }
    }
}
