//! The measured loop: a batch goes down, and the filter's children are completed.
#![expect(
    unsafe_code,
    reason = "chains are raw pointers, and a profile finds the loop by its name"
)]

use anyhow::ensure;
use ndis::sys;

use crate::{
    cases::{Case, Unit},
    module::Handlers,
    ndis::{become_processor, locks_taken, pool_calls, take_completed, take_sent},
    packets::Batch,
};

/// The loop's name in a profile.
pub(crate) const LOOP: &str = "mslso_bench_steady_state";

/// Sends and completes `batch` so many times. If it is completed `elsewhere`, this thread is
/// processor 0 when it sends and processor 1 when it completes.
#[unsafe(export_name = "mslso_bench_steady_state")]
#[inline(never)]
pub(crate) fn run(filter: &Handlers, elsewhere: bool, batch: &mut Batch, times: u32) {
    for _ in 0..times {
        // SAFETY: the batch is complete, its NBLs belong to this function alone, and every earlier
        // send is completed.
        unsafe {
            filter.send(batch.chain());
            let sent = take_sent();
            if elsewhere {
                become_processor(1);
            }
            filter.complete(sent);
        }
        if elsewhere {
            become_processor(0);
        }
        take_completed();
    }
}

/// How often the batch is sent before anything counts.
const WARM_UP: u32 = 3;

/// Sends the batch until everything is allocated, and checks that the filter handles it as the case
/// intends. Returns how many units one batch makes.
pub(crate) fn warm_up(case: &Case, filter: &Handlers, batch: &mut Batch) -> anyhow::Result<u64> {
    let mut units = 0;
    for _ in 0..WARM_UP {
        // SAFETY: as in `run`.
        unsafe {
            filter.send(batch.chain());
            let sent = take_sent();
            units = packets(sent);
            filter.complete(sent);
        }
        let all = batch.is_completed(take_completed());
        ensure!(all, "{}: a send failed", case.name);
    }
    let untouched = units == case.batch as u64;
    ensure!(
        untouched == (case.unit == Unit::Untouched),
        "{}: {units} packets were sent",
        case.name
    );
    Ok(units)
}

/// NET_BUFFERs in a chain of NBLs.
///
/// # Safety
/// The chain is alive.
unsafe fn packets(chain: *const sys::NET_BUFFER_LIST) -> u64 {
    let (mut count, mut nbl) = (0, chain);
    // SAFETY: the chain is alive, by this function's contract.
    unsafe {
        while !nbl.is_null() {
            let mut packet = (*nbl).FirstNetBuffer;
            while !packet.is_null() {
                count += 1;
                packet = (*packet).Next;
            }
            nbl = (*nbl).Next;
        }
    }
    count
}

/// Events that must not happen in steady state, counted since this value was made.
pub(crate) struct Still {
    pool_calls: u64,
    locks: u64,
}

impl Still {
    pub(crate) fn now() -> Self {
        Self {
            pool_calls: pool_calls(),
            locks: locks_taken(),
        }
    }

    /// Checks that no memory was allocated or freed, and that no lock was taken.
    pub(crate) fn check(&self, case: &Case) -> anyhow::Result<()> {
        let pool_calls = pool_calls() - self.pool_calls;
        let locks = locks_taken() - self.locks;
        ensure!(
            pool_calls == 0 && locks == 0,
            "{}: {pool_calls} pool calls and {locks} spin locks after warm-up",
            case.name
        );
        Ok(())
    }
}
