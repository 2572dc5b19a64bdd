//! The floor: the least that a filter must do for plain LSOv2 sends over IPv4, by hand in C
//! (`floor.c`, `split.c`), over the same null NDIS. The filter's cost beside the floor's shows what its
//! generality costs, on any machine and in any run.
#![expect(unsafe_code, reason = "C functions")]

use std::ptr::NonNull;

use anyhow::{Context, ensure};
use ndis::sys;

use crate::{
    cases::{Case, MAX_PAYLOAD, MIN_SEGMENTS, Nic, Traffic, Unit},
    module::Handlers,
};

#[cfg(test)]
mod tests;

/// The floor's state, which only C code reads.
#[repr(C)]
struct State(u8);

unsafe extern "C" {
    fn mslso_floor_new(max_payload: u32, min_segments: u32) -> *mut State;
    fn mslso_floor_free(floor: *mut State);
    fn mslso_floor_send(
        floor: *mut State,
        chain: *mut sys::NET_BUFFER_LIST,
        port: sys::NDIS_PORT_NUMBER,
        flags: u32,
    );
    fn mslso_floor_complete(floor: *mut State, chain: *mut sys::NET_BUFFER_LIST, flags: u32);
}

/// The handlers have Windows' calling convention and the C functions that of this machine, as it is
/// with the filter's handlers and the functions that they call: both have the same cost of that.
unsafe extern "efiapi" fn send(
    context: sys::NDIS_HANDLE,
    chain: *mut sys::NET_BUFFER_LIST,
    port: sys::NDIS_PORT_NUMBER,
    flags: u32,
) {
    // SAFETY: `Handlers` passes the floor's state as the context; the caller hands over the chain.
    unsafe { mslso_floor_send(context.cast(), chain, port, flags) };
}

/// See [`send`].
unsafe extern "efiapi" fn complete(
    context: sys::NDIS_HANDLE,
    chain: *mut sys::NET_BUFFER_LIST,
    flags: u32,
) {
    // SAFETY: as in `send`.
    unsafe { mslso_floor_complete(context.cast(), chain, flags) };
}

/// A floor that runs, until it is dropped.
pub(crate) struct Floor {
    state: NonNull<State>,
    handlers: Handlers,
}

impl Floor {
    /// Whether there is a floor for `case`.
    pub(crate) fn supports(case: &Case) -> bool {
        let traffic = matches!(case.traffic, Traffic::Tcp(_) | Traffic::Plain);
        traffic && case.nic == Nic::LargeSends && case.unit != Unit::Packet
    }

    /// A floor for `case`.
    pub(crate) fn start(case: &Case) -> anyhow::Result<Self> {
        ensure!(Self::supports(case), "{}: there is no floor", case.name);
        // SAFETY: any numbers will do.
        let state = unsafe { mslso_floor_new(MAX_PAYLOAD, MIN_SEGMENTS) };
        let state = NonNull::new(state).context("memory for the floor")?;
        Ok(Self {
            state,
            handlers: Handlers {
                context: state.as_ptr().cast(),
                send,
                complete,
            },
        })
    }

    pub(crate) fn handlers(&self) -> &Handlers {
        &self.handlers
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // SAFETY: the state is of `mslso_floor_new`, and every send is completed.
        unsafe { mslso_floor_free(self.state.as_ptr()) };
    }
}
