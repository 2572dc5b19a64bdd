//! The NIC's limits as NDIS_OFFLOAD.

use ndis::sys;

/// The NIC's limits for LSOv2 over IPv4, and the same over IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nic {
    /// Most bytes of payload.
    pub max: u32,
    /// Fewest segments.
    pub min_segments: u32,
}

impl Nic {
    pub(crate) fn offload(self) -> sys::NDIS_OFFLOAD {
        let mut offload = nullndis::no_offload();
        let encapsulation = sys::NDIS_ENCAPSULATION_IEEE_802_3;
        offload.LsoV2.IPv4.Encapsulation = encapsulation;
        offload.LsoV2.IPv4.MaxOffLoadSize = self.max;
        offload.LsoV2.IPv4.MinSegmentCount = self.min_segments;
        offload.LsoV2.IPv6.Encapsulation = encapsulation;
        offload.LsoV2.IPv6.MaxOffLoadSize = self.max;
        offload.LsoV2.IPv6.MinSegmentCount = self.min_segments;
        offload
    }
}

/// The LSOv2 maxima in an NDIS_OFFLOAD, of IPv4 and IPv6.
///
/// # Safety
/// `offload` is an NDIS_OFFLOAD of a revision that has LSOv2.
pub(crate) unsafe fn maxima(offload: *const sys::NDIS_OFFLOAD) -> [u32; 2] {
    // SAFETY: as the caller vouches.
    unsafe {
        let lso = &raw const (*offload).LsoV2;
        [(*lso).IPv4.MaxOffLoadSize, (*lso).IPv6.MaxOffLoadSize]
    }
}
