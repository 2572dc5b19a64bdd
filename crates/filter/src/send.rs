//! FilterSendNetBufferLists: the way down.
//!
//! A batch without a large send that the NIC does not take goes on as the same chain. Otherwise each
//! such send is replaced, in its place, by its children, and the batch still goes down in one call.

use lso::MAX_HEADER;
use ndis::{AtDispatch, Nbl, NblChain, NblQueue, Port, SendFlags};

use crate::{
    limits::{Snapshot, Word},
    module::FilterModule,
    split::{Split, Unsent, split},
    statistics::Tally,
};

/// Sends `batch` on. Returns how often the module's gate was entered and must be left: once where
/// the module runs. Each child that goes down holds the gate on its own account.
pub(crate) fn send(module: &FilterModule, batch: NblChain, port: Port, flags: SendFlags) -> u32 {
    if !module.gate.enter(1) {
        refuse_all(module, batch, flags);
        return 0;
    }
    let limits = module.limits.snapshot();
    let mut tally = Tally::default();
    let mut unfit = false;
    for nbl in batch.iter() {
        tally.seen();
        // Most are not, and are to be known by one look.
        if nbl.is_large_send()
            && let Some((takes, mss)) = limits.of_kind(nbl)
        {
            tally.seen_large(nbl);
            unfit |= may_not_fit(nbl, takes, mss);
        }
    }
    if unfit {
        send_split(module, batch, &limits, port, flags, &mut tally);
    } else {
        module.counters.add(&tally);
        module.handle.send(batch, port, flags);
    }
    1
}

/// Sends a batch on in which there are large sends that may not fit. Apart from all
/// others, which are to cost as little as can be.
#[inline(never)]
fn send_split(
    module: &FilterModule,
    batch: NblChain,
    limits: &Snapshot,
    port: Port,
    flags: SendFlags,
    tally: &mut Tally,
) {
    let (down, up) = split_batch(module, batch, limits, flags, tally);
    module.counters.add(tally);
    module.handle.send(down, port, flags);
    module
        .handle
        .send_complete(up.into_chain(), flags.for_completion());
}

/// Whether the NIC, which takes `takes` of its kind, may not take the large send `nbl` as it is. What
/// fits with its headers, and has segments enough without, needs no parse, unless it is in a tunnel,
/// or the NIC does not take every header, or there is another NET_BUFFER, as in no large send.
#[inline]
fn may_not_fit(nbl: &Nbl, takes: Word, mss: u32) -> bool {
    nbl.encapsulation().is_encapsulated()
        || nbl.first_net_buffer().is_none_or(|packet| {
            !takes.surely_takes(packet.data_length(), mss) || !packet.is_only()
        })
}

/// The batch with each send that does not fit replaced by its children, and what cannot be sent.
fn split_batch(
    module: &FilterModule,
    mut batch: NblChain,
    limits: &Snapshot,
    flags: SendFlags,
    tally: &mut Tally,
) -> (NblChain, NblQueue) {
    let at = AtDispatch::enter(flags.at_dispatch());
    let mut down = NblQueue::new();
    let mut up = NblQueue::new();
    let mut front = [0; MAX_HEADER];
    while let Some(nbl) = batch.pop() {
        let unfit = |(takes, mss)| may_not_fit(&nbl, takes, mss);
        if !limits.of_kind(&nbl).is_some_and(unfit) {
            down.push(nbl);
            continue;
        }
        match split(module, nbl, limits, &mut front, tally, &at) {
            Split::Children(nbls) => down.append(nbls),
            Split::Fits(nbl) => down.push(nbl),
            Split::Unsent(nbl, why) => {
                module.unsent(why);
                up.push(why.mark(nbl));
            }
        }
    }
    (down.into_chain(), up)
}

/// Completes a batch that came while the module is paused.
fn refuse_all(module: &FilterModule, mut batch: NblChain, flags: SendFlags) {
    let mut tally = Tally::default();
    let mut up = NblQueue::new();
    while let Some(nbl) = batch.pop() {
        tally.seen();
        if nbl.is_large_send() {
            tally.seen_large(&nbl);
        }
        module.unsent(Unsent::Paused);
        up.push(Unsent::Paused.mark(nbl));
    }
    module.counters.add(&tally);
    module
        .handle
        .send_complete(up.into_chain(), flags.for_completion());
}
