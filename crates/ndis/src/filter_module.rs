//! The calls that a filter module makes to NDIS on the data path: send down, complete up.

use core::ptr::NonNull;

use crate::{
    nbl::{Nbl, NblChain},
    object::header,
    status::Status,
    sys,
};

/// NDIS's handle of one attached filter module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ModuleHandle(sys::NDIS_HANDLE);

// SAFETY: the handle is opaque; only NDIS dereferences it.
unsafe impl Send for ModuleHandle {}
// SAFETY: as above.
unsafe impl Sync for ModuleHandle {}

/// Number of the NDIS port that a send is for; forwarded unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Port(pub sys::NDIS_PORT_NUMBER);

/// Flags of a send, NDIS_SEND_FLAGS_XXX; forwarded unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SendFlags(pub u32);

impl SendFlags {
    /// Whether the caller is at DISPATCH_LEVEL.
    pub const fn at_dispatch(self) -> bool {
        self.0 & sys::NDIS_SEND_FLAGS_DISPATCH_LEVEL != 0
    }

    /// The completion flags for NBLs that are completed from within this send.
    #[must_use]
    pub const fn for_completion(self) -> CompleteFlags {
        CompleteFlags(if self.at_dispatch() {
            sys::NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL
        } else {
            0
        })
    }
}

/// Flags of a completion, NDIS_SEND_COMPLETE_FLAGS_XXX; forwarded unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CompleteFlags(pub u32);

impl CompleteFlags {
    /// Whether the caller is at DISPATCH_LEVEL.
    pub const fn at_dispatch(self) -> bool {
        self.0 & sys::NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL != 0
    }
}

impl ModuleHandle {
    /// Takes over the handle that NDIS passed to FilterAttach.
    ///
    /// # Safety
    /// `raw` is that handle, and this value is used no longer than the module is attached.
    pub const unsafe fn from_raw(raw: sys::NDIS_HANDLE) -> Self {
        Self(raw)
    }

    /// The handle as NDIS routines take it.
    pub const fn raw(self) -> sys::NDIS_HANDLE {
        self.0
    }

    /// Whether this module originated `nbl`.
    #[inline]
    pub(crate) fn is_source_of(self, nbl: &Nbl) -> bool {
        // SAFETY: the NBL is owned by the caller.
        unsafe { (*nbl.as_ptr()).SourceHandle == self.0 }
    }

    /// Whether this module originated any NBL of `chain`.
    #[inline]
    pub fn has_any_of(self, chain: &NblChain) -> bool {
        chain.iter().any(|nbl| self.is_source_of(nbl))
    }

    /// Sends a chain to the next lower driver; an empty one is not sent. IRQL ≤ DISPATCH_LEVEL.
    pub fn send(self, chain: NblChain, port: Port, flags: SendFlags) {
        if !chain.is_empty() {
            // SAFETY: the chain is owned here and given up; the module is attached and running,
            // because its sends and its pause exclude each other.
            unsafe { sys::NdisFSendNetBufferLists(self.0, chain.into_raw(), port.0, flags.0) };
        }
    }

    /// Completes a chain to the overlying driver, unless it is empty. IRQL ≤ DISPATCH_LEVEL.
    pub fn send_complete(self, chain: NblChain, flags: CompleteFlags) {
        if !chain.is_empty() {
            // SAFETY: the chain is owned here and given up, and the overlying driver sent all of
            // it.
            unsafe { sys::NdisFSendNetBufferListsComplete(self.0, chain.into_raw(), flags.0) };
        }
    }

    /// Makes `context` the module's context, as the last step of FilterAttach. IRQL PASSIVE_LEVEL.
    ///
    /// # Errors
    /// The status of NDIS; the attach has failed then.
    pub fn set_context<T>(self, context: NonNull<T>) -> Result<(), Status> {
        let mut attributes = sys::NDIS_FILTER_ATTRIBUTES {
            Header: header(
                sys::NDIS_OBJECT_TYPE_FILTER_ATTRIBUTES,
                sys::NDIS_FILTER_ATTRIBUTES_REVISION_1,
                sys::NDIS_SIZEOF_FILTER_ATTRIBUTES_REVISION_1,
            ),
            Flags: 0,
        };
        // SAFETY: the module is attaching; the attributes are read during the call only, and the
        // context is a bare value to NDIS.
        let status = unsafe {
            sys::NdisFSetAttributes(self.0, context.as_ptr().cast(), &raw mut attributes)
        };
        Status(status).ok()
    }
}
