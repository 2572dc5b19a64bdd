//! Status indications of a miniport, or of this filter, to the overlying driver.

use core::{marker::PhantomData, ptr::NonNull};

use crate::{filter_module::ModuleHandle, object::header, sys};

/// An indication that NDIS lends to FilterStatus for the time of the call.
pub struct Indication<'call> {
    raw: NonNull<sys::NDIS_STATUS_INDICATION>,
    call: PhantomData<&'call ()>,
}

impl Indication<'_> {
    /// # Safety
    /// `raw` was passed by NDIS to FilterStatus, which has not returned.
    pub const unsafe fn from_raw(raw: NonNull<sys::NDIS_STATUS_INDICATION>) -> Self {
        Self {
            raw,
            call: PhantomData,
        }
    }

    /// The status code, NDIS_STATUS_XXX.
    pub fn code(&self) -> sys::NDIS_STATUS {
        // SAFETY: lent for the call.
        unsafe { self.raw.as_ref() }.StatusCode
    }

    /// The status buffer. The memory is the miniport's and must not be changed.
    pub fn buffer(&self) -> &[u8] {
        // SAFETY: lent for the call; the miniport's buffer has `StatusBufferSize` bytes.
        unsafe {
            let indication = self.raw.as_ref();
            if indication.StatusBuffer.is_null() {
                return &[];
            }
            core::slice::from_raw_parts(
                indication.StatusBuffer.cast(),
                indication.StatusBufferSize as usize,
            )
        }
    }

    /// Forwards it unchanged. IRQL ≤ DISPATCH_LEVEL.
    pub fn forward(&self, module: ModuleHandle) {
        // SAFETY: the module is attached, and the indication lent for the call.
        unsafe { sys::NdisFIndicateStatus(module.raw(), self.raw.as_ptr()) };
    }

    /// Forwards a copy of the indication with `buffer` as its status buffer. IRQL ≤ DISPATCH_LEVEL.
    pub fn forward_with(&self, module: ModuleHandle, buffer: &mut [u8]) {
        // SAFETY: lent for the call.
        let mut copy = unsafe { *self.raw.as_ptr() };
        set_buffer(&mut copy, buffer);
        // SAFETY: the module is attached; copy and buffer live during the call.
        unsafe { sys::NdisFIndicateStatus(module.raw(), &raw mut copy) };
    }
}

fn set_buffer(indication: &mut sys::NDIS_STATUS_INDICATION, buffer: &mut [u8]) {
    indication.StatusBuffer = buffer.as_mut_ptr().cast();
    indication.StatusBufferSize = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
}

/// Indicates `code` with `buffer` in the name of this filter module, which is attached and not
/// detached yet. IRQL ≤ DISPATCH_LEVEL.
pub fn indicate(module: ModuleHandle, code: sys::NDIS_STATUS, buffer: &mut [u8]) {
    let mut indication = sys::NDIS_STATUS_INDICATION {
        Header: header(
            sys::NDIS_OBJECT_TYPE_STATUS_INDICATION,
            sys::NDIS_STATUS_INDICATION_REVISION_1,
            sys::NDIS_SIZEOF_STATUS_INDICATION_REVISION_1,
        ),
        SourceHandle: module.raw(),
        PortNumber: sys::NDIS_DEFAULT_PORT_NUMBER,
        StatusCode: code,
        // SAFETY: numbers and raw pointers may all be zero.
        ..unsafe { core::mem::zeroed() }
    };
    set_buffer(&mut indication, buffer);
    // SAFETY: the module is attached; indication and buffer live during the call.
    unsafe { sys::NdisFIndicateStatus(module.raw(), &raw mut indication) };
}
