//! NDIS_OFFLOAD: the large sends that a NIC says it takes.

use crate::sys;

/// What a NIC takes of one kind of large send.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LargeSendLimit {
    /// Most bytes of TCP payload in one large send; 0 where the NIC takes none of this kind.
    pub max_payload: u32,
    /// Least wire segments that a large send must make.
    pub min_segments: u32,
}

/// The three kinds of large sends, each on its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LargeSendLimits {
    /// LSOv1, which is IPv4 only.
    pub v1: LargeSendLimit,
    /// LSOv2 over IPv4.
    pub v2_ipv4: LargeSendLimit,
    /// LSOv2 over IPv6.
    pub v2_ipv6: LargeSendLimit,
}

/// Reads the limits from an offload configuration of any revision; all are zero where it is
/// malformed. Its fields up to LSOv2 are the same in every revision.
///
/// # Safety
/// `offload` points to an NDIS_OFFLOAD of as many bytes as its header says.
#[must_use]
pub unsafe fn read_limits(offload: *const sys::NDIS_OFFLOAD) -> LargeSendLimits {
    // SAFETY: every NDIS object is at least as long as its header.
    let header = unsafe { (*offload).Header };
    if header.Type != sys::NDIS_OBJECT_TYPE_OFFLOAD
        || header.Revision < sys::NDIS_OFFLOAD_REVISION_1
        || header.Size < sys::NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_1
    {
        return LargeSendLimits::default();
    }
    // SAFETY: both parts lie within the size of revision 1.
    let (v1, v2) = unsafe { ((*offload).LsoV1, (*offload).LsoV2) };
    LargeSendLimits {
        v1: limit(
            v1.IPv4.Encapsulation,
            v1.IPv4.MaxOffLoadSize,
            v1.IPv4.MinSegmentCount,
        ),
        v2_ipv4: limit(
            v2.IPv4.Encapsulation,
            v2.IPv4.MaxOffLoadSize,
            v2.IPv4.MinSegmentCount,
        ),
        v2_ipv6: limit(
            v2.IPv6.Encapsulation,
            v2.IPv6.MaxOffLoadSize,
            v2.IPv6.MinSegmentCount,
        ),
    }
}

/// A NIC that names no encapsulation for a kind does not do that kind, whatever its maximum says.
fn limit(encapsulation: u32, max_payload: u32, min_segments: u32) -> LargeSendLimit {
    if encapsulation == 0 {
        return LargeSendLimit::default();
    }
    LargeSendLimit {
        max_payload,
        min_segments,
    }
}
