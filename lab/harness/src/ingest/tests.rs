//! Captured TCP packets in the shape of LSO.

use super::*;
use testpkt::synth::{Synth, flag};

const V2: Terms = Terms::V2;
const V1: Terms = Terms {
    lso: LsoVersion::V1,
    ..V2
};

fn shaped(frame: &[u8], mss: u32, terms: Terms) -> Vec<u8> {
    ingest(frame, mss, terms).unwrap().unwrap().frame
}

#[test]
fn a_packet_in_shape_is_unchanged() {
    let sends = [
        Synth::v4(70_000, 1448),
        Synth::v4(3000, 1448).vlan(&[1, 2]).ip_options(&[1, 1]),
        Synth::v6(70_000, 1428),
        Synth::v6(3000, 1428).extension(60, &[0, 0, 1, 4, 0, 0, 0, 0]),
    ];
    for send in sends {
        let frame = send.frame(false);
        assert_eq!(shaped(&frame, send.mss, V2), frame);
    }
    for payload in [3000, 70_000] {
        let frame = Synth::v4(payload, 1448).frame(true);
        assert_eq!(shaped(&frame, 1448, V1), frame);
    }
}

#[test]
fn lengths_and_checksum_of_a_capture_are_replaced() {
    let mut send = Synth::v4(3000, 1448).frame(false);
    let mut captured = Synth::v4(3000, 1448).frame(true);
    captured[50..52].copy_from_slice(&[0xAB, 0xCD]);
    assert_eq!(shaped(&captured, 1448, V2), send);
    // 20 bytes of IPv4, 32 of TCP, 3000 of payload.
    send[16..18].copy_from_slice(&3052_u16.to_be_bytes());
    assert_eq!(shaped(&captured, 1448, V1), send);
    let mut captured = Synth::v6(3000, 1428).frame(true);
    captured[70..72].copy_from_slice(&[0xAB, 0xCD]);
    let send = Synth::v6(3000, 1428).frame(false);
    assert_eq!(shaped(&captured, 1428, V2), send);
}

/// 192.0.2.1, 198.51.100.2 and 6: 0xC000 + 0x0201 + 0xC633 + 0x6402 + 6.
#[test]
fn the_seed_by_hand() {
    let frame = shaped(&Synth::v4(3000, 1448).frame(true), 1448, V2);
    assert_eq!(frame[50..52], [0xEC, 0x3D]);
}

#[test]
fn jumbo_option_is_taken_out() {
    let send = Synth::v6(70_000, 1428);
    let length = (8_u32 + 32 + 70_000).to_be_bytes();
    let jumbo = [&[0, 0, 0xC2, 4][..], &length].concat();
    let captured = send.clone().extension(0, &jumbo).frame(false);
    assert_eq!(shaped(&captured, 1428, V2), send.frame(false));
}

#[test]
fn payload_within_the_mss_passes_whatever_its_flags() {
    let within = Synth::v4(1448, 1448).flags(flag::URG | flag::SYN);
    assert_eq!(ingest(&within.frame(true), 1448, V2), Ok(None));
    assert_eq!(ingest(&Synth::v6(0, 0).frame(false), 0, V1), Ok(None));
}

#[test]
fn refusals() {
    let refused = |send: Synth, terms| ingest(&send.frame(false), send.mss, terms).unwrap_err();
    let v4 = |payload, mss| Synth::v4(payload, mss);
    assert_eq!(
        refused(v4(9000, 1448).flags(flag::URG), V2),
        Unfit::Refused(Refusal::Urgent)
    );
    assert_eq!(refused(v4(9000, 0), V2), Unfit::Refused(Refusal::MssZero));
    assert_eq!(
        refused(Synth::v6(9000, 1428), V1),
        Unfit::Refused(Refusal::Lsov1OnIpv6)
    );
    let most = 65_535 - 52;
    assert!(ingest(&v4(200_000, most).frame(false), most, V2).is_ok());
    assert_eq!(
        refused(v4(200_000, most + 1), V2),
        Unfit::Refused(Refusal::SegmentTooLong)
    );
    let most = 65_535 - 32;
    assert!(ingest(&Synth::v6(200_000, most).frame(false), most, V2).is_ok());
    assert_eq!(
        refused(Synth::v6(200_000, most + 1), V2),
        Unfit::Refused(Refusal::SegmentTooLong)
    );
    let three = Terms {
        min_segments: 3,
        ..V2
    };
    assert_eq!(refused(v4(2896, 1448), three), Unfit::TooFewSegments);
    assert!(ingest(&v4(2897, 1448).frame(false), 1448, three).is_ok());
    let mut udp = v4(9000, 1448).frame(false);
    udp[23] = 17;
    assert_eq!(ingest(&udp, 1448, V2), Err(Unfit::Refused(Refusal::NotTcp)));
    let cut = &v4(9000, 1448).frame(false)[..60];
    assert_eq!(
        ingest(cut, 1448, V2),
        Err(Unfit::Refused(Refusal::HeaderNotContiguous))
    );
}
