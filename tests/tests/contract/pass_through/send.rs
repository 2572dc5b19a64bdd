//! Sends and their completions.

use std::{ptr, sync::atomic::Ordering};

use ndis::{
    LargeSendInfo,
    sys::{self, NDIS_HANDLE, NET_BUFFER_LIST},
};

use super::{fault, module};

/// Payloads of frames above this are too large for a driver that refuses.
const LARGE: u32 = 10_000;

pub(super) unsafe extern "efiapi" fn send<const FAULT: u8>(
    context: NDIS_HANDLE,
    chain: *mut NET_BUFFER_LIST,
    port: u32,
    flags: u32,
) {
    // SAFETY: the context is attach's; the chain is handed over.
    unsafe {
        let module = module(context);
        let running = module.running.load(Ordering::SeqCst);
        let refuses = if FAULT == fault::REFUSES_RUNNING {
            running
        } else {
            !running && FAULT != fault::SENDS_PAUSED
        };
        if refuses {
            return refuse(module.handle, chain, sys::NDIS_STATUS_PAUSED, flags);
        }
        let large = (*(*chain).FirstNetBuffer).DataLength > LARGE;
        if FAULT == fault::REFUSES_LARGE && large {
            settle(chain);
            return refuse(module.handle, chain, sys::NDIS_STATUS_INVALID_LENGTH, flags);
        }
        let flags = match FAULT {
            fault::LOOPBACK_LOST => flags & !sys::NDIS_SEND_FLAGS_CHECK_FOR_LOOPBACK,
            _ => flags,
        };
        let held = module.locks.before::<FAULT>(module.handle);
        if FAULT == fault::BIG_FRAME {
            send_from_a_big_frame(module.handle, chain, port, flags);
        } else {
            sys::NdisFSendNetBufferLists(module.handle, chain, port, flags);
        }
        module.locks.after::<FAULT>(held);
    }
}

/// # Safety
/// The chain is the caller's.
#[inline(never)]
unsafe fn send_from_a_big_frame(
    module: NDIS_HANDLE,
    chain: *mut NET_BUFFER_LIST,
    port: u32,
    flags: u32,
) {
    let big = std::hint::black_box([1_u8; 200 << 10]);
    // SAFETY: as the caller vouches.
    unsafe { sys::NdisFSendNetBufferLists(module, chain, port, flags) };
    std::hint::black_box(&big);
}

/// Completes a whole chain with `status`.
///
/// # Safety
/// The chain is the caller's.
unsafe fn refuse(module: NDIS_HANDLE, chain: *mut NET_BUFFER_LIST, status: i32, flags: u32) {
    // SAFETY: as the caller vouches.
    unsafe {
        let mut nbl = chain;
        while !nbl.is_null() {
            (*nbl).Status = status;
            nbl = (*nbl).Next;
        }
        // The flags for DISPATCH_LEVEL are the same number.
        sys::NdisFSendNetBufferListsComplete(module, chain, flags & 1);
    }
}

/// Writes the large-send slots of a chain as a completing driver does.
///
/// # Safety
/// The chain is the caller's.
unsafe fn settle(chain: *mut NET_BUFFER_LIST) {
    // SAFETY: as the caller vouches.
    unsafe {
        let slot = &raw mut (*chain).NetBufferListInfo[sys::TcpLargeSendNetBufferListInfo];
        let info = LargeSendInfo::from_raw((*slot).addr());
        *slot = ptr::without_provenance_mut(info.transmit_complete(0).to_raw());
    }
}

pub(super) unsafe extern "efiapi" fn complete<const FAULT: u8>(
    context: NDIS_HANDLE,
    chain: *mut NET_BUFFER_LIST,
    flags: u32,
) {
    // SAFETY: the context is attach's; the chain is handed over.
    unsafe {
        let module = module(context);
        if FAULT == fault::RESENDS && module.resent.fetch_add(1, Ordering::SeqCst) < 40 {
            return sys::NdisFSendNetBufferLists(module.handle, chain, 0, 0);
        }
        sys::NdisFSendNetBufferListsComplete(module.handle, chain, flags);
    }
}
