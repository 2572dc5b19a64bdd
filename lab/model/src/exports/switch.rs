//! `ndis.sys`: the handlers of the Hyper-V virtual switch for its extensions.

use std::{ffi::c_void, ptr};

use ::ndis::sys::{self, NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_STATUS};

use crate::thread;

/// The switch's context for its handlers.
const SWITCH: usize = 0x5917C4;
/// Bytes of NDIS_SWITCH_OPTIONAL_HANDLERS before the handlers.
const HEAD: usize = 8;

/// Each handler of the switch. The model's switch has nothing to report: it does not change, and its
/// answer is success.
extern "efiapi" fn unchanged() -> NDIS_STATUS {
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFGetOptionalSwitchHandlers(
    module: NDIS_HANDLE,
    context: *mut *mut c_void,
    handlers: *mut NDIS_OBJECT_HEADER,
) -> NDIS_STATUS {
    let routine = "NdisFGetOptionalSwitchHandlers";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    thread::at_module(module, routine, |world| {
        world.state().life.switch_extension = true;
    });
    // SAFETY: the caller passes a place for the context, and handlers of the size in their header.
    unsafe {
        *context = ptr::without_provenance_mut(SWITCH);
        let size = usize::from((*handlers).Size);
        let first = handlers.cast::<u8>().add(HEAD).cast::<*const ()>();
        for index in 0..size.saturating_sub(HEAD) / size_of::<*const ()>() {
            first.add(index).write_unaligned(unchanged as *const ());
        }
    }
    sys::NDIS_STATUS_SUCCESS
}

super::exports! {
    NdisFGetOptionalSwitchHandlers
}
