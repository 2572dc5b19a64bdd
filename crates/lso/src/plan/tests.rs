use super::*;

const NIC: Limit = Limit {
    max_payload: 62_780,
    min_segments: 2,
};

fn lengths<const N: usize>(plan: Plan) -> [u32; N] {
    let mut lengths = [0; N];
    assert_eq!(plan.children() as usize, N);
    for (length, child) in lengths.iter_mut().zip(plan.iter()) {
        *length = child.payload_length;
    }
    lengths
}

fn plan(payload: u32, mss: u32, max_payload: u32) -> Plan {
    let limit = Limit {
        max_payload,
        min_segments: 2,
    };
    Plan::balanced(payload, mss, limit).expect("a plan")
}

#[test]
fn a_mebibyte_for_a_virtual_nic() {
    let plan = Plan::balanced(1 << 20, 1460, NIC).expect("a plan");
    assert_eq!((plan.children(), plan.segments()), (17, 719));
    assert!(plan.keeps_minimum());
    // 719 = 12 × 42 + 5 × 43
    let of = |segments| plan.iter().filter(|c| c.segments == segments).count();
    assert_eq!((of(42), of(43)), (12, 5));
    let last = plan.child(16).expect("the last");
    let expected = Child {
        index: 16,
        payload_offset: 676 * 1460,
        payload_length: (1 << 20) - 676 * 1460,
        first_segment: 676,
        segments: 43,
        is_first: false,
        is_last: true,
    };
    assert_eq!(last, expected);
    assert_eq!(plan.child(17), None);
    assert_eq!(plan.child(u32::MAX), None);
}

#[test]
fn what_fits_is_one_child() {
    for payload in [1, 1459, 1460, 1461, 62_780] {
        let plan = Plan::balanced(payload, 1460, NIC).expect("a plan");
        let child = plan.child(0).expect("a child");
        assert_eq!((plan.children(), child.payload_length), (1, payload));
        assert!(child.is_first && child.is_last);
        assert_eq!(plan.keeps_minimum(), payload > 1460);
    }
}

#[test]
fn exact_multiples() {
    assert_eq!(lengths(plan(4000, 1000, 2000)), [2000, 2000]);
    assert_eq!(lengths(plan(4001, 1000, 2000)), [1000, 2000, 1001]);
    assert_eq!(lengths(plan(3999, 1000, 2000)), [2000, 1999]);
    assert_eq!(lengths(plan(5000, 1000, 3000)), [2000, 3000]);
}

#[test]
fn no_tail_below_the_minimum() {
    // A greedy cut leaves [3000, 1] with a tail of one segment.
    let plan = plan(3001, 1000, 3000);
    assert_eq!(lengths(plan), [2000, 1001]);
    assert!(plan.keeps_minimum());
}

#[test]
fn the_last_child_uses_what_the_limit_has_past_whole_segments() {
    // In whole segments, 2500 is 2000: [2000, 1000, 1400] would be three children
    // and one of them a single segment.
    let plan = plan(4400, 1000, 2500);
    assert_eq!(lengths(plan), [2000, 2400]);
    assert!(plan.keeps_minimum());
    assert_eq!(lengths(self::plan(2500, 1000, 2500)), [2500]);
    assert_eq!(lengths(self::plan(2501, 1000, 2500)), [1000, 1501]);
}

#[test]
fn minimum_that_cannot_be_kept() {
    assert!(!plan(3000, 1000, 2000).keeps_minimum());
    assert!(!plan(9000, 1000, 1000).keeps_minimum());
}

#[test]
fn minimum_of_zero_is_one() {
    let limit = Limit {
        max_payload: 1000,
        min_segments: 0,
    };
    let plan = Plan::balanced(10, 1000, limit).expect("a plan");
    assert!(plan.keeps_minimum());
}

#[test]
fn sixteen_mebibytes() {
    let plan = Plan::balanced(16 << 20, 1448, NIC).expect("a plan");
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

    let single_bytes = plan(u32::MAX, 1, 1);
    assert_eq!(single_bytes.children(), u32::MAX);
    let last = single_bytes.child(u32::MAX - 1).expect("the last");
    assert_eq!(
        (last.payload_offset, last.payload_length),
        (u32::MAX - 1, 1)
    );
    assert!(last.is_last);
    assert_eq!(single_bytes.child(u32::MAX), None);
}

#[test]
fn refusals() {
    let refused = |payload, mss, max_payload| {
        let limit = Limit {
            max_payload,
            min_segments: 2,
        };
        Plan::balanced(payload, mss, limit).expect_err("a refusal")
    };
    assert_eq!(refused(100_000, 0, 62_780), Refusal::MssZero);
    assert_eq!(refused(0, 1460, 62_780), Refusal::NoPayload);
    assert_eq!(refused(100_000, 1460, 0), Refusal::NoNicLso);
    assert_eq!(refused(100_000, 1461, 1460), Refusal::MssAboveLimit);
    assert_eq!(refused(100, 1461, 1460), Refusal::MssAboveLimit);
}
