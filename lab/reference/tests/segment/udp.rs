//! UDP: every packet is a datagram.

use crate::hex;
use reference::{Kind, ReferenceError, cut};
use testpkt::synth::Synth;

/// The identification wraps at 16 bits; ECN stays.
#[test]
fn ipv4_literal() {
    let send = hex(
        "02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 01 00 00 ff ff 40 00 40 11 \
     00 00 c0 00 02 01 c6 33 64 02 a9 18 15 b3 00 00 ec 48 30 31 32 33 34 35 \
     36 37 38 39",
    );
    let wire = [
        hex(
            "02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 01 00 20 ff ff 40 00 40 11 \
         4e 95 c0 00 02 01 c6 33 64 02 a9 18 15 b3 00 0c f2 6e 30 31 32 33",
        ),
        hex(
            "02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 01 00 20 00 00 40 00 40 11 \
         4e 95 c0 00 02 01 c6 33 64 02 a9 18 15 b3 00 0c ea 66 34 35 36 37",
        ),
        hex(
            "02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 01 00 1e 00 01 40 00 40 11 \
         4e 96 c0 00 02 01 c6 33 64 02 a9 18 15 b3 00 0a 1c 9e 38 39",
        ),
    ];
    assert_eq!(cut(&send, Kind::Udp, 4, 16).unwrap(), wire);
}

/// A VLAN tag and a destination options header.
#[test]
fn ipv6_literal() {
    let send = hex(
        "02 00 00 00 00 02 02 00 00 00 00 01 81 00 20 07 86 dd 60 00 00 00 00 00 \
     3c 40 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 20 01 0d b8 00 00 \
     00 00 00 00 00 00 00 00 00 02 11 00 01 04 00 00 00 00 a9 18 15 b3 00 00 \
     5b 86 30 31 32 33 34 35 36 37 38 39",
    );
    let wire = [
        hex(
            "02 00 00 00 00 02 02 00 00 00 00 01 81 00 20 07 86 dd 60 00 00 00 00 17 \
         3c 40 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 20 01 0d b8 00 00 \
         00 00 00 00 00 00 00 00 00 02 11 00 01 04 00 00 00 00 a9 18 15 b3 00 0f \
         18 f6 30 31 32 33 34 35 36",
        ),
        hex(
            "02 00 00 00 00 02 02 00 00 00 00 01 81 00 20 07 86 dd 60 00 00 00 00 13 \
         3c 40 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 20 01 0d b8 00 00 \
         00 00 00 00 00 00 00 00 00 02 11 00 01 04 00 00 00 00 a9 18 15 b3 00 0b \
         75 5f 37 38 39",
        ),
    ];
    assert_eq!(cut(&send, Kind::Udp, 7, 16).unwrap(), wire);
}

/// 0x54D7 brings the sum to all ones, whose complement is 0: that would mean
/// that there is no checksum.
#[test]
fn a_checksum_of_0_is_sent_as_all_ones() {
    let mut send = Synth::udp_v4(4, 2).frame(false);
    send[42..].copy_from_slice(&[0x54, 0xD7, 0x54, 0xD6]);
    let wire = cut(&send, Kind::Udp, 2, 16).unwrap();
    assert_eq!(wire[0][40..42], [0xFF, 0xFF]);
    assert_eq!(wire[1][40..42], [0x00, 0x01]);
}

#[test]
fn no_checksum_stays_none() {
    for (send, checksum) in [
        (Synth::udp_v4(3000, 1472), 40),
        (Synth::udp_v6(3000, 1452), 60),
    ] {
        let frame = send.udp_checksum(false).frame(false);
        let wire = cut(&frame, Kind::Udp, 1452, 16).unwrap();
        assert!(wire.iter().all(|p| p[checksum..][..2] == [0, 0]));
        assert_eq!(wire.len(), 3);
    }
}

/// Unlike that of TCP, for any setting.
#[test]
fn identification_counts_in_16_bits() {
    let send = Synth::udp_v4(3, 1).ip_id(0x7FFF).frame(false);
    for bits in [15, 16] {
        let wire = cut(&send, Kind::Udp, 1, bits).unwrap();
        let ids: Vec<_> = wire.iter().map(|p| [p[18], p[19]]).collect();
        assert_eq!(ids, [[0x7F, 0xFF], [0x80, 0x00], [0x80, 0x01]]);
    }
    assert_eq!(
        cut(&send, Kind::Udp, 1, 17),
        Err(ReferenceError::IdBits(17))
    );
}

/// The lengths and checksums of the input do not matter.
#[test]
fn stale_fields_are_ignored() {
    let right = Synth::udp_v4(4000, 1472).frame(false);
    let mut stale = Synth::udp_v4(4000, 1472).frame(true);
    stale[24..26].fill(0xAA);
    stale[40..42].fill(0x55);
    assert_ne!(stale, right);
    let wire = |frame| cut(frame, Kind::Udp, 1472, 16);
    assert_eq!(wire(&stale), wire(&right));
}

#[test]
fn refusals() {
    use ReferenceError as E;
    let on = |send: Synth| cut(&send.frame(false), Kind::Udp, 10, 16).unwrap_err();
    assert_eq!(on(Synth::v4(100, 10)), E::NotUdp(6));
    assert_eq!(on(Synth::v6(100, 10)), E::NotUdp(6));
    assert_eq!(on(Synth::udp_v4(0, 10)), E::NoPayload);
    let long = Synth::udp_v6(70_000, 0).frame(false);
    let cut_at = |mss| cut(&long, Kind::Udp, mss, 16);
    assert_eq!(cut_at(65_528), Err(E::SegmentTooLong(65_536)));
    assert_eq!(cut_at(65_527).unwrap().len(), 2);
    for len in 0..=long.len() - 70_000 {
        assert!(cut(&long[..len], Kind::Udp, 4, 16).is_err(), "{len} bytes");
    }
}
