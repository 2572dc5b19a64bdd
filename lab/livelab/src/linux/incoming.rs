//! The way up: from the wire to the guests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use model::Pages;

use super::counters::Counters;
use super::datapath::{CHAIN, POLL_MS, ROOM};
use super::delivery::delivery;
use super::doing::Doing;
use super::packet::PacketSocket;
use crate::error::Error;

/// Delivers packets from the wire to their guest, on whatever host; the filter has no part in it.
/// Works until `stop`.
pub fn receive_side(
    peer: &PacketSocket,
    guests: impl Fn(&[u8]) -> Vec<Arc<PacketSocket>>,
    stop: &AtomicBool,
    counters: &Counters,
) -> Result<(), Error> {
    let mut memory: Vec<_> = (0..CHAIN).map(|_| Pages::new(ROOM)).collect();
    while !stop.load(Relaxed) {
        let ready = PacketSocket::wait(std::iter::once(peer), POLL_MS)
            .doing(|| "waiting for packets from the wire".to_owned())?;
        if !ready[0] {
            continue;
        }
        let mut buffers: Vec<_> = memory.iter_mut().map(Pages::bytes_mut).collect();
        let lengths = peer
            .receive(&mut buffers)
            .doing(|| "receiving packets from the wire".to_owned())?;
        for (pages, received) in memory.iter_mut().zip(lengths) {
            let (header, start) = received.unpack(pages.bytes_mut());
            let Some(frame) = pages.bytes().get(start..received.length) else {
                continue;
            };
            let Some(messages) = delivery(frame, header) else {
                counters.uncut.add(1);
                continue;
            };
            for socket in guests(frame) {
                let lost = socket
                    .send(&messages)
                    .doing(|| "handing a packet to a guest".to_owned())?;
                counters.no_place.add(lost);
            }
        }
    }
    Ok(())
}
