//! Rules 39 to 42: a child that is one packet of the wire, cut in software.

use crate::miniport::{Given, GivenPacket};
use crate::{
    capabilities::Capabilities,
    oob::SendKind,
    rules::Rule,
    segment::{
        TunnelKind, has_right_seed, ip_header_right, layout, tunnel, tunnel_header_wrong,
        wrong_checksum,
    },
    state::State,
};

impl State {
    /// The parent of a child that is no large send although its parent is.
    pub(crate) fn is_packet_child(&self, given: &Given) -> Option<u64> {
        let send = given.send.filter(|_| given.is_child)?;
        let cut = self.sends.sent.get(&send)?.slots.mss() != 0;
        (cut && given.slots.kind() == SendKind::Packet).then_some(send)
    }

    /// Checks such a child before the NIC has it.
    pub(crate) fn check_packet_child(&mut self, given: &Given, packet: &GivenPacket, parent: u64) {
        let Some(sent) = self.sends.sent.get(&parent) else {
            return;
        };
        let mss = sent.slots.mss() as usize;
        let tunnelled = sent.slots.kind().is_tunnelled();
        let mut broken = wrong_lengths(packet, tunnelled);
        if packet.payload == 0 || packet.payload > mss {
            let found = format!("{} bytes of payload at MSS {mss}", packet.payload);
            broken.push((Rule::PacketLength, found));
        }
        broken.extend(wrong_headers(&packet.frame, tunnelled));
        broken.extend(self.above_mtu(packet));
        if asks(given) {
            let settled = self.settled();
            let offered =
                |capabilities: &Capabilities| computes_checksum(capabilities, given, packet);
            if !self.advertised.limits.any_since(settled, offered) {
                let found = format!("asks for {:?}, which the NIC has not", given.slots.checksum);
                broken.push((Rule::ChecksumOffload, found));
            }
        }
        for (rule, found) in broken {
            self.violation(rule, &*given.name, found);
        }
    }

    /// Checks that a datagram, in a tunnel the inner one, is within the MTU, whatever MSS the
    /// overlying driver requested.
    fn above_mtu(&self, packet: &GivenPacket) -> Option<(Rule, String)> {
        let mtu = self.advertised.mtu? as usize;
        let length = packet.length - packet.layout?.ip;
        (length > mtu).then(|| {
            (
                Rule::Mtu,
                format!("a datagram of {length} bytes, the MTU is {mtu}"),
            )
        })
    }

    /// Checks such a child on the wire, as the NIC sent it: if its parent's sender left the right
    /// seed, every checksum is right.
    pub(crate) fn check_on_wire(&mut self, given: &Given, wire: &[u8]) {
        let parent = self.is_packet_child(given);
        let Some(sent) = parent.and_then(|parent| self.sends.sent.get(&parent)) else {
            return;
        };
        let wrong = match sent.slots.kind() {
            kind if kind.is_tunnelled() => tunnel_header_wrong(wire),
            _ => wrong_checksum(wire),
        };
        if let Some(wrong) = wrong
            && has_right_seed(&sent.packet.frame, &sent.slots)
        {
            let found = format!("on the wire {wrong}");
            self.violation(Rule::PacketChecksum, &*given.name, found);
        }
    }
}

/// Whether a checksum is requested.
fn asks(given: &Given) -> bool {
    let slot = given.slots.checksum;
    slot.tcp || slot.udp || slot.ip_header
}

/// Whether a NIC computes the requested checksums, for such a packet.
fn computes_checksum(capabilities: &Capabilities, given: &Given, packet: &GivenPacket) -> bool {
    let Some(found) = packet.layout else {
        return false;
    };
    let slot = given.slots.checksum;
    let has = capabilities.checksum.of(found.ipv6);
    let network = found.transport - found.ip;
    let ip_options = network > if found.ipv6 { 40 } else { 20 };
    let tcp_options = !found.udp && found.payload - found.transport > 20;
    (has.tcp || !slot.tcp)
        && (has.udp || !slot.udp)
        && (has.ip_header || !slot.ip_header)
        && (has.ip_options || !ip_options)
        && (has.tcp_options || !tcp_options)
}

/// Every length in the headers is the true one.
fn wrong_lengths(packet: &GivenPacket, tunnelled: bool) -> Vec<(Rule, String)> {
    let (frame, whole) = (&packet.frame, packet.length);
    let mut fields = Vec::new();
    let ip = |ip: usize, ipv6: bool| {
        if ipv6 {
            (ip + 4, whole - ip - 40)
        } else {
            (ip + 2, whole - ip)
        }
    };
    if tunnelled && let Some(found) = tunnel(frame) {
        fields.push(ip(found.ip, found.ipv6));
        fields.push(ip(found.inner.ip, found.inner.ipv6));
        if found.inner.udp {
            let udp = found.inner.transport;
            fields.push((udp + 4, whole - udp));
        }
        if let TunnelKind::Vxlan(_) = found.kind {
            fields.push((found.transport + 4, whole - found.transport));
        }
    } else if !tunnelled && let Some(found) = layout(frame) {
        fields.push(ip(found.ip, found.ipv6));
        if found.udp {
            fields.push((found.transport + 4, whole - found.transport));
        }
    } else {
        return vec![(
            Rule::PacketLength,
            "headers that are not its parent's".into(),
        )];
    }
    let says = |at: usize| usize::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
    fields
        .into_iter()
        .filter(|(at, length)| says(*at) != *length)
        .map(|(at, length)| {
            let found = format!("the length at {at} says {}, it is {length}", says(at));
            (Rule::PacketLength, found)
        })
        .collect()
}

/// Every IPv4 header has its checksum.
fn wrong_headers(frame: &[u8], tunnelled: bool) -> Vec<(Rule, String)> {
    let headers = if tunnelled {
        tunnel(frame).map_or(Vec::new(), |found| {
            vec![(found.ip, found.ipv6), (found.inner.ip, found.inner.ipv6)]
        })
    } else {
        layout(frame).map_or(Vec::new(), |found| vec![(found.ip, found.ipv6)])
    };
    headers
        .into_iter()
        .filter(|(ip, ipv6)| !ipv6 && !ip_header_right(frame, *ip))
        .map(|(ip, _)| {
            let found = format!("the IPv4 header at {ip} has a wrong checksum");
            (Rule::PacketChecksum, found)
        })
        .collect()
}
