//! Properties of every plan, and the claim that no cut keeps the minimum where the balanced one
//! does not.

use lso::{Form, Limit, Plan};
use proptest::prelude::*;

use super::common;

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
        .prop_filter("too many to count", |(payload, mss, limit)| {
            payload / limit.max_payload < 4096 && payload / mss < 100_000
        })
}

fn assert_sound(plan: Plan, payload: u32, mss: u32, limit: Limit) {
    let mut bytes = 0_u64;
    let mut segments = 0_u64;
    let mut count = 0;
    let large_sends = plan.children() - plan.packets();
    for (k, child) in (0..).zip(plan.iter()) {
        assert_eq!(child.index, k);
        assert_eq!(child.is_first, k == 0);
        assert_eq!(child.is_last, k + 1 == plan.children());
        assert_eq!(u64::from(child.payload_offset), bytes);
        assert_eq!(u64::from(child.first_segment), segments);
        assert!(child.is_last || child.payload_length.is_multiple_of(mss));
        assert_eq!(child.segments, child.payload_length.div_ceil(mss));
        if k < large_sends {
            assert_eq!(child.form, Form::LargeSend);
            assert!(child.payload_length <= limit.max_payload);
            assert!(child.segments >= limit.min_segments.max(2));
        } else {
            assert_eq!((child.form, child.segments), (Form::Packet, 1));
        }
        bytes += u64::from(child.payload_length);
        segments += u64::from(child.segments);
        count += 1;
    }
    assert_eq!(bytes, u64::from(payload));
    assert_eq!(segments, u64::from(plan.segments()));
    assert_eq!(count, plan.children());
}

fn assert_balanced(plan: Plan) {
    let large = || plan.iter().filter(|child| child.form == Form::LargeSend);
    let least = large().map(|child| child.segments).min();
    let most = large().map(|child| child.segments).max();
    if let Some((least, most)) = least.zip(most) {
        assert!(most - least <= 1);
    }
}

/// No cut has fewer packets, and none with as few has fewer large sends. Cuts are
/// tried by force.
fn assert_best(plan: Plan, payload: u32, mss: u32, limit: Limit) {
    let segments = payload.div_ceil(mss);
    let best = (0..=segments).find_map(|packets| {
        let rest = if packets == 0 {
            payload
        } else {
            (segments - packets) * mss
        };
        let fewest = fewest_by_force(rest, mss, limit);
        fewest.map(|large_sends| (packets, large_sends))
    });
    let found = (plan.packets(), plan.children() - plan.packets());
    assert_eq!(Some(found), best, "{payload} {mss} {limit:?}");
}

/// The fewest large sends that carry all of the payload, tried from its end: `fewest[n]` is for the
/// payload after n segments.
fn fewest_by_force(payload: u32, mss: u32, limit: Limit) -> Option<u32> {
    let segments = payload.div_ceil(mss);
    let end_of = |segment: u32| payload.min(segment * mss);
    let mut fewest: Vec<Option<u32>> = vec![None; segments as usize];
    fewest.push(Some(0));
    for from in (0..segments).rev() {
        fewest[from as usize] = (from + limit.min_segments.max(2)..=segments)
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
        let plan = Plan::new(payload, mss, limit).expect("a plan");
        assert_sound(plan, payload, mss, limit);
        assert_balanced(plan);
    }

    #[test]
    #[cfg_attr(miri, ignore)]
    fn no_other_cut_is_better(
        payload in 1..=300_u32,
        mss in 1..=12_u32,
        max_payload in 0..=72_u32,
        min_segments in 0..=6_u32,
    ) {
        let limit = Limit { max_payload, min_segments };
        let plan = Plan::new(payload, mss, limit).expect("a plan");
        assert_best(plan, payload, mss, limit);
    }

    #[test]
    #[cfg_attr(miri, ignore)]
    fn whole_segments_alone_are_large_sends((payload, mss, limit) in sizes()) {
        let plan = Plan::of_whole_segments(payload, mss, limit).expect("a plan");
        assert_sound(plan, payload, mss, limit);
        for child in plan.iter().filter(|child| child.form == Form::LargeSend) {
            prop_assert!(child.payload_length.is_multiple_of(mss));
        }
        if payload.is_multiple_of(mss) {
            prop_assert_eq!(plan, Plan::new(payload, mss, limit).expect("a plan"));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore)]
    fn any_numbers_make_a_plan_or_a_refusal(
        payload: u32,
        mss: u32,
        max_payload: u32,
        min_segments: u32,
    ) {
        let limit = Limit { max_payload, min_segments };
        match Plan::new(payload, mss, limit) {
            Ok(plan) => {
                let first = plan.iter().take(1000);
                prop_assert_eq!(first.count(), plan.children().min(1000) as usize);
            }
            Err(_) => prop_assert!(payload == 0 || mss == 0),
        }
    }
}

#[test]
fn every_small_plan_is_the_best() {
    let (most_payload, most_mss) = if cfg!(miri) { (8, 2) } else { (60, 5) };
    for payload in 1..=most_payload {
        for mss in 1..=most_mss {
            for max_payload in 0..=3 * mss + 1 {
                for min_segments in 0..=4 {
                    let limit = Limit {
                        max_payload,
                        min_segments,
                    };
                    let plan = Plan::new(payload, mss, limit).expect("a plan");
                    assert_sound(plan, payload, mss, limit);
                    assert_best(plan, payload, mss, limit);
                }
            }
        }
    }
}
