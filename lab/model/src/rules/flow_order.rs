//! Rule 18: within a flow, sends go down in the order in which they came, and so do their parts.

use crate::miniport::{Given, GivenPacket, Place};
use crate::{
    rules::Rule,
    segment::{Layout, network_addresses},
    state::State,
};

impl State {
    pub(crate) fn check_order(&mut self, given: &Given, packet: &GivenPacket, place: &Place) {
        let (Some(layout), Some(sent)) = (packet.layout, self.sends.sent.get(&place.send)) else {
            return;
        };
        let many = sent.packet.net_buffers > 1;
        let now = (place.send, place.offset);
        let before = self.miniport.flows.insert(flow(&packet.frame, layout), now);
        if before.is_some_and(|before| before >= now) && !many {
            let found = format!("(send, offset) {now:?} went down after {before:?}");
            self.violation(Rule::Order, &*given.name, found);
        }
    }
}

/// Protocol, addresses and ports, with the outer addresses of a tunnel.
fn flow(frame: &[u8], layout: Layout) -> Vec<u8> {
    let addresses = if layout.ipv6 { 8..40 } else { 12..20 };
    let (ip, transport) = (&frame[layout.ip..], &frame[layout.transport..]);
    let outer = network_addresses(frame).unwrap_or_default();
    [
        &[u8::from(layout.udp)],
        &ip[addresses],
        &transport[..4],
        outer,
    ]
    .concat()
}
