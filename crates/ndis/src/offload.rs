//! Offload configurations: what a NIC takes, and the copy that NDIS lends at attach.

use core::{marker::PhantomData, ptr::NonNull};

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

/// The offload configuration that NDIS lends to FilterAttach, for the filter to modify if it needs
/// to (Windows driver documentation, NDIS_FILTER_ATTACH_PARAMETERS).
pub struct AttachOffload<'call> {
    raw: NonNull<sys::NDIS_OFFLOAD>,
    call: PhantomData<&'call mut ()>,
}

impl AttachOffload<'_> {
    /// # Safety
    /// `raw` is DefaultOffloadConfiguration of what NDIS passed to FilterAttach, which has not
    /// returned.
    #[must_use]
    pub const unsafe fn from_raw(raw: NonNull<sys::NDIS_OFFLOAD>) -> Self {
        Self {
            raw,
            call: PhantomData,
        }
    }

    /// The configuration's bytes, as many as its header says.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: lent for the call and for modification. Every NDIS object is at least as long as
        // its header, and at least as long as the header says.
        unsafe {
            let length = usize::from((*self.raw.as_ptr()).Header.Size);
            core::slice::from_raw_parts_mut(self.raw.as_ptr().cast(), length)
        }
    }
}
