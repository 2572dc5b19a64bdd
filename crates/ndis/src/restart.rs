//! The parameters with which NDIS restarts a filter module.

use core::{
    marker::PhantomData,
    mem::offset_of,
    ptr::{self, NonNull},
};

use crate::sys;

/// Maximum number of attributes that are read. NDIS passes a handful; this bounds a circular list.
const MAX_ATTRIBUTES: u32 = 256;

/// The parameters that NDIS lends to FilterRestart for the time of the call.
pub struct RestartParameters<'call> {
    raw: NonNull<sys::NDIS_FILTER_RESTART_PARAMETERS>,
    call: PhantomData<&'call ()>,
}

impl RestartParameters<'_> {
    /// # Safety
    /// `raw` was passed by NDIS to FilterRestart, which has not returned.
    pub const unsafe fn from_raw(raw: NonNull<sys::NDIS_FILTER_RESTART_PARAMETERS>) -> Self {
        Self {
            raw,
            call: PhantomData,
        }
    }

    /// Maximum number of bytes of an IP packet on the adapter, without the Ethernet header
    /// (MtuSize); `None` where NDIS does not provide it, or not in the form that it defines.
    pub fn mtu(&self) -> Option<u32> {
        // SAFETY: lent for the call, as long as the size in its header.
        let mut next = unsafe {
            let header = (*self.raw.as_ptr()).Header;
            let legal = header.Type == sys::NDIS_OBJECT_TYPE_FILTER_RESTART_PARAMETERS
                && header.Size >= sys::NDIS_SIZEOF__FILTER_RESTART_PARAMETERS_REVISION_1;
            if !legal {
                return None;
            }
            (*self.raw.as_ptr()).RestartAttributes
        };
        for _ in 0..MAX_ATTRIBUTES {
            let attribute = NonNull::new(next)?.as_ptr();
            // SAFETY: the attributes are lent with the parameters.
            unsafe {
                if (*attribute).Oid == sys::OID_GEN_MINIPORT_RESTART_ATTRIBUTES {
                    return mtu_of(attribute);
                }
                next = (*attribute).Next;
            }
        }
        None
    }
}

/// # Safety
/// `attribute` is lent, with the number of bytes of data that it states.
unsafe fn mtu_of(attribute: *const sys::NDIS_RESTART_ATTRIBUTES) -> Option<u32> {
    const NEEDED: usize =
        offset_of!(sys::NDIS_RESTART_GENERAL_ATTRIBUTES, MtuSize) + size_of::<u32>();
    // SAFETY: the attribute and its data are lent, by this function's contract. Only the first
    // `NEEDED` bytes of the data are read; the data is aligned to 16 bytes, as the attribute is.
    unsafe {
        if ((*attribute).DataLength as usize) < NEEDED {
            return None;
        }
        let general = attribute
            .byte_add(offset_of!(sys::NDIS_RESTART_ATTRIBUTES, Data))
            .cast::<sys::NDIS_RESTART_GENERAL_ATTRIBUTES>();
        let header = ptr::read(&raw const (*general).Header);
        let legal = header.Type == sys::NDIS_OBJECT_TYPE_RESTART_GENERAL_ATTRIBUTES
            && usize::from(header.Size) >= NEEDED;
        let mtu = ptr::read(&raw const (*general).MtuSize);
        (legal && mtu > 0).then_some(mtu)
    }
}
