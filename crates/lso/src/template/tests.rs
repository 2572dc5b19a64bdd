use super::*;
use crate::frames::{NVGRE, QINQ_OPTIONS, USO_V4, V4, V6, V6_CHAIN, VXLAN, patched, tunnelled};
use crate::wire::protocol;
use crate::{Form, Framing, LargeSend, Limit, Plan, Sum};

const FIRST: PlannedChild = PlannedChild {
    form: Form::LargeSend,
    index: 0,
    payload_offset: 0,
    payload_length: 60_816,
    first_segment: 0,
    segments: 42,
    is_first: true,
    is_last: false,
};

const MIDDLE: PlannedChild = PlannedChild {
    index: 1,
    payload_offset: 60_816,
    first_segment: 42,
    is_first: false,
    ..FIRST
};

const LAST: PlannedChild = PlannedChild {
    index: 2,
    payload_offset: 121_632,
    first_segment: 84,
    is_first: false,
    is_last: true,
    ..FIRST
};

/// The first bytes of a frame, with room for the longest header.
type Header = [u8; MAX_HEADER];

fn header(bytes: &[u8]) -> Header {
    let mut header = [0xEE; MAX_HEADER];
    header[..bytes.len()].copy_from_slice(bytes);
    header
}

/// The result of `write` with the template of a TCP send.
fn with_template<T>(
    front: &[u8],
    offload: Offload,
    width: IpIdWidth,
    write: impl FnOnce(&Template<'_>) -> T,
) -> T {
    let headers = Headers::parse(front).expect("a valid frame");
    let mut front = header(front);
    write(&Template::new(&mut front, &headers, offload, width).expect("a template"))
}

fn large_send(template: &Template<'_>, child: &PlannedChild) -> Result<Header, Refusal> {
    let mut out = [0xEE; MAX_HEADER];
    template.write(child, &mut out).map(|()| out)
}

fn stamped<const N: usize>(front: &[u8; N], child: &PlannedChild) -> [u8; N] {
    let out = with_template(front, Offload::LsoV2, IpIdWidth::Bits16, |template| {
        large_send(template, child).expect("a header")
    });
    *out.first_chunk().expect("no longer than a header")
}

#[test]
fn first_child_of_an_ipv4_send() {
    // Without PSH, and the parent's header otherwise.
    assert_eq!(stamped(&V4, &FIRST), patched(V4, &[(47, 0x10)]));
}

#[test]
fn middle_child_of_an_ipv4_send() {
    // 0x1c46 + 42; 0xfffff000 + 60816 past the end of the sequence space.
    let edits = [
        (18, 0x1c),
        (19, 0x70),
        (38, 0x00),
        (39, 0x00),
        (40, 0xdd),
        (41, 0x90),
        (47, 0x10),
    ];
    assert_eq!(stamped(&V4, &MIDDLE), patched(V4, &edits));
}

#[test]
fn last_child_of_an_ipv6_send() {
    // 0x1000 + 121632.
    let edits = [(58, 0x00), (59, 0x01), (60, 0xeb), (61, 0x20)];
    assert_eq!(stamped(&V6, &LAST), patched(V6, &edits));
}

#[test]
fn stale_lengths_are_cleared() {
    let v4 = stamped(&patched(V4, &[(16, 0xFF), (17, 0xFF)]), &LAST);
    assert_eq!(v4[16..18], [0, 0]);
    let v6 = stamped(&patched(V6_CHAIN, &[(18, 0xFF), (19, 0xFF)]), &LAST);
    assert_eq!(v6[18..20], [0, 0]);
}

#[test]
fn fin_and_psh_are_the_last_childs_and_cwr_the_firsts() {
    let flags = |child| stamped(&QINQ_OPTIONS, child)[59];
    assert_eq!(flags(&FIRST), 0x90);
    assert_eq!(flags(&MIDDLE), 0x10);
    assert_eq!(flags(&LAST), 0x19);
    let only = PlannedChild {
        is_last: true,
        ..FIRST
    };
    assert_eq!(flags(&only), 0x99);
}

#[test]
fn other_flags_are_copied() {
    // Data offset 8 with AE; ECE and ACK.
    let parent = patched(V4, &[(46, 0x81), (47, 0x50)]);
    for child in [FIRST, MIDDLE, LAST] {
        assert_eq!(stamped(&parent, &child)[46..48], [0x81, 0x50]);
    }
}

#[test]
fn identification_wraps_in_the_width() {
    let id = |width, first_segment| {
        let front = patched(V4, &[(18, 0x7f), (19, 0xfe)]);
        let child = PlannedChild {
            first_segment,
            ..MIDDLE
        };
        let out = with_template(&front, Offload::LsoV2, width, |template| {
            large_send(template, &child).expect("a header")
        });
        [out[18], out[19]]
    };
    assert_eq!(id(IpIdWidth::Bits15, 1), [0x7f, 0xff]);
    assert_eq!(id(IpIdWidth::Bits15, 2), [0x00, 0x00]);
    assert_eq!(id(IpIdWidth::Bits16, 2), [0x80, 0x00]);
    assert_eq!(id(IpIdWidth::Bits16, 0x8003), [0x00, 0x01]);
}

#[test]
fn sequence_of_the_last_byte_of_the_largest_payload() {
    let child = PlannedChild {
        payload_offset: u32::MAX,
        ..LAST
    };
    assert_eq!(stamped(&V6, &child)[58..62], [0x00, 0x00, 0x0f, 0xff]);
}

/// The LSOv1 header for so much payload.
fn lsov1(payload_length: u32) -> Result<Header, Refusal> {
    let child = PlannedChild {
        payload_length,
        ..FIRST
    };
    with_template(&V4, Offload::LsoV1, IpIdWidth::Bits16, |template| {
        large_send(template, &child)
    })
}

#[test]
fn lsov1_states_the_true_length() {
    let out = lsov1(60_816).expect("a header");
    assert_eq!(out[16..18], (60_816_u16 + 52).to_be_bytes());
}

#[test]
fn lsov1_length_ends_at_sixteen_bits() {
    let most = Headers::parse(&V4).expect("a valid frame").max_payload();
    for payload in [most + 1, 65_536, u32::MAX] {
        assert_eq!(lsov1(payload), Err(Refusal::Lsov1TooLong));
    }
    assert_eq!(lsov1(most).expect("a header")[16..18], [0xFF, 0xFF]);
}

#[test]
fn lsov1_plan_under_the_callers_cap() {
    let headers = Headers::parse(&V4).expect("a valid frame");
    let limit = Limit {
        max_payload: headers.max_payload(),
        min_segments: 2,
    };
    let plan = Plan::new(1 << 20, 1448, limit).expect("a plan");
    let written = |child: PlannedChild| lsov1(child.payload_length).is_ok();
    assert!(plan.iter().all(written));
}

#[test]
fn lsov1_on_ipv6() {
    let headers = Headers::parse(&V6).expect("a valid frame");
    let mut front = header(&V6);
    let refused = Template::new(&mut front, &headers, Offload::LsoV1, IpIdWidth::Bits16);
    assert_eq!(refused.err(), Some(Refusal::Lsov1OnIpv6));
}

#[test]
fn headers_up_to_the_longest_are_copied_whole() {
    // 54 to 256 bytes: IPv6 with a destination options header of any length.
    for eighths in 0..=25_u8 {
        let mut front = [0_u8; MAX_HEADER];
        for (byte, value) in front.iter_mut().zip((1..=255).cycle()) {
            *byte = value;
        }
        let options = 8 * usize::from(eighths);
        let end = 54 + options + 20;
        if end > MAX_HEADER {
            continue;
        }
        front[..54].copy_from_slice(&V6[..54]);
        if eighths > 0 {
            front[20] = protocol::DESTINATION_OPTIONS;
            front[54] = protocol::TCP;
            front[55] = eighths - 1;
        }
        front[54 + options..end].copy_from_slice(&V6[54..74]);
        let out = with_template(
            &front[..end],
            Offload::LsoV2,
            IpIdWidth::Bits16,
            |template| large_send(template, &FIRST).expect("a header"),
        );
        // The first child has the parent's header but for PSH, and FIN.
        let flags = 54 + options + 13;
        front[flags] &= !0x09;
        assert_eq!(out[..end], front[..end], "{end}");
    }
}

/// Headers of a send by `offload`, in a tunnel or not.
fn headers_of(front: &[u8], offload: Offload, framing: Framing) -> Headers {
    let of = |ip_version| {
        let send = LargeSend {
            offload,
            ip_version,
            mss: 1000,
            framing,
        };
        Headers::of(front, &send)
    };
    of(IpVersion::V4)
        .or_else(|_| of(IpVersion::V6))
        .expect("a valid frame")
}

const ENCAPSULATED: Framing = Framing::Encapsulated(None);

/// The result of `write` with the template of a send by `offload`, in a tunnel or not.
fn with_template_of<T>(
    front: &[u8],
    offload: Offload,
    framing: Framing,
    write: impl FnOnce(&Template<'_>) -> T,
) -> T {
    let headers = headers_of(front, offload, framing);
    let mut front = header(front);
    let template = Template::new(&mut front, &headers, offload, IpIdWidth::Bits16);
    write(&template.expect("a template"))
}

/// The third packet, with 3 bytes of payload.
const PACKET: PlannedChild = PlannedChild {
    form: Form::Packet,
    index: 2,
    payload_offset: 2000,
    payload_length: 3,
    first_segment: 2,
    segments: 1,
    is_first: false,
    is_last: true,
};
const PAYLOAD: [u8; 3] = [0xAB, 0xCD, 0xEF];

fn packet<const N: usize>(front: &[u8; N], offload: Offload, framing: Framing) -> [u8; N] {
    let mut out = [0xEE; MAX_HEADER];
    let checksum = Checksum::Complete(Sum::of(&PAYLOAD));
    with_template_of(front, offload, framing, |template| {
        let packets = template.for_packets().expect("what was parsed");
        packets
            .write(&PACKET, checksum, &mut out)
            .expect("a header");
    });
    *out.first_chunk().expect("no longer than a header")
}

/// Whether `bytes`, a pseudo-header and [`PAYLOAD`] sum up to all ones.
fn sums_up(bytes: &[u8], addresses: &[u8], protocol: u8) -> bool {
    let length = bytes.len().saturating_add(PAYLOAD.len());
    let [high, low] = u16::try_from(length).expect("a packet").to_be_bytes();
    let mut sum = Sum::of(addresses);
    sum.add(&[0, protocol, high, low]);
    sum.add(bytes);
    sum.add(&PAYLOAD);
    sum.folded() == 0xFFFF
}

#[test]
fn a_packet_of_an_ipv4_send() {
    let out = packet(&V4, Offload::LsoV2, Framing::Plain { transport: 34 });
    assert_eq!(out[16..20], [0x00, 52 + 3, 0x1c, 0x48]);
    assert_eq!(out[38..42], 0xFFFF_F7D0_u32.to_be_bytes());
    assert_eq!(out[47], 0x18);
    assert_eq!(Sum::of(&out[14..34]).folded(), 0xFFFF);
    assert!(sums_up(&out[34..], &out[26..34], 6));
}

#[test]
fn a_packet_of_an_ipv6_send() {
    let out = packet(&V6, Offload::LsoV2, Framing::Plain { transport: 54 });
    assert_eq!(out[18..20], [0x00, 23]);
    assert!(sums_up(&out[54..], &out[22..54], 6));
}

#[test]
fn a_packet_of_a_udp_send() {
    let out = packet(&USO_V4, Offload::Uso, Framing::Plain { transport: 34 });
    // The identification wraps in 16 bits.
    assert_eq!(out[16..20], [0x00, 31, 0x00, 0x01]);
    assert_eq!(out[38..40], [0x00, 11]);
    assert!(sums_up(&out[34..], &out[26..34], 17));
}

#[test]
fn the_parents_lengths_and_ip_checksum_do_not_count() {
    let plain = Framing::Plain { transport: 34 };
    let stale = [(16, 0x12), (17, 0x34), (24, 0x56), (25, 0x78)];
    let out = packet(&patched(V4, &stale), Offload::LsoV2, plain);
    assert_eq!(out, packet(&V4, Offload::LsoV2, plain));
    let front = patched(patched(USO_V4, &stale), &[(38, 0x9A), (39, 0xBC)]);
    let out = packet(&front, Offload::Uso, plain);
    assert_eq!(out, packet(&USO_V4, Offload::Uso, plain));
}

#[test]
fn no_udp_checksum_stays_none() {
    let front = patched(USO_V4, &[(40, 0), (41, 0)]);
    let plain = Framing::Plain { transport: 34 };
    let has = |front: &[u8], offload| {
        with_template_of(front, offload, plain, |template| template.has_checksum())
    };
    assert!(!has(&front, Offload::Uso));
    assert!(has(&USO_V4, Offload::Uso));
    assert!(has(&V4, Offload::LsoV2));
    let out = packet(&front, Offload::Uso, plain);
    assert_eq!(out[40..42], [0, 0]);
}

#[test]
fn a_udp_checksum_of_zero_is_sent_as_all_ones() {
    // The seed is chosen so that the sum comes to all ones.
    let out = packet(&USO_V4, Offload::Uso, Framing::Plain { transport: 34 });
    let checksum = u16::from_be_bytes([out[40], out[41]]);
    let [high, low] = Sum::default()
        .and_word(0x1414)
        .and_word(checksum)
        .folded()
        .to_be_bytes();
    let front = patched(USO_V4, &[(40, high), (41, low)]);
    let out = packet(&front, Offload::Uso, Framing::Plain { transport: 34 });
    assert_eq!(out[40..42], [0xFF, 0xFF]);
}

#[test]
fn a_checksum_left_to_the_nic_includes_the_length() {
    let mut out = header(&V4);
    with_template(&V4, Offload::LsoV2, IpIdWidth::Bits16, |template| {
        let packets = template.for_packets().expect("what was parsed");
        packets
            .write(&PACKET, Checksum::Offloaded, &mut out)
            .expect("a header");
    });
    // 0x1409, and 32 bytes of TCP header with 3 of payload.
    assert_eq!(out[50..52], [0x14, 0x09 + 35]);
    assert_eq!(Sum::of(&out[14..34]).folded(), 0xFFFF);
}

#[test]
fn a_packet_in_vxlan() {
    let front: [u8; 116] = tunnelled(VXLAN, V4);
    let out = packet(&front, Offload::LsoV2, ENCAPSULATED);
    assert_eq!(out[16..20], [0x00, 105, 0x00, 0x07]);
    assert_eq!(Sum::of(&out[14..34]).folded(), 0xFFFF);
    assert_eq!(out[38..42], [0x00, 85, 0x00, 0x00]);
    assert_eq!(out[66..70], [0x00, 55, 0x1c, 0x48]);
    assert_eq!(Sum::of(&out[64..84]).folded(), 0xFFFF);
    assert!(sums_up(&out[84..], &out[76..84], 6));
}

#[test]
fn an_outer_udp_checksum_covers_all_of_the_inner_frame() {
    let front: [u8; 116] = patched(tunnelled(VXLAN, V4), &[(40, 0x12), (41, 0x34)]);
    let out = packet(&front, Offload::LsoV2, ENCAPSULATED);
    assert!(sums_up(&out[34..], &out[26..34], 17));
}

#[test]
fn an_outer_udp_checksum_of_zero_is_sent_as_all_ones() {
    let front: [u8; 116] = patched(tunnelled(VXLAN, V4), &[(40, 0x12), (41, 0x34)]);
    let out = packet(&front, Offload::LsoV2, ENCAPSULATED);
    // The source port is chosen so that the sum comes to all ones.
    let word = |at: usize| u16::from_be_bytes([out[at], out[at + 1]]);
    let port = Sum::default().and_word(word(34)).and_word(word(40));
    let [high, low] = port.folded().to_be_bytes();
    let front = patched(front, &[(34, high), (35, low)]);
    let out = packet(&front, Offload::LsoV2, ENCAPSULATED);
    assert_eq!(out[40..42], [0xFF, 0xFF]);
}

#[test]
fn a_packet_in_nvgre() {
    let front: [u8; 136] = tunnelled(NVGRE, V6);
    let out = packet(&front, Offload::LsoV2, ENCAPSULATED);
    assert_eq!(out[18..20], [0x00, 85]);
    assert_eq!(out[80..82], [0x00, 23]);
    assert!(sums_up(&out[116..], &out[84..116], 6));
}

#[test]
fn no_checksum_in_a_tunnel_is_left_to_the_nic() {
    let front: [u8; 116] = tunnelled(VXLAN, V4);
    let mut out = [0xEE; MAX_HEADER];
    let refused = with_template_of(&front, Offload::LsoV2, ENCAPSULATED, |template| {
        let packets = template.for_packets()?;
        packets.write(&PACKET, Checksum::Offloaded, &mut out)
    });
    assert_eq!(refused, Err(Refusal::MalformedLargeSend));
    assert_eq!(out, [0xEE; MAX_HEADER]);
}

#[test]
fn a_packet_that_is_too_long() {
    for front in [&V4[..], &V6] {
        let most = Headers::parse(front).expect("a valid frame").max_payload();
        let of = |payload_length| {
            let child = PlannedChild {
                payload_length,
                ..PACKET
            };
            with_template(front, Offload::LsoV2, IpIdWidth::Bits16, |template| {
                let packets = template.for_packets()?;
                packets.write(&child, Checksum::Offloaded, &mut [0; MAX_HEADER])
            })
        };
        assert_eq!(of(most), Ok(()));
        for payload in [most + 1, 65_536, u32::MAX] {
            assert_eq!(of(payload), Err(Refusal::SegmentTooLong));
        }
    }
}

#[test]
fn a_large_send_in_a_tunnel() {
    let front: [u8; 116] = tunnelled(VXLAN, V4);
    let out = with_template_of(&front, Offload::LsoV2, ENCAPSULATED, |template| {
        large_send(template, &MIDDLE).expect("a header")
    });
    // Both identifications 42 on; the inner frame as without a tunnel; lengths stay 0.
    let inner: [u8; 66] = stamped(&V4, &MIDDLE);
    let expected: [u8; 116] = tunnelled(patched(VXLAN, &[(19, 5 + 42)]), inner);
    assert_eq!(out[..116], expected);
}

#[test]
fn lengths_of_large_sends_follow_the_parents_rule() {
    let lengths = |ip: u8, payload_length| {
        let front = patched(USO_V4, &[(17, ip), (39, ip)]);
        let child = PlannedChild {
            payload_length,
            ..MIDDLE
        };
        let plain = Framing::Plain { transport: 34 };
        let out = with_template_of(&front, Offload::Uso, plain, |template| {
            large_send(template, &child).expect("a header")
        });
        let at = |at| u16::from_be_bytes([out[at], out[at + 1]]);
        (at(16), at(38))
    };
    assert_eq!(lengths(0, 1000), (0, 0));
    assert_eq!(lengths(9, 1000), (1028, 1008));
    assert_eq!(lengths(9, 65_507), (65_535, 65_515));
    assert_eq!(lengths(9, 65_508), (0, 65_516));
    assert_eq!(lengths(9, 70_000), (0, 0));
}

#[test]
fn an_offload_of_another_transport() {
    let headers = Headers::parse(&V4).expect("a valid frame");
    let mut front = header(&V4);
    let refused = Template::new(&mut front, &headers, Offload::Uso, IpIdWidth::Bits16);
    assert_eq!(refused.err(), Some(Refusal::MalformedLargeSend));
}
