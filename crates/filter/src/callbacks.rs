//! The handlers that NDIS and the system call. Each turns raw pointers into owned types and calls
//! the logic; none decides anything.
#![expect(
    unsafe_code,
    reason = "the handlers' arguments are raw pointers whose meaning NDIS defines"
)]

use core::{ffi::c_void, ptr::NonNull};

use ::control::{Name, event_log::LOAD_FAILED};
use ndis::{
    AttachOffload, CompleteFlags, CriticalRegion, DeviceRequest, DriverRef, ErrorLog, Indication,
    ModuleHandle, NblChain, NetPnpEvent, PoolBox, Port, RestartParameters, SendFlags, Status, Tag,
    driver::{deregister, register},
    oid::{OidClone, OidRequest, RequestId},
    sys,
};

use crate::{
    attach::{self, Context, Parameters},
    characteristics, complete, control,
    identity::Identity,
    module::{Driver, FilterModule},
    oid, pause, pnp, send, status,
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
    let error_log = unsafe { ErrorLog::new(object) };
    // SAFETY: as above.
    match unsafe { load(object, error_log) } {
        Ok(()) => sys::NDIS_STATUS_SUCCESS,
        Err(status) => {
            error_log.write(LOAD_FAILED, status, &[]);
            status.0
        }
    }
}

/// # Safety
/// As for [`driver_entry`].
unsafe fn load(object: NonNull<sys::DRIVER_OBJECT>, error_log: ErrorLog) -> Result<(), Status> {
    let context = Driver::try_new(error_log)?.into_raw();
    // SAFETY: the system lends the object until unload, by this function's contract. The context
    // lives until unload has deregistered, or until registering has failed.
    unsafe {
        context.as_ref().events.driver_load();
        start(object, context).inspect_err(|status| {
            let driver = PoolBox::from_raw(Tag::DRIVER, context);
            driver.events.driver_load_failed(*status);
        })
    }
}

/// # Safety
/// As for [`driver_entry`]; `context` lives until unload has deregistered, unless this fails.
unsafe fn start(
    object: NonNull<sys::DRIVER_OBJECT>,
    context: NonNull<Driver>,
) -> Result<(), Status> {
    let mut characteristics = characteristics::characteristics(characteristics::minor_version()?);
    characteristics.AttachHandler = Some(filter_attach);
    characteristics.DetachHandler = Some(filter_detach);
    characteristics.RestartHandler = Some(filter_restart);
    characteristics.PauseHandler = Some(filter_pause);
    characteristics.SendNetBufferListsHandler = Some(filter_send);
    characteristics.SendNetBufferListsCompleteHandler = Some(filter_send_complete);
    characteristics.OidRequestHandler = Some(filter_oid_request);
    characteristics.OidRequestCompleteHandler = Some(filter_oid_request_complete);
    characteristics.CancelOidRequestHandler = Some(filter_cancel_oid_request);
    characteristics.StatusHandler = Some(filter_status);
    characteristics.NetPnPEventHandler = Some(filter_net_pnp_event);
    // SAFETY: the object is the driver's own; it is written before NDIS can call a handler. The
    // context lives until unload has deregistered, by this function's contract.
    unsafe {
        (*object.as_ptr()).DriverUnload = Some(driver_unload);
        register(
            object,
            &mut characteristics,
            &characteristics::DEVICE_NAMES,
            device_dispatch,
            context.cast(),
        )
    }
}

/// The system calls this when no filter module is attached any more. IRQL PASSIVE_LEVEL.
unsafe extern "efiapi" fn driver_unload(driver_object: *mut sys::DRIVER_OBJECT) {
    let Some(object) = NonNull::new(driver_object) else {
        return;
    };
    // SAFETY: DriverEntry registered this object successfully, or unload would not be called; once
    // it is deregistered the context is not shared any more.
    unsafe {
        if let Some(context) = deregister(object) {
            let driver = PoolBox::<Driver>::from_raw(Tag::DRIVER, context.cast());
            driver.events.driver_unload();
        }
    }
}

/// Every request to the control device. IRQL PASSIVE_LEVEL.
unsafe extern "efiapi" fn device_dispatch(
    device: *mut sys::DEVICE_OBJECT,
    irp: *mut sys::IRP,
) -> sys::NTSTATUS {
    let Some(irp) = NonNull::new(irp) else {
        return Status::INVALID_PARAMETER.0;
    };
    // SAFETY: the system passes a request to a device of this driver.
    let mut request = unsafe { DeviceRequest::from_raw(device, irp) };
    // The thread belongs to a program, and any process with the right may suspend it; attach and
    // detach wait for locks and entries that it holds.
    let region = CriticalRegion::enter();
    let (status, written) = match request.context() {
        // SAFETY: the device's context is the driver's, which outlives the device.
        Some(context) => control::answer(unsafe { context.cast().as_ref() }, request.call()),
        None => (Status::INVALID_DEVICE_REQUEST, 0),
    };
    // From here on only its own program waits for this thread, so that its suspension is harmless
    // and the request is completed outside of the region.
    drop(region);
    request.complete(status, written)
}

/// FilterAttach. IRQL PASSIVE_LEVEL.
unsafe extern "efiapi" fn filter_attach(
    handle: sys::NDIS_HANDLE,
    driver_context: sys::NDIS_HANDLE,
    parameters: *mut sys::NDIS_FILTER_ATTACH_PARAMETERS,
) -> sys::NDIS_STATUS {
    // SAFETY: NDIS passes the new module's handle, valid until FilterDetach has returned,
    // parameters that live during this call, and the context with which the driver registered.
    let result = unsafe {
        match (
            NonNull::new(driver_context.cast()),
            NonNull::new(parameters),
        ) {
            // By reference: a copy would be on the stack as well.
            (Some(driver), Some(parameters)) => match &mut parameters_of(parameters) {
                Ok(found) => attach::attach(
                    DriverRef::new(driver),
                    ModuleHandle::from_raw(handle),
                    found,
                ),
                Err(status) => Err(*status),
            },
            _ => Err(Status::INVALID_PARAMETER),
        }
    };
    result.map_or_else(|status| status.0, |()| sys::NDIS_STATUS_SUCCESS)
}

/// The fields of FilterAttach's parameters. Those read are in every revision since NDIS 6.0.
///
/// # Safety
/// `parameters` was passed by NDIS to FilterAttach, which does not return while they are in use.
#[inline(never)]
unsafe fn parameters_of<'a>(
    parameters: NonNull<sys::NDIS_FILTER_ATTACH_PARAMETERS>,
) -> Result<Parameters<'a>, Status> {
    // SAFETY: NDIS lends `parameters` until FilterAttach returns, by this function's contract.
    unsafe {
        let parameters = parameters.as_ref();
        if parameters.Header.Type != sys::NDIS_OBJECT_TYPE_FILTER_ATTACH_PARAMETERS {
            return Err(Status::BAD_VERSION);
        }
        let offload = NonNull::new(parameters.DefaultOffloadConfiguration);
        Ok(Parameters {
            medium: parameters.MiniportMediaType,
            identity: Identity {
                if_index: parameters.IfIndex,
                base_if_index: parameters.BaseMiniportIfIndex,
                name: name_of(parameters.BaseMiniportInstanceName),
            },
            offload: offload.map(|raw| AttachOffload::from_raw(raw)),
        })
    }
}

/// # Safety
/// `name` is null or points to a counted string.
unsafe fn name_of(name: *const sys::NDIS_STRING) -> Name {
    // SAFETY: `name` is null or points to a counted string, by this function's contract.
    unsafe {
        match name.as_ref() {
            Some(name) if !name.Buffer.is_null() => Name::new(core::slice::from_raw_parts(
                name.Buffer,
                usize::from(name.Length / 2),
            )),
            _ => Name::new(&[]),
        }
    }
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
    parameters: *mut sys::NDIS_FILTER_RESTART_PARAMETERS,
) -> sys::NDIS_STATUS {
    // SAFETY: see `module_of`; NDIS lends the parameters for this call.
    let (module, parameters) = unsafe {
        let parameters = NonNull::new(parameters);
        let parameters = parameters.map(|raw| RestartParameters::from_raw(raw));
        (module_of(context), parameters)
    };
    pause::restart(module, parameters.as_ref());
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
    let guard = module.rundown_guard();
    let acquired = send::send(module, batch, Port(port), SendFlags(flags));
    // `module` may be gone from here on: see `ndis::RundownGuard`.
    guard.release(acquired);
}

/// FilterSendNetBufferListsComplete. IRQL ≤ DISPATCH_LEVEL.
unsafe extern "efiapi" fn filter_send_complete(
    context: sys::NDIS_HANDLE,
    net_buffer_lists: *mut sys::NET_BUFFER_LIST,
    flags: u32,
) {
    // SAFETY: see `module_of`; NDIS hands the chain over.
    let (module, chain) = unsafe { (module_of(context), NblChain::from_raw(net_buffer_lists)) };
    let guard = module.rundown_guard();
    let completed = complete::send_complete(module, chain, CompleteFlags(flags));
    // `module` may be gone from here on: see `ndis::RundownGuard`.
    guard.release(completed);
}

/// FilterOidRequest. IRQL ≤ DISPATCH_LEVEL.
unsafe extern "efiapi" fn filter_oid_request(
    context: sys::NDIS_HANDLE,
    request: *mut sys::NDIS_OID_REQUEST,
) -> sys::NDIS_STATUS {
    let Some(request) = NonNull::new(request) else {
        return Status::INVALID_PARAMETER.0;
    };
    // SAFETY: see `module_of`; NDIS lends the request until it is completed.
    unsafe { oid::request(module_of(context), &OidRequest::from_raw(request)).0 }
}

/// FilterOidRequestComplete. IRQL ≤ DISPATCH_LEVEL.
unsafe extern "efiapi" fn filter_oid_request_complete(
    context: sys::NDIS_HANDLE,
    request: *mut sys::NDIS_OID_REQUEST,
    status: sys::NDIS_STATUS,
) {
    let Some(request) = NonNull::new(request) else {
        return;
    };
    // SAFETY: see `module_of`; NDIS gives back a request that this filter originated, which is the
    // one of the module's own queries or else a clone.
    unsafe {
        let module = module_of(context);
        if module.current_query.is(request) {
            oid::on_current_answer(module, Status(status));
        } else if module.hardware_query.is(request) {
            oid::on_hardware_answer(module, Status(status));
        } else {
            oid::complete(module, OidClone::from_raw(request), Status(status));
        }
    };
}

/// FilterCancelOidRequest. IRQL ≤ DISPATCH_LEVEL.
unsafe extern "efiapi" fn filter_cancel_oid_request(
    context: sys::NDIS_HANDLE,
    request_id: *mut c_void,
) {
    // SAFETY: see `module_of`.
    oid::cancel(
        unsafe { module_of(context) },
        RequestId::from_raw(request_id),
    );
}

/// FilterStatus. IRQL ≤ DISPATCH_LEVEL.
unsafe extern "efiapi" fn filter_status(
    context: sys::NDIS_HANDLE,
    indication: *mut sys::NDIS_STATUS_INDICATION,
) {
    if let Some(indication) = NonNull::new(indication) {
        // SAFETY: see `module_of`; NDIS lends the indication for this call.
        unsafe { status::status(module_of(context), &Indication::from_raw(indication)) };
    }
}

/// FilterNetPnPEvent. IRQL PASSIVE_LEVEL.
unsafe extern "efiapi" fn filter_net_pnp_event(
    context: sys::NDIS_HANDLE,
    event: *mut sys::NET_PNP_EVENT_NOTIFICATION,
) -> sys::NDIS_STATUS {
    let Some(event) = NonNull::new(event) else {
        return Status::INVALID_PARAMETER.0;
    };
    // SAFETY: see `module_of`; NDIS lends the event for this call.
    unsafe { pnp::net_pnp_event(module_of(context), &NetPnpEvent::from_raw(event)).0 }
}

/// The filter module behind the context that NDIS passes.
///
/// # Safety
/// `context` was set by attach, and detach has not begun.
unsafe fn module_of<'a>(context: sys::NDIS_HANDLE) -> &'a FilterModule {
    // SAFETY: attach set it to a listed FilterModule in the pool, which only detach frees. The
    // module is shared between processors and changed only through atomics and locks.
    unsafe { (*context.cast::<Context>()).get() }
}
