//! The overlying driver and the NIC on a machine: sends, completions, status indications.

use std::{mem::zeroed, ptr};

use ndis::{
    AtDispatch,
    sys::{self, NET_BUFFER_LIST},
};

use crate::{
    machine::{Machine, call, handler},
    offload::Nic,
    parent::{self, ParentId},
    points::{driver, wait_until},
    world,
};

impl Machine {
    /// The overlying driver sends a large send with so many bytes of payload.
    pub fn send(&self, payload: u32) -> ParentId {
        let (id, nbl) = world::with(|world| world.parents.add(payload));
        let send = handler!(self, SendNetBufferListsHandler);
        // SAFETY: the NBL is given away.
        call(|| unsafe { send(self.module, nbl, 0, 0) });
        id
    }

    /// Waits until the NIC has `count` NBLs.
    pub fn wait_for_children(&self, count: usize) {
        wait_until(|| world::with(|world| world.nic.len() >= count));
    }

    /// The NIC waits until it has `count` NBLs, and completes them as one chain with `status`.
    /// Returns their bytes of payload.
    pub fn complete(&self, count: usize, status: sys::NDIS_STATUS) -> Vec<u32> {
        self.wait_for_children(count);
        let taken: Vec<_> = world::with(|world| world.nic.drain(..count).collect());
        self.give_back(&taken, status, 0)
    }

    /// The same, successfully and from a DPC, as most NICs do it.
    pub fn complete_in_dpc(&self, count: usize) {
        self.wait_for_children(count);
        let taken: Vec<_> = world::with(|world| world.nic.drain(..count).collect());
        let flags = sys::NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL;
        let at = driver(|| AtDispatch::enter(false));
        self.give_back(&taken, sys::NDIS_STATUS_SUCCESS, flags);
        driver(|| drop(at));
    }

    /// From now on the NIC completes `count` NBLs of each send successfully, before the driver's
    /// call has returned.
    pub fn completes_inline(&self, count: usize) {
        world::with(|world| world.inline = Some((*self, count)));
    }

    /// The NIC completes all that it has, if anything.
    pub fn complete_all(&self, status: sys::NDIS_STATUS) -> Vec<u32> {
        let taken: Vec<_> = world::with(|world| world.nic.drain(..).collect());
        self.give_back(&taken, status, 0)
    }

    fn give_back(
        &self,
        nbls: &[*mut NET_BUFFER_LIST],
        status: sys::NDIS_STATUS,
        flags: u32,
    ) -> Vec<u32> {
        let mut chain = ptr::null_mut();
        let mut payloads = Vec::new();
        for nbl in nbls.iter().rev().copied() {
            // SAFETY: the NIC has it.
            unsafe {
                ((*nbl).Status, (*nbl).Next) = (status, chain);
                payloads.insert(0, parent::payload(nbl));
            }
            chain = nbl;
        }
        let complete = handler!(self, SendNetBufferListsCompleteHandler);
        if !chain.is_null() {
            // SAFETY: the module sent them down, and ownership returns to it.
            call(|| unsafe { complete(self.module, chain, flags) });
        }
        payloads
    }

    /// The status with which a send was completed to the overlying driver, if it was.
    #[must_use]
    pub fn completed(&self, id: ParentId) -> Option<sys::NDIS_STATUS> {
        world::with(|world| world.parents.completed(id))
    }

    /// Waits until a send is completed to the overlying driver, as the overlying driver does before
    /// NDIS pauses a filter beneath it.
    pub fn wait_for(&self, id: ParentId) {
        wait_until(|| self.completed(id).is_some());
    }

    /// How many NBLs the NIC has.
    pub fn at_nic(&self) -> usize {
        world::with(|world| world.nic.len())
    }

    /// The NIC indicates other limits.
    pub fn nic_indicates(&self, nic: Nic) {
        let mut offload = nic.offload();
        let mut indication = sys::NDIS_STATUS_INDICATION {
            Header: sys::NDIS_OBJECT_HEADER {
                Type: sys::NDIS_OBJECT_TYPE_STATUS_INDICATION,
                Revision: sys::NDIS_STATUS_INDICATION_REVISION_1,
                Size: sys::NDIS_SIZEOF_STATUS_INDICATION_REVISION_1,
            },
            StatusCode: sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG,
            StatusBuffer: (&raw mut offload).cast(),
            StatusBufferSize: offload.Header.Size.into(),
            // SAFETY: numbers and raw pointers may all be zero.
            ..unsafe { zeroed() }
        };
        let status = handler!(self, StatusHandler);
        // SAFETY: indication and buffer live during the call.
        call(|| unsafe { status(self.module, &raw mut indication) });
    }

    /// From now on the NIC holds the driver's queries.
    pub fn holds_queries(&self) {
        world::with(|world| world.queries_pend = true);
    }

    /// The NIC completes the driver's queries, without an answer, until the module is detached.
    pub fn answer_queries(&self) {
        let complete = handler!(self, OidRequestCompleteHandler);
        loop {
            wait_until(|| world::with(|world| world.detached || !world.queries.is_empty()));
            let Some(query) = world::with(|world| world.queries.pop_front()) else {
                return;
            };
            if world::with(|world| world.detached) {
                return world::wrong("the module is detached while its query is under way");
            }
            // SAFETY: the module sent it, and ownership returns to it.
            call(|| unsafe { complete(self.module, query, sys::NDIS_STATUS_NOT_SUPPORTED) });
        }
    }

    /// The LSOv2 maxima of IPv4 that were advertised to the overlying driver, in order.
    pub fn indicated(&self) -> Vec<u32> {
        world::with(|world| world.indicated.iter().map(|maxima| maxima[0]).collect())
    }
}

/// The NIC received NBLs: completes those that it completes at once.
pub(crate) fn complete_inline() {
    let inline = world::with(|world| world.inline.filter(|(_, count)| world.nic.len() >= *count));
    if let Some((machine, count)) = inline {
        machine.complete(count, sys::NDIS_STATUS_SUCCESS);
    }
}
