//! The routines around the data path: load, attach, the control device.

use std::{ffi::c_void, ptr};

use control::{Profile, keyword};
use ndis::{
    ModuleHandle,
    sys::{
        self, NDIS_FILTER_ATTRIBUTES, NDIS_FILTER_DRIVER_CHARACTERISTICS, NDIS_HANDLE, NDIS_STATUS,
        NET_PNP_EVENT_NOTIFICATION, NTSTATUS,
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
unsafe extern "efiapi" fn NdisGetVersion() -> u32 {
    filter::OLDEST_NDIS
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
unsafe extern "efiapi" fn NdisFDeregisterFilterDriver(_driver: NDIS_HANDLE) {}

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
        *device = memory::allocate(size_of::<usize>()).cast();
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
    unsafe { memory::free(device.cast()) };
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisGetDeviceReservedExtension(
    device: *mut sys::DEVICE_OBJECT,
) -> *mut c_void {
    device.cast()
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn IofCompleteRequest(_irp: *mut sys::IRP, _boost: i8) {}

/// Threads are not suspended here.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeEnterCriticalRegion() {}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn KeLeaveCriticalRegion() {}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn IoAllocateDriverObjectExtension(
    _driver: *mut sys::DRIVER_OBJECT,
    _key: *mut c_void,
    size: u32,
    extension: *mut *mut c_void,
) -> NTSTATUS {
    let memory = memory::allocate(size as usize);
    registered(|driver| driver.extension = memory);
    // SAFETY: the caller passes a place for the pointer.
    unsafe { *extension = memory };
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn IoGetDriverObjectExtension(
    _driver: *mut sys::DRIVER_OBJECT,
    _key: *mut c_void,
) -> *mut c_void {
    registered(|driver| driver.extension)
}

/// The system frees the driver object with its extension.
pub(crate) fn free_extension() {
    let extension = registered(|driver| driver.extension);
    // SAFETY: of IoAllocateDriverObjectExtension; the driver is unloaded.
    unsafe { memory::free(extension) };
}

/// The registry has a profile, so that there is something to split, and nothing else.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisOpenConfigurationEx(
    _object: *mut sys::NDIS_CONFIGURATION_OBJECT,
    handle: *mut NDIS_HANDLE,
) -> NDIS_STATUS {
    // SAFETY: the caller passes a place for the handle.
    unsafe { *handle = ptr::without_provenance_mut(2) };
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisReadConfiguration(
    status: *mut NDIS_STATUS,
    value: *mut *mut sys::NDIS_CONFIGURATION_PARAMETER,
    _configuration: NDIS_HANDLE,
    asked: *mut sys::NDIS_STRING,
    _kind: i32,
) {
    // SAFETY: the caller passes a counted string.
    let name = unsafe {
        let units = usize::from((*asked).Length) / 2;
        std::slice::from_raw_parts((*asked).Buffer, units)
    };
    let is_profile = name.iter().copied().eq(keyword::PROFILE.encode_utf16());
    // SAFETY: the caller passes places for status and value. The value is never freed, which is
    // acceptable for one number an attach.
    unsafe {
        *status = if is_profile {
            *value = Box::leak(Box::new(sys::NDIS_CONFIGURATION_PARAMETER {
                ParameterType: sys::NdisParameterInteger,
                ParameterData: sys::NDIS_CONFIGURATION_PARAMETER_DATA {
                    IntegerData: Profile::Throughput.number(),
                },
            }));
            sys::NDIS_STATUS_SUCCESS
        } else {
            sys::NDIS_STATUS_FAILURE
        };
    }
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisCloseConfiguration(_configuration: NDIS_HANDLE) {}

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

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFNetPnPEvent(
    _module: NDIS_HANDLE,
    _event: *mut NET_PNP_EVENT_NOTIFICATION,
) -> NDIS_STATUS {
    sys::NDIS_STATUS_SUCCESS
}

/// No event session is enabled.
#[unsafe(no_mangle)]
unsafe extern "efiapi" fn EtwRegister(
    _id: *const sys::GUID,
    _callback: *const c_void,
    _context: *mut c_void,
    _handle: *mut sys::REGHANDLE,
) -> NTSTATUS {
    sys::NDIS_STATUS_FAILURE
}
