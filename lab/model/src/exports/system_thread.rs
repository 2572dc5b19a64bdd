//! `ntoskrnl.exe`: threads of the driver.

use std::{ffi::c_void, ptr};

use ::ndis::sys::{self, NTSTATUS};

use crate::{
    memory::Block,
    objects::Kind,
    thread,
    world::threads::{self, StartRoutine},
};

unsafe extern "efiapi" fn PsCreateSystemThread(
    handle: *mut *mut c_void,
    _access: u32,
    _attributes: *const c_void,
    _process: *mut c_void,
    _client: *mut c_void,
    routine: StartRoutine,
    context: *mut c_void,
) -> NTSTATUS {
    let name = "PsCreateSystemThread";
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, name);
    let world = thread::world();
    let made = {
        let mut state = world.state();
        if !state.may_allocate(name) {
            return sys::NDIS_STATUS_RESOURCES;
        }
        let block = Block::new(16, 16);
        state.kernel.objects.insert(Kind::Handle, block)
    };
    // SAFETY: the caller passes a place.
    unsafe { *handle = made.cast() };
    world.start_thread(made.addr(), routine, context);
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn PsTerminateSystemThread(_status: NTSTATUS) -> NTSTATUS {
    thread::require_irql_at_most(sys::APC_LEVEL, "PsTerminateSystemThread");
    threads::end_this()
}

/// Handles other than those of threads are none of the model's.
unsafe extern "efiapi" fn ObReferenceObjectByHandle(
    handle: *mut c_void,
    _access: u32,
    _kind: *mut c_void,
    _mode: i8,
    object: *mut *mut c_void,
    _information: *mut c_void,
) -> NTSTATUS {
    const INVALID_HANDLE: NTSTATUS = 0xC000_0008_u32 as i32;
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, "ObReferenceObjectByHandle");
    let world = thread::world();
    let Some(place) = world.state().kernel.threads.object_of(handle.addr()) else {
        return INVALID_HANDLE;
    };
    // SAFETY: the caller passes a place.
    unsafe { *object = ptr::with_exposed_provenance_mut(place) };
    sys::STATUS_SUCCESS
}

super::exports! {
    PsCreateSystemThread
    PsTerminateSystemThread
    ObReferenceObjectByHandle
}
