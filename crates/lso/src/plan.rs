//! Where a large send is cut.

use core::num::NonZeroU32;

use crate::Refusal;

/// What a NIC takes as one large send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Bytes of TCP payload, headers excluded (`MaxOffLoadSize`; Windows driver
    /// documentation, "Combining Types of Task Offloads"). 0: no large sends.
    pub max_payload: u32,
    /// The least wire segments a large send must make (`MinSegmentCount`). 0
    /// says the same as 1.
    pub min_segments: u32,
}

/// A balanced cut of one payload.
///
/// Every child but the last carries a whole number of segments of exactly MSS
/// bytes, so the NIC's own cuts fall where they would have fallen in the parent.
/// There are as few children as the limit admits, and their segment counts
/// differ by one at most.
///
/// # No cut keeps the minimum where this one does not
///
/// Let N be the segments of the whole and C the least number of children that
/// the limit admits. Any admissible cut has C or more children, so its smallest
/// has at most ⌊N / C⌋ segments. Here the smallest has exactly ⌊N / C⌋.
///
/// # Why the larger children come last
///
/// A limit seldom is a multiple of the MSS. With S whole segments to the limit,
/// the last child alone may have S + 1, if its last segment is short enough.
/// Least C then means N ≤ C × S + 1, and where N is C × S + 1 the one child with
/// a segment more must be the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    payload: u32,
    mss: u32,
    segments: u32,
    children: u32,
    /// Segments of a smaller child.
    each: u32,
    /// The first child that has one segment more; `children` if none has.
    first_larger: u32,
    keeps_minimum: bool,
}

/// One part of a [`Plan`]: a large send of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its place among the children, from 0.
    pub index: u32,
    /// Bytes of the parent's TCP payload before this child's.
    pub payload_offset: u32,
    /// Bytes of TCP payload in this child.
    pub payload_length: u32,
    /// Wire segments that the earlier children make.
    pub first_segment: u32,
    /// Wire segments that this child makes.
    pub segments: u32,
    /// Whether no child goes before.
    pub is_first: bool,
    /// Whether no child follows.
    pub is_last: bool,
}

impl Plan {
    /// Cuts `payload` bytes of TCP payload, to be sent in segments of `mss` bytes
    /// of it, for a NIC with this `limit`. What fits is a plan of one child.
    ///
    /// A plan that cannot keep `limit.min_segments` is still a plan: see
    /// [`keeps_minimum`](Self::keeps_minimum).
    ///
    /// # Errors
    ///
    /// [`NoPayload`](Refusal::NoPayload), [`MssZero`](Refusal::MssZero),
    /// [`NoNicLso`](Refusal::NoNicLso) for a limit of 0, and
    /// [`MssAboveLimit`](Refusal::MssAboveLimit).
    pub fn balanced(payload: u32, mss: u32, limit: Limit) -> Result<Self, Refusal> {
        let mss = NonZeroU32::new(mss).ok_or(Refusal::MssZero)?;
        let whole = NonZeroU32::new(payload).ok_or(Refusal::NoPayload)?;
        let max = NonZeroU32::new(limit.max_payload).ok_or(Refusal::NoNicLso)?;
        let children = fewest_children(whole, mss, max)?;
        let segments = whole.div_ceil(mss).get();
        let each = segments / children;
        let larger = segments % children;
        Ok(Self {
            payload,
            mss: mss.get(),
            segments,
            children: children.get(),
            each,
            first_larger: children.get().saturating_sub(larger),
            keeps_minimum: each >= limit.min_segments.max(1),
        })
    }

    /// Bytes of TCP payload of the whole send.
    #[must_use]
    #[inline]
    pub fn payload(&self) -> u32 {
        self.payload
    }

    /// The number of children, 1 or more.
    #[must_use]
    #[inline]
    pub fn children(&self) -> u32 {
        self.children
    }

    /// The number of wire segments of the whole.
    #[must_use]
    #[inline]
    pub fn segments(&self) -> u32 {
        self.segments
    }

    /// Whether every child makes the least wire segments that the NIC asks for.
    /// If not, no other cut within the limit does it either.
    #[must_use]
    #[inline]
    pub fn keeps_minimum(&self) -> bool {
        self.keeps_minimum
    }

    /// Child `k` from 0, or `None` past the last. Costs the same for every `k`.
    #[must_use]
    #[inline]
    pub fn child(&self, k: u32) -> Option<Child> {
        if k >= self.children {
            return None;
        }
        // Every count and every offset is at most the payload, so nothing wraps.
        let extra = k.saturating_sub(self.first_larger);
        let first_segment = k.wrapping_mul(self.each).wrapping_add(extra);
        let segments = self.each.wrapping_add(u32::from(k >= self.first_larger));
        let payload_offset = first_segment.wrapping_mul(self.mss);
        let is_last = k.wrapping_add(1) == self.children;
        let payload_length = if is_last {
            self.payload.wrapping_sub(payload_offset)
        } else {
            segments.wrapping_mul(self.mss)
        };
        Some(Child {
            index: k,
            payload_offset,
            payload_length,
            first_segment,
            segments,
            is_first: k == 0,
            is_last,
        })
    }

    /// The children in the order of the payload.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Child> + use<> {
        let plan = *self;
        (0..self.children).map_while(move |k| plan.child(k))
    }
}

/// All children but the last carry whole segments, the last anything to `max`:
/// what exceeds `max` is for the others.
fn fewest_children(
    payload: NonZeroU32,
    mss: NonZeroU32,
    max: NonZeroU32,
) -> Result<NonZeroU32, Refusal> {
    let whole_segments = max.get().saturating_sub(max.get() % mss);
    let full = NonZeroU32::new(whole_segments).ok_or(Refusal::MssAboveLimit)?;
    let rest = payload.get().saturating_sub(max.get());
    Ok(NonZeroU32::new(rest).map_or(NonZeroU32::MIN, |rest| {
        rest.div_ceil(full).saturating_add(1)
    }))
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a panic is a failed test")]
mod tests;
