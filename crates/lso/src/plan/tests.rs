use super::*;

const NIC: Limit = limit(62_780, 2);

const fn limit(max_payload: u32, min_segments: u32) -> Limit {
    Limit {
        max_payload,
        min_segments,
    }
}

fn lengths<const N: usize>(plan: Plan) -> [u32; N] {
    let mut lengths = [0; N];
    assert_eq!(plan.children() as usize, N);
    for (length, child) in lengths.iter_mut().zip(plan.iter()) {
        *length = child.payload_length;
    }
    lengths
}

fn plan(payload: u32, mss: u32, max_payload: u32) -> Plan {
    Plan::new(payload, mss, limit(max_payload, 2)).expect("a plan")
}

#[test]
fn a_mebibyte_for_a_virtual_nic() {
    let plan = Plan::new(1 << 20, 1460, NIC).expect("a plan");
    assert_eq!((plan.children(), plan.segments()), (17, 719));
    assert_eq!((plan.payload(), plan.packets()), (1 << 20, 0));
    // 719 = 12 × 42 + 5 × 43
    let of = |segments| plan.iter().filter(|c| c.segments == segments).count();
    assert_eq!((of(42), of(43)), (12, 5));
    let last = plan.iter().nth(16).expect("the last");
    let expected = PlannedChild {
        form: Form::LargeSend,
        index: 16,
        payload_offset: 676 * 1460,
        payload_length: (1 << 20) - 676 * 1460,
        first_segment: 676,
        segments: 43,
        is_first: false,
        is_last: true,
    };
    assert_eq!(last, expected);
    let mut past_the_last = plan.iter().skip(17);
    assert_eq!([past_the_last.next(), past_the_last.next()], [None; 2]);
}

#[test]
fn what_fits_is_one_child() {
    for payload in [1, 1459, 1460, 1461, 62_780] {
        let plan = Plan::new(payload, 1460, NIC).expect("a plan");
        let child = plan.iter().next().expect("a child");
        assert_eq!((plan.children(), child.payload_length), (1, payload));
        assert!(child.is_first && child.is_last);
        assert_eq!(plan.packets(), u32::from(payload <= 1460));
    }
}

#[test]
fn exact_multiples() {
    assert_eq!(lengths(plan(4000, 1000, 2000)), [2000, 2000]);
    assert_eq!(lengths(plan(4001, 1000, 2000)), [2000, 2000, 1]);
    assert_eq!(lengths(plan(3999, 1000, 2000)), [2000, 1999]);
    assert_eq!(lengths(plan(5000, 1000, 3000)), [2000, 3000]);
}

#[test]
fn no_tail_below_the_minimum() {
    // A greedy cut leaves [3000, 1] with a tail of one segment.
    let plan = plan(3001, 1000, 3000);
    assert_eq!(lengths(plan), [2000, 1001]);
    assert_eq!(plan.packets(), 0);
}

#[test]
fn the_last_child_uses_what_the_limit_has_past_whole_segments() {
    // In whole segments, 2500 is 2000: [2000, 1000, 1400] would be three children
    // and one of them a single segment.
    let plan = plan(4400, 1000, 2500);
    assert_eq!(lengths(plan), [2000, 2400]);
    assert_eq!(plan.packets(), 0);
    assert_eq!(lengths(self::plan(2500, 1000, 2500)), [2500]);
}

#[test]
fn what_no_large_send_can_have_is_a_packet() {
    let plan = plan(2501, 1000, 2500);
    assert_eq!(lengths(plan), [2000, 501]);
    let forms = plan.iter().map(|child| child.form);
    assert!(forms.eq([Form::LargeSend, Form::Packet]));
    let tail = plan.iter().nth(1).expect("the tail");
    assert_eq!((tail.payload_offset, tail.first_segment), (2000, 2));
    assert!(tail.is_last && !tail.is_first);
}

#[test]
fn packets_are_fewer_than_the_minimum() {
    let nic = limit(6000, 5);
    // 13 segments: three large sends would have four, so two have six.
    let plan = Plan::new(12_500, 1000, nic).expect("a plan");
    assert_eq!(lengths(plan), [6000, 6000, 500]);
    assert_eq!(plan.packets(), 1);
    // 9 segments in two would have four.
    let plan = Plan::new(9000, 1000, nic).expect("a plan");
    assert_eq!(lengths(plan), [6000, 1000, 1000, 1000]);
    assert_eq!(plan.packets(), 3);
}

#[test]
fn without_large_sends_all_are_packets() {
    let packets = |max_payload, min_segments| {
        let limit = limit(max_payload, min_segments);
        Plan::new(4500, 1000, limit).expect("a plan").packets()
    };
    // The NIC has none; none of this MSS; none with so few segments.
    assert_eq!(packets(0, 2), 5);
    assert_eq!(packets(999, 2), 5);
    assert_eq!(packets(1999, 0), 5);
    assert_eq!(packets(3000, 4), 5);
    assert_eq!(packets(u32::MAX, 6), 5);
}

#[test]
fn a_single_segment_is_no_large_send() {
    let plan = Plan::new(10, 1000, limit(1000, 0)).expect("a plan");
    assert_eq!((plan.children(), plan.packets()), (1, 1));
}

#[test]
fn whole_segments_only() {
    let of = |payload, mss, max_payload| {
        Plan::of_whole_segments(payload, mss, limit(max_payload, 2)).expect("a plan")
    };
    assert_eq!(lengths(of(4000, 1000, 2500)), [2000, 2000]);
    assert_eq!(of(4000, 1000, 2500).packets(), 0);
    assert_eq!(lengths(of(4400, 1000, 2500)), [2000, 2000, 400]);
    assert_eq!(of(4400, 1000, 2500).packets(), 1);
    assert_eq!(lengths(of(400, 1000, 2500)), [400]);
    assert_eq!(of(400, 1000, 2500).packets(), 1);
}

#[test]
fn sixteen_mebibytes() {
    let plan = Plan::new(16 << 20, 1448, NIC).expect("a plan");
    assert_eq!((plan.children(), plan.segments()), (270, 11_587));
    let last = plan.iter().last().expect("a child");
    assert_eq!(last.payload_offset + last.payload_length, 16 << 20);
    assert_eq!(last.first_segment + last.segments, 11_587);
}

#[test]
fn the_largest_payload() {
    let whole = plan(u32::MAX, 1, u32::MAX);
    assert_eq!(lengths(whole), [u32::MAX]);
    assert_eq!(lengths(plan(u32::MAX, u32::MAX, u32::MAX)), [u32::MAX]);
    assert_eq!(
        lengths(plan(u32::MAX, 1 << 31, 1 << 31)),
        [1 << 31, (1 << 31) - 1]
    );

    assert_eq!(plan(u32::MAX, 1, 1).packets(), u32::MAX);

    let packets = plan(u32::MAX, 1 << 20, 1);
    assert_eq!(packets.packets(), 4096);
    let last = packets.iter().last().expect("the last");
    assert_eq!(
        (last.payload_offset, last.payload_length),
        (4095 << 20, (1 << 20) - 1)
    );
    assert!(last.is_last);
}

#[test]
fn refusals() {
    let refused = |payload, mss| Plan::new(payload, mss, NIC).expect_err("a refusal");
    assert_eq!(refused(100_000, 0), Refusal::MssZero);
    assert_eq!(refused(0, 1460), Refusal::NoPayload);
    let refused = |payload, mss| Plan::of_whole_segments(payload, mss, NIC);
    assert_eq!(refused(100_000, 0), Err(Refusal::MssZero));
    assert_eq!(refused(0, 1460), Err(Refusal::NoPayload));
}
