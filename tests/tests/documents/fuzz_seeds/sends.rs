//! The seeds of `sends`: large sends of every kind to NICs of several kinds.

use model::Packet;
use ndis::sys;
use reference::layers;
use scenarios::{
    fuzz::sends::run,
    packets::{arp, large, large_v1, small},
};
use testpkt::synth::{Synth, Tunnel};

use super::Seeds;

const TARGET: &str = "sends";

/// A machine's bytes: see `scenarios::fuzz::sends`.
#[derive(Clone, Copy)]
struct Machinery {
    /// The maximum of all kinds of large sends.
    max_payload: u16,
    min_segments: u8,
    /// Options, and large sends of UDP with a short last segment.
    copes: bool,
    checksums: bool,
    tunnels: bool,
    /// Bits of the completion.
    completion: u8,
    /// As the input has it.
    chains: u8,
    mtu: u16,
}

const ALL: Machinery = Machinery {
    max_payload: 10_000,
    min_segments: 2,
    copes: true,
    checksums: true,
    tunnels: true,
    completion: 0,
    chains: 0,
    mtu: 1500,
};

const NONE: Machinery = Machinery {
    max_payload: 0,
    checksums: false,
    tunnels: false,
    completion: 3,
    chains: 1,
    ..ALL
};

const CHOOSY: Machinery = Machinery {
    max_payload: 50_000,
    min_segments: 9,
    copes: false,
    tunnels: false,
    completion: 0x39,
    chains: 9,
    mtu: 0,
    ..ALL
};

impl Machinery {
    fn bytes(&self) -> Vec<u8> {
        let [low, high] = self.max_payload.to_le_bytes();
        let limit = [low, high, self.min_segments];
        let all = if self.copes { 0x1F } else { 0x10 };
        let uso = [&limit[..], &[if self.copes { 3 } else { 0 }, 0]].concat();
        let checksum = [if self.checksums { 0x1F } else { 0 }, 0];
        let tunnel = if self.tunnels { [15, 255] } else { [0, 0] };
        let enabled = [0, 0];
        [
            &limit.repeat(3)[..],
            &uso.repeat(2),
            &[all, 0],
            &checksum.repeat(2),
            &tunnel.repeat(2),
            &enabled,
            &[self.completion, 0],
            // A seed of the order where it is shuffled.
            if self.completion & 2 != 0 { &[7] } else { &[] },
            &[0, self.chains],
            &self.mtu.to_le_bytes(),
        ]
        .concat()
    }
}

/// A packet's bytes, with its payload in `buffers`.
fn packet(packet: &Packet, header: usize, buffers: &[u16]) -> Vec<u8> {
    let slots = [
        (1, sys::TcpLargeSendNetBufferListInfo),
        (2, sys::UdpSegmentationOffloadInfo),
        (4, sys::TcpSendOffloadsSupplementalNetBufferListInfo),
    ];
    let given = slots.map(|(bit, slot)| (bit, packet.slot(slot) as u32));
    let given = given.iter().filter(|(_, value)| *value != 0);
    let laid_out: u8 = if buffers.is_empty() { 0 } else { 0x10 };
    let flags = given.clone().fold(laid_out, |flags, (bit, _)| flags | bit);
    let mut bytes = vec![flags, 0, header as u8];
    bytes.extend(&packet.frame[..header]);
    bytes.extend(((packet.frame.len() - header) as u16).to_le_bytes());
    bytes.extend(given.flat_map(|(_, value)| value.to_le_bytes()));
    if !buffers.is_empty() {
        bytes.push(buffers.len() as u8);
        bytes.extend(buffers.iter().flat_map(|length| length.to_le_bytes()));
        // Unused space before the packet, its place in its page, and space behind it.
        bytes.extend([100, 0, 0xF0, 0x0F, 9]);
    }
    bytes
}

/// Large sends of every kind, and packets that are none.
fn kinds() -> Vec<(&'static str, Vec<u8>)> {
    let (tcp, udp) = (Synth::v4(40_000, 1448), Synth::udp_v4(40_000, 1472));
    let v6 = Synth::v6(40_000, 1428);
    let in_tunnel = |tunnel| Synth::v4(40_000, 1350).inside(tunnel);
    let extended = Synth::v6(30_000, 1400).extension(60, &[0, 0, 1, 4, 0, 0, 0, 0]);
    let sends = [
        ("lsov2-ipv4", large(&tcp), &tcp),
        ("lsov1", large_v1(&tcp), &tcp),
        ("lsov2-ipv6", large(&v6), &v6),
        ("extensions", large(&extended), &extended),
        ("uso-ipv4", uso(&udp), &udp),
    ];
    let mut kinds: Vec<_> = sends
        .iter()
        .map(|(name, sent, synth)| (*name, described(sent, synth)))
        .collect();
    let udp_v6 = Synth::udp_v6(20_000, 1000).udp_checksum(false);
    kinds.push(("uso-ipv6", described(&uso(&udp_v6), &udp_v6)));
    for (name, tunnel) in [
        ("vxlan-ipv4", Tunnel::vxlan_v4()),
        ("vxlan-ipv6", Tunnel::vxlan_v6()),
        ("nvgre-ipv4", Tunnel::nvgre_v4()),
        ("nvgre-ipv6", Tunnel::nvgre_v6()),
    ] {
        let synth = in_tunnel(tunnel);
        let sent = Packet::encapsulated(synth.frame(false), synth.mss);
        kinds.push((name, described(&sent, &synth)));
    }
    kinds.push(("tcp", packet(&small(), 66, &[])));
    kinds.push(("arp", packet(&arp(), 60, &[])));
    kinds
}

fn uso(synth: &Synth) -> Packet {
    Packet::udp_large_send(synth.frame(true), synth.mss)
}

fn described(sent: &Packet, synth: &Synth) -> Vec<u8> {
    let header = layers(&sent.frame, synth.kind())
        .expect("a large send")
        .payload;
    packet(sent, header, &[header as u16, 4096, 4096, 1, 0, 9000])
}

/// All seeds by their names.
fn seeds() -> Seeds {
    let mut seeds = Seeds::new();
    for (nic, machinery) in [("all", ALL), ("none", NONE), ("choosy", CHOOSY)] {
        for (kind, packet) in kinds() {
            // One packet, on its own.
            let bytes = [&machinery.bytes()[..], &[0], &packet].concat();
            seeds.insert(format!("{nic}-{kind}"), bytes);
        }
        // Five in one chain, LSO turned off, five more, a delivery, a restart, and five more.
        let chain = |kind: u8| -> Vec<u8> {
            let packets = kinds().into_iter().skip(kind.into()).take(5);
            packets.fold(vec![4], |bytes, (_, packet)| [bytes, packet].concat())
        };
        let bytes = [
            &machinery.bytes()[..],
            &chain(0),
            &[6, 0x06, 0],
            &chain(3),
            &[5, 7],
            &chain(7),
        ]
        .concat();
        seeds.insert(format!("{nic}-chains"), bytes);
    }
    seeds
}

#[test]
fn the_files_match_the_code_that_makes_them() {
    super::assert_are_files(TARGET, &seeds());
}

#[test]
fn the_seeds_reach_the_nic() {
    for (name, bytes) in seeds() {
        let below = run(&bytes);
        let least = match name.split('-').collect::<Vec<_>>()[..] {
            [_, "tcp" | "arp"] | ["choosy", ..] => 1,
            ["all", ..] => 2,
            _ => 14,
        };
        assert!(below >= least, "{name}: {below} packets");
    }
}

#[test]
fn no_seed_and_no_input_that_was_found_breaks_a_rule() {
    super::replay(TARGET, |bytes| {
        run(bytes);
    });
}
