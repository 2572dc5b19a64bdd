//! Rules 8, 9 and 11: the NIC accepts a large send, and a child is cut at an allowed place.

use crate::miniport::{Given, GivenPacket, Place};
use crate::{
    capabilities::{Capabilities, TunnelOffload},
    limits::limit_for,
    mdl::Read,
    nic::Nic,
    oob::SendKind,
    rules::Rule,
    segment::{Layout, Tunnel, TunnelKind, tunnel},
    state::State,
};

/// The properties of a large send that decide whether a NIC accepts it.
struct Wanted {
    kind: SendKind,
    payload: usize,
    mss: usize,
    segments: usize,
    ip_options: bool,
    tcp_options: bool,
    tunnel: Option<Tunnel>,
}

impl State {
    /// The headers of a large send are in the first MDL. For a tunnelled one this holds for the
    /// encapsulation's headers, and the rest up to the payload is in one piece.
    pub(crate) fn check_contiguous(&mut self, given: &Given, packet: &GivenPacket, read: &Read) {
        let in_first = read.windows.first().map_or(0, |window| window.length);
        let headers = packet.layout.map(|layout| layout.payload);
        let in_one = |from: usize, to: usize| {
            let mut start = 0;
            read.windows.iter().any(|window| {
                let inside = start <= from && to <= start + window.length;
                start += window.length;
                inside
            })
        };
        let right = match (given.slots.kind(), headers) {
            (_, None) => false,
            (kind, Some(headers)) if kind.is_tunnelled() => {
                tunnel(&packet.frame).is_some_and(|found| {
                    found.inner_frame <= in_first && in_one(found.inner_frame, headers)
                })
            }
            (_, Some(headers)) => headers <= in_first,
        };
        if !right {
            let found = format!("headers of {headers:?} bytes, {in_first} bytes in the first MDL");
            self.violation(Rule::Headers, &*given.name, found);
        }
    }

    /// Every part of a send but its last carries whole segments.
    pub(crate) fn check_multiple(&mut self, given: &Given, packet: &GivenPacket, place: &Place) {
        let Some(sent) = self.sends.sent.get(&place.send) else {
            return;
        };
        let mss = match given.slots.mss() {
            0 => sent.slots.mss(),
            own => own,
        };
        let cut = given.is_child && mss != 0 && !place.last;
        if cut && !packet.payload.is_multiple_of(mss as usize) {
            let found = format!("{} bytes of payload at MSS {mss}", packet.payload);
            self.violation(Rule::MssMultiple, &*given.name, found);
        }
    }

    /// Checks that a large send is within capabilities that the filter may use: see
    /// [`crate::limits`].
    pub(crate) fn check_limit(&mut self, nic: &Nic, given: &Given, packet: &GivenPacket) {
        let wanted = Wanted::of(given, packet);
        let fits = |capabilities: &Capabilities| wanted.refused_by(capabilities, given).is_none();
        if !self.advertised.limits.any_since(self.settled(), fits) {
            let found = wanted
                .refused_by(&nic.capabilities(), given)
                .unwrap_or_else(|| "the NIC takes it now, and the filter may not know".into());
            self.violation(Rule::Limit, &*given.name, found);
        }
        if given.is_child && wanted.segments < 2 {
            let found = "a large send of a single segment, made by the filter";
            self.violation(Rule::Limit, &*given.name, found);
        }
    }

    /// The lengths in the headers of a large child: as its kind has them, or as its parent has.
    pub(crate) fn check_large_child(&mut self, given: &Given, packet: &GivenPacket) {
        let (Some(layout), Some(sent)) = (
            packet.layout,
            given.send.and_then(|send| self.sends.sent.get(&send)),
        ) else {
            return;
        };
        let (frame, parent) = (&packet.frame, &sent.packet.frame);
        // 0 if the parent has 0, and otherwise the true length, if it fits in 16 bits.
        let like_parent = |field: usize, length: usize| {
            let has = be16(parent, field) != 0;
            let right = if has {
                u16::try_from(length).unwrap_or(0)
            } else {
                0
            };
            (field, right)
        };
        let ip_field = |ip: usize, ipv6: bool| ip + if ipv6 { 4 } else { 2 };
        let ip_length = |ip: usize, ipv6: bool| packet.length - ip - if ipv6 { 40 } else { 0 };
        let inner = ip_field(layout.ip, layout.ipv6);
        let mut expected = Vec::new();
        match given.slots.kind() {
            SendKind::Packet => {}
            SendKind::LargeSend if !given.slots.large_send.is_v2() => {
                expected.push((inner, (packet.length - layout.ip) as u16));
            }
            SendKind::LargeSend => expected.push((inner, 0)),
            kind @ (SendKind::Tunnelled | SendKind::TunnelledUso) => {
                if kind.is_uso() {
                    let length = ip_length(layout.ip, layout.ipv6);
                    expected.push(like_parent(inner, length));
                    let length = packet.length - layout.transport;
                    expected.push(like_parent(layout.transport + 4, length));
                } else {
                    expected.push((inner, 0));
                }
                if let Some(found) = tunnel(frame) {
                    let length = ip_length(found.ip, found.ipv6);
                    expected.push(like_parent(ip_field(found.ip, found.ipv6), length));
                    if let TunnelKind::Vxlan(_) = found.kind {
                        let length = packet.length - found.transport;
                        expected.push(like_parent(found.transport + 4, length));
                    }
                }
            }
            SendKind::Uso => {
                let length = ip_length(layout.ip, layout.ipv6);
                expected.push(like_parent(inner, length));
                let length = packet.length - layout.transport;
                expected.push(like_parent(layout.transport + 4, length));
            }
        }
        let wrong: Vec<_> = expected
            .into_iter()
            .map(|(field, right)| (field, be16(frame, field), right))
            .filter(|(_, says, right)| says != right)
            .collect();
        for (field, says, right) in wrong {
            let found = format!("the length at {field} says {says}, a large send says {right}");
            self.violation(Rule::Headers, &*given.name, found);
        }
    }
}

fn be16(frame: &[u8], at: usize) -> u16 {
    let bytes = frame
        .get(at..at + 2)
        .and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u16::from_be_bytes)
}

impl Wanted {
    fn of(given: &Given, packet: &GivenPacket) -> Self {
        let mss = given.slots.mss() as usize;
        let header = |find: fn(&Layout) -> usize| packet.layout.as_ref().map_or(0, find);
        let network = header(|layout| layout.transport - layout.ip);
        let ipv6 = packet.layout.is_some_and(|layout| layout.ipv6);
        Self {
            kind: given.slots.kind(),
            payload: packet.payload,
            mss,
            segments: packet.payload.div_ceil(mss.max(1)),
            ip_options: network > if ipv6 { 40 } else { 20 },
            tcp_options: header(|layout| layout.payload - layout.transport) > 20,
            tunnel: tunnel(&packet.frame).filter(|_| given.slots.kind().is_tunnelled()),
        }
    }

    /// Describes why a NIC with these capabilities does not accept it; `None` if it does.
    fn refused_by(&self, capabilities: &Capabilities, given: &Given) -> Option<String> {
        match self.kind {
            SendKind::Packet => None,
            SendKind::Uso => self.refused_as_uso(capabilities, given.slots.uso.ipv6),
            SendKind::LargeSend => self
                .refused_as_large_send(capabilities, given)
                .or_else(|| self.refused_for_options(capabilities, given)),
            SendKind::Tunnelled => self
                .refused_as_large_send(capabilities, given)
                .or_else(|| self.refused_in_tunnel(capabilities)),
            SendKind::TunnelledUso => self
                .refused_as_uso(capabilities, given.slots.uso.ipv6)
                .or_else(|| self.refused_in_tunnel(capabilities)),
        }
    }

    fn refused_by_size(&self, max: u32, min: u32) -> Option<String> {
        let fits = self.payload <= max as usize && self.segments >= min as usize;
        (!fits).then(|| {
            let (payload, segments) = (self.payload, self.segments);
            format!(
                "{payload} bytes of payload in {segments} segments, the NIC takes {max} bytes and \
                 asks for {min} segments"
            )
        })
    }

    fn refused_as_large_send(&self, capabilities: &Capabilities, given: &Given) -> Option<String> {
        let limit = limit_for(capabilities.large_sends, given.slots.large_send);
        self.refused_by_size(limit.max_payload, limit.min_segments)
    }

    fn refused_for_options(&self, capabilities: &Capabilities, given: &Given) -> Option<String> {
        let info = given.slots.large_send;
        let (ip, tcp) = match (info.is_v2(), info.is_ipv6()) {
            (false, _) => (capabilities.options.v1_ip, capabilities.options.v1_tcp),
            (true, false) => (true, true),
            (true, true) => (
                capabilities.options.v2_ipv6_extensions,
                capabilities.options.v2_ipv6_tcp,
            ),
        };
        match (self.ip_options && !ip, self.tcp_options && !tcp) {
            (true, _) => {
                Some("IP options or extension headers, which the NIC does not take".into())
            }
            (_, true) => Some("TCP options, which the NIC does not take".into()),
            _ => None,
        }
    }

    fn refused_as_uso(&self, capabilities: &Capabilities, ipv6: bool) -> Option<String> {
        let limit = capabilities.uso.of(ipv6);
        let size = self.refused_by_size(limit.max_payload, limit.min_segments);
        size.or_else(|| {
            let uneven = !limit.sub_mss_final && !self.payload.is_multiple_of(self.mss.max(1));
            if uneven {
                return Some("a last segment that is shorter, which the NIC does not take".into());
            }
            (ipv6 && self.ip_options && !limit.extensions)
                .then(|| "extension headers, which the NIC does not take".into())
        })
    }

    fn refused_in_tunnel(&self, capabilities: &Capabilities) -> Option<String> {
        let Some(found) = self.tunnel else {
            return Some("no tunnel that a NIC could know".into());
        };
        let offer = match found.kind {
            TunnelKind::Nvgre => capabilities.tunnels.nvgre,
            TunnelKind::Vxlan(port) if [0, port].contains(&capabilities.tunnels.vxlan_port) => {
                capabilities.tunnels.vxlan
            }
            TunnelKind::Vxlan(_) => TunnelOffload::default(),
        };
        let cuts = if found.inner.udp {
            offer.cuts_uso(found.ipv6, found.inner.ipv6)
        } else {
            offer.cuts(found.ipv6, found.inner.ipv6)
        };
        if !cuts {
            let kind = found.kind;
            return Some(format!("inside {kind:?}, which the NIC does not cut"));
        }
        let header = found.inner.payload;
        let most = offer.max_header as usize;
        (header > most).then(|| format!("headers of {header} bytes, the NIC takes {most}"))
    }
}
