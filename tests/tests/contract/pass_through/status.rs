//! Status indications and network events.

use std::{mem::offset_of, sync::atomic::Ordering};

use ndis::sys::{self, NDIS_HANDLE, NDIS_OFFLOAD, NDIS_STATUS, NDIS_STATUS_INDICATION};

use super::{MULTIPLE, Module, fault, module, own_oid};

/// The bytes of an NDIS_OFFLOAD.
///
/// # Safety
/// `offload` points to one.
pub(super) unsafe fn bytes_of(offload: *const NDIS_OFFLOAD) -> Vec<u8> {
    // SAFETY: as the caller vouches.
    unsafe {
        let size = usize::from((*offload).Header.Size);
        std::slice::from_raw_parts(offload.cast::<u8>(), size).to_vec()
    }
}

fn is_valid(offload: &[u8]) -> bool {
    offload.len() >= 112
        && offload[0] == sys::NDIS_OBJECT_TYPE_OFFLOAD
        && usize::from(u16::from_ne_bytes([offload[2], offload[3]])) <= offload.len()
}

/// An NDIS_OFFLOAD with its LSOv2 maxima raised; as it is where it is malformed.
pub(super) fn raised<const FAULT: u8>(own: &[u8]) -> Vec<u8> {
    let mut bytes = own.to_vec();
    if !is_valid(own) {
        return bytes;
    }
    for family in [
        offset_of!(NDIS_OFFLOAD, LsoV2.IPv4),
        offset_of!(NDIS_OFFLOAD, LsoV2.IPv6),
    ] {
        let max: [u8; 4] = bytes[family + 4..family + 8]
            .try_into()
            .expect("four bytes");
        let max = u32::from_ne_bytes(max);
        let max = match FAULT {
            fault::STATUS_LOWERED => max / 2,
            fault::RESURRECTED if max == 0 => 60_000,
            _ => max * MULTIPLE,
        };
        bytes[family + 4..family + 8].copy_from_slice(&max.to_ne_bytes());
    }
    bytes
}

/// An indication in which only the code and the bytes are set.
pub(super) fn indication(code: i32, bytes: &[u8]) -> NDIS_STATUS_INDICATION {
    // SAFETY: numbers, raw pointers and a GUID may all be zero.
    let mut indication: NDIS_STATUS_INDICATION = unsafe { std::mem::zeroed() };
    indication.Header = ndis::driver::header(
        sys::NDIS_OBJECT_TYPE_STATUS_INDICATION,
        sys::NDIS_STATUS_INDICATION_REVISION_1,
        sys::NDIS_SIZEOF_STATUS_INDICATION_REVISION_1,
    );
    indication.StatusCode = code;
    indication.StatusBuffer = bytes.as_ptr().cast_mut().cast();
    indication.StatusBufferSize = bytes.len() as u32;
    indication
}

/// Indicates a configuration to the overlying driver, with the filter as its source.
pub(super) fn publish<const FAULT: u8>(module: &Module, offload: &[u8]) {
    let mut bytes = offload.to_vec();
    bytes.extend([0; 4]);
    let code = sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG;
    let mut indication = indication(code, &bytes[..offload.len()]);
    indication.SourceHandle = module.handle;
    match FAULT {
        fault::STATUS_OTHER_SOURCE => indication.SourceHandle = std::ptr::null_mut(),
        fault::STATUS_WRONG_SIZE => indication.StatusBufferSize += 4,
        fault::STATUS_NO_HEADER => indication.Header.Size = 0,
        fault::STATUS_FOR_A_PORT => indication.PortNumber = 3,
        _ => {}
    }
    // SAFETY: the indication and its bytes live during the call.
    unsafe { sys::NdisFIndicateStatus(module.handle, &raw mut indication) };
}

pub(super) unsafe extern "efiapi" fn status<const FAULT: u8>(
    context: NDIS_HANDLE,
    incoming: *mut NDIS_STATUS_INDICATION,
) {
    // SAFETY: the context is attach's; the indication lives during the call.
    unsafe {
        let module = module(context);
        match FAULT {
            fault::STATUS_SWALLOWED => return,
            fault::STATUS_TWICE => sys::NdisFIndicateStatus(module.handle, incoming),
            fault::STATUS_KEEPS_IRQL => {
                sys::KfRaiseIrql(sys::DISPATCH_LEVEL);
            }
            _ => {}
        }
        let mut copy = *incoming;
        if FAULT == fault::STATUS_CHANGED {
            copy.PortNumber += 1;
        }
        let mut rewritten = Vec::new();
        let leaving = module.leaving.load(Ordering::SeqCst);
        if is_offload(copy.StatusCode) && copy.StatusBufferSize > 0 && !leaving {
            let bytes = std::slice::from_raw_parts(
                copy.StatusBuffer.cast::<u8>(),
                copy.StatusBufferSize as usize,
            );
            let current = copy.StatusCode == sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG;
            if current && is_valid(bytes) {
                *module.own.lock().expect("no panic") = bytes.to_vec();
            }
            rewritten = raised::<FAULT>(bytes);
            copy.StatusBuffer = rewritten.as_mut_ptr().cast();
        }
        if FAULT == fault::STATUS_IN_PLACE && !rewritten.is_empty() {
            let to = (*incoming).StatusBuffer.cast::<u8>();
            std::ptr::copy_nonoverlapping(rewritten.as_ptr(), to, rewritten.len());
        }
        sys::NdisFIndicateStatus(module.handle, &raw mut copy);
        if FAULT == fault::OWN_OID_FROM_STATUS {
            own_oid::ask::<FAULT>(module);
        }
    }
}

fn is_offload(code: i32) -> bool {
    code == sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG
        || code == sys::NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES
}

pub(super) unsafe extern "efiapi" fn event<const FAULT: u8>(
    context: NDIS_HANDLE,
    notification: *mut sys::NET_PNP_EVENT_NOTIFICATION,
) -> NDIS_STATUS {
    // SAFETY: the context is attach's; the notification lives during the call.
    unsafe {
        let module = module(context);
        let event = (*notification).NetPnPEvent.NetEvent;
        if event == sys::NetEventFilterPreDetach && FAULT != fault::STAYS_RAISED {
            module.leaving.store(true, Ordering::SeqCst);
            let own = module.own.lock().expect("no panic").clone();
            publish::<FAULT>(module, &own);
        }
        match FAULT {
            fault::EVENT_SWALLOWED => return sys::NDIS_STATUS_SUCCESS,
            fault::EVENT_TWICE => {
                sys::NdisFNetPnPEvent(module.handle, notification);
            }
            fault::EVENT_CHANGED => (*notification).Flags = 7,
            _ => {}
        }
        let status = sys::NdisFNetPnPEvent(module.handle, notification);
        if FAULT == fault::EVENT_STATUS {
            return sys::NDIS_STATUS_SUCCESS;
        }
        status
    }
}
