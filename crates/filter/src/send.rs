//! FilterSendNetBufferLists: the way down.
//!
//! Each NBL is classified once. A batch in which every NBL fits the NIC is forwarded as the same
//! chain. Otherwise each large send that does not fit is replaced, in its place, by its children, and
//! the batch is still sent in one call.

use lso::MAX_HEADER;
use ndis::{AtDispatch, Nbl, NblChain, NblQueue, Port, SendFlags};

use crate::{
    module::FilterModule,
    nic_caps::NicCaps,
    split::{Split, Unsent, split},
    statistics::Tally,
};

/// Sends `batch`. Returns how often the module's gate was entered and must be left: once if the module
/// runs. Each child that is sent holds the gate on its own account.
pub(crate) fn send(
    module: &FilterModule,
    mut batch: NblChain,
    port: Port,
    flags: SendFlags,
) -> u32 {
    if !module.gate.enter(1) {
        refuse_all(module, batch, flags);
        return 0;
    }
    let mut tally = Tally::default();
    // Read with the first large send: most batches have none.
    let mut nic = None;
    let fitting = batch.pop_while(|nbl| fits(module, nbl, &mut nic, &mut tally));
    if let Some(nic) = nic.filter(|_| !batch.is_empty()) {
        send_split(module, fitting, batch, nic, port, flags, &mut tally);
    } else {
        module.counters.add(&tally);
        module.handle.send(fitting.into_chain(), port, flags);
    }
    1
}

/// Whether `nbl` surely fits the NIC and is forwarded. Its headers are not parsed: it fits if the NIC
/// accepts any headers, the frame is not longer than the maximum payload, and it has segments enough.
/// A large send in a tunnel, or with several NET_BUFFERs, which none may have, is looked at further.
#[inline]
fn fits(module: &FilterModule, nbl: &Nbl, nic: &mut Option<NicCaps>, tally: &mut Tally) -> bool {
    tally.seen();
    // Most are no large sends, which one look shows.
    if !nbl.is_large_send() {
        return true;
    }
    let nic = nic.get_or_insert_with(|| module.advertiser.nic());
    let Some((support, mss)) = nic.of_kind(nbl) else {
        return true;
    };
    tally.seen_large(nbl);
    !nbl.encapsulation().is_encapsulated()
        && nbl.first_net_buffer().is_some_and(|packet| {
            support.fits_any_headers(packet.data_length(), mss) && packet.is_only()
        })
}

/// Sends `down`, and then `batch`, whose first NBL may not fit. Apart from batches that fit, which are
/// to cost as little as possible.
#[inline(never)]
fn send_split(
    module: &FilterModule,
    down: NblQueue,
    batch: NblChain,
    nic: NicCaps,
    port: Port,
    flags: SendFlags,
    tally: &mut Tally,
) {
    let (down, up) = split_batch(module, down, batch, nic, flags, tally);
    module.counters.add(tally);
    module.handle.send(down, port, flags);
    module
        .handle
        .send_complete(up.into_chain(), flags.for_completion());
}

/// Appends `batch` to `down`, with each send that does not fit replaced by its children. Returns also
/// the sends that fail.
fn split_batch(
    module: &FilterModule,
    mut down: NblQueue,
    mut batch: NblChain,
    nic: NicCaps,
    flags: SendFlags,
    tally: &mut Tally,
) -> (NblChain, NblQueue) {
    let at = AtDispatch::enter(flags.at_dispatch());
    let mut up = NblQueue::new();
    let mut front = [0; MAX_HEADER];
    let mut caps = Some(nic);
    while let Some(nbl) = batch.pop() {
        match split(module, nbl, &nic, &mut front, tally, &at) {
            Split::Children(nbls) => down.append(nbls),
            Split::Fits(nbl) => down.push(nbl),
            Split::Unsent(nbl, why) => {
                module.unsent(why);
                up.push(why.mark(nbl));
            }
        }
        down.append(batch.pop_while(|nbl| fits(module, nbl, &mut caps, tally)));
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
