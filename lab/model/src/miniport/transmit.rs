//! The packets that leave on the wire: the second stage, finished checksums, or the packet
//! unchanged.

use super::{Given, GivenPacket};
use crate::{
    nic::Nic,
    oob::SendKind,
    rules::Rule,
    segment::{digest, finish, one_stage},
    state::State,
};

impl State {
    pub(super) fn transmit(&mut self, nic: &Nic, given: &Given, packet: &GivenPacket) {
        let slots = &given.slots;
        let packets = match slots.kind() {
            SendKind::Packet if slots.tunnel.encapsulated => vec![packet.frame.clone()],
            SendKind::Packet => {
                let finished = computes(nic, given, packet)
                    .then(|| finish(&packet.frame, slots.checksum))
                    .flatten();
                vec![finished.unwrap_or_else(|| packet.frame.clone())]
            }
            _ => match one_stage(&packet.frame, slots, nic.id_bits) {
                Ok(packets) => packets,
                Err(why) => return self.violation(Rule::Headers, &*given.name, why),
            },
        };
        for packet in &packets {
            self.check_on_wire(given, packet);
        }
        self.miniport.left += packets.len() as u64;
        if let Some(sent) = given.send.and_then(|send| self.sends.sent.get_mut(&send)) {
            sent.wire
                .extend(packets.iter().map(|packet| digest(packet)));
        }
        if !self.miniport.live {
            self.miniport.wire.extend(packets);
        }
    }
}

/// Whether the NIC's hardware can compute checksums of such a packet; an offload that is turned off
/// while a packet is in flight is still done.
fn computes(nic: &Nic, given: &Given, packet: &GivenPacket) -> bool {
    let Some(layout) = packet.layout else {
        return false;
    };
    let has = nic.can().checksum.of(layout.ipv6);
    let slot = given.slots.checksum;
    (has.tcp && slot.tcp) || (has.udp && slot.udp) || (has.ip_header && slot.ip_header)
}
