//! The counters of a filter module, for the administrator.
//!
//! Each processor counts for itself, so that counting shares no cache line; a reader adds them up.

use core::sync::atomic::{AtomicU64, Ordering};

use lso::Refusal;
use ndis::{EventLock, Nbl, PerProcessor, Status, Tag, current_processor};

use crate::send_error::SendError;

/// The counters as programs read them: a filter module's work since it was attached.
pub(crate) use control::StatisticsReply as Statistics;

const REFUSALS: usize = Refusal::ALL.len();

/// Whether an event is written for the `count`th occurrence: when the count that one processor keeps
/// reaches a power of two. The first is always written; a million are written twenty times on each
/// processor. It takes no lock, no clock and no memory beyond the counter that exists anyway.
/// Resetting the statistics starts over.
pub(crate) const fn is_due(count: u64) -> bool {
    count.is_power_of_two()
}

/// The counts of one call of a handler, before they are added to the processor's counters at once.
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
    /// The overlying driver sent `sends` NBLs that are no large sends.
    #[inline]
    pub(crate) fn of_sends(sends: u32) -> Self {
        Self {
            sends,
            ..Self::default()
        }
    }

    /// The number of NBLs counted.
    #[inline]
    pub(crate) fn sends(&self) -> u32 {
        self.sends
    }

    /// The overlying driver sent an NBL.
    #[inline]
    pub(crate) fn count_send(&mut self) {
        // Cannot overflow: one call never carries 2^32 NBLs.
        self.sends = self.sends.wrapping_add(1);
    }

    #[inline]
    pub(crate) fn count_large_send(&mut self, nbl: &Nbl) {
        if let Some(packet) = nbl.first_net_buffer() {
            self.large_sends = self.large_sends.wrapping_add(1);
            self.largest = self.largest.max(packet.data_length());
        }
    }

    /// A parent is replaced by so many children, `packets` of them packets, with `payload` bytes.
    #[inline]
    pub(crate) fn count_split(&mut self, children: u32, packets: u32, payload: u32) {
        // Cannot overflow: see `count_send`.
        self.split = self.split.wrapping_add(1);
        self.children = self.children.wrapping_add(children);
        self.packets = self.packets.wrapping_add(packets);
        self.bytes = self.bytes.wrapping_add(u64::from(payload));
    }

    #[inline]
    pub(crate) fn count_completed(&mut self, parent: &Nbl) {
        self.completed = self.completed.wrapping_add(1);
        if parent.status() != Status::SUCCESS {
            self.failed = self.failed.wrapping_add(1);
        }
    }
}

/// The counters of one filter module.
pub(crate) struct Counters {
    processors: PerProcessor<CpuCounters>,
    /// Held while they are read or reset, so that a reader never sees half of a reset.
    administrators: EventLock,
}

/// The counters of one processor. Those that every large send updates are in one cache line.
#[derive(Default)]
#[repr(C)]
struct CpuCounters {
    /// Since the last reset, which sets it to zero.
    largest: AtomicU64,
    /// Since the module was attached: only ever increased.
    counted: CounterSet,
    /// The values of `counted` at the last reset, which are subtracted from the reported ones.
    base: CounterSet,
}

#[derive(Default)]
#[repr(C)]
struct CounterSet {
    sends: AtomicU64,
    large_sends: AtomicU64,
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

impl CounterSet {
    fn all(&self) -> impl Iterator<Item = &AtomicU64> {
        [
            &self.sends,
            &self.large_sends,
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
    fn failed(&self, error: SendError) -> Option<&AtomicU64> {
        match error {
            SendError::Refused(reason) => self.refused.get(reason.index()),
            SendError::LowMemory => Some(&self.low_memory),
            SendError::Paused => Some(&self.paused),
        }
    }
}

impl CpuCounters {
    /// Resets the counters. Other processors count meanwhile, so `counted` itself is not changed.
    fn reset(&self) {
        for (base, counted) in self.base.all().zip(self.counted.all()) {
            base.store(counted.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        // Parents in flight are completed after the reset, and so count as split after it too: on
        // all processors together, as many as were completed are forgotten of both.
        let completed = self.base.completed.load(Ordering::Relaxed);
        self.base.split.store(completed, Ordering::Relaxed);
        self.largest.store(0, Ordering::Relaxed);
    }
}

impl Counters {
    /// Counters at zero, to be [initialized](Self::initialize) where they stay. IRQL ≤
    /// DISPATCH_LEVEL.
    pub(crate) fn try_new() -> Result<Self, Status> {
        let processors = PerProcessor::try_new(Tag::COUNTERS, |_| CpuCounters::default())?;
        Ok(Self {
            processors,
            administrators: EventLock::new(),
        })
    }

    /// Makes the counters ready, at their final address.
    pub(crate) fn initialize(&self) {
        self.administrators.initialize();
    }

    /// Adds the counts of one call.
    pub(crate) fn add(&self, tally: &Tally) {
        // A thread that is moved to another processor meanwhile costs speed, not correctness.
        let Some(cpu) = self.processors.get(current_processor()) else {
            return;
        };
        let add = |counter: &AtomicU64, value: u64| {
            if value != 0 {
                counter.fetch_add(value, Ordering::Relaxed);
            }
        };
        let counted = &cpu.counted;
        add(&counted.sends, tally.sends.into());
        add(&counted.large_sends, tally.large_sends.into());
        add(&counted.split, tally.split.into());
        add(&counted.children, tally.children.into());
        add(&counted.packets, tally.packets.into());
        add(&counted.bytes, tally.bytes);
        add(&counted.completed, tally.completed.into());
        add(&counted.failed, tally.failed.into());
        if u64::from(tally.largest) > cpu.largest.load(Ordering::Relaxed) {
            cpu.largest
                .fetch_max(tally.largest.into(), Ordering::Relaxed);
        }
    }

    /// Counts one send that is not sent. If an [event](is_due) is to be written for it, returns the
    /// total for this reason on all processors.
    pub(crate) fn failed(&self, error: SendError) -> Option<u64> {
        let cpu = self.processors.get(current_processor())?;
        let base = cpu.base.failed(error)?.load(Ordering::Relaxed);
        let before = cpu
            .counted
            .failed(error)?
            .fetch_add(1, Ordering::Relaxed)
            .saturating_sub(base);
        is_due(before.saturating_add(1)).then(|| self.since(|counters| counters.failed(error)))
    }

    /// Resets every counter, except for parents in flight: they still count as split. IRQL
    /// PASSIVE_LEVEL.
    pub(crate) fn reset(&self) {
        let _lock = self.administrators.lock();
        self.processors.iter().for_each(CpuCounters::reset);
    }

    /// The sum of one of the counters over all processors since the last reset.
    fn since(&self, counter: impl Fn(&CounterSet) -> Option<&AtomicU64>) -> u64 {
        let total = |of: fn(&CpuCounters) -> &CounterSet| {
            self.processors
                .iter()
                .filter_map(|cpu| counter(of(cpu)))
                .map(|counter| counter.load(Ordering::Relaxed))
                .fold(0, u64::saturating_add)
        };
        let base = total(|cpu| &cpu.base);
        total(|cpu| &cpu.counted).saturating_sub(base)
    }

    /// All processors' counters together. IRQL PASSIVE_LEVEL.
    pub(crate) fn sum(&self, children_allocated: u64) -> Statistics {
        let _lock = self.administrators.lock();
        let mut refused = [0_u64; REFUSALS];
        for (sum, reason) in refused.iter_mut().zip(Refusal::ALL) {
            *sum = self.since(|counters| counters.failed(SendError::Refused(reason)));
        }
        // Before those that are split, which are counted earlier: no more are completed than that.
        let completed = self.since(|counters| Some(&counters.completed));
        Statistics {
            sends: self.since(|counters| Some(&counters.sends)),
            large_sends: self.since(|counters| Some(&counters.large_sends)),
            split: self.since(|counters| Some(&counters.split)),
            children: self.since(|counters| Some(&counters.children)),
            packets: self.since(|counters| Some(&counters.packets)),
            bytes: self.since(|counters| Some(&counters.bytes)),
            largest_large_send: self
                .processors
                .iter()
                .map(|cpu| cpu.largest.load(Ordering::Relaxed))
                .fold(0, u64::max),
            completed,
            failed: self.since(|counters| Some(&counters.failed)),
            low_memory: self.since(|counters| Some(&counters.low_memory)),
            paused: self.since(|counters| Some(&counters.paused)),
            children_allocated,
            refused: refused.into(),
        }
    }
}
