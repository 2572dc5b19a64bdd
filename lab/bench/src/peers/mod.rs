//! Other implementations of the same work, measured in the same run. Each is a feature, because of
//! its dependencies.

use crate::{cases::Case, time::Work};

#[cfg(feature = "dpdk")]
mod dpdk;
#[cfg(feature = "tun")]
mod tun;

/// The work of a case as the peer does it; `None` where it does no such work.
type Prepare = fn(&Case) -> anyhow::Result<Option<Work<'static>>>;

/// The peers that this was built with.
pub(crate) const ALL: &[(&str, Prepare)] = &[
    #[cfg(feature = "dpdk")]
    ("DPDK", dpdk::prepare),
    #[cfg(feature = "tun")]
    ("tun-rs", tun::prepare),
];
