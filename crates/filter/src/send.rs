//! FilterSendNetBufferLists: the send path.
//!
//! Each NBL is classified once. A batch in which every NBL fits the NIC is forwarded as the same
//! chain. Otherwise each large send that does not fit is replaced, in its place, by its children, and
//! the batch is still sent in one call.

use ndis::{Nbl, NblChain, NblQueue, Port, SendFlags};

use crate::{
    module::FilterModule,
    nic_caps::NicCaps,
    send_error::SendError,
    split::{Split, Splitter},
    statistics::Tally,
};

/// Sends `batch`. Returns how often the module's rundown protection was acquired and must be
/// released: once if the module runs. Each child that is sent holds it separately.
pub(crate) fn send(module: &FilterModule, batch: NblChain, port: Port, flags: SendFlags) -> u32 {
    if !module.rundown.acquire(1) {
        fail_all(module, batch, flags);
        return 0;
    }
    // Most batches have no large send, which one read of each NBL shows.
    let mut sends = 0_u32;
    let has_large = batch.iter().any(|nbl| {
        sends = sends.wrapping_add(1);
        nbl.is_large_send()
    });
    if has_large {
        send_large(module, batch, port, flags);
    } else {
        module.counters.add(&Tally::of_sends(sends));
        module.handle.send(batch, port, flags);
    }
    1
}

#[inline(never)]
fn send_large(module: &FilterModule, mut batch: NblChain, port: Port, flags: SendFlags) {
    let mut tally = Tally::default();
    let nic = module.advertiser.nic();
    let mut fitting = 0_u32;
    for nbl in batch.iter() {
        if !fits(nbl, &nic, &mut tally) {
            break;
        }
        fitting = fitting.wrapping_add(1);
    }
    let mut up = NblQueue::new();
    // The NBL that may not fit is counted as well.
    if tally.sends() != fitting {
        let down = batch.pop_run(fitting);
        (batch, up) = split_batch(module, down, batch, &nic, flags, &mut tally);
    }
    module.counters.add(&tally);
    module.handle.send(batch, port, flags);
    module
        .handle
        .send_complete(up.into_chain(), flags.for_completion());
}

/// Counts `nbl`, and returns whether it surely fits the NIC and is forwarded. Its headers are not
/// parsed: it fits if the NIC accepts any headers, the frame is not longer than the maximum payload,
/// and it has segments enough. A large send in a tunnel, or with several NET_BUFFERs, which none may
/// have, is looked at further.
#[inline]
fn fits(nbl: &Nbl, nic: &NicCaps, tally: &mut Tally) -> bool {
    tally.count_send();
    if !nbl.is_large_send() {
        return true;
    }
    let Some((support, mss)) = nic.of_kind(nbl) else {
        return true;
    };
    tally.count_large_send(nbl);
    !nbl.encapsulation().is_encapsulated()
        && nbl.first_net_buffer().is_some_and(|packet| {
            support.fits_any_headers(packet.data_length(), mss) && packet.is_only()
        })
}

/// Appends `batch` to `down`, with each send that does not fit replaced by its children. Returns also
/// the sends that fail. Out of line: nothing of it is on the stack while other drivers run.
#[inline(never)]
fn split_batch(
    module: &FilterModule,
    mut down: NblQueue,
    mut batch: NblChain,
    nic: &NicCaps,
    flags: SendFlags,
    tally: &mut Tally,
) -> (NblChain, NblQueue) {
    let mut splitter = Splitter::new(module, nic, flags);
    let mut up = NblQueue::new();
    while let Some(nbl) = batch.pop() {
        match splitter.split(nbl, tally) {
            Split::Children(nbls) => down.append(nbls),
            Split::Fits(nbl) => down.push(nbl),
            Split::Failed(nbl, error) => {
                module.count_failed_send(error);
                up.push(error.fail(nbl));
            }
        }
        down.append(batch.pop_while(|nbl| fits(nbl, nic, tally)));
    }
    (down.into_chain(), up)
}

/// Completes a batch that arrived while the module is paused.
#[cold]
#[inline(never)]
fn fail_all(module: &FilterModule, mut batch: NblChain, flags: SendFlags) {
    let mut tally = Tally::default();
    let mut up = NblQueue::new();
    while let Some(nbl) = batch.pop() {
        tally.count_send();
        if nbl.is_large_send() {
            tally.count_large_send(&nbl);
        }
        module.count_failed_send(SendError::Paused);
        up.push(SendError::Paused.fail(nbl));
    }
    module.counters.add(&tally);
    module
        .handle
        .send_complete(up.into_chain(), flags.for_completion());
}
