//! Network events from overlying drivers.

use core::ptr::NonNull;

use crate::{filter_module::ModuleHandle, status::Status, sys};

/// An event that NDIS lends to FilterNetPnPEvent for the time of the call.
pub struct NetPnpEvent(NonNull<sys::NET_PNP_EVENT_NOTIFICATION>);

impl NetPnpEvent {
    /// # Safety
    /// `raw` was passed by NDIS to FilterNetPnPEvent, which has not returned.
    pub const unsafe fn from_raw(raw: NonNull<sys::NET_PNP_EVENT_NOTIFICATION>) -> Self {
        Self(raw)
    }

    /// Whether the module is about to be detached: the last moment for OIDs and indications.
    pub fn is_pre_detach(&self) -> bool {
        // SAFETY: lent for the call.
        unsafe { self.0.as_ref() }.NetPnPEvent.NetEvent == sys::NetEventFilterPreDetach
    }

    /// Forwards the event, and returns the status of the other drivers. IRQL PASSIVE_LEVEL.
    #[must_use]
    pub fn forward(&self, module: ModuleHandle) -> Status {
        // SAFETY: the module is attached, and the event lent for the call.
        Status(unsafe { sys::NdisFNetPnPEvent(module.raw(), self.0.as_ptr()) })
    }
}
