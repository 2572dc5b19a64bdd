//! The NIC's capabilities over time, and the limits ever advertised to the overlying driver.
//!
//! The newest capabilities hold from the moment the miniport has indicated them. A send that the
//! filter began before FilterStatus returned may have read the older ones, and may use them until
//! that send call returns: NDIS does not serialize sends and indications, and a filter that loads
//! the limits once for each send call cannot do better. So each thread records, whenever it enters
//! the driver, which capabilities the filter had received by then; the filter's sends from there
//! may follow those or any newer ones. On a single thread nothing intervenes, and the newest
//! capabilities hold exactly.

use crate::{LargeSendLimit, LargeSendLimits};
use ndis::LargeSendInfo;

use crate::capabilities::{Capabilities, UsoLimit, UsoLimits};

/// The NIC's capabilities since the model began.
#[derive(Default)]
pub(crate) struct Limits {
    /// All of them, the newest last.
    history: Vec<Capabilities>,
    /// The index of the capabilities that the filter has received, so that every handler called
    /// from now on uses them or newer ones.
    settled: usize,
    /// The largest large sends ever advertised to the overlying driver, by kind.
    most: LargeSendLimits,
    /// The same of UDP.
    most_uso: UsoLimits,
}

impl Limits {
    /// The NIC has other capabilities, which the filter may not have received yet.
    pub(crate) fn change(&mut self, capabilities: Capabilities) {
        if self.history.last() != Some(&capabilities) {
            self.history.push(capabilities);
        }
    }

    /// The filter has received the newest capabilities.
    pub(crate) fn settle(&mut self) {
        self.settled = self.history.len().saturating_sub(1);
    }

    pub(crate) fn settled(&self) -> usize {
        self.settled
    }

    /// Whether a packet may be sent under any capabilities that hold or have held since `settled`.
    pub(crate) fn any_since(&self, settled: usize, fits: impl Fn(&Capabilities) -> bool) -> bool {
        let since = self.history.get(settled..).unwrap_or_default();
        since.iter().any(fits)
    }

    /// Records that `limits` were advertised to the overlying driver, which may use them from then
    /// on.
    pub(crate) fn record(&mut self, limits: LargeSendLimits) {
        let larger = |was: &mut LargeSendLimit, now: LargeSendLimit| {
            if now.max_payload > was.max_payload {
                *was = now;
            }
        };
        larger(&mut self.most.v1, limits.v1);
        larger(&mut self.most.v2_ipv4, limits.v2_ipv4);
        larger(&mut self.most.v2_ipv6, limits.v2_ipv6);
    }

    /// The same of UDP.
    pub(crate) fn record_uso(&mut self, limits: UsoLimits) {
        let larger = |was: &mut UsoLimit, now: UsoLimit| {
            if now.max_payload > was.max_payload {
                *was = now;
            }
        };
        larger(&mut self.most_uso.ipv4, limits.ipv4);
        larger(&mut self.most_uso.ipv6, limits.ipv6);
    }

    /// The largest size ever advertised to the overlying driver for large sends like this one.
    pub(crate) fn most_for(&self, info: LargeSendInfo) -> LargeSendLimit {
        limit_for(self.most, info)
    }

    /// The same of UDP.
    pub(crate) fn most_uso(&self) -> UsoLimits {
        self.most_uso
    }
}

/// The limit for large sends like this one.
pub(crate) fn limit_for(limits: LargeSendLimits, info: LargeSendInfo) -> LargeSendLimit {
    match (info.is_v2(), info.is_ipv6()) {
        (false, _) => limits.v1,
        (true, false) => limits.v2_ipv4,
        (true, true) => limits.v2_ipv6,
    }
}
