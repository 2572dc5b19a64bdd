//! The NIC's limits, readable by every processor without a lock.

use core::sync::atomic::{AtomicU64, Ordering};

use lso::{IpVersion, Limit, LsoVersion};
use ndis::{LargeSendInfo, LargeSendLimit, LargeSendLimits};

/// The newest limits that the NIC reported. Each kind of large send is one word, so that a reader
/// never sees the maximum of one report with the minimum of another.
pub(crate) struct Limits {
    v1: AtomicU64,
    v2_ipv4: AtomicU64,
    v2_ipv6: AtomicU64,
}

impl Limits {
    /// Limits as the NIC reported them.
    pub(crate) fn new(nic: &LargeSendLimits) -> Self {
        let limits = Self {
            v1: AtomicU64::new(0),
            v2_ipv4: AtomicU64::new(0),
            v2_ipv6: AtomicU64::new(0),
        };
        limits.set(nic);
        limits
    }

    /// The NIC reports other limits. An LSOv1 send says its length in 16 bits, so it is never
    /// longer, whatever the NIC says.
    pub(crate) fn set(&self, nic: &LargeSendLimits) {
        let v1 = LargeSendLimit {
            max_payload: nic.v1.max_payload.min(u16::MAX.into()),
            ..nic.v1
        };
        self.v1.store(pack(v1), Ordering::Relaxed);
        self.v2_ipv4.store(pack(nic.v2_ipv4), Ordering::Relaxed);
        self.v2_ipv6.store(pack(nic.v2_ipv6), Ordering::Relaxed);
    }

    /// The limits as they are now.
    pub(crate) fn nic(&self) -> LargeSendLimits {
        let now = self.snapshot();
        let limit = |limit: Limit| LargeSendLimit {
            max_payload: limit.max_payload,
            min_segments: limit.min_segments,
        };
        LargeSendLimits {
            v1: limit(now.v1),
            v2_ipv4: limit(now.v2_ipv4),
            v2_ipv6: limit(now.v2_ipv6),
        }
    }

    /// The limits as they are now. One snapshot serves one send call.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            v1: unpack(self.v1.load(Ordering::Relaxed)),
            v2_ipv4: unpack(self.v2_ipv4.load(Ordering::Relaxed)),
            v2_ipv6: unpack(self.v2_ipv6.load(Ordering::Relaxed)),
        }
    }
}

/// The limits of one moment.
pub(crate) struct Snapshot {
    v1: Limit,
    v2_ipv4: Limit,
    v2_ipv6: Limit,
}

impl Snapshot {
    /// What the NIC takes of large sends like `info`.
    pub(crate) fn of(&self, info: LargeSendInfo) -> Limit {
        match (version_of(info), ip_version_of(info)) {
            (LsoVersion::V1, _) => self.v1,
            (LsoVersion::V2, IpVersion::V4) => self.v2_ipv4,
            (LsoVersion::V2, IpVersion::V6) => self.v2_ipv6,
        }
    }
}

pub(crate) fn version_of(info: LargeSendInfo) -> LsoVersion {
    if info.is_v2() {
        LsoVersion::V2
    } else {
        LsoVersion::V1
    }
}

pub(crate) fn ip_version_of(info: LargeSendInfo) -> IpVersion {
    if info.is_ipv6() {
        IpVersion::V6
    } else {
        IpVersion::V4
    }
}

fn pack(limit: LargeSendLimit) -> u64 {
    u64::from(limit.max_payload) << 32 | u64::from(limit.min_segments)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "each half of the word is 32 bits wide"
)]
fn unpack(word: u64) -> Limit {
    Limit {
        max_payload: (word >> 32) as u32,
        min_segments: word as u32,
    }
}
