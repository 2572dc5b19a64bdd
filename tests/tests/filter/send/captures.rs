//! Large sends of a real TCP stack, captured, go through the filter as they should on every NIC.

use std::path::PathBuf;

use model::{Nic, Packet, parts};
use scenarios::Machine;
use testpkt::capture::{Captured, read, strip_jumbo_hop_by_hop};

fn captured(name: &str) -> Vec<Captured> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(name);
    read(file).expect("a capture")
}

/// A captured packet as LSOv2 hands it down. The stack that was captured counts the length in the
/// TCP checksum's seed, states an IP length where it fits, and a jumbo option where it does not.
fn as_large_send(captured: &Captured, mss: u32) -> Packet {
    let mut frame = strip_jumbo_hop_by_hop(captured.bytes.clone());
    let parts = parts(&frame).expect("a TCP packet");
    let (length, addresses) = if parts.ipv6 { (4, 8..40) } else { (2, 12..20) };
    frame[parts.ip + length..][..2].fill(0);
    let sum: u32 = frame[parts.ip..][addresses]
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    let mut seed = sum + 6;
    while seed > 0xFFFF {
        seed = (seed >> 16) + (seed & 0xFFFF);
    }
    frame[parts.tcp + 16..][..2].copy_from_slice(&(seed as u16).to_be_bytes());
    Packet::large_send(frame, mss)
}

/// Every large send of the capture on NICs of three sizes, in buffers of two.
fn assert_goes_through(name: &str) {
    let packets: Vec<_> = captured(name)
        .iter()
        .map(|one| as_large_send(one, one.mss.expect("an MSS in each comment")))
        .collect();
    assert!(!packets.is_empty());
    for max in [62_780, 32_000, 9_000] {
        let machine = Machine::with_nic(Nic::new(max, 2));
        for packet in &packets {
            let children = machine.assert_split(packet.clone());
            let payload: usize = children.iter().map(|child| child.payload).sum();
            let whole = packet.frame.len() - parts(&packet.frame).expect("TCP").payload;
            assert_eq!(payload, whole);
            machine.assert_split(packet.clone().in_buffers(4096));
        }
        machine.stop_clean();
    }
}

#[test]
fn captured_ipv4_sends_go_through() {
    assert_goes_through("bigtcp-ipv4.pcapng");
}

#[test]
fn captured_ipv6_sends_go_through() {
    assert_goes_through("bigtcp-ipv6.pcapng");
}

#[test]
fn captured_ipv6_sends_are_jumbograms_before_they_are_large_sends() {
    for one in captured("bigtcp-ipv6.pcapng") {
        assert!(one.bytes.len() > 64 << 10);
        assert_eq!(one.bytes[20], 0, "a hop-by-hop header");
        let stripped = strip_jumbo_hop_by_hop(one.bytes.clone());
        assert_eq!(stripped.len() + 8, one.bytes.len());
    }
}
