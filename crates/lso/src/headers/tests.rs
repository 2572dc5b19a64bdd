use super::*;
use crate::frames::{QINQ_OPTIONS, V4, V6, V6_CHAIN, VLAN, patched};

const V4_SEND: LargeSend = LargeSend {
    version: LsoVersion::V2,
    ip_version: IpVersion::V4,
    mss: 1448,
    tcp_header_offset: 34,
};

const V6_SEND: LargeSend = LargeSend {
    version: LsoVersion::V2,
    ip_version: IpVersion::V6,
    mss: 1440,
    tcp_header_offset: 54,
};

#[track_caller]
fn assert_found(front: &[u8], version: IpVersion, positions: [u32; 3]) {
    let headers = Headers::parse(front).expect("a valid frame");
    assert_eq!(headers.ip_version(), version);
    let found = [headers.ip_offset(), headers.tcp_offset(), headers.length()];
    assert_eq!(found, positions);
}

#[track_caller]
fn assert_refused(front: &[u8], refusal: Refusal) {
    assert_eq!(Headers::parse(front), Err(refusal));
}

#[track_caller]
fn check(front: &[u8], send: LargeSend) -> Result<(), Refusal> {
    Headers::parse(front)
        .expect("a valid frame")
        .check(front, &send)
}

#[test]
fn finds_the_headers() {
    assert_found(&V4, IpVersion::V4, [14, 34, 66]);
    assert_found(&VLAN, IpVersion::V4, [18, 38, 58]);
    assert_found(&QINQ_OPTIONS, IpVersion::V4, [22, 46, 66]);
    assert_found(&V6, IpVersion::V6, [14, 54, 74]);
    assert_found(&V6_CHAIN, IpVersion::V6, [14, 94, 114]);
}

#[test]
fn old_service_tag_is_a_tag() {
    let front = patched(QINQ_OPTIONS, &[(12, 0x91), (13, 0x00)]);
    assert_found(&front, IpVersion::V4, [22, 46, 66]);
}

#[test]
fn payload_and_ip_lengths_are_not_looked_at() {
    let mut front = [0xEE; 1500];
    front[..66].copy_from_slice(&patched(V4, &[(16, 0xFF), (17, 0xFF)]));
    assert_found(&front, IpVersion::V4, [14, 34, 66]);
}

#[test]
fn every_shorter_front_is_not_contiguous() {
    for frame in [&V4[..], &VLAN, &QINQ_OPTIONS, &V6, &V6_CHAIN] {
        for end in 0..frame.len() {
            assert_refused(&frame[..end], Refusal::HeaderNotContiguous);
        }
    }
}

#[test]
fn header_too_long() {
    // TCP after a routing header of 8 × 20 + 8 bytes: 14 + 40 + 8 + 168 = 230.
    let mut front = [0; 400];
    front[..114].copy_from_slice(&patched(V6_CHAIN, &[(62, 0x06), (63, 20)]));
    front[242] = 0x50;
    assert_found(&front, IpVersion::V6, [14, 230, 250]);
    front[242] = 0x60;
    assert_found(&front, IpVersion::V6, [14, 230, 254]);
    front[242] = 0x70;
    assert_refused(&front, Refusal::HeaderTooLong);
}

#[test]
fn header_too_long_is_said_of_a_short_front_too() {
    let front = patched(V6_CHAIN, &[(63, 0xFF)]);
    assert_refused(&front, Refusal::HeaderTooLong);
}

#[test]
fn too_many_vlan_tags() {
    let front = patched(QINQ_OPTIONS, &[(20, 0x81), (21, 0x00)]);
    assert_refused(&front, Refusal::TooManyVlanTags);
}

#[test]
fn not_ip() {
    let arp = patched(V4, &[(13, 0x06)]);
    assert_refused(&arp, Refusal::NotIp);
    let length_and_llc = patched(V4, &[(12, 0x00), (13, 0x34)]);
    assert_refused(&length_and_llc, Refusal::NotIp);
}

#[test]
fn malformed_ipv4() {
    assert_refused(&patched(V4, &[(14, 0x65)]), Refusal::MalformedIpv4);
    assert_refused(&patched(V4, &[(14, 0x44)]), Refusal::MalformedIpv4);
    assert_refused(&patched(V4, &[(14, 0x40)]), Refusal::MalformedIpv4);
}

#[test]
fn malformed_ipv6() {
    assert_refused(&patched(V6, &[(14, 0x45)]), Refusal::MalformedIpv6);
    // Hop-by-hop options after another extension header.
    assert_refused(&patched(V6_CHAIN, &[(62, 0x00)]), Refusal::MalformedIpv6);
    // An option that runs past its header, and one that has no length.
    assert_refused(&patched(V6_CHAIN, &[(58, 0x04)]), Refusal::MalformedIpv6);
    assert_refused(&patched(V6_CHAIN, &[(61, 0x01)]), Refusal::MalformedIpv6);
}

#[test]
fn fragment() {
    assert_refused(&patched(V4, &[(20, 0x20)]), Refusal::Fragment);
    assert_refused(&patched(V4, &[(21, 0x01)]), Refusal::Fragment);
    assert_refused(&patched(V4, &[(20, 0x10)]), Refusal::Fragment);
    assert_refused(&patched(V6_CHAIN, &[(86, 44)]), Refusal::Fragment);
}

#[test]
fn ipsec() {
    assert_refused(&patched(V4, &[(23, 50)]), Refusal::Ipsec);
    assert_refused(&patched(V4, &[(23, 51)]), Refusal::Ipsec);
    assert_refused(&patched(V6, &[(20, 50)]), Refusal::Ipsec);
    assert_refused(&patched(V6_CHAIN, &[(54, 51)]), Refusal::Ipsec);
}

#[test]
fn jumbogram() {
    // As Linux builds it: 05 02 becomes C2 04 and the length of 512 KiB.
    let option = [(56, 0xC2), (57, 0x04), (58, 0x00), (59, 0x08)];
    assert_refused(&patched(V6_CHAIN, &option), Refusal::Jumbogram);
    assert_refused(&patched(V6_CHAIN, &[(61, 0xC2)]), Refusal::Jumbogram);
}

#[test]
fn not_tcp() {
    assert_refused(&patched(V4, &[(23, 17)]), Refusal::NotTcp);
    assert_refused(&patched(V6, &[(20, 17)]), Refusal::NotTcp);
    let mobility = patched(V6_CHAIN, &[(54, 135)]);
    assert_refused(&mobility, Refusal::NotTcp);
    let no_next_header = patched(V6, &[(20, 59)]);
    assert_refused(&no_next_header, Refusal::NotTcp);
}

#[test]
fn malformed_tcp() {
    assert_refused(&patched(V4, &[(46, 0x40)]), Refusal::MalformedTcp);
    assert_refused(&patched(V6, &[(66, 0x0F)]), Refusal::MalformedTcp);
}

#[test]
fn a_large_send_passes_the_check() {
    assert_eq!(check(&V4, V4_SEND), Ok(()));
    assert_eq!(check(&V6, V6_SEND), Ok(()));
    let all_allowed_flags = patched(V4, &[(46, 0x81), (47, 0xD9)]);
    assert_eq!(check(&all_allowed_flags, V4_SEND), Ok(()));
}

#[test]
fn flags_a_large_send_never_has() {
    let flags = |byte| check(&patched(V4, &[(47, byte)]), V4_SEND);
    assert_eq!(flags(0x30), Err(Refusal::Urgent));
    assert_eq!(flags(0x12), Err(Refusal::Syn));
    assert_eq!(flags(0x14), Err(Refusal::Reset));
}

#[test]
fn other_ip_version() {
    let send = LargeSend {
        ip_version: IpVersion::V6,
        ..V4_SEND
    };
    assert_eq!(check(&V4, send), Err(Refusal::IpVersionMismatch));
    let send = LargeSend {
        ip_version: IpVersion::V4,
        ..V6_SEND
    };
    assert_eq!(check(&V6, send), Err(Refusal::IpVersionMismatch));
}

#[test]
fn other_tcp_offset() {
    for tcp_header_offset in [0, 33, 35, 1023] {
        let send = LargeSend {
            tcp_header_offset,
            ..V4_SEND
        };
        assert_eq!(check(&V4, send), Err(Refusal::TcpOffsetMismatch));
    }
}

#[test]
fn lsov1_is_for_ipv4() {
    let v1 = LsoVersion::V1;
    let send = LargeSend {
        version: v1,
        ..V6_SEND
    };
    assert_eq!(check(&V6, send), Err(Refusal::Lsov1OnIpv6));
    // The bit that says the IP version is reserved in LSOv1.
    let send = LargeSend {
        version: v1,
        ip_version: IpVersion::V6,
        ..V4_SEND
    };
    assert_eq!(check(&V4, send), Ok(()));
}

#[test]
fn check_of_a_shorter_front() {
    let headers = Headers::parse(&V4).expect("a valid frame");
    let refused = Err(Refusal::HeaderNotContiguous);
    assert_eq!(headers.check(&V4[..47], &V4_SEND), refused);
    assert_eq!(headers.check(&[], &V4_SEND), refused);
}

#[test]
fn lsov1_payload_leaves_room_for_the_headers() {
    let most = |front: &[u8]| Headers::parse(front).map(|headers| headers.lsov1_max_payload());
    assert_eq!(most(&V4), Ok(65_535 - 52));
    assert_eq!(most(&QINQ_OPTIONS), Ok(65_535 - 44));
}
