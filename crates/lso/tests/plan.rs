//! Properties of every plan, and the claim that none keeps the minimum where the
//! balanced one does not.

use lso::{Limit, Plan, Refusal};
use proptest::prelude::*;

#[expect(dead_code, reason = "plans need no frames")]
mod common;

/// Payload, MSS and limit such that children stay countable.
fn sizes() -> impl Strategy<Value = (u32, u32, Limit)> {
    let small = (1..=60_000_u32, 1..=3000_u32, 0..=70_000_u32);
    let large = (1..=u32::MAX, 500..=u32::MAX, 0..=u32::MAX);
    let tight = (1..=200_u32, 1..=20_u32, 0..=60_u32);
    (prop_oneof![small, large, tight], 0..=5_u32)
        .prop_map(|((payload, mss, above), min_segments)| {
            let max_payload = mss.saturating_add(above);
            (
                payload,
                mss,
                Limit {
                    max_payload,
                    min_segments,
                },
            )
        })
        .prop_filter("too many to count", |(payload, _, limit)| {
            payload / limit.max_payload < 4096
        })
}

fn assert_sound(plan: Plan, payload: u32, mss: u32, limit: Limit) {
    let mut bytes = 0_u64;
    let mut segments = 0_u64;
    let mut count = 0;
    for (k, child) in (0..).zip(plan.iter()) {
        assert_eq!(plan.child(k), Some(child));
        assert_eq!(child.index, k);
        assert_eq!(child.is_first, k == 0);
        assert_eq!(child.is_last, k + 1 == plan.children());
        assert_eq!(u64::from(child.payload_offset), bytes);
        assert_eq!(u64::from(child.first_segment), segments);
        assert!((1..=limit.max_payload).contains(&child.payload_length));
        assert!(child.is_last || child.payload_length.is_multiple_of(mss));
        assert_eq!(child.segments, child.payload_length.div_ceil(mss));
        bytes += u64::from(child.payload_length);
        segments += u64::from(child.segments);
        count += 1;
    }
    assert_eq!(bytes, u64::from(payload));
    assert_eq!(segments, u64::from(plan.segments()));
    assert_eq!(count, plan.children());
    assert_eq!(plan.child(count), None);
}

fn assert_balanced(plan: Plan, limit: Limit) {
    let least = plan.iter().map(|child| child.segments).min();
    let most = plan.iter().map(|child| child.segments).max();
    let (least, most) = least.zip(most).expect("a child");
    assert!(most - least <= 1);
    assert_eq!(plan.keeps_minimum(), least >= limit.min_segments);
}

/// The fewest children of any cut in which every one has `min_segments`, tried
/// from the end of the payload: `fewest[n]` is for what follows n segments.
fn fewest_by_force(payload: u32, mss: u32, limit: Limit, min_segments: u32) -> Option<u32> {
    let segments = payload.div_ceil(mss);
    let end_of = |segment: u32| payload.min(segment * mss);
    let mut fewest: Vec<Option<u32>> = vec![None; segments as usize];
    fewest.push(Some(0));
    for from in (0..segments).rev() {
        fewest[from as usize] = (from + min_segments.max(1)..=segments)
            .take_while(|&to| end_of(to) - end_of(from) <= limit.max_payload)
            .filter_map(|to| fewest[to as usize])
            .map(|rest| rest + 1)
            .min();
    }
    fewest[0]
}

proptest! {
    #![proptest_config(common::cases(2000))]

    #[test]
    #[cfg_attr(miri, ignore)]
    fn plans_are_sound_and_balanced((payload, mss, limit) in sizes()) {
        let plan = Plan::balanced(payload, mss, limit).expect("a plan");
        assert_sound(plan, payload, mss, limit);
        assert_balanced(plan, limit);
    }

    #[test]
    #[cfg_attr(miri, ignore)]
    fn no_other_cut_is_better(
        payload in 1..=300_u32,
        mss in 1..=12_u32,
        above in 0..=60_u32,
        min_segments in 0..=6_u32,
    ) {
        let limit = Limit { max_payload: mss + above, min_segments };
        let plan = Plan::balanced(payload, mss, limit).expect("a plan");
        prop_assert_eq!(Some(plan.children()), fewest_by_force(payload, mss, limit, 1));
        let by_force = fewest_by_force(payload, mss, limit, min_segments);
        prop_assert_eq!(plan.keeps_minimum(), by_force.is_some());
    }

    #[test]
    #[cfg_attr(miri, ignore)]
    fn any_numbers_make_a_plan_or_a_refusal(
        payload: u32,
        mss: u32,
        max_payload: u32,
        min_segments: u32,
        k: u32,
    ) {
        let limit = Limit { max_payload, min_segments };
        match Plan::balanced(payload, mss, limit) {
            Ok(plan) => prop_assert_eq!(plan.child(k).is_some(), k < plan.children()),
            Err(Refusal::MssAboveLimit) => prop_assert!(mss > max_payload),
            Err(_) => prop_assert!(payload == 0 || mss == 0 || max_payload == 0),
        }
    }
}

#[test]
fn every_small_plan_is_the_best() {
    let (most_payload, most_mss) = if cfg!(miri) { (8, 2) } else { (60, 5) };
    for payload in 1..=most_payload {
        for mss in 1..=most_mss {
            for max_payload in mss..=3 * mss + 1 {
                assert_best(payload, mss, max_payload);
            }
        }
    }
}

fn assert_best(payload: u32, mss: u32, max_payload: u32) {
    for min_segments in 0..=4 {
        let limit = Limit {
            max_payload,
            min_segments,
        };
        let plan = Plan::balanced(payload, mss, limit).expect("a plan");
        assert_sound(plan, payload, mss, limit);
        let fewest = fewest_by_force(payload, mss, limit, 1);
        assert_eq!(Some(plan.children()), fewest, "{payload} {mss} {limit:?}");
        let kept = fewest_by_force(payload, mss, limit, min_segments).is_some();
        assert_eq!(plan.keeps_minimum(), kept, "{payload} {mss} {limit:?}");
    }
}
