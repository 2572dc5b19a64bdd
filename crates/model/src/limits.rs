//! What the NIC offers, over time, and what the layer above was ever told.
//!
//! The newest offer holds from the moment the miniport has indicated it. A send that the filter
//! began before FilterStatus returned may have read the older one, and may use it until that send
//! call returns: NDIS does not hold sends and indications apart, and a filter that loads the
//! limits once for each send call cannot do better. So a thread remembers, whenever it enters the
//! driver, which offer was settled by then, and what it sends from there may go by that or by any
//! newer one. On one thread nothing comes between, and the newest offer holds exactly.

use crate::{LargeSendLimit, LargeSendLimits};
use ndis::LargeSendInfo;

use crate::offers::{Offers, UsoLimit, UsoLimits};

/// The NIC's offers since the model began.
#[derive(Default)]
pub(crate) struct Limits {
    /// All of them, the newest last.
    history: Vec<Offers>,
    /// The index of those that every handler knows which is called now.
    settled: usize,
    /// The largest large sends that the layer above was ever told of, by kind.
    told: LargeSendLimits,
    /// The same of UDP.
    told_uso: UsoLimits,
}

impl Limits {
    /// The NIC has another offer, of which the filter may not know yet.
    pub(crate) fn change(&mut self, offers: Offers) {
        if self.history.last() != Some(&offers) {
            self.history.push(offers);
        }
    }

    /// The filter has been told of the newest offer.
    pub(crate) fn settle(&mut self) {
        self.settled = self.history.len().saturating_sub(1);
    }

    pub(crate) fn settled(&self) -> usize {
        self.settled
    }

    /// Whether a packet may be sent by any offer that holds or held since `settled`.
    pub(crate) fn any_since(&self, settled: usize, fits: impl Fn(&Offers) -> bool) -> bool {
        let since = self.history.get(settled..).unwrap_or_default();
        since.iter().any(fits)
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

    /// The same of UDP.
    pub(crate) fn tell_uso(&mut self, limits: UsoLimits) {
        let larger = |was: &mut UsoLimit, now: UsoLimit| {
            if now.max_payload > was.max_payload {
                *was = now;
            }
        };
        larger(&mut self.told_uso.ipv4, limits.ipv4);
        larger(&mut self.told_uso.ipv6, limits.ipv6);
    }

    /// The largest that the layer above was ever told for large sends like this one.
    pub(crate) fn told_for(&self, info: LargeSendInfo) -> LargeSendLimit {
        limit_for(self.told, info)
    }

    /// The same of UDP.
    pub(crate) fn told_uso(&self) -> UsoLimits {
        self.told_uso
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
