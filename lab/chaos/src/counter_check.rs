//! Compares the filter's reports with observation: its counters, and its advertised sizes.

use std::sync::Arc;

use control::{Cap, StatisticsReply};
use lso::Refusal;
use model::LargeSendLimit;
use model::{Account, ModuleState, SendKind, World};
use ndis::sys;

use harness::device;

/// The outcomes of the sends since the statistics were zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    sends: u64,
    large_sends: u64,
    split: u64,
    children: u64,
    failed: u64,
    low_memory: u64,
    paused: u64,
    refused: u64,
}

impl Counts {
    /// Counts one send.
    pub fn add(&mut self, account: &Account) {
        let split = account.children > 0;
        let large = account.kind != SendKind::Packet && account.net_buffers > 0;
        let failed = |status| u64::from(!split && account.status == status);
        self.sends += 1;
        self.large_sends += u64::from(large);
        self.split += u64::from(split);
        self.children += u64::from(account.children);
        self.failed += u64::from(split && account.status != sys::NDIS_STATUS_SUCCESS);
        self.low_memory += failed(sys::NDIS_STATUS_RESOURCES);
        self.paused += failed(sys::NDIS_STATUS_PAUSED);
        self.refused += failed(sys::NDIS_STATUS_INVALID_PACKET);
    }

    /// The counts in the filter's statistics.
    fn of(statistics: &StatisticsReply) -> Self {
        Self {
            sends: statistics.sends,
            large_sends: statistics.large_sends,
            split: statistics.split,
            children: statistics.children,
            failed: statistics.failed,
            low_memory: statistics.low_memory,
            paused: statistics.paused,
            refused: statistics.refused.in_all(),
        }
    }

    /// How the filter's statistics differ from this.
    pub fn check(&self, statistics: &StatisticsReply) -> Result<(), String> {
        let counted = Self::of(statistics);
        if counted != *self {
            return Err(format!("seen {self:?}, the filter counted {counted:?}"));
        }
        Ok(())
    }
}

/// Whether all large sends that were split are completed, as when nothing is under way they are,
/// whenever the statistics were reset.
pub fn check_completed(statistics: &StatisticsReply) -> Result<(), String> {
    let (completed, split) = (statistics.completed, statistics.split);
    if completed != split {
        return Err(format!("{split} large sends split, {completed} completed"));
    }
    Ok(())
}

/// How often each reason of refusal was counted.
pub fn refusals(statistics: &StatisticsReply) -> impl Iterator<Item = (&'static str, u64)> {
    let counters = statistics.refused.counters().to_vec();
    let named = Refusal::ALL.into_iter().zip(counters);
    named
        .map(|(reason, count)| (reason.name(), count))
        .filter(|(_, count)| *count > 0)
}

/// Longest NDIS_OFFLOAD of which the filter raises anything, in bytes.
const LONGEST_KEPT: u16 = 320;

/// Whether the overlying driver, while the module runs, has the configuration that the tuning in
/// effect makes of the NIC's, and the filter has the NIC's. After
/// `pre_detach_signaled` no size may be raised any more.
pub fn check_advertised(world: &Arc<World>, pre_detach_signaled: bool) -> Result<(), String> {
    let nic = world.nic();
    if world.module_state() != ModuleState::Running || nic.offload.size > LONGEST_KEPT {
        return Ok(());
    }
    let read = device::read(world).map_err(|error| format!("READ: {error}"))?;
    let (has, advertised) = (nic.current(), world.advertised());
    let known = [read.nic.v1, read.nic.v2_ipv4, read.nic.v2_ipv6].map(|limit| limit.max_payload);
    let current = [has.v1, has.v2_ipv4, has.v2_ipv6].map(|limit| limit.max_payload);
    if known != current {
        return Err(format!(
            "the NIC accepts {current:?}, the filter has {known:?}"
        ));
    }
    let multiple = if pre_detach_signaled {
        1
    } else {
        read.tuning.multiple()
    };
    let cap = read
        .tuning
        .cap
        .filter(|_| !pre_detach_signaled)
        .map(Cap::bytes);
    let raise = |most: u32| {
        let wanted = u64::from(most) * u64::from(multiple);
        wanted.min(cap.map_or(u64::MAX, u64::from)).max(most.into())
    };
    let wrong_v2 = |advertised: LargeSendLimit, has: LargeSendLimit| {
        // The model judges the sizes that the filter advertises for a NIC without LSO.
        has.max_payload > 0
            && (u64::from(advertised.max_payload) != raise(has.max_payload)
                || advertised.min_segments != has.min_segments)
    };
    let (has_uso, advertised_uso) = (nic.current_uso(), world.advertised_uso());
    let wrong_uso = |ipv6| {
        u64::from(advertised_uso.of(ipv6).max_payload) != raise(has_uso.of(ipv6).max_payload)
    };
    if advertised.v1 != has.v1
        || wrong_v2(advertised.v2_ipv4, has.v2_ipv4)
        || wrong_v2(advertised.v2_ipv6, has.v2_ipv6)
        || wrong_uso(false)
        || wrong_uso(true)
    {
        return Err(format!(
            "{multiple} times {has:?} and {has_uso:?} with cap {cap:?} was advertised as {advertised:?} and \
             {advertised_uso:?}"
        ));
    }
    let reported = [read.advertised_v2_ipv4, read.advertised_v2_ipv6];
    let advertised = [advertised.v2_ipv4, advertised.v2_ipv6].map(|limit| limit.max_payload);
    if reported != advertised {
        return Err(format!(
            "the overlying driver got {advertised:?}, READ returns {reported:?}"
        ));
    }
    Ok(())
}
