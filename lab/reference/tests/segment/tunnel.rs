//! TCP within VXLAN and NVGRE.

use crate::hex;
use reference::{Kind, Layers, ReferenceError, TunnelLayers, cut, cut_any_tunnel, layers, segment};
use testpkt::synth::{Synth, Tunnel};

/// A tagged outer frame and a UDP checksum; outer identification, inner identification and
/// sequence number wrap or pass their middle, each on its own; CWR is the first packet's.
#[test]
fn vxlan_literal() {
    let send = hex(
        "02 00 00 00 00 04 02 00 00 00 00 03 81 00 00 64 08 00 45 00 00 00 ff ff \
     40 00 40 11 00 00 cb 00 71 01 cb 00 71 02 c0 de 12 b5 00 00 78 16 08 00 \
     00 00 0b 1a 5e 00 02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 00 00 00 \
     7f ff 40 00 40 06 00 00 c0 00 02 01 c6 33 64 02 a9 18 15 b3 ff ff ff fe \
     71 ec bb 91 50 98 08 00 ec 3d 00 00 30 31 32 33 34 35 36 37 38 39",
    );
    let wire = [
        hex(
            "02 00 00 00 00 04 02 00 00 00 00 03 81 00 00 64 08 00 45 00 00 60 ff ff \
         40 00 40 11 c2 88 cb 00 71 01 cb 00 71 02 c0 de 12 b5 00 4c 22 f8 08 00 \
         00 00 0b 1a 5e 00 02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 00 00 2e \
         7f ff 40 00 40 06 ce 93 c0 00 02 01 c6 33 64 02 a9 18 15 b3 ff ff ff fe \
         71 ec bb 91 50 90 08 00 38 35 00 00 30 31 32 33 34 35",
        ),
        hex(
            "02 00 00 00 00 04 02 00 00 00 00 03 81 00 00 64 08 00 45 00 00 5e 00 00 \
         40 00 40 11 c2 8a cb 00 71 01 cb 00 71 02 c0 de 12 b5 00 4a 22 fa 08 00 \
         00 00 0b 1a 5e 00 02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 00 00 2c \
         80 00 40 00 40 06 ce 94 c0 00 02 01 c6 33 64 02 a9 18 15 b3 00 00 00 04 \
         71 ec bb 91 50 18 08 00 60 d3 00 00 36 37 38 39",
        ),
    ];
    assert_eq!(cut(&send, Kind::Encapsulated, 6, 16).unwrap(), wire);
}

/// A tagged inner frame, IPv6 in IPv6; FIN is the last packet's.
#[test]
fn nvgre_literal() {
    let send = hex(
        "02 00 00 00 00 04 02 00 00 00 00 03 86 dd 60 20 00 00 00 00 2f 40 20 01 \
     0d b8 00 01 00 00 00 00 00 00 00 00 00 01 20 01 0d b8 00 01 00 00 00 00 \
     00 00 00 00 00 02 20 00 65 58 0b 1a 5e de 02 00 00 00 00 02 02 00 00 00 \
     00 01 81 00 00 05 86 dd 60 00 00 00 00 00 06 40 20 01 0d b8 00 00 00 00 \
     00 00 00 00 00 00 00 01 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02 \
     a9 18 15 b3 00 00 01 00 71 ec bb 91 50 19 08 00 5b 7b 00 00 30 31 32 33 \
     34 35 36 37 38 39",
    );
    let wire = [
        hex(
            "02 00 00 00 00 04 02 00 00 00 00 03 86 dd 60 20 00 00 00 5d 2f 40 20 01 \
         0d b8 00 01 00 00 00 00 00 00 00 00 00 01 20 01 0d b8 00 01 00 00 00 00 \
         00 00 00 00 00 02 20 00 65 58 0b 1a 5e de 02 00 00 00 00 02 02 00 00 00 \
         00 01 81 00 00 05 86 dd 60 00 00 00 00 1b 06 40 20 01 0d b8 00 00 00 00 \
         00 00 00 00 00 00 00 01 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02 \
         a9 18 15 b3 00 00 01 00 71 ec bb 91 50 10 08 00 92 75 00 00 30 31 32 33 \
         34 35 36",
        ),
        hex(
            "02 00 00 00 00 04 02 00 00 00 00 03 86 dd 60 20 00 00 00 59 2f 40 20 01 \
         0d b8 00 01 00 00 00 00 00 00 00 00 00 01 20 01 0d b8 00 01 00 00 00 00 \
         00 00 00 00 00 02 20 00 65 58 0b 1a 5e de 02 00 00 00 00 02 02 00 00 00 \
         00 01 81 00 00 05 86 dd 60 00 00 00 00 17 06 40 20 01 0d b8 00 00 00 00 \
         00 00 00 00 00 00 00 01 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02 \
         a9 18 15 b3 00 00 01 07 71 ec bb 91 50 19 08 00 ee ca 00 00 37 38 39",
        ),
    ];
    assert_eq!(cut(&send, Kind::Encapsulated, 7, 16).unwrap(), wire);
}

fn cut_at(send: &Synth, mss: u32) -> Result<Vec<Vec<u8>>, ReferenceError> {
    cut(&send.frame(false), Kind::Encapsulated, mss, 16)
}

/// With 15 bits, in both headers.
#[test]
fn identifications_count_in_15_or_16_bits() {
    let tunnel = Tunnel {
        ip_id: 0xFFFF,
        ..Tunnel::vxlan_v4()
    };
    let send = Synth::v4(2, 1).ip_id(0x7FFF).inside(tunnel).frame(false);
    let ids = |bits| {
        let wire = cut(&send, Kind::Encapsulated, 1, bits).unwrap();
        // Outer and inner IPv4 headers are at 14 and 64.
        [[wire[1][18], wire[1][19]], [wire[1][68], wire[1][69]]]
    };
    assert_eq!(ids(16), [[0x00, 0x00], [0x80, 0x00]]);
    assert_eq!(ids(15), [[0x80, 0x00], [0x00, 0x00]]);
}

/// The content of a tunnel equals the packets sent without it.
#[test]
fn the_inner_frames_are_those_without_a_tunnel() {
    let inner = Synth::v6(9000, 1400).vlan(&[7]);
    let plain = segment(&inner.frame(false), 1400, 16).unwrap();
    for tunnel in [
        Tunnel::vxlan_v4(),
        Tunnel::vxlan_v6(),
        Tunnel::nvgre_v4(),
        Tunnel::nvgre_v6(),
    ] {
        let wire = cut_at(&inner.clone().inside(tunnel), 1400).unwrap();
        let found = wire.iter().zip(&plain).filter(|(w, p)| w.ends_with(p));
        assert_eq!((wire.len(), found.count()), (plain.len(), plain.len()));
    }
}

#[test]
fn a_tunnel_without_checksum_stays_without() {
    let mut tunnel = Tunnel::vxlan_v6();
    tunnel.udp_checksum = false;
    let wire = cut_at(&Synth::v4(3000, 1400).inside(tunnel), 1400).unwrap();
    assert!(wire.iter().all(|packet| packet[60..62] == [0, 0]));
}

/// The lengths that the outer headers state do not matter.
#[test]
fn stale_lengths_are_ignored() {
    let inside = |stated| {
        let tunnel = Tunnel {
            stated,
            ..Tunnel::vxlan_v4()
        };
        Synth::v4(9000, 1400).inside(tunnel)
    };
    let (zero, stated) = (inside(false), inside(true));
    assert_ne!(zero.frame(false), stated.frame(false));
    assert_eq!(cut_at(&zero, 1400), cut_at(&stated, 1400));
}

/// The tunnel's header is copied whatever it is: VXLAN cut by its place gives what VXLAN cut by its
/// form does, and with a GENEVE header (RFC 8926) of 4 bytes of options for VXLAN's, only that
/// header and what counts it differ.
#[test]
fn any_tunnel_over_udp_is_cut() {
    const GENEVE: [u8; 12] = [1, 0, 0x65, 0x58, 0, 0, 7, 0, 0, 1, 2, 0];
    for (outer, ip_len) in [(Tunnel::vxlan_v4(), 20), (Tunnel::vxlan_v6(), 40)] {
        let tunnel = Tunnel {
            udp_checksum: true,
            ..outer
        };
        for inner in [
            Synth::v4(9000, 1400),
            Synth::v6(9000, 1400).vlan(&[7]).extension(60, &[0; 8]),
            Synth::udp_v4(9000, 1400),
        ] {
            let frame = inner.clone().inside(tunnel.clone()).frame(false);
            let found = layers(&frame, Kind::Encapsulated).unwrap();
            let known = cut(&frame, Kind::Encapsulated, 1400, 16).unwrap();
            assert_eq!(
                cut_any_tunnel(&frame, found.transport, 1400).as_ref(),
                Ok(&known)
            );
            let udp = 14 + ip_len;
            let mut geneve = frame.clone();
            geneve.splice(udp + 8..udp + 16, GENEVE);
            let wire = cut_any_tunnel(&geneve, found.transport + 4, 1400).unwrap();
            assert_eq!(wire.len(), known.len());
            for (k, (packet, known)) in wire.iter().zip(&known).enumerate() {
                assert_eq!(packet[udp + 8..udp + 20], GENEVE);
                assert_eq!(packet[udp + 20..], known[udp + 16..], "{k}");
                let length = u16::from_be_bytes([packet[udp + 4], packet[udp + 5]]);
                assert_eq!(usize::from(length), packet.len() - udp);
            }
        }
    }
}

#[test]
fn a_tunnel_that_is_not_over_udp_or_has_no_such_header_is_refused() {
    let send = Synth::v4(9000, 1400);
    let nvgre = send.clone().inside(Tunnel::nvgre_v4()).frame(false);
    let found = layers(&nvgre, Kind::Encapsulated).unwrap();
    assert_eq!(
        cut_any_tunnel(&nvgre, found.transport, 1400).unwrap_err(),
        ReferenceError::NotTunnel(47)
    );
    let vxlan = send.inside(Tunnel::vxlan_v4()).frame(false);
    let found = layers(&vxlan, Kind::Encapsulated).unwrap();
    for transport in [0, 30, found.transport - 1, found.transport + 1, usize::MAX] {
        assert!(matches!(
            cut_any_tunnel(&vxlan, transport, 1400),
            Err(ReferenceError::Malformed(_))
        ));
    }
    assert_eq!(
        cut_any_tunnel(&vxlan, found.transport, 0).unwrap_err(),
        ReferenceError::ZeroMss
    );
}

#[test]
fn layers_are_found() {
    let mut tunnel = Tunnel::vxlan_v4();
    tunnel.vlan = vec![1, 2];
    let frame = Synth::v6(100, 10).vlan(&[3]).inside(tunnel).frame(false);
    let expected = Layers {
        tunnel: Some(TunnelLayers {
            ip: 22,
            ipv6: false,
            udp: Some(42),
            inner: 58,
        }),
        ip: 76,
        ipv6: true,
        udp: false,
        transport: 116,
        payload: 148,
    };
    assert_eq!(layers(&frame, Kind::Encapsulated), Ok(expected));
    let frame = Synth::udp_v4(100, 10).frame(false);
    let expected = Layers {
        tunnel: None,
        ip: 14,
        ipv6: false,
        udp: true,
        transport: 34,
        payload: 42,
    };
    assert_eq!(layers(&frame, Kind::Udp), Ok(expected));
    let frame = Synth::udp_v4(100, 10).inside(Tunnel::nvgre_v4());
    let found = layers(&frame.frame(false), Kind::Encapsulated).unwrap();
    assert!(found.udp);
    assert_eq!((found.ip, found.transport, found.payload), (56, 76, 84));
}

#[test]
fn refusals() {
    use ReferenceError as E;
    let v4 = || Synth::v4(100, 10);
    let damaged = |tunnel, at: usize, value| {
        let mut frame = v4().inside(tunnel).frame(false);
        frame[at] = value;
        cut(&frame, Kind::Encapsulated, 10, 16).unwrap_err()
    };
    let plain = |send: Synth| cut_at(&send, 10).unwrap_err();
    assert_eq!(plain(v4()), E::NotTunnel(6));
    // Neither TCP nor UDP inside.
    assert_eq!(damaged(Tunnel::nvgre_v4(), 65, 1), E::NotTcp(1));
    // Another GRE: with a checksum, a sequence number, or IP in it.
    assert_eq!(
        damaged(Tunnel::nvgre_v4(), 34, 0xA0),
        E::NotNvgre(0xA000_6558)
    );
    assert_eq!(
        damaged(Tunnel::nvgre_v4(), 34, 0x30),
        E::NotNvgre(0x3000_6558)
    );
    assert_eq!(damaged(Tunnel::nvgre_v4(), 37, 0), E::NotNvgre(0x2000_6500));
    // No network identifier; VXLAN-GPE with a protocol of its own.
    assert_eq!(damaged(Tunnel::vxlan_v4(), 42, 0), E::NotVxlan(0));
    assert_eq!(damaged(Tunnel::vxlan_v4(), 42, 0x0C), E::NotVxlan(0x0C));
    // An outer fragment.
    assert_eq!(damaged(Tunnel::vxlan_v4(), 20, 0x20), E::Fragment);
    // 20 bytes of outer IPv4, 16 of UDP and VXLAN, 14 of Ethernet, 52 inside.
    let long = Synth::v4(70_000, 0).inside(Tunnel::vxlan_v4());
    assert_eq!(cut_at(&long, 65_434), Err(E::SegmentTooLong(65_536)));
    assert_eq!(cut_at(&long, 65_433).unwrap().len(), 2);
    for tunnel in [Tunnel::vxlan_v6(), Tunnel::nvgre_v4()] {
        let frame = Synth::v4(10, 4).inside(tunnel).frame(false);
        for len in 0..=frame.len() - 10 {
            let cut = cut(&frame[..len], Kind::Encapsulated, 4, 16);
            assert!(cut.is_err(), "{len} bytes");
        }
    }
}
