//! A filter module, driven by its handlers as NDIS drives it.
#![expect(unsafe_code, reason = "the handlers take raw pointers")]

use std::ptr;

use anyhow::{Context, anyhow, ensure};
use ndis::sys;

use crate::cases::{Case, MAX_PAYLOAD, MIN_SEGMENTS, Nic};

/// A filter's data path: its two handlers, and the context that they take.
pub(crate) struct Handlers {
    pub(crate) context: sys::NDIS_HANDLE,
    pub(crate) send: sys::FILTER_SEND_NET_BUFFER_LISTS,
    pub(crate) complete: sys::FILTER_SEND_NET_BUFFER_LISTS_COMPLETE,
}

// SAFETY: NDIS calls the handlers on any processor, several at once.
unsafe impl Send for Handlers {}
// SAFETY: as above.
unsafe impl Sync for Handlers {}

impl Handlers {
    /// FilterSendNetBufferLists, from a caller that does not state its IRQL.
    ///
    /// # Safety
    /// The chain's NBLs belong to the caller, which hands them over.
    #[inline]
    pub(crate) unsafe fn send(&self, chain: *mut sys::NET_BUFFER_LIST) {
        // SAFETY: the caller hands over the chain, by this function's contract; the filter runs.
        unsafe { (self.send)(self.context, chain, 0, 0) };
    }

    /// FilterSendNetBufferListsComplete, from a miniport that completes at DISPATCH_LEVEL and sets
    /// the flag for it, as they do from their DPC.
    ///
    /// # Safety
    /// The chain is exactly the NBLs that the filter sent down.
    #[inline]
    pub(crate) unsafe fn complete(&self, chain: *mut sys::NET_BUFFER_LIST) {
        let flags = sys::NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL;
        // SAFETY: the filter sent the NBLs, by this function's contract, and it runs.
        unsafe { (self.complete)(self.context, chain, flags) };
    }
}

/// A filter module that runs, until it is dropped.
pub(crate) struct Module {
    handlers: Handlers,
    pause: sys::FILTER_PAUSE,
    detach: sys::FILTER_DETACH,
}

/// Loads the driver. It stays until the process ends.
pub(crate) fn load() -> anyhow::Result<()> {
    nullndis::load().map_err(|status| anyhow!("DriverEntry: {status:#x}"))
}

impl Module {
    /// Attaches and starts a module for `case`.
    pub(crate) fn start(case: &Case) -> anyhow::Result<Self> {
        let driver = nullndis::loaded().context("no filter driver is registered")?;
        let attached = driver.attach(0, &mut offload(case.nic));
        let context = attached.map_err(|status| anyhow!("FilterAttach: {status:#x}"))?;
        let handlers = driver.handlers;
        let restart = handlers.RestartHandler.context("no restart handler")?;
        // SAFETY: the module is attached and paused.
        let status = unsafe { restart(context, ptr::null_mut()) };
        ensure!(
            status == sys::NDIS_STATUS_SUCCESS,
            "FilterRestart: {status:#x}"
        );
        Ok(Self {
            handlers: Handlers {
                context,
                send: handlers.SendNetBufferListsHandler.context("no send")?,
                complete: handlers
                    .SendNetBufferListsCompleteHandler
                    .context("no send complete")?,
            },
            pause: handlers.PauseHandler.context("no pause")?,
            detach: handlers.DetachHandler.context("no detach")?,
        })
    }

    pub(crate) fn handlers(&self) -> &Handlers {
        &self.handlers
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: the module runs, and nothing is under way in it.
        unsafe {
            (self.pause)(self.handlers.context, ptr::null_mut());
            (self.detach)(self.handlers.context);
        }
    }
}

/// The NIC's limits as NDIS_OFFLOAD.
fn offload(nic: Nic) -> sys::NDIS_OFFLOAD {
    let mut offload = nullndis::no_offload();
    let supported = sys::NDIS_OFFLOAD_SUPPORTED;
    if nic != Nic::Nothing {
        let bits = sys::CHECKSUM_OFFLOAD_TCP_OPTIONS.with(0, supported);
        let bits = sys::CHECKSUM_OFFLOAD_TCP.with(bits, supported);
        offload.Checksum.IPv4Transmit.Encapsulation = sys::NDIS_ENCAPSULATION_IEEE_802_3;
        offload.Checksum.IPv4Transmit.Bits = sys::CHECKSUM_OFFLOAD_UDP.with(bits, supported);
    }
    if nic == Nic::LargeSends {
        offload.LsoV2.IPv4 = sys::NDIS_TCP_LARGE_SEND_OFFLOAD_V2_IPV4 {
            Encapsulation: sys::NDIS_ENCAPSULATION_IEEE_802_3,
            MaxOffLoadSize: MAX_PAYLOAD,
            MinSegmentCount: MIN_SEGMENTS,
        };
        let bits = sys::USO_OFFLOAD_MIN_SEGMENT_COUNT.with(0, 2);
        offload.UdpSegmentation.IPv4 = sys::NDIS_UDP_SEGMENTATION_OFFLOAD_IPV4 {
            Encapsulation: sys::NDIS_ENCAPSULATION_IEEE_802_3,
            MaxOffLoadSize: MAX_PAYLOAD,
            SegmentBits: sys::USO_OFFLOAD_SUB_MSS_FINAL_SEGMENT.with(bits, 1),
        };
        let tunnel = &mut offload.EncapsulatedPacketTaskOffloadVxlan;
        tunnel.Bits = sys::ENCAPSULATED_OFFLOAD_LSO_V2.with(
            0,
            sys::NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_INNER_IPV4
                | sys::NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_OUTER_IPV4,
        );
        tunnel.MaxHeaderSizeSupported = 256;
        tunnel.EncapsulationProtocolInfo = 4789;
    }
    offload
}
