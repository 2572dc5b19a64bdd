use super::*;
use crate::frames::{
    NVGRE, QINQ_OPTIONS, USO_V4, V4, V6, V6_CHAIN, VLAN, VXLAN, patched, tunnelled,
};

const V4_SEND: LargeSend = LargeSend {
    offload: Offload::LsoV2,
    ip_version: IpVersion::V4,
    mss: 1448,
    framing: Framing::Plain { transport: 34 },
};

const V6_SEND: LargeSend = LargeSend {
    offload: Offload::LsoV2,
    ip_version: IpVersion::V6,
    mss: 1440,
    framing: Framing::Plain { transport: 54 },
};

#[track_caller]
fn assert_found(front: &[u8], version: IpVersion, positions: [u32; 3]) {
    let headers = Headers::parse(front).expect("a valid frame");
    assert_eq!(headers.ip_version(), version);
    let found = [
        headers.ip_offset(),
        headers.transport_offset(),
        headers.length(),
    ];
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
    // An option that runs past its header, and one without a length.
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
    assert_eq!(flags(0x26), Err(Refusal::Urgent));
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

/// As FreeBSD's guests do, and their NICs cope with it.
#[test]
fn the_sender_need_not_say_where_the_tcp_header_is() {
    let framing = Framing::Plain { transport: 0 };
    for (frame, send) in [(&V4[..], V4_SEND), (&V6[..], V6_SEND)] {
        assert_eq!(check(frame, LargeSend { framing, ..send }), Ok(()));
    }
    let uso = LargeSend {
        framing,
        ..USO_SEND
    };
    assert_eq!(Headers::of(&USO_V4, &uso), Err(Refusal::OffsetMismatch));
}

#[test]
fn other_tcp_offset() {
    for transport in [1, 33, 35, 1023] {
        let send = LargeSend {
            framing: Framing::Plain { transport },
            ..V4_SEND
        };
        assert_eq!(check(&V4, send), Err(Refusal::OffsetMismatch));
    }
}

#[test]
fn lsov1_is_for_ipv4() {
    let v1 = Offload::LsoV1;
    let send = LargeSend {
        offload: v1,
        ..V6_SEND
    };
    assert_eq!(check(&V6, send), Err(Refusal::Lsov1OnIpv6));
    // The bit that holds the IP version is reserved in LSOv1.
    let send = LargeSend {
        offload: v1,
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
fn payload_leaves_room_for_the_headers() {
    let most = |front: &[u8]| Headers::parse(front).map(|headers| headers.max_payload());
    assert_eq!(most(&V4), Ok(65_535 - 52));
    assert_eq!(most(&QINQ_OPTIONS), Ok(65_535 - 44));
    assert_eq!(most(&V6), Ok(65_535 - 20));
    // The outermost packet is the longest.
    let headers = Headers::of(&in_vxlan(), &TUNNELLED).expect("a valid frame");
    assert_eq!(headers.max_payload(), 65_535 - 102);
}

#[test]
fn a_segment_is_as_long_as_a_packet_may_be() {
    let headers = Headers::parse(&V4).expect("a valid frame");
    let most = headers.max_payload();
    for payload in [0, LEAST_MAX_PAYLOAD, LEAST_MAX_PAYLOAD + 1, most] {
        assert!(headers.can_carry(payload), "{payload}");
    }
    assert!(!headers.can_carry(most + 1));
    assert!(!headers.can_carry(u32::MAX));
}

const USO_SEND: LargeSend = LargeSend {
    offload: Offload::Uso,
    ip_version: IpVersion::V4,
    mss: 1472,
    framing: Framing::Plain { transport: 34 },
};

const TUNNELLED: LargeSend = LargeSend {
    framing: Framing::Encapsulated(None),
    ..V4_SEND
};

fn in_vxlan() -> [u8; 116] {
    tunnelled(VXLAN, V4)
}

fn in_nvgre() -> [u8; 136] {
    tunnelled(NVGRE, V6)
}

#[test]
fn udp() {
    let headers = Headers::of(&USO_V4, &USO_SEND).expect("a valid frame");
    assert_eq!(headers.transport(), Transport::Udp);
    assert_eq!((headers.transport_offset(), headers.length()), (34, 42));
    assert!(!headers.has_ip_options() && !headers.has_tcp_options());
    assert_eq!(headers.max_payload(), 65_535 - 28);
    assert_eq!(headers.datagram(1472), 1500);
    for end in 0..USO_V4.len() {
        let refused = Headers::of(&USO_V4[..end], &USO_SEND);
        assert_eq!(refused, Err(Refusal::HeaderNotContiguous));
    }
}

#[test]
fn an_offload_of_the_other_transport() {
    assert_eq!(Headers::of(&V4, &USO_SEND), Err(Refusal::NotUdp));
    assert_eq!(Headers::of(&USO_V4, &V4_SEND), Err(Refusal::NotTcp));
    assert_eq!(check(&V4, USO_SEND), Err(Refusal::MalformedLargeSend));
}

#[test]
fn options_are_noticed() {
    let options = |front: &[u8]| {
        let headers = Headers::parse(front).expect("a valid frame");
        (headers.has_ip_options(), headers.has_tcp_options())
    };
    assert_eq!(options(&V4), (false, true));
    assert_eq!(options(&VLAN), (false, false));
    assert_eq!(options(&QINQ_OPTIONS), (true, false));
    assert_eq!(options(&V6), (false, false));
    assert_eq!(options(&V6_CHAIN), (true, false));
}

#[test]
fn tunnels() {
    let frame = in_vxlan();
    let headers = Headers::of(&frame, &TUNNELLED).expect("a valid frame");
    let tunnel = headers.tunnel().expect("a tunnel");
    assert_eq!((tunnel.kind(), tunnel.port()), (TunnelKind::Vxlan, 4789));
    assert_eq!(tunnel.ip_version(), IpVersion::V4);
    assert_eq!((tunnel.length(), headers.ip_version()), (50, IpVersion::V4));
    assert_eq!((headers.ip_offset(), headers.transport_offset()), (64, 84));
    assert_eq!((headers.length(), headers.datagram(100)), (116, 152));

    let frame = in_nvgre();
    let headers = Headers::of(&frame, &TUNNELLED).expect("a valid frame");
    let tunnel = headers.tunnel().expect("a tunnel");
    assert_eq!((tunnel.kind(), tunnel.port()), (TunnelKind::Nvgre, 0));
    assert_eq!(tunnel.ip_version(), IpVersion::V6);
    assert_eq!((tunnel.length(), headers.ip_version()), (62, IpVersion::V6));
    assert_eq!((headers.ip_offset(), headers.length()), (76, 136));
}

#[test]
fn the_longest_header() {
    // VXLAN, then Ethernet, IPv6, a destination options header of 8 × 14 + 8 bytes, and TCP.
    let mut front = [0; MAX_HEADER];
    front[..124].copy_from_slice(&tunnelled::<50, 74, 124>(VXLAN, V6));
    (front[70], front[104], front[105], front[236]) = (60, 6, 14, 0x50);
    let headers = Headers::of(&front, &TUNNELLED).expect("a valid frame");
    assert_eq!((headers.transport_offset(), headers.length()), (224, 244));
    front[236] = 0x80;
    let headers = Headers::of(&front, &TUNNELLED).expect("a valid frame");
    assert_eq!(headers.length(), 256);
    front[236] = 0x90;
    let refused = Headers::of(&front, &TUNNELLED);
    assert_eq!(refused, Err(Refusal::HeaderTooLong));
}

#[test]
fn every_shorter_tunnel_is_not_contiguous() {
    for frame in [&in_vxlan()[..], &in_nvgre()] {
        for end in 0..frame.len() {
            let refused = Headers::of(&frame[..end], &TUNNELLED);
            assert_eq!(refused, Err(Refusal::HeaderNotContiguous), "{end}");
        }
    }
}

#[test]
fn offsets_of_the_inner_frame() {
    let right = InnerOffsets {
        frame: 50,
        ip: 64,
        transport: 84,
    };
    let of = |offsets| {
        let framing = Framing::Encapsulated(Some(offsets));
        Headers::of(&in_vxlan(), &LargeSend { framing, ..V4_SEND }).map(|_| ())
    };
    assert_eq!(of(right), Ok(()));
    let mismatch = Err(Refusal::OffsetMismatch);
    assert_eq!(of(InnerOffsets { frame: 49, ..right }), mismatch);
    assert_eq!(of(InnerOffsets { ip: 14, ..right }), mismatch);
    assert_eq!(
        of(InnerOffsets {
            transport: 34,
            ..right
        }),
        mismatch
    );
}

#[test]
fn what_was_found_in_a_tunnel_is_not_what_is_announced_without() {
    let frame = in_vxlan();
    let inside = Headers::of(&frame, &TUNNELLED).expect("a valid frame");
    let plain = LargeSend {
        framing: Framing::Plain {
            transport: inside.transport_offset(),
        },
        ..V4_SEND
    };
    assert_eq!(inside.check(&frame, &plain), Err(Refusal::OffsetMismatch));
    assert_eq!(check(&V4, TUNNELLED), Err(Refusal::OffsetMismatch));
}

#[test]
fn not_encapsulated() {
    let refused = |frame: &[u8]| Headers::of(frame, &TUNNELLED).expect_err("a refusal");
    assert_eq!(refused(&V4), Refusal::NotEncapsulated);
    let without_identifier: [u8; 116] = patched(in_vxlan(), &[(42, 0)]);
    assert_eq!(refused(&without_identifier), Refusal::NotEncapsulated);
    let with_sequence_numbers = patched(in_nvgre(), &[(54, 0x30)]);
    assert_eq!(refused(&with_sequence_numbers), Refusal::NotEncapsulated);
    let gre_of_ipv4 = patched(in_nvgre(), &[(56, 0x08), (57, 0x00)]);
    assert_eq!(refused(&gre_of_ipv4), Refusal::NotEncapsulated);
    let of_ipsec = patched(in_vxlan(), &[(23, 50)]);
    assert_eq!(refused(&of_ipsec), Refusal::Ipsec);
    let of_arp = patched(in_vxlan(), &[(63, 0x06)]);
    assert_eq!(refused(&of_arp), Refusal::NotIp);
}

#[test]
fn a_tunnel_is_for_lsov2_alone() {
    let send = LargeSend {
        offload: Offload::LsoV1,
        ..TUNNELLED
    };
    let refused = Headers::of(&in_vxlan(), &send);
    assert_eq!(refused, Err(Refusal::MalformedLargeSend));
}
