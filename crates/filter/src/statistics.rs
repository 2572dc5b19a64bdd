//! What a filter module counts, for the administrator.
//!
//! Each processor counts for itself, so that counting shares no cache line; a reader adds them up.

use core::sync::atomic::{AtomicU64, Ordering};

use lso::Refusal;
use ndis::{Nbl, PerProcessor, Status, Tag, current_processor};

use crate::{
    events::is_due,
    split::{Family, Unsent},
};

/// What a filter module has done since it was attached: what programs are told.
pub(crate) use control::StatisticsReply as Statistics;

const TAG_COUNTERS: Tag = Tag::new(*b"MslS");

const REFUSALS: usize = Refusal::ALL.len();

/// What one call of a handler counts, before it reaches the processor's counters in one go.
#[derive(Default)]
pub(crate) struct Tally {
    sends: u32,
    large_sends: u32,
    largest: u32,
    split: u32,
    children: u32,
    packets: u32,
    completed: u32,
    failed: u32,
    bytes: u64,
}

impl Tally {
    /// The layer above sent an NBL.
    #[inline]
    pub(crate) fn seen(&mut self) {
        // Nobody has 2^32 NBLs.
        self.sends = self.sends.wrapping_add(1);
    }

    /// It is the large send `nbl`.
    #[inline]
    pub(crate) fn seen_large(&mut self, nbl: &Nbl) {
        if let Some(packet) = nbl.first_net_buffer() {
            self.large_sends = self.large_sends.wrapping_add(1);
            self.largest = self.largest.max(packet.data_length());
        }
    }

    /// A parent went down as the children of `family`.
    #[inline]
    pub(crate) fn split(&mut self, family: &Family) {
        // Nobody has 2^32 NBLs: see `seen`.
        self.split = self.split.wrapping_add(1);
        self.children = self.children.wrapping_add(family.count());
        self.packets = self.packets.wrapping_add(family.packets);
        self.bytes = self.bytes.wrapping_add(u64::from(family.payload));
    }

    /// `parent` is completed.
    #[inline]
    pub(crate) fn completed(&mut self, parent: &Nbl) {
        self.completed = self.completed.wrapping_add(1);
        if parent.status() != Status::SUCCESS {
            self.failed = self.failed.wrapping_add(1);
        }
    }
}

/// The counters of one filter module.
pub(crate) struct Counters {
    processors: PerProcessor<Block>,
}

/// The counters of one processor, each only ever increased.
#[derive(Default)]
struct Block {
    sends: AtomicU64,
    large_sends: AtomicU64,
    largest: AtomicU64,
    split: AtomicU64,
    children: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
    completed: AtomicU64,
    failed: AtomicU64,
    low_memory: AtomicU64,
    paused: AtomicU64,
    refused: [AtomicU64; REFUSALS],
}

impl Block {
    fn all(&self) -> impl Iterator<Item = &AtomicU64> {
        [
            &self.sends,
            &self.large_sends,
            &self.largest,
            &self.split,
            &self.children,
            &self.packets,
            &self.bytes,
            &self.completed,
            &self.failed,
            &self.low_memory,
            &self.paused,
        ]
        .into_iter()
        .chain(&self.refused)
    }

    /// The counter of sends that do not go down for that reason.
    fn unsent(&self, why: Unsent) -> Option<&AtomicU64> {
        match why {
            Unsent::Refused(reason) => self.refused.get(reason.index()),
            Unsent::LowMemory => Some(&self.low_memory),
            Unsent::Paused => Some(&self.paused),
        }
    }
}

impl Counters {
    /// Counters at zero. IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn try_new() -> Result<Self, Status> {
        let processors = PerProcessor::try_new(TAG_COUNTERS, |_| Block::default())?;
        Ok(Self { processors })
    }

    /// Adds what one call counted.
    pub(crate) fn add(&self, tally: &Tally) {
        // A thread that is moved to another processor meanwhile costs speed, not correctness.
        let Some(block) = self.processors.get(current_processor()) else {
            return;
        };
        let add = |counter: &AtomicU64, value: u64| {
            if value != 0 {
                counter.fetch_add(value, Ordering::Relaxed);
            }
        };
        add(&block.sends, tally.sends.into());
        add(&block.large_sends, tally.large_sends.into());
        add(&block.split, tally.split.into());
        add(&block.children, tally.children.into());
        add(&block.packets, tally.packets.into());
        add(&block.bytes, tally.bytes);
        add(&block.completed, tally.completed.into());
        add(&block.failed, tally.failed.into());
        if u64::from(tally.largest) > block.largest.load(Ordering::Relaxed) {
            block
                .largest
                .fetch_max(tally.largest.into(), Ordering::Relaxed);
        }
    }

    /// Counts one send that does not go down. Where an [event](is_due) is to be written of it,
    /// returns how many there were for this reason on all processors.
    pub(crate) fn unsent(&self, why: Unsent) -> Option<u64> {
        let block = self.processors.get(current_processor())?;
        let before = block.unsent(why)?.fetch_add(1, Ordering::Relaxed);
        is_due(before.saturating_add(1)).then(|| {
            self.processors
                .iter()
                .filter_map(|block| block.unsent(why))
                .map(|counter| counter.load(Ordering::Relaxed))
                .fold(0, u64::saturating_add)
        })
    }

    /// Puts every counter back to zero. What is counted meanwhile may be lost.
    pub(crate) fn reset(&self) {
        for block in self.processors.iter() {
            block
                .all()
                .for_each(|counter| counter.store(0, Ordering::Relaxed));
        }
    }

    /// All processors' counters together.
    pub(crate) fn sum(&self, children_allocated: u64) -> Statistics {
        let total = |counter: fn(&Block) -> &AtomicU64| {
            self.processors
                .iter()
                .map(|block| counter(block).load(Ordering::Relaxed))
                .fold(0, u64::saturating_add)
        };
        let mut refused = [0_u64; REFUSALS];
        for block in self.processors.iter() {
            for (sum, counter) in refused.iter_mut().zip(&block.refused) {
                *sum = sum.saturating_add(counter.load(Ordering::Relaxed));
            }
        }
        Statistics {
            sends: total(|block| &block.sends),
            large_sends: total(|block| &block.large_sends),
            split: total(|block| &block.split),
            children: total(|block| &block.children),
            packets: total(|block| &block.packets),
            bytes: total(|block| &block.bytes),
            largest_large_send: self
                .processors
                .iter()
                .map(|block| block.largest.load(Ordering::Relaxed))
                .fold(0, u64::max),
            completed: total(|block| &block.completed),
            failed: total(|block| &block.failed),
            low_memory: total(|block| &block.low_memory),
            paused: total(|block| &block.paused),
            children_allocated,
            refused: refused.into(),
        }
    }
}
