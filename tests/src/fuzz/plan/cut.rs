//! Properties that must hold for any plan.

use lso::{Form, Plan, PlannedChild};

use super::Input;

/// So many children at most are looked at.
const MOST: usize = 5_000;

/// The numbers of a plan, wide enough for any arithmetic.
struct Cut {
    payload: u64,
    mss: u64,
    most: u64,
    least: u64,
    whole: bool,
    children: u64,
    large_sends: u64,
}

/// Checks `plan` against its promises.
pub(super) fn check(plan: &Plan, input: &Input<'_>) {
    let cut = Cut {
        payload: input.payload.into(),
        mss: input.send.mss.into(),
        most: input.limit.max_payload.into(),
        least: input.limit.min_segments.max(2).into(),
        whole: input.whole,
        children: plan.children().into(),
        large_sends: (plan.children() - plan.packets()).into(),
    };
    let segments = cut.payload.div_ceil(cut.mss);
    assert_eq!(plan.payload(), input.payload);
    assert_eq!(u64::from(plan.segments()), segments);
    assert!((1..=segments).contains(&cut.children));
    cut.no_fewer_would_do();
    let mut before = None;
    for (k, child) in plan.iter().take(MOST).enumerate() {
        cut.check_child(k as u64, &child);
        match before {
            None => assert_eq!((child.payload_offset, child.first_segment), (0, 0)),
            Some(before) => follows(&before, &child),
        }
        before = Some(child);
    }
    let seen = plan.iter().take(MOST).count();
    assert_eq!(seen, MOST.min(plan.children() as usize));
}

impl Cut {
    fn check_child(&self, k: u64, child: &PlannedChild) {
        let [offset, length] = [child.payload_offset, child.payload_length].map(u64::from);
        let [first, segments] = [child.first_segment, child.segments].map(u64::from);
        assert_eq!(u64::from(child.index), k);
        assert_eq!(child.is_first, k == 0);
        assert_eq!(child.is_last, k + 1 == self.children);
        assert_eq!(offset, first * self.mss);
        assert_eq!(segments, length.div_ceil(self.mss));
        assert!(length > 0);
        if child.is_last {
            assert_eq!(offset + length, self.payload);
        } else {
            assert_eq!(length % self.mss, 0);
        }
        match child.form {
            Form::LargeSend => {
                assert!(k < self.large_sends);
                assert!(length <= self.most && segments >= self.least);
                assert!(!self.whole || length % self.mss == 0);
            }
            Form::Packet => {
                assert!(k >= self.large_sends);
                assert_eq!(segments, 1);
            }
        }
    }

    /// Neither fewer large sends nor fewer packets.
    fn no_fewer_would_do(&self) {
        let packets = self.children - self.large_sends;
        let full = self.most / self.mss * self.mss;
        let of_large_sends = match self.whole {
            // A shorter last segment is a packet in any cut.
            true => self.payload - self.payload % self.mss,
            false => self.payload,
        };
        let odd = u64::from(of_large_sends != self.payload);
        if packets == odd {
            // One fewer, all full but the last, which may have any length up to the limit.
            let fewer = self.large_sends.checked_sub(2);
            assert!(fewer.is_none_or(|full_ones| full_ones * full + self.most < of_large_sends));
        } else if full / self.mss >= self.least {
            assert!(packets < self.least + odd);
        } else {
            assert_eq!(self.large_sends, 0);
        }
    }
}

/// `child` begins where `before` ends, in payload and in segments.
fn follows(before: &PlannedChild, child: &PlannedChild) {
    let end = before.payload_offset + before.payload_length;
    assert_eq!(child.payload_offset, end);
    assert_eq!(child.first_segment, before.first_segment + before.segments);
    if (before.form, child.form) == (Form::LargeSend, Form::LargeSend) {
        let more = child.segments - before.segments;
        assert!(more <= 1, "the larger ones come last, by one segment");
    }
}
