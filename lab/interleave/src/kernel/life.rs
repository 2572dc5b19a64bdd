//! The routines around the data path: load, attach, the control device.

use std::{ffi::c_void, ptr};

use ndis::{
    ModuleHandle,
    sys::{
        self, NDIS_FILTER_ATTRIBUTES, NDIS_FILTER_DRIVER_CHARACTERISTICS, NDIS_HANDLE, NDIS_STATUS,
    },
};

use super::memory;
use crate::{
    machine::Registered,
    points::{point, wake},
    world,
};

/// The filter module's handle.
pub(crate) const MODULE: usize = 0x10;

/// The handle of a module for which a case makes a child pool of its own.
#[must_use]
pub fn child_pool_module() -> ModuleHandle {
    // SAFETY: the routines here take any handle.
    unsafe { ModuleHandle::from_raw(ptr::without_provenance_mut(MODULE)) }
}

fn registered<R>(change: impl FnOnce(&mut Registered) -> R) -> R {
    world::with(|world| change(world.driver.get_or_insert_default()))
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFRegisterFilterDriver(
    _driver: *mut sys::DRIVER_OBJECT,
    context: NDIS_HANDLE,
    characteristics: *mut NDIS_FILTER_DRIVER_CHARACTERISTICS,
    handle: *mut NDIS_HANDLE,
) -> NDIS_STATUS {
    // SAFETY: the caller passes characteristics, and a place for the handle.
    unsafe {
        *handle = ptr::without_provenance_mut(1);
        let handlers = *characteristics;
        registered(|driver| (driver.handlers, driver.context) = (Some(handlers), context));
    }
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFSetAttributes(
    _module: NDIS_HANDLE,
    context: NDIS_HANDLE,
    _attributes: *mut NDIS_FILTER_ATTRIBUTES,
) -> NDIS_STATUS {
    registered(|driver| driver.module = context);
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisRegisterDeviceEx(
    _driver: NDIS_HANDLE,
    attributes: *mut sys::NDIS_DEVICE_OBJECT_ATTRIBUTES,
    device: *mut *mut sys::DEVICE_OBJECT,
    handle: *mut NDIS_HANDLE,
) -> NDIS_STATUS {
    // SAFETY: the caller passes attributes with a table of functions, and places for the handle and
    // the device, which here is its extension.
    unsafe {
        let functions = (*attributes).MajorFunctions;
        let control = *functions.add(sys::IRP_MJ_DEVICE_CONTROL);
        *device = memory::nullndis_allocate(size_of::<usize>()).cast();
        let object = *device;
        *handle = object.cast();
        registered(|driver| (driver.device, driver.control) = (object, control));
    }
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisDeregisterDeviceEx(_handle: NDIS_HANDLE) {
    let device = registered(|driver| driver.device);
    // SAFETY: of NdisRegisterDeviceEx.
    unsafe { memory::nullndis_free(device.cast()) };
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisGetDeviceReservedExtension(
    device: *mut sys::DEVICE_OBJECT,
) -> *mut c_void {
    device.cast()
}

/// The NIC has no answer to a query: at once, or [later](crate::Machine::answer_queries).
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFOidRequest(
    _module: NDIS_HANDLE,
    request: *mut sys::NDIS_OID_REQUEST,
) -> NDIS_STATUS {
    let pends = world::with(|world| {
        if world.queries_pend {
            world.queries.push_back(request);
        }
        world.queries_pend
    });
    if !pends {
        return sys::NDIS_STATUS_NOT_SUPPORTED;
    }
    wake();
    point();
    sys::NDIS_STATUS_PENDING
}

/// The NIC cannot cancel a query.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFCancelOidRequest(_module: NDIS_HANDLE, _id: *mut c_void) {
    point();
}
