//! Steps from a seed. They do not depend on the outcome of earlier steps, so replaying the list
//! reproduces the run.

mod control_plane;
mod sends;

use ndis::sys;

use super::{
    nic::{Limit, Offer},
    step::{Completing, Machine, Settings, Step},
};
use harness::random::Random;

/// An episode: a machine, and what happens to it.
#[derive(Clone, Debug)]
pub struct Generator {
    random: Random,
    /// Where the module should be, if nothing went wrong on the way.
    phase: Phase,
    processors: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Leaving,
    Paused,
    Gone,
}

/// Relative frequencies of the steps of a running machine, by the index that [`Generator::running`]
/// matches; see [`Generator::running`].
const WEIGHTS: [u64; 27] = [
    560, 14, 90, 25, 15, 25, 10, 10, 15, 25, 40, 5, 12, 40, 8, 15, 8, 10, 4, 8, 2, 2, 1, 20, 3, 3,
    12,
];

impl Generator {
    /// The episode of that number in the run of that seed.
    pub fn new(seed: u64, episode: u64) -> Self {
        let mut first = Random::new(seed);
        Self::of(Random::new(first.number() ^ Random::new(episode).number()))
    }

    /// The episode that `random` decides on.
    pub fn of(random: Random) -> Self {
        Self {
            random,
            phase: Phase::Running,
            processors: 1,
        }
    }

    /// Whether any predetermined decisions are left.
    pub fn has_decisions(&self) -> bool {
        self.random.given() > 0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random.below(end)
    }

    /// A number in `least..end`.
    fn from(&mut self, least: u32, end: u32) -> u32 {
        least + self.below(u64::from(end - least)) as u32
    }

    /// Whether it is one of `percent` cases out of a hundred.
    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// The index of a weight, drawn in proportion to the weights.
    fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut left = self.below(weights.iter().sum());
        weights
            .iter()
            .position(|weight| match left.checked_sub(*weight) {
                Some(less) => {
                    left = less;
                    false
                }
                None => true,
            })
            .unwrap_or(0)
    }

    /// The machine that the episode begins with.
    pub fn machine(&mut self) -> Machine {
        self.processors = self.pick(&[1, 1, 2, 2, 2, 3]);
        Machine {
            processors: self.processors as u32,
            offer: self.offer(),
            mtu: self.mtu(),
            has_offload: !self.percent(4),
            ndis_minor: self.pick(&[84, 85, 85, 86, 89, 90]),
            settings: self.settings(),
        }
    }

    /// The next step.
    pub fn step(&mut self) -> Step {
        let [leaves, returns, attaches] = [30, 40, 20].map(|percent| self.percent(percent));
        match self.phase {
            Phase::Leaving if leaves => self.detach(),
            Phase::Gone if returns && attaches => {
                self.phase = Phase::Paused;
                Step::Attach
            }
            Phase::Paused | Phase::Gone if returns => {
                self.phase = Phase::Running;
                Step::Restart(self.mtu())
            }
            _ => self.running(),
        }
    }

    fn running(&mut self) -> Step {
        match self.weighted(&WEIGHTS) {
            0 => Step::Send(self.sends(5)),
            1 => Step::SendOnCompletion(self.sends(2)),
            2 => Step::Deliver,
            3 => Step::Completing(self.completing()),
            4 => Step::FailSends(self.failing()),
            5 => Step::NicChanges(Box::new(self.offer())),
            6 => Step::Enable(self.off()),
            7 => Step::IndicateAgain {
                hardware: self.flag(),
            },
            8 => self.status(),
            9 => {
                let tuning = self.tuning();
                Step::Tune(tuning, self.percent(20))
            }
            10 => self.control(),
            11 => Step::ResetStatistics,
            12 => Step::CheckCounters,
            13 => Step::Oid(self.oid()),
            14 => Step::CancelOid,
            15 => Step::AnswerOids,
            16 => Step::Answering(self.below(3) as u8),
            17 => self.net_event(),
            18 => Step::Tracing(self.session()),
            19 => {
                self.phase = match self.phase {
                    Phase::Running => Phase::Paused,
                    other => other,
                };
                Step::Pause
            }
            20 => {
                self.phase = match self.phase {
                    Phase::Gone => Phase::Gone,
                    _ => Phase::Leaving,
                };
                Step::PreDetach
            }
            21 => self.detach(),
            22 => {
                self.phase = Phase::Gone;
                Step::Unload
            }
            23 => Step::FailAllocation(self.ahead()),
            24 => Step::FailAttach(self.below(8)),
            25 => Step::Starve(self.ahead()),
            _ if self.percent(60) => Step::Feed,
            _ => Step::Migrate([(); 5].map(|()| self.from(0, 65_000))),
        }
    }

    fn detach(&mut self) -> Step {
        self.phase = Phase::Gone;
        Step::Detach(self.settings())
    }

    /// Mostly soon.
    fn ahead(&mut self) -> u64 {
        match self.below(4) {
            0 => 0,
            1 => self.below(4),
            2 => self.below(40),
            _ => self.below(3000),
        }
    }

    fn mtu(&mut self) -> Option<u32> {
        match self.below(8) {
            0 => None,
            1 => Some(9000),
            2 => Some(self.from(300, 9300)),
            _ => Some(1500),
        }
    }

    fn settings(&mut self) -> Settings {
        let some = |random: &mut Self, percent, values: &[u32]| {
            random.percent(percent).then(|| random.pick(values))
        };
        Settings {
            ip_id_bits: self.pick(&[0, 0, 15, 16, 17]),
            software: some(self, 60, &[0, 1, 1, 2, 2, 7]),
            max_sg_elements: some(self, 25, &[0, 3, 4, 5, 8, 17, 64, 65]),
            tuning: self.percent(60).then(|| self.tuning()),
        }
    }

    /// Sometimes out of range.
    fn tuning(&mut self) -> [u32; 3] {
        let multiple = match self.below(10) {
            0..4 => 0,
            9 => self.pick(&[17, u32::MAX]),
            _ => self.from(1, 17),
        };
        let profile = if self.percent(3) { 99 } else { self.from(0, 4) };
        let cap = match self.below(10) {
            0..7 => 0,
            7 => 4095,
            _ => self.from(4096, 40_000),
        };
        [multiple, profile, cap]
    }

    fn completing(&mut self) -> Completing {
        Completing {
            deferred: self.percent(60),
            order: match self.below(3) {
                2 => self.random.number() >> 40 | 2,
                order => order,
            },
            merged: self.flag(),
            on_processor: self.flag().then(|| self.below(3) as u32),
            at_dispatch: self.flag(),
        }
    }

    /// Packets of the near future, with statuses that no other code sets.
    fn failing(&mut self) -> Vec<(u32, i32)> {
        let statuses = [
            sys::NDIS_STATUS_FAILURE,
            sys::NDIS_STATUS_RESET_IN_PROGRESS,
            sys::NDIS_STATUS_INVALID_LENGTH,
        ];
        let count = self.below(4);
        (0..count)
            .map(|_| (self.from(0, 30), self.pick(&statuses)))
            .collect()
    }

    fn off(&mut self) -> u16 {
        match self.below(3) {
            0 => 0,
            1 => 1 << self.below(11),
            _ => self.random.number() as u16 & 0x7FF,
        }
    }

    /// A NIC: small maxima, so that small sends are split.
    fn offer(&mut self) -> Offer {
        Offer {
            v1: self.limit(65_000),
            v2: [self.limit(200_000), self.limit(200_000)],
            uso: [self.limit(200_000), self.limit(200_000)],
            uso_bits: self.bits(8),
            options: self.bits(16),
            checksum: [self.bits(32), self.bits(32)],
            tunnels: [self.tunnel(), self.tunnel()],
            vxlan_port: if self.percent(10) { 8472 } else { 0 },
            off: if self.percent(20) { self.off() } else { 0 },
            revision: if self.percent(20) {
                self.from(1, 8) as u8
            } else {
                0
            },
            set_off: self.percent(20),
            longer: if self.percent(4) {
                self.pick(&[4, 100, 400])
            } else {
                0
            },
        }
    }

    /// All bits below `end`, none of them, or any.
    fn bits(&mut self, end: u8) -> u8 {
        match self.below(4) {
            0 => 0,
            1 => self.below(end.into()) as u8,
            _ => end - 1,
        }
    }

    fn tunnel(&mut self) -> [u32; 2] {
        match self.below(3) {
            0 => [self.from(0, 256), self.pick(&[100, 150, 256, 600])],
            _ => [0xFF, 256],
        }
    }

    fn limit(&mut self, most: u32) -> Limit {
        let max = match self.weighted(&[15, 45, 25, 10, 5]) {
            0 => 0,
            1 => self.from(500, 4000),
            2 => self.from(4000, 16_000),
            3 => self.from(16_000, 65_000),
            _ => self.from(60_000, most),
        };
        let segments = if self.percent(80) {
            self.from(0, 4)
        } else {
            self.from(0, 61)
        };
        [max, segments]
    }
}
