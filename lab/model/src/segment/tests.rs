//! Literal packets. The wire packets were looked at once with tshark too, which found every length
//! and every checksum right.

use super::*;

const ETHERNET: &str = "020000000012 020000000011";
const INNER_ETHERNET: &str = "020000000022 020000000021 0800";
/// IPv4 addresses outside, and inside.
const OUTER: &str = "cb007101 cb007102";
const INNER: &str = "c0000201 c6336402";
/// IPv6 addresses outside.
const OUTER_IPV6: &str = "20010db8000100000000000000000001 20010db8000100000000000000000002";
const VXLAN: &str = "0800000012345600";
const NVGRE: &str = "20006558 00123401";

/// The bytes of hexadecimal digits with spaces between.
fn bytes(parts: &[&str]) -> Vec<u8> {
    let digits: Vec<u8> = parts
        .concat()
        .bytes()
        .filter(|byte| *byte != b' ')
        .collect();
    let pairs = digits.as_chunks::<2>().0.iter();
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("digits");
            u8::from_str_radix(pair, 16).expect("digits")
        })
        .collect()
}

/// The inner TCP packet of a large send, FIN, PSH, ACK and CWR set, eight bytes of payload.
fn inner() -> String {
    let ip = format!("45000000 7fff4000 40060000 {INNER}");
    let tcp = "a91815b3 fffffffc 71ecbb91 50990800 ec3d0000";
    format!("{INNER_ETHERNET} {ip} {tcp} 6162636465666768")
}

/// Its two wire packets of five and of three bytes.
fn inner_wire() -> [String; 2] {
    let first = format!("4500002d 7fff4000 4006ce94 {INNER}");
    let second = format!("4500002b 80004000 4006ce95 {INNER}");
    [
        format!("{INNER_ETHERNET} {first} a91815b3 fffffffc 71ecbb91 50900800 a50a0000 6162636465"),
        format!("{INNER_ETHERNET} {second} a91815b3 00000001 71ecbb91 50190800 00df0000 666768"),
    ]
}

#[test]
fn a_literal_uso_send() {
    let header = |ip: &str, udp: &str| format!("{ETHERNET} 0800 {ip} {OUTER} {udp}");
    let parent = header("45000000 ffff4000 40110000", "c00101bb 00007816");
    let frame = bytes(&[&parent, "6162636465666768"]);
    let job = UsoJob {
        mss: 5,
        udp: 34,
        ipv6: false,
    };
    let first = header("45000021 ffff4000 4011c2c7", "c00101bb 000d9c4b");
    let second = header("4500001f 00004000 4011c2c9", "c00101bb 000bf7ae");
    let expected = [bytes(&[&first, "6162636465"]), bytes(&[&second, "666768"])];
    assert_eq!(segment_uso(&frame, job).expect("a send"), expected);
    for packet in expected {
        assert_eq!(wrong_checksum(&packet), None);
    }
}

#[test]
fn a_literal_send_in_vxlan() {
    let outer = |ip: &str, udp: &str| format!("{ETHERNET} 0800 {ip} {OUTER} {udp} {VXLAN}");
    let parent = outer("45000000 ffff4000 40110000", "c00212b5 00001234");
    let frame = bytes(&[&parent, &inner()]);
    let found = tunnel(&frame).expect("a tunnel");
    assert_eq!(found.kind, TunnelKind::Vxlan(4789));
    // Encapsulated, offsets valid, 50 bytes, 14 more, 20 more.
    assert_eq!(
        found.slot().to_raw(),
        1 | 1 << 1 | 50 << 2 | 14 << 10 | 20 << 16
    );
    let [first, second] = inner_wire();
    let expected = [
        bytes(&[
            &outer("4500005f ffff4000 4011c289", "c00212b5 004b247b"),
            &first,
        ]),
        bytes(&[
            &outer("4500005d 00004000 4011c28b", "c00212b5 0049247d"),
            &second,
        ]),
    ];
    let wire = segment_tunnelled(&frame, 5, found.slot(), 16).expect("a send");
    assert_eq!(wire, expected);
    for packet in expected {
        assert_eq!(tunnel_header_wrong(&packet), None);
    }
}

#[test]
fn a_literal_send_in_nvgre_over_ipv6() {
    let outer =
        |length: &str| format!("{ETHERNET} 86dd 60000000 {length} 2f40 {OUTER_IPV6} {NVGRE}");
    let frame = bytes(&[&outer("0000"), &inner()]);
    let slot = tunnel(&frame).expect("a tunnel").slot();
    let [first, second] = inner_wire();
    let expected = [
        bytes(&[&outer("0043"), &first]),
        bytes(&[&outer("0041"), &second]),
    ];
    let wire = segment_tunnelled(&frame, 5, slot, 16).expect("a send");
    assert_eq!(wire, expected);
    for packet in expected {
        assert_eq!(tunnel_header_wrong(&packet), None);
    }
}

#[test]
fn a_seed_with_the_length_becomes_the_checksum() {
    let header = |udp: &str| format!("{ETHERNET} 0800 4500001f 00004000 4011c2c9 {OUTER} {udp}");
    // 0x7816 of addresses and protocol, and 11 of the length.
    let frame = bytes(&[&header("c00101bb 000b7821"), "666768"]);
    let slot = crate::ChecksumSlot {
        ipv4: true,
        udp: true,
        header_offset: 34,
        ..crate::ChecksumSlot::default()
    };
    let expected = bytes(&[&header("c00101bb 000bf7ae"), "666768"]);
    assert_eq!(finish(&frame, slot), Some(expected));
    let elsewhere = crate::ChecksumSlot {
        header_offset: 33,
        ..slot
    };
    let tcp = crate::ChecksumSlot {
        tcp: true,
        udp: false,
        ..slot
    };
    assert_eq!(finish(&frame, elsewhere), None);
    assert_eq!(finish(&frame, tcp), None);
}

#[test]
fn a_udp_checksum_of_0_is_sent_as_all_ones() {
    // With this payload the sum of everything is 0xFFFF, of which the complement is 0.
    let header = |udp: &str| format!("{ETHERNET} 0800 45000000 00004000 40110000 {OUTER} {udp}");
    let frame = bytes(&[&header("c00101bb 00007816"), "c618"]);
    let job = UsoJob {
        mss: 2,
        udp: 34,
        ipv6: false,
    };
    let wire = segment_uso(&frame, job).expect("a send").remove(0);
    assert_eq!(wire[40..42], [0xFF, 0xFF]);
    assert_eq!(wrong_checksum(&wire), None);
}

#[test]
fn no_frame_cut_short_is_taken_for_a_tunnel() {
    let outer = format!("{ETHERNET} 86dd 60000000 0000 2f40 {OUTER_IPV6} {NVGRE}");
    let frame = bytes(&[&outer, &inner()]);
    for length in 0..frame.len() - 8 {
        assert_eq!(tunnel(&frame[..length]), None);
        assert!(layout(&frame[..length]).is_none());
    }
}
