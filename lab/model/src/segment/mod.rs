//! The NIC's second stage: a large send becomes the packets of the wire.
//!
//! As hardware does it, and unlike the driver: positions come from the out-of-band information and
//! the bytes, and a checksum is finished from the seed that the sender left in the checksum field,
//! so that a wrong seed shows on the wire. No code is shared with the driver's crates but the sum itself,
//! the crate `checksum`, which its own tests compare with another implementation.

mod bytes;
mod checksum;
mod layout;
mod tcp;
#[cfg(test)]
mod tests;
mod tunnel;
mod udp;

pub(crate) use layout::network_addresses;
pub use layout::{Layout, Parts, layout, parts};
pub use tcp::{Job, segment};
pub use tunnel::{Tunnel, TunnelKind, segment_tunnelled, tunnel};
pub use udp::{UsoJob, segment_uso};

pub(crate) use self::checksum::{
    finish, has_right_seed, ip_header_right, tunnel_header_wrong, wrong_checksum,
};

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::oob::{SendKind, Slots};

/// A packet of the wire that is to be compared and not kept.
pub(crate) fn digest(packet: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    packet.hash(&mut hasher);
    hasher.finish()
}

/// The [digests](digest) of the packets of [`one_stage`].
///
/// # Errors
/// As [`one_stage`].
pub(crate) fn one_stage_digests(
    frame: &[u8],
    slots: &Slots,
    id_bits: u32,
) -> Result<Vec<u64>, String> {
    let located = slots.located(frame);
    if located.kind() == SendKind::LargeSend {
        let packets = tcp::segments(frame, job(&located, id_bits))?;
        return Ok(packets.map(|packet| digest(&packet)).collect());
    }
    let packets = one_stage(frame, slots, id_bits)?;
    Ok(packets.iter().map(|packet| digest(packet)).collect())
}

fn job(slots: &Slots, id_bits: u32) -> Job {
    Job {
        mss: slots.large_send.mss() as usize,
        tcp: slots.large_send.tcp_header_offset() as usize,
        ipv6: slots.large_send.is_ipv6(),
        id_bits,
    }
}

/// The wire packets of a packet with these slots, by a NIC that counts the IPv4 identification of
/// TCP in `id_bits` bits. A packet that is no large send is its only one, as it is.
///
/// # Errors
/// A description of the difference, if the frame is not as the out-of-band information describes
/// it.
pub fn one_stage(frame: &[u8], slots: &Slots, id_bits: u32) -> Result<Vec<Vec<u8>>, String> {
    // As a NIC that parses the headers itself; for a child, rule 17 demands the offsets.
    let slots = slots.located(frame);
    match slots.kind() {
        SendKind::Packet => Ok(vec![frame.to_vec()]),
        SendKind::LargeSend => segment(frame, job(&slots, id_bits)),
        SendKind::Tunnelled => segment_tunnelled(
            frame,
            slots.large_send.mss() as usize,
            slots.tunnel,
            id_bits,
        ),
        // UDP's identification counts in 16 bits.
        SendKind::TunnelledUso => {
            segment_tunnelled(frame, slots.uso.mss as usize, slots.tunnel, 16)
        }
        SendKind::Uso => segment_uso(
            frame,
            UsoJob {
                mss: slots.uso.mss as usize,
                udp: slots.uso.udp_header_offset as usize,
                ipv6: slots.uso.ipv6,
            },
        ),
    }
}

impl Slots {
    /// The same, with the TCP header of `frame` where the sender leaves it to be found. A frame that
    /// is in no tunnel is not encapsulated, whatever a receive left in the slot that says so.
    pub(crate) fn located(mut self, frame: &[u8]) -> Self {
        if self.large_send.mss() != 0 && tunnel(frame).is_none() {
            self.tunnel.encapsulated = false;
        }
        let Some(found) = layout(frame) else {
            return self;
        };
        if self.kind() == SendKind::LargeSend && self.large_send.tcp_header_offset() == 0 {
            self.large_send = self
                .large_send
                .with_tcp_header_offset(found.transport as u32);
        }
        self
    }
}
