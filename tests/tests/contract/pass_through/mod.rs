//! A filter driver that forwards everything, and advertises [`MULTIPLE`] times the NIC's maximum.
//!
//! It splits nothing, so its tests send nothing above the NIC's limits. Its fault is part of its
//! type, so that every [fault](fault) is a driver of its own.

pub(crate) mod device;
pub(crate) mod fault;
mod locks;
mod oid;
mod own_oid;
mod send;
mod status;

use std::{
    ptr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32},
    },
};

use ndis::sys::{self, NDIS_HANDLE, NDIS_STATUS};

/// Times the NIC's maximum that is advertised.
pub(crate) const MULTIPLE: u32 = 4;

/// The driver's state for an attached module.
struct Module {
    handle: NDIS_HANDLE,
    running: AtomicBool,
    /// The NIC's NDIS_OFFLOAD.
    own: Mutex<Vec<u8>>,
    /// Whether the true configuration was published for good.
    leaving: AtomicBool,
    resent: AtomicU32,
    locks: locks::Locks,
}

/// The module behind NDIS's context.
///
/// # Safety
/// `context` is the one that attach gave to NDIS, and the module is attached.
unsafe fn module<'a>(context: NDIS_HANDLE) -> &'a Module {
    // SAFETY: as the caller vouches.
    unsafe { &*context.cast::<Module>() }
}

/// Loads the driver.
///
/// # Safety
/// `driver` is the driver object that the model made for it.
pub(crate) unsafe extern "efiapi" fn entry<const FAULT: u8>(
    driver: *mut sys::DRIVER_OBJECT,
    _path: *mut sys::UNICODE_STRING,
) -> i32 {
    let mut all = scenarios::driver::characteristics();
    all.AttachHandler = Some(attach::<FAULT>);
    all.DetachHandler = Some(detach::<FAULT>);
    all.RestartHandler = Some(restart::<FAULT>);
    all.PauseHandler = Some(pause::<FAULT>);
    all.SendNetBufferListsHandler = Some(send::send::<FAULT>);
    all.SendNetBufferListsCompleteHandler = Some(send::complete::<FAULT>);
    all.OidRequestHandler = Some(oid::request::<FAULT>);
    all.OidRequestCompleteHandler = Some(oid::complete::<FAULT>);
    all.CancelOidRequestHandler = Some(oid::cancel);
    all.StatusHandler = Some(status::status::<FAULT>);
    all.NetPnPEventHandler = Some(status::event::<FAULT>);
    let mut handle: NDIS_HANDLE = ptr::null_mut();
    // SAFETY: the driver object is the model's, as long as its driver, which keeps its handles
    // where the model has nothing.
    unsafe {
        (*driver).DriverUnload = Some(unload::<FAULT>);
        let status =
            sys::NdisFRegisterFilterDriver(driver, ptr::null_mut(), &raw mut all, &raw mut handle);
        (*driver).DriverExtension = handle.cast();
        (*driver).DriverSection = device::register::<FAULT>(handle);
        status
    }
}

unsafe extern "efiapi" fn unload<const FAULT: u8>(driver: *mut sys::DRIVER_OBJECT) {
    // SAFETY: the handles are those of `entry`.
    unsafe {
        if FAULT != fault::DEVICE_LEFT {
            sys::NdisDeregisterDeviceEx((*driver).DriverSection);
        }
        sys::NdisFDeregisterFilterDriver((*driver).DriverExtension.cast());
    }
}

unsafe extern "efiapi" fn attach<const FAULT: u8>(
    handle: NDIS_HANDLE,
    _driver: NDIS_HANDLE,
    parameters: *mut sys::NDIS_FILTER_ATTACH_PARAMETERS,
) -> NDIS_STATUS {
    // SAFETY: the parameters and their configuration live during the call.
    unsafe {
        let offload = (*parameters).DefaultOffloadConfiguration;
        let own = status::bytes_of(offload);
        let context = Box::into_raw(Box::new(Module {
            handle,
            running: AtomicBool::new(false),
            own: Mutex::new(own.clone()),
            leaving: AtomicBool::new(false),
            resent: AtomicU32::new(0),
            locks: locks::Locks::new::<FAULT>(),
        }));
        let raised = status::raised::<FAULT>(&own);
        ptr::copy_nonoverlapping(raised.as_ptr(), offload.cast(), raised.len());
        if FAULT == fault::STATUS_WHILE_ATTACHING {
            status::publish::<FAULT>(&*context, &raised);
        }
        let mut attributes = sys::NDIS_FILTER_ATTRIBUTES {
            Header: ndis::driver::header(
                sys::NDIS_OBJECT_TYPE_FILTER_ATTRIBUTES,
                sys::NDIS_FILTER_ATTRIBUTES_REVISION_1,
                sys::NDIS_SIZEOF_FILTER_ATTRIBUTES_REVISION_1,
            ),
            Flags: 0,
        };
        let status = sys::NdisFSetAttributes(handle, context.cast(), &raw mut attributes);
        if status != sys::NDIS_STATUS_SUCCESS {
            drop(Box::from_raw(context));
            if FAULT != fault::ATTACH_CHANGES {
                ptr::copy_nonoverlapping(own.as_ptr(), offload.cast(), own.len());
            }
        }
        status
    }
}

unsafe extern "efiapi" fn detach<const FAULT: u8>(context: NDIS_HANDLE) {
    // SAFETY: the context is attach's, and is not in use any more.
    let module = unsafe { Box::from_raw(context.cast::<Module>()) };
    if FAULT == fault::STATUS_WHILE_DETACHING {
        let own = module.own.lock().expect("no panic").clone();
        status::publish::<FAULT>(&module, &own);
    }
    if FAULT == fault::OID_WHILE_DETACHING {
        oid::originate(&module);
    }
}

unsafe extern "efiapi" fn restart<const FAULT: u8>(
    context: NDIS_HANDLE,
    _parameters: *mut sys::NDIS_FILTER_RESTART_PARAMETERS,
) -> NDIS_STATUS {
    // SAFETY: the context is attach's.
    let module = unsafe { module(context) };
    module
        .running
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let own = module.own.lock().expect("no panic").clone();
    status::publish::<FAULT>(module, &status::raised::<FAULT>(&own));
    let asks = [fault::OWN_OID, fault::OWN_OID_FREED, fault::OWN_OID_TWICE];
    if asks.contains(&FAULT) {
        own_oid::ask::<FAULT>(module);
    }
    sys::NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn pause<const FAULT: u8>(
    context: NDIS_HANDLE,
    _parameters: *mut sys::NDIS_FILTER_PAUSE_PARAMETERS,
) -> NDIS_STATUS {
    // SAFETY: the context is attach's.
    let module = unsafe { module(context) };
    module
        .running
        .store(false, std::sync::atomic::Ordering::SeqCst);
    if FAULT == fault::PAUSE_TWICE {
        // SAFETY: the module is pausing.
        unsafe { sys::NdisFPauseComplete(module.handle) };
    }
    sys::NDIS_STATUS_SUCCESS
}
