//! Other implementations of the same work, measured in the same run. Each is a feature, because of
//! its dependencies.

use crate::cases::Case;

#[cfg(feature = "dpdk")]
mod dpdk;
#[cfg(feature = "tun")]
mod tun;

/// The nanoseconds of one unit of a case; `None` where the peer does no such work.
type Measure = fn(&Case) -> anyhow::Result<Option<f64>>;

/// The peers that this was built with.
pub(crate) const ALL: &[(&str, Measure)] = &[
    #[cfg(feature = "dpdk")]
    ("DPDK", dpdk::measure),
    #[cfg(feature = "tun")]
    ("tun-rs", tun::measure),
];
