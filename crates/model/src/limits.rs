//! What the NIC takes, over time, and what the layer above was ever told.
//!
//! The newest limit holds from the moment the miniport has indicated it. A send that the filter
//! began before FilterStatus returned may have read the older limits, and may use them until that
//! send call returns: NDIS does not hold sends and indications apart, and a filter that loads the
//! limits once for each send call cannot do better. So a thread remembers, whenever it enters the
//! driver, which limits were settled by then, and what it sends from there may go by those or by
//! any newer ones. On one thread nothing comes between, and the newest limit holds exactly.

use ndis::{LargeSendInfo, LargeSendLimit, LargeSendLimits};

/// The NIC's limits since the model began.
#[derive(Default)]
pub(crate) struct Limits {
    /// All of them, the newest last.
    history: Vec<LargeSendLimits>,
    /// The index of those that every handler knows which is called now.
    settled: usize,
    /// The largest that the layer above was ever told, by kind.
    told: LargeSendLimits,
}

impl Limits {
    /// The NIC has new limits, of which the filter may not know yet.
    pub(crate) fn change(&mut self, limits: LargeSendLimits) {
        if self.history.last() != Some(&limits) {
            self.history.push(limits);
        }
    }

    /// The filter has been told of the newest limits.
    pub(crate) fn settle(&mut self) {
        self.settled = self.history.len().saturating_sub(1);
    }

    pub(crate) fn settled(&self) -> usize {
        self.settled
    }

    /// Those that hold now.
    pub(crate) fn newest(&self) -> LargeSendLimits {
        self.history.last().copied().unwrap_or_default()
    }

    /// Whether a large send may be made by any limit that holds or held since `settled`.
    pub(crate) fn any_since(
        &self,
        settled: usize,
        info: LargeSendInfo,
        fits: impl Fn(LargeSendLimit) -> bool,
    ) -> bool {
        let since = self.history.get(settled..).unwrap_or_default();
        since.iter().any(|limits| fits(limit_for(*limits, info)))
    }

    /// The layer above is told `limits`, and may use them for ever.
    pub(crate) fn tell(&mut self, limits: LargeSendLimits) {
        let larger = |was: &mut LargeSendLimit, now: LargeSendLimit| {
            if now.max_payload > was.max_payload {
                *was = now;
            }
        };
        larger(&mut self.told.v1, limits.v1);
        larger(&mut self.told.v2_ipv4, limits.v2_ipv4);
        larger(&mut self.told.v2_ipv6, limits.v2_ipv6);
    }

    /// The largest that the layer above was ever told for large sends like this one.
    pub(crate) fn told_for(&self, info: LargeSendInfo) -> LargeSendLimit {
        limit_for(self.told, info)
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
