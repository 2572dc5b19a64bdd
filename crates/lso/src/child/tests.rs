use super::*;
use crate::frames::{QINQ_OPTIONS, V4, V6, V6_CHAIN, patched};
use crate::{Limit, Plan};

const FIRST: Child = Child {
    index: 0,
    payload_offset: 0,
    payload_length: 60_816,
    first_segment: 0,
    segments: 42,
    is_first: true,
    is_last: false,
};

const MIDDLE: Child = Child {
    index: 1,
    payload_offset: 60_816,
    first_segment: 42,
    is_first: false,
    ..FIRST
};

const LAST: Child = Child {
    index: 2,
    payload_offset: 121_632,
    first_segment: 84,
    is_first: false,
    is_last: true,
    ..FIRST
};

fn template(front: &[u8], version: LsoVersion, width: IpIdWidth) -> Template<'_> {
    let headers = Headers::parse(front).expect("a valid frame");
    Template::new(front, headers, version, width).expect("a template")
}

fn stamped<const N: usize>(front: &[u8; N], child: &Child) -> [u8; N] {
    let mut out = [0xEE; N];
    template(front, LsoVersion::V2, IpIdWidth::Bits16)
        .write(child, &mut out)
        .expect("a header");
    out
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
    let only = Child {
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
        let child = Child {
            first_segment,
            ..MIDDLE
        };
        let mut out = V4;
        template(&front, LsoVersion::V2, width)
            .write(&child, &mut out)
            .expect("a header");
        [out[18], out[19]]
    };
    assert_eq!(id(IpIdWidth::Bits15, 1), [0x7f, 0xff]);
    assert_eq!(id(IpIdWidth::Bits15, 2), [0x00, 0x00]);
    assert_eq!(id(IpIdWidth::Bits16, 2), [0x80, 0x00]);
    assert_eq!(id(IpIdWidth::Bits16, 0x8003), [0x00, 0x01]);
}

#[test]
fn sequence_of_the_last_byte_of_the_largest_payload() {
    let child = Child {
        payload_offset: u32::MAX,
        ..LAST
    };
    assert_eq!(stamped(&V6, &child)[58..62], [0x00, 0x00, 0x0f, 0xff]);
}

#[test]
fn lsov1_states_the_true_length() {
    let template = template(&V4, LsoVersion::V1, IpIdWidth::Bits16);
    let mut out = [0; 66];
    assert_eq!(template.write(&FIRST, &mut out), Ok(()));
    assert_eq!(out[16..18], (60_816_u16 + 52).to_be_bytes());
}

#[test]
fn lsov1_length_ends_at_sixteen_bits() {
    let template = template(&V4, LsoVersion::V1, IpIdWidth::Bits16);
    let most = Headers::parse(&V4)
        .expect("a valid frame")
        .lsov1_max_payload();
    let of = |payload_length, out: &mut [u8]| {
        let child = Child {
            payload_length,
            ..FIRST
        };
        template.write(&child, out)
    };
    let mut out = [0xEE; 66];
    for payload in [most + 1, 65_536, u32::MAX] {
        assert_eq!(of(payload, &mut out), Err(Refusal::Lsov1TooLong));
        assert_eq!(out, [0xEE; 66]);
    }
    assert_eq!(of(most, &mut out), Ok(()));
    assert_eq!(out[16..18], [0xFF, 0xFF]);
}

#[test]
fn lsov1_plan_under_the_callers_cap() {
    let headers = Headers::parse(&V4).expect("a valid frame");
    let limit = Limit {
        max_payload: headers.lsov1_max_payload(),
        min_segments: 2,
    };
    let template = template(&V4, LsoVersion::V1, IpIdWidth::Bits16);
    let plan = Plan::balanced(1 << 20, 1448, limit).expect("a plan");
    let mut out = [0; 66];
    assert!(plan.iter().all(|c| template.write(&c, &mut out).is_ok()));
}

#[test]
fn lsov1_on_ipv6() {
    let headers = Headers::parse(&V6).expect("a valid frame");
    let refused = Template::new(&V6, headers, LsoVersion::V1, IpIdWidth::Bits16);
    assert_eq!(refused.err(), Some(Refusal::Lsov1OnIpv6));
}

#[test]
fn template_of_a_shorter_front() {
    let headers = Headers::parse(&V4).expect("a valid frame");
    for end in 0..V4.len() {
        let refused = Template::new(&V4[..end], headers, LsoVersion::V2, IpIdWidth::Bits16);
        assert_eq!(refused.err(), Some(Refusal::HeaderNotContiguous));
    }
}

#[test]
fn short_buffer_is_left_alone() {
    let template = template(&V4, LsoVersion::V2, IpIdWidth::Bits16);
    let mut out = [0xEE; 65];
    let refused = Err(Refusal::HeaderBufferTooShort);
    assert_eq!(template.write(&FIRST, &mut out), refused);
    assert_eq!(template.write(&FIRST, &mut []), refused);
    assert_eq!(out, [0xEE; 65]);
}

#[test]
fn longer_buffer_keeps_its_rest() {
    let template = template(&V4, LsoVersion::V2, IpIdWidth::Bits16);
    let mut out = [0xEE; 80];
    assert_eq!(template.write(&LAST, &mut out), Ok(()));
    assert_eq!(out[66..], [0xEE; 14]);
}
