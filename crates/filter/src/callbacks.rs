//! The handlers that NDIS and the system call. Each turns raw pointers into owned types and calls
//! the logic; none decides anything.
#![expect(
    unsafe_code,
    reason = "the handlers' arguments are raw pointers whose meaning NDIS defines"
)]

use core::{ffi::c_void, ptr::NonNull};

use ndis::{
    CompleteFlags, ModuleHandle, NblChain, Port, SendFlags, Status,
    driver::{deregister, register},
    sys,
};

use crate::{
    attach::{self, FilterModule},
    complete, driver, pause, send,
    statistics::Statistics,
};

/// The system calls this when it has loaded the driver. IRQL PASSIVE_LEVEL.
///
/// # Safety
/// `driver_object` is the driver object that the system made for this image.
pub unsafe extern "efiapi" fn driver_entry(
    driver_object: *mut sys::DRIVER_OBJECT,
    _registry_path: *mut sys::UNICODE_STRING,
) -> sys::NTSTATUS {
    let Some(object) = NonNull::new(driver_object) else {
        return sys::NDIS_STATUS_FAILURE;
    };
    // SAFETY: the system owns the object and lends it for this call and until unload.
    match unsafe { load(object) } {
        Ok(()) => sys::NDIS_STATUS_SUCCESS,
        Err(status) => status.0,
    }
}

/// # Safety
/// As for [`driver_entry`].
unsafe fn load(object: NonNull<sys::DRIVER_OBJECT>) -> Result<(), Status> {
    let mut characteristics = driver::characteristics(driver::minor_version()?);
    characteristics.AttachHandler = Some(filter_attach);
    characteristics.DetachHandler = Some(filter_detach);
    characteristics.RestartHandler = Some(filter_restart);
    characteristics.PauseHandler = Some(filter_pause);
    characteristics.SendNetBufferListsHandler = Some(filter_send);
    characteristics.SendNetBufferListsCompleteHandler = Some(filter_send_complete);
    // SAFETY: the object is the driver's own; it is written before NDIS can call a handler.
    unsafe {
        (*object.as_ptr()).DriverUnload = Some(driver_unload);
        register(object, &mut characteristics)
    }
}

/// The system calls this when no filter module is attached any more. IRQL PASSIVE_LEVEL.
unsafe extern "efiapi" fn driver_unload(driver_object: *mut sys::DRIVER_OBJECT) {
    if let Some(object) = NonNull::new(driver_object) {
        // SAFETY: DriverEntry registered this object successfully, or unload would not be called.
        unsafe { deregister(object) };
    }
}

/// FilterAttach. IRQL PASSIVE_LEVEL.
unsafe extern "efiapi" fn filter_attach(
    handle: sys::NDIS_HANDLE,
    _driver_context: sys::NDIS_HANDLE,
    parameters: *mut sys::NDIS_FILTER_ATTACH_PARAMETERS,
) -> sys::NDIS_STATUS {
    // SAFETY: NDIS passes the new module's handle, valid until FilterDetach has returned, and
    // parameters that live during this call.
    let result = unsafe {
        let module = ModuleHandle::from_raw(handle);
        attach::Parameters::read(parameters).and_then(|found| attach::attach(module, &found))
    };
    result.map_or_else(|status| status.0, |()| sys::NDIS_STATUS_SUCCESS)
}

/// FilterDetach. IRQL PASSIVE_LEVEL.
unsafe extern "efiapi" fn filter_detach(context: sys::NDIS_HANDLE) {
    if let Some(module) = NonNull::new(context.cast()) {
        // SAFETY: NDIS passes the context that attach set, and detaches only a paused module, once.
        unsafe { attach::detach(module) };
    }
}

/// FilterRestart. IRQL PASSIVE_LEVEL.
unsafe extern "efiapi" fn filter_restart(
    context: sys::NDIS_HANDLE,
    _parameters: *mut sys::NDIS_FILTER_RESTART_PARAMETERS,
) -> sys::NDIS_STATUS {
    // SAFETY: see `module_of`.
    pause::restart(unsafe { module_of(context) });
    sys::NDIS_STATUS_SUCCESS
}

/// FilterPause. IRQL PASSIVE_LEVEL.
unsafe extern "efiapi" fn filter_pause(
    context: sys::NDIS_HANDLE,
    _parameters: *mut sys::NDIS_FILTER_PAUSE_PARAMETERS,
) -> sys::NDIS_STATUS {
    // SAFETY: see `module_of`.
    pause::pause(unsafe { module_of(context) });
    sys::NDIS_STATUS_SUCCESS
}

/// FilterSendNetBufferLists. IRQL ≤ DISPATCH_LEVEL.
unsafe extern "efiapi" fn filter_send(
    context: sys::NDIS_HANDLE,
    net_buffer_lists: *mut sys::NET_BUFFER_LIST,
    port: sys::NDIS_PORT_NUMBER,
    flags: u32,
) {
    // SAFETY: see `module_of`; NDIS hands the chain over.
    let (module, batch) = unsafe { (module_of(context), NblChain::from_raw(net_buffer_lists)) };
    let exit = module.exit();
    let entered = send::send(module, batch, Port(port), SendFlags(flags));
    // `module` may be gone from here on: see `ndis::Exit`.
    exit.leave(entered);
}

/// FilterSendNetBufferListsComplete. IRQL ≤ DISPATCH_LEVEL.
unsafe extern "efiapi" fn filter_send_complete(
    context: sys::NDIS_HANDLE,
    net_buffer_lists: *mut sys::NET_BUFFER_LIST,
    flags: u32,
) {
    // SAFETY: see `module_of`; NDIS hands the chain over.
    let (module, chain) = unsafe { (module_of(context), NblChain::from_raw(net_buffer_lists)) };
    let exit = module.exit();
    let completed = complete::send_complete(module, chain, CompleteFlags(flags));
    // `module` may be gone from here on: see `ndis::Exit`.
    exit.leave(completed);
}

/// The filter module behind the context that NDIS passes.
///
/// # Safety
/// `context` is what attach gave to NDIS, and detach has not begun.
unsafe fn module_of<'a>(context: sys::NDIS_HANDLE) -> &'a FilterModule {
    // SAFETY: attach set it to a FilterModule in the pool, which only detach frees. The module is
    // shared between processors and changed through atomics alone.
    unsafe { &*context.cast::<FilterModule>() }
}

/// The statistics of the filter module whose context NDIS holds as `context`.
///
/// # Safety
/// `context` is the context of a filter module of this driver that is attached.
#[must_use]
pub unsafe fn statistics_of(context: NonNull<c_void>) -> Statistics {
    // SAFETY: the caller vouches for the context.
    unsafe { module_of(context.as_ptr()) }.statistics()
}
