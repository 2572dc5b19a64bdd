//! Large sends of every shape.

use proptest::prelude::*;
use testpkt::synth::{Encapsulation, IpVersion, Synth, Transport, Tunnel, flag};

/// Up to two VLAN tags.
fn vlan() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 0..3)
}

fn ip_options() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(Just(1u8), 0..=40)
}

/// Padding in hop-by-hop, which may only stand first, and destination options.
fn extensions() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let padding = || vec![0, 0, 1, 4, 0, 0, 0, 0];
    (any::<bool>(), 0usize..3).prop_map(move |(hop_by_hop, others)| {
        let mut all = vec![(60, padding()); others];
        if hop_by_hop {
            all.insert(0, (0, padding()));
        }
        all
    })
}

fn ip_version() -> impl Strategy<Value = IpVersion> {
    prop::sample::select(vec![IpVersion::V4, IpVersion::V6])
}

prop_compose! {
    /// A large send of TCP, without a tunnel.
    pub fn tcp()(
        ip in ip_version(),
        (vlan, ip_options, extensions) in (vlan(), ip_options(), extensions()),
        (ip_id, traffic_class, flow_label) in any::<(u16, u8, u32)>(),
        tcp_options in prop::collection::vec(any::<u8>(), 0..=40),
        (flags, seq, seed) in any::<(u16, u32, u64)>(),
        (payload, mss) in (1u32..200_000, 536u32..9000),
    ) -> Synth {
        Synth {
            ip,
            vlan,
            ip_options,
            extensions,
            tcp_options,
            ip_id,
            traffic_class,
            flow_label,
            seq,
            seed,
            flags: flags & !(flag::SYN | flag::RST | flag::URG),
            ..Synth::v4(payload, mss)
        }
    }
}

prop_compose! {
    /// A large send of UDP.
    pub fn udp()(synth in tcp(), udp_checksum in any::<bool>()) -> Synth {
        Synth { transport: Transport::Udp, udp_checksum, ..synth }
    }
}

prop_compose! {
    fn tunnel()(
        vxlan in any::<bool>(),
        ip in ip_version(),
        (vlan, ip_options, extensions) in (vlan(), ip_options(), extensions()),
        (ip_id, traffic_class) in any::<(u16, u8)>(),
        network in 0u32..1 << 24,
        (udp_checksum, stated) in any::<(bool, bool)>(),
    ) -> Tunnel {
        Tunnel {
            encapsulation: if vxlan { Encapsulation::Vxlan } else { Encapsulation::Nvgre },
            ip,
            vlan,
            ip_options,
            extensions,
            ip_id,
            traffic_class,
            network,
            udp_checksum,
            stated,
        }
    }
}

prop_compose! {
    /// A large send of TCP in a tunnel, with the tunnel beside it.
    pub fn encapsulated()(synth in tcp(), tunnel in tunnel()) -> (Synth, Tunnel) {
        (synth, tunnel)
    }
}
