//! The plan of the cuts of a large send.

use core::num::NonZeroU32;

use crate::Refusal;

/// The NIC's limits for one large send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Bytes of TCP payload, headers excluded (`MaxOffLoadSize`; Windows driver
    /// documentation, "Combining Types of Task Offloads"). 0: no large sends.
    pub max_payload: u32,
    /// Minimum number of wire segments of a large send (`MinSegmentCount`). 0 is equivalent to 1.
    pub min_segments: u32,
}

/// The form in which the NIC gets a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A large send, which the NIC cuts into segments.
    LargeSend,
    /// One segment, which the NIC sends unchanged.
    Packet,
}

/// A cut of one payload into large sends that the NIC accepts, followed by single packets for a
/// rest that large sends cannot carry.
///
/// Every child but the last carries a whole number of segments of exactly MSS bytes, so that the
/// NIC's own cuts are where they would have been in the parent.
///
/// # As large sends alone
///
/// A large send makes at least the minimum number of segments for the NIC, and two in any case.
/// There are as few large sends as the limit admits, and their segment counts differ by one at
/// most.
///
/// No other cut into large sends keeps the minimum where this one does not. Let N be the segments
/// of the whole and C the least number of large sends that the limit admits. Any admissible cut has
/// C or more, so its smallest has at most ⌊N / C⌋ segments. Here the smallest has exactly ⌊N / C⌋.
///
/// # Why the larger ones come last
///
/// A limit seldom is a multiple of the MSS. With S whole segments to the limit, the last large send
/// alone may have S + 1, if its last segment is short enough. Least C then means N ≤ C × S + 1, and
/// where N is C × S + 1 the one with a segment more must be the last.
///
/// # With packets
///
/// If the minimum m cannot be kept this way, C − 1 full large sends of S segments are first,
/// followed by the rest as packets. No cut has fewer packets, and there are fewer than m: C large
/// sends would need C × m segments, and N is less, so there are C − 1 at most, which leaves
/// N − (C − 1) × S < C × m − (C − 1) × S ≤ m. If S is below m, or the NIC has no large sends, all
/// are packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    payload: u32,
    mss: u32,
    segments: u32,
    children: u32,
    large_sends: LargeSends,
}

/// The first part of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LargeSends {
    count: u32,
    /// Number of segments of each smaller large send.
    each: u32,
    /// Index of the first large send with one segment more; `count` if none has.
    first_larger: u32,
    /// Segments of all.
    segments: u32,
}

/// One child of a [`Plan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedChild {
    /// The form in which the NIC gets it.
    pub form: Form,
    /// Its place among the children, from 0.
    pub index: u32,
    /// Bytes of the parent's payload before this child's.
    pub payload_offset: u32,
    /// Bytes of payload in this child.
    pub payload_length: u32,
    /// Wire segments that the earlier children make.
    pub first_segment: u32,
    /// Wire segments that this child makes.
    pub segments: u32,
    /// Whether this is the first child.
    pub is_first: bool,
    /// Whether no child follows.
    pub is_last: bool,
}

impl Plan {
    /// Cuts `payload` bytes of payload, to be sent in segments of `mss` bytes of it,
    /// for a NIC with this `limit`.
    ///
    /// # Errors
    ///
    /// [`NoPayload`](Refusal::NoPayload), [`MssZero`](Refusal::MssZero).
    pub fn new(payload: u32, mss: u32, limit: Limit) -> Result<Self, Refusal> {
        let whole = NonZeroU32::new(payload).ok_or(Refusal::NoPayload)?;
        let mss = NonZeroU32::new(mss).ok_or(Refusal::MssZero)?;
        Ok(Self::with(whole, mss, LargeSends::of(whole, mss, limit)))
    }

    /// The same for a NIC whose large sends must carry whole segments only: a shorter last segment
    /// is a packet.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn of_whole_segments(payload: u32, mss: u32, limit: Limit) -> Result<Self, Refusal> {
        let whole = NonZeroU32::new(payload).ok_or(Refusal::NoPayload)?;
        let mss = NonZeroU32::new(mss).ok_or(Refusal::MssZero)?;
        let even = payload.saturating_sub(payload % mss);
        let large_sends = NonZeroU32::new(even).map_or(LargeSends::default(), |even| {
            LargeSends::of(even, mss, limit)
        });
        Ok(Self::with(whole, mss, large_sends))
    }

    /// The payload that the large sends leave over becomes packets.
    fn with(payload: NonZeroU32, mss: NonZeroU32, large_sends: LargeSends) -> Self {
        let segments = payload.div_ceil(mss).get();
        let packets = segments.saturating_sub(large_sends.segments);
        Self {
            payload: payload.get(),
            mss: mss.get(),
            segments,
            children: large_sends.count.saturating_add(packets),
            large_sends,
        }
    }

    /// Bytes of payload of the whole send.
    #[inline]
    pub fn payload(&self) -> u32 {
        self.payload
    }

    /// The number of children, 1 or more.
    #[inline]
    pub fn children(&self) -> u32 {
        self.children
    }

    /// The number of children that are packets; they come last.
    #[inline]
    pub fn packets(&self) -> u32 {
        self.children.saturating_sub(self.large_sends.count)
    }

    /// The number of wire segments of the whole.
    #[inline]
    pub fn segments(&self) -> u32 {
        self.segments
    }

    /// The children in the order of the payload.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = PlannedChild> {
        self.large_sends().chain(self.single_packets())
    }

    /// The children that are large sends, which come first.
    #[inline]
    pub fn large_sends(&self) -> PlannedChildren<'_> {
        PlannedChildren {
            plan: self,
            form: Form::LargeSend,
            end: self.large_sends.count,
            index: 0,
            segment: 0,
        }
    }

    /// The children that are packets, which come last.
    #[inline]
    pub fn single_packets(&self) -> PlannedChildren<'_> {
        PlannedChildren {
            plan: self,
            form: Form::Packet,
            end: self.children,
            index: self.large_sends.count,
            segment: self.large_sends.segments,
        }
    }
}

/// Children of a [`Plan`] that have one form, from the first to the last.
#[derive(Clone, Debug)]
pub struct PlannedChildren<'a> {
    plan: &'a Plan,
    form: Form,
    /// The place after the last.
    end: u32,
    /// The next child's place among all.
    index: u32,
    /// Segments before it.
    segment: u32,
}

impl Iterator for PlannedChildren<'_> {
    type Item = PlannedChild;

    #[inline]
    fn next(&mut self) -> Option<PlannedChild> {
        let (plan, index, segment) = (self.plan, self.index, self.segment);
        if index >= self.end {
            return None;
        }
        // Every count and every offset is at most the payload, so nothing wraps.
        let segments = match self.form {
            Form::LargeSend => {
                let larger = index >= plan.large_sends.first_larger;
                plan.large_sends.each.wrapping_add(u32::from(larger))
            }
            Form::Packet => 1,
        };
        self.index = index.wrapping_add(1);
        self.segment = segment.wrapping_add(segments);
        // All but the last carry whole segments.
        let payload_offset = segment.wrapping_mul(plan.mss);
        let is_last = self.index == plan.children;
        let payload_length = if is_last {
            plan.payload.wrapping_sub(payload_offset)
        } else {
            segments.wrapping_mul(plan.mss)
        };
        Some(PlannedChild {
            form: self.form,
            index,
            payload_offset,
            payload_length,
            first_segment: segment,
            segments,
            is_first: index == 0,
            is_last,
        })
    }
}

impl LargeSends {
    /// The large sends that `payload` makes, from its beginning; see [`Plan`].
    fn of(payload: NonZeroU32, mss: NonZeroU32, limit: Limit) -> Self {
        let least = limit.min_segments.max(2);
        let most = limit.max_payload / mss;
        let Some(full) = NonZeroU32::new(most.saturating_mul(mss.get())) else {
            return Self::default();
        };
        let segments = payload.div_ceil(mss).get();
        // All but the last carry whole segments, the last up to the limit: the others carry the
        // rest.
        let rest = payload.get().saturating_sub(limit.max_payload);
        let full_ones = rest.div_ceil(full.get());
        let count = NonZeroU32::MIN.saturating_add(full_ones);
        let each = segments / count;
        if each >= least {
            let larger = segments % count;
            return Self {
                count: count.get(),
                each,
                first_larger: count.get().saturating_sub(larger),
                segments,
            };
        }
        if most < least {
            return Self::default();
        }
        Self {
            count: full_ones,
            each: most,
            first_larger: full_ones,
            segments: full_ones.saturating_mul(most),
        }
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a panic is a failed test")]
mod tests;
