//! The expected outcome of a send, computed without the filter's arithmetic.

use model::{Packet, TunnelOffload};
use ndis::sys;
use reference::{Kind, Layers, layers};
use testpkt::synth::Encapsulation;

use super::{
    Case,
    sends::{LargeSend, Send},
};

/// The expected outcome of a send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// It is forwarded.
    AsItIs,
    /// So many large sends and so many packets go down in its place.
    Parts((usize, usize)),
    /// It is refused: its segments are too long for the medium, and the NIC does not cut them all.
    AboveMtu,
}

/// The NIC's limits for large sends like this one.
#[derive(Clone, Copy)]
struct Takes {
    max: u32,
    min_segments: u32,
    /// The last segment may be shorter.
    short_final: bool,
}

const NOTHING: Takes = Takes {
    max: 0,
    min_segments: 0,
    short_final: true,
};

pub fn expected(send: &Send, packet: &Packet, case: &Case) -> Expected {
    let Send::Large(large) = send else {
        return Expected::AsItIs;
    };
    let found = layers(&packet.frame, large.synth.kind()).expect("a large send");
    let takes = takes(large, packet, &found, case);
    let (payload, mss) = (large.synth.payload, large.synth.mss);
    let fits = payload <= takes.max
        && payload.div_ceil(mss) >= takes.min_segments
        && (takes.short_final || payload.is_multiple_of(mss));
    if fits {
        return Expected::AsItIs;
    }
    let (large_sends, packets) = parts(payload, mss, takes);
    let datagram = (found.payload - found.ip) as u32 + payload.min(mss);
    if packets > 0 && case.mtu.is_some_and(|mtu| datagram > mtu) {
        return Expected::AboveMtu;
    }
    Expected::Parts((large_sends as usize, packets as usize))
}

/// How many large sends there must be, and how many packets.
fn parts(payload: u32, mss: u32, takes: Takes) -> (u32, u32) {
    let all = payload.div_ceil(mss);
    let cut = if takes.short_final {
        payload
    } else {
        payload / mss * mss
    };
    let full = takes.max / mss;
    if cut == 0 || full == 0 {
        return (0, all);
    }
    // Full ones, until the rest fits.
    let (mut left, mut full_ones) = (cut, 0);
    while left > takes.max {
        left -= full * mss;
        full_ones += 1;
    }
    // Spread evenly, the shortest has this many segments.
    let segments = cut.div_ceil(mss);
    let least = takes.min_segments.max(2);
    if segments / (full_ones + 1) >= least {
        (full_ones + 1, all - segments)
    } else if full >= least {
        (full_ones, all - full_ones * full)
    } else {
        (0, all)
    }
}

fn takes(large: &LargeSend, packet: &Packet, found: &Layers, case: &Case) -> Takes {
    let nic = &case.nic;
    let (limits, options) = (nic.current(), nic.options);
    let info = packet.large_send;
    let (limit, ip, tcp) = match (large.v1, info.is_ipv6()) {
        (true, _) => (limits.v1, options.v1_ip, options.v1_tcp),
        (false, false) => (limits.v2_ipv4, true, true),
        (false, true) => (
            limits.v2_ipv6,
            options.v2_ipv6_extensions,
            options.v2_ipv6_tcp,
        ),
    };
    let has_ip = found.transport - found.ip > if found.ipv6 { 40 } else { 20 };
    let has_tcp = found.payload - found.transport > 20;
    let tcp_takes = Takes {
        max: limit.max_payload,
        min_segments: limit.min_segments,
        short_final: true,
    };
    match large.synth.kind() {
        Kind::Encapsulated if found.udp && !cuts_tunnel(large, found, case) => NOTHING,
        Kind::Encapsulated if found.udp => uso(case, packet.slots().uso.ipv6, has_ip),
        Kind::Tcp | Kind::Encapsulated if has_ip && !ip || has_tcp && !tcp => NOTHING,
        Kind::Tcp if large.v1 => Takes {
            // The IPv4 length has 16 bits, and counts the headers.
            max: tcp_takes
                .max
                .min(65_535 - (found.payload - found.ip) as u32),
            ..tcp_takes
        },
        Kind::Tcp => tcp_takes,
        Kind::Encapsulated if cuts_tunnel(large, found, case) => tcp_takes,
        Kind::Encapsulated => NOTHING,
        Kind::Udp => uso(case, found.ipv6, has_ip),
    }
}

/// The NIC's limits for USO sends of this IP version, with options or extension headers.
fn uso(case: &Case, ipv6: bool, has_ip: bool) -> Takes {
    let limit = case.nic.current_uso().of(ipv6);
    Takes {
        max: if has_ip && ipv6 && !limit.extensions {
            0
        } else {
            limit.max_payload
        },
        min_segments: limit.min_segments,
        short_final: limit.sub_mss_final,
    }
}

/// Whether the NIC cuts large sends in such a tunnel.
fn cuts_tunnel(large: &LargeSend, found: &Layers, case: &Case) -> bool {
    let nic = &case.nic;
    let outer = large.synth.tunnel.as_ref().expect("a tunnel");
    let revision = nic.offload.revision;
    let has: TunnelOffload = match outer.encapsulation {
        Encapsulation::Nvgre if revision >= sys::NDIS_OFFLOAD_REVISION_3 => nic.tunnels.nvgre,
        Encapsulation::Vxlan
            if revision >= sys::NDIS_OFFLOAD_REVISION_4
                && nic.tunnels.vxlan_port == model::TunnelOffloads::VXLAN_PORT =>
        {
            nic.tunnels.vxlan
        }
        _ => TunnelOffload::default(),
    };
    let tunnel = found.tunnel.expect("a tunnel");
    nic.enabled.tunnels
        && if found.udp {
            has.cuts_uso(tunnel.ipv6, found.ipv6)
        } else {
            has.cuts(tunnel.ipv6, found.ipv6)
        }
        && found.payload <= has.max_header as usize
}
