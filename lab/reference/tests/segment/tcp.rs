//! TCP without a tunnel.

use crate::hex;
use reference::{ReferenceError, segment};
use testpkt::synth::{Synth, flag};

/// Sequence and identification wrap; ECN, AE and a reserved bit stay.
#[test]
fn ipv4_literal() {
    let send = hex("02 00 00 00 00 02 02 00 00 00 00 01 08 00 \
         45 03 00 00 ff fe 40 00 40 06 be ef c0 00 02 01 c6 33 64 02 \
         a9 18 15 b3 ff ff ff fe 71 ec bb 91 53 d9 08 00 ec 3d 00 00 \
         30 31 32 33 34 35 36 37 38 39");
    let wire = [
        hex("02 00 00 00 00 02 02 00 00 00 00 01 08 00 \
             45 03 00 2c ff fe 40 00 40 06 4e 93 c0 00 02 01 c6 33 64 02 \
             a9 18 15 b3 ff ff ff fe 71 ec bb 91 53 d0 08 00 69 2c 00 00 30 31 32 33"),
        hex("02 00 00 00 00 02 02 00 00 00 00 01 08 00 \
             45 03 00 2c ff ff 40 00 40 06 4e 92 c0 00 02 01 c6 33 64 02 \
             a9 18 15 b3 00 00 00 02 71 ec bb 91 53 50 08 00 61 a1 00 00 34 35 36 37"),
        hex("02 00 00 00 00 02 02 00 00 00 00 01 08 00 \
             45 03 00 2a 00 00 40 00 40 06 4e 94 c0 00 02 01 c6 33 64 02 \
             a9 18 15 b3 00 00 00 06 71 ec bb 91 53 59 08 00 93 c9 00 00 38 39"),
    ];
    assert_eq!(segment(&send, 4, 16).unwrap(), wire);
}

/// Two VLAN tags, a destination options header, TCP timestamps.
#[test]
fn ipv6_literal() {
    let ethernet = "02 00 00 00 00 02 02 00 00 00 00 01 88 a8 00 64 81 00 20 07 86 dd ";
    let addresses = "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 \
         20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02 06 00 01 04 00 00 00 00 ";
    let packet = |ip: &str, tcp: &str| hex(&[ethernet, ip, addresses, tcp].concat());
    let send = packet(
        "60 21 23 45 00 00 3c 40 ",
        "a9 18 15 b3 00 00 01 00 71 ec bb 91 80 18 08 00 5b 7b 00 00 \
         01 01 08 0a fc 49 39 4a d2 e2 37 2b 30 31 32 33 34 35 36 37 38 39",
    );
    let wire = [
        packet(
            "60 21 23 45 00 2f 3c 40 ",
            "a9 18 15 b3 00 00 01 00 71 ec bb 91 80 10 08 00 19 bc 00 00 \
             01 01 08 0a fc 49 39 4a d2 e2 37 2b 30 31 32 33 34 35 36",
        ),
        packet(
            "60 21 23 45 00 2b 3c 40 ",
            "a9 18 15 b3 00 00 01 07 71 ec bb 91 80 18 08 00 76 12 00 00 \
             01 01 08 0a fc 49 39 4a d2 e2 37 2b 37 38 39",
        ),
    ];
    assert_eq!(segment(&send, 7, 16).unwrap(), wire);
}

#[test]
fn identification_counts_in_15_or_16_bits() {
    let ids = |base, bits| -> Vec<u16> {
        let packets = segment(&Synth::v4(3, 1).ip_id(base).frame(false), 1, bits).unwrap();
        packets
            .iter()
            .map(|p| u16::from_be_bytes([p[18], p[19]]))
            .collect()
    };
    assert_eq!(ids(0x7FFE, 16), [0x7FFE, 0x7FFF, 0x8000]);
    assert_eq!(ids(0x7FFE, 15), [0x7FFE, 0x7FFF, 0x0000]);
    assert_eq!(ids(0xFFFE, 16), [0xFFFE, 0xFFFF, 0x0000]);
    assert_eq!(ids(0xFFFE, 15), [0xFFFE, 0xFFFF, 0x8000]);
}

/// The length and checksum fields that come in do not matter.
#[test]
fn stale_fields_are_ignored() {
    let right = Synth::v4(4000, 1448).frame(false);
    let mut stale = right.clone();
    stale[16..18].copy_from_slice(&1500u16.to_be_bytes());
    stale[24..26].fill(0xAA);
    stale[50..52].fill(0x55);
    assert_eq!(segment(&stale, 1448, 16), segment(&right, 1448, 16));
}

#[test]
fn refusals() {
    use ReferenceError as E;
    let v4 = || Synth::v4(100, 10);
    let v6 = || Synth::v6(100, 10);
    let on = |send: Synth| segment(&send.frame(false), 10, 16).unwrap_err();
    assert_eq!(segment(&v4().frame(false), 0, 16), Err(E::ZeroMss));
    assert_eq!(segment(&v4().frame(false), 10, 14), Err(E::IdBits(14)));
    assert_eq!(on(v4().vlan(&[1, 2, 3])), E::NotIp(0x8100));
    assert_eq!(on(v4().flags(flag::SYN)), E::Flags);
    assert_eq!(on(v4().flags(flag::RST)), E::Flags);
    assert_eq!(on(v4().flags(flag::URG | flag::ACK)), E::Flags);
    assert_eq!(on(Synth::v4(0, 10)), E::NoPayload);
    assert_eq!(
        on(v6().extension(0, &[0, 0, 0xC2, 4, 0, 1, 0, 0])),
        E::Jumbo
    );
    // No address in the route, nor in the home address option.
    assert_eq!(
        on(v6().extension(43, &[0, 0, 4, 1, 0, 0, 0, 0])),
        E::OtherAddress
    );
    assert_eq!(
        on(v6().extension(60, &[0, 0, 1, 0, 0xC9, 0, 0, 0])),
        E::OtherAddress
    );
    // It goes on beyond its header.
    assert_eq!(
        on(v6().extension(60, &[0, 0, 0xC9, 16, 0, 0, 0, 0])),
        E::OtherAddress
    );
    assert_eq!(on(v4().ip_options(&[137, 3, 3])), E::OtherAddress);
    assert_eq!(on(v6().extension(44, &[0; 8])), E::Fragment);
    assert_eq!(
        on(v6().extension(51, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
        E::Authenticated
    );
    let mut udp = v4().frame(false);
    udp[23] = 17;
    assert_eq!(segment(&udp, 10, 16), Err(E::NotTcp(17)));
    let mut fragment = v4().frame(false);
    fragment[20] |= 0x20;
    assert_eq!(segment(&fragment, 10, 16), Err(E::Fragment));
    let long = Synth::v4(70_000, 65_484).frame(false);
    assert_eq!(segment(&long, 65_484, 16), Err(E::SegmentTooLong(65_536)));
    assert_eq!(segment(&long, 65_483, 16).unwrap().len(), 2);
}

/// Routes that have been gone to their end are copied like the rest.
#[test]
fn finished_routes_pass() {
    let v4 = Synth::v4(100, 60).ip_options(&[131, 7, 8, 10, 0, 0, 1]);
    let v6 = Synth::v6(100, 60).extension(43, &[0, 0, 4, 0, 0, 0, 0, 0]);
    assert_eq!(segment(&v4.frame(false), 60, 16).unwrap().len(), 2);
    assert_eq!(segment(&v6.frame(false), 60, 16).unwrap().len(), 2);
}

#[test]
fn every_cut_of_the_headers_is_refused() {
    let send = Synth::v6(10, 4)
        .vlan(&[1, 2])
        .extension(60, &[0, 0, 1, 4, 0, 0, 0, 0]);
    let frame = send.frame(false);
    for len in 0..=frame.len() - 10 {
        assert!(segment(&frame[..len], 4, 16).is_err(), "{len} bytes");
    }
}
