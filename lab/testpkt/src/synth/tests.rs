//! Frames as literal bytes.

use super::*;

#[test]
fn ipv4_literal() {
    let options = [1, 1, 1, 1];
    let send = Synth::v4(2, 1)
        .vlan(&[0x2007])
        .tcp_options(&options[..3])
        .ip_options(&[1]);
    let frame = send.clone().flags(flag::AE | flag::FIN).frame(true);
    let headers = [
        0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01, 0x81, 0x00, 0x20, 0x07, 0x08,
        0x00, // Ethernet
        0x46, 0, 0, 50, 0x07, 0x86, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100,
        2, // IPv4
        1, 0, 0, 0, // padded IPv4 options
        0xA9, 0x18, 0x15, 0xB3, 0x12, 0x68, 0xA9, 0x4A, 0x71, 0xEC, 0xBB, 0x91, // TCP
        0x61, 0x01, 0x08, 0x00, 0xEC, 0x3D, 0, 0, 1, 1, 1, 0,
    ];
    assert_eq!(frame, [&headers[..], &send.payload_bytes()].concat());
}

#[test]
fn ipv6_literal() {
    let send = Synth::v6(1, 1)
        .traffic_class(0xAB)
        .flow_label(0xC_DEF0)
        .tcp_options(&[]);
    let send = send
        .extension(0, &[9, 0, 1, 4, 0, 0, 0, 0])
        .extension(60, &[9, 0, 1, 4, 0, 0, 0, 0]);
    let headers = [
        0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01, 0x86, 0xDD, // Ethernet
        0x6A, 0xBC, 0xDE, 0xF0, 0, 37, 0, 64, // IPv6
        0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, //
        0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, //
        60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0, // hop-by-hop and destination options
        0xA9, 0x18, 0x15, 0xB3, 0x12, 0x68, 0xA9, 0x4A, 0x71, 0xEC, 0xBB, 0x91, // TCP
        0x50, 0x18, 0x08, 0x00, 0x5B, 0x7B, 0, 0,
    ];
    assert_eq!(
        send.frame(true),
        [&headers[..], &send.payload_bytes()].concat()
    );
}

#[test]
fn only_a_length_that_fits_is_written() {
    let length = |payload, lsov1| {
        let frame = Synth::v4(payload, 1448).frame(lsov1);
        u16::from_be_bytes([frame[16], frame[17]])
    };
    assert_eq!(length(65_535 - 52, true), 65_535);
    assert_eq!(length(65_536 - 52, true), 0);
    assert_eq!(length(1000, false), 0);
}

#[test]
fn payload_depends_on_seed_and_place_alone() {
    let bytes = |len, seed| Synth::v4(len, 1448).seed(seed).payload_bytes();
    assert_eq!(bytes(1003, 5), bytes(4096, 5)[..1003]);
    assert_ne!(bytes(64, 5), bytes(64, 6));
    let long = bytes(1 << 20, 5);
    assert_ne!(long[..1448], long[1448..2896]);
    assert_ne!(long[..65_536], long[65_536..131_072]);
}

/// UDP states its length with IP, or neither does.
#[test]
fn udp_literal() {
    let send = Synth::udp_v4(5, 2);
    let udp = |stated| send.frame(stated)[34..42].to_vec();
    assert_eq!(udp(false), [0xA9, 0x18, 0x15, 0xB3, 0, 0, 0xEC, 0x48]);
    assert_eq!(udp(true), [0xA9, 0x18, 0x15, 0xB3, 0, 13, 0xEC, 0x48]);
    let none = send.clone().udp_checksum(false).frame(true);
    assert_eq!(none[34..42], [0xA9, 0x18, 0x15, 0xB3, 0, 13, 0, 0]);
    assert_eq!(none[14..20], [0x45, 0, 0, 33, 0x07, 0x86]);
    assert_eq!(none[42..], send.payload_bytes());
    assert_eq!(Synth::udp_v6(5, 2).frame(true)[18..21], [0, 13, 17]);
}

#[test]
fn vxlan_literal() {
    let inner = Synth::v6(3, 1).vlan(&[5]);
    let tunnel = Tunnel {
        vlan: vec![0x6064],
        ip_options: vec![1],
        traffic_class: 2,
        udp_checksum: true,
        stated: true,
        ..Tunnel::vxlan_v4()
    };
    let headers = [
        0x02, 0, 0, 0, 0, 0x04, 0x02, 0, 0, 0, 0, 0x03, 0x81, 0x00, 0x60, 0x64, 0x08,
        0x00, // Ethernet
        0x46, 2, 0, 0x85, 0x3C, 0x5A, 0x40, 0, 64, 17, 0, 0, 203, 0, 113, 1, 203, 0, 113,
        2, // IPv4
        1, 0, 0, 0, // padded IPv4 options
        0xC0, 0xDE, 0x12, 0xB5, 0, 0x6D, 0x78, 0x16, // UDP
        0x08, 0, 0, 0, 0x0B, 0x1A, 0x5E, 0, // VXLAN
    ];
    let frame = inner.clone().inside(tunnel).frame(false);
    assert_eq!(frame, [&headers[..], &inner.frame(false)].concat());
}

#[test]
fn nvgre_literal() {
    let inner = Synth::v4(3, 1);
    let tunnel = Tunnel {
        extensions: vec![(60, vec![9, 0, 1, 4, 0, 0, 0, 0])],
        ..Tunnel::nvgre_v6()
    };
    let headers = [
        0x02, 0, 0, 0, 0, 0x04, 0x02, 0, 0, 0, 0, 0x03, 0x86, 0xDD, // Ethernet
        0x60, 0, 0, 0, 0, 0, 60, 64, // IPv6
        0x20, 0x01, 0x0D, 0xB8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, //
        0x20, 0x01, 0x0D, 0xB8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, //
        47, 0, 1, 4, 0, 0, 0, 0, // destination options
        0x20, 0, 0x65, 0x58, 0x0B, 0x1A, 0x5E, 0xDE, // GRE
    ];
    let frame = inner.clone().inside(tunnel).frame(false);
    assert_eq!(frame, [&headers[..], &inner.frame(false)].concat());
}
