//! The driver's registration: loaded, attached to a NIC, unloaded; and its control device.

use std::{cell::RefCell, ffi::c_void, mem::zeroed, ptr};

use ndis::sys::{
    self, DEVICE_OBJECT, DRIVER_DISPATCH, DRIVER_OBJECT, DRIVER_UNLOAD, NDIS_FILTER_ATTRIBUTES,
    NDIS_FILTER_DRIVER_CHARACTERISTICS, NDIS_HANDLE, NDIS_STATUS,
};

use crate::{free_extension, hooks};

/// The handle of every filter module.
pub const MODULE: usize = 0x10;

/// The driver as it registered.
#[derive(Clone, Copy)]
pub struct Driver {
    /// Its handlers.
    pub handlers: NDIS_FILTER_DRIVER_CHARACTERISTICS,
    /// Its control device.
    pub device: *mut DEVICE_OBJECT,
    /// The handler of requests to that.
    pub control: Option<DRIVER_DISPATCH>,
    context: NDIS_HANDLE,
    /// The context of the module that was attached last.
    module: NDIS_HANDLE,
    unload: Option<DRIVER_UNLOAD>,
}

thread_local! {
    static REGISTERED: RefCell<Option<Driver>> = const { RefCell::new(None) };
}

fn registered(change: impl FnOnce(&mut Driver)) {
    REGISTERED.with_borrow_mut(|driver| driver.as_mut().map(change));
}

/// The driver that this thread loaded last.
pub fn loaded() -> Option<Driver> {
    REGISTERED.with_borrow(|driver| *driver)
}

/// Loads the driver.
pub fn load() -> Result<(), NDIS_STATUS> {
    // SAFETY: numbers, raw pointers and optional functions may all be zero.
    let mut object: DRIVER_OBJECT = unsafe { zeroed() };
    // SAFETY: a driver object for this driver alone, used by it in DriverEntry only.
    match unsafe { filter::driver_entry(&raw mut object, ptr::null_mut()) } {
        sys::NDIS_STATUS_SUCCESS => {
            registered(|driver| driver.unload = object.DriverUnload);
            Ok(())
        }
        status => Err(status),
    }
}

impl Driver {
    /// Attaches a module, and returns its context. FilterAttach may change `offload`.
    pub fn attach(
        &self,
        if_index: u32,
        offload: &mut sys::NDIS_OFFLOAD,
    ) -> Result<NDIS_HANDLE, NDIS_STATUS> {
        // SAFETY: numbers and raw pointers may all be zero.
        let mut parameters: sys::NDIS_FILTER_ATTACH_PARAMETERS = unsafe { zeroed() };
        parameters.Header.Type = sys::NDIS_OBJECT_TYPE_FILTER_ATTACH_PARAMETERS;
        parameters.MiniportMediaType = sys::NdisMedium802_3;
        parameters.IfIndex = if_index;
        parameters.DefaultOffloadConfiguration = ptr::from_mut(offload);
        let handle = ptr::without_provenance_mut(MODULE);
        let attach = self
            .handlers
            .AttachHandler
            .ok_or(sys::NDIS_STATUS_FAILURE)?;
        // SAFETY: the handler is the one that the driver registered, and the parameters live during
        // the call.
        match unsafe { attach(handle, self.context, &raw mut parameters) } {
            sys::NDIS_STATUS_SUCCESS => Ok(loaded().map_or(ptr::null_mut(), |now| now.module)),
            status => Err(status),
        }
    }

    /// Unloads the driver.
    ///
    /// # Safety
    ///
    /// It is loaded, and its modules are detached.
    pub unsafe fn unload(&self) {
        // SAFETY: numbers, raw pointers and optional functions may all be zero.
        let mut object: DRIVER_OBJECT = unsafe { zeroed() };
        if let Some(unload) = self.unload {
            // SAFETY: by this function's contract; the driver finds its extension whatever the object
            // is, and is unloaded when that is freed.
            unsafe {
                unload(&raw mut object);
                free_extension();
            }
        }
    }
}

/// An NDIS_OFFLOAD that offers nothing.
pub fn no_offload() -> sys::NDIS_OFFLOAD {
    // SAFETY: numbers may all be zero.
    let mut offload: sys::NDIS_OFFLOAD = unsafe { zeroed() };
    offload.Header = sys::NDIS_OBJECT_HEADER {
        Type: sys::NDIS_OBJECT_TYPE_OFFLOAD,
        Revision: sys::NDIS_OFFLOAD_REVISION_7,
        Size: sys::NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_7,
    };
    offload
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisFRegisterFilterDriver(
    _driver: *mut DRIVER_OBJECT,
    context: NDIS_HANDLE,
    characteristics: *mut NDIS_FILTER_DRIVER_CHARACTERISTICS,
    handle: *mut NDIS_HANDLE,
) -> NDIS_STATUS {
    // SAFETY: the caller passes characteristics, and a place for the handle.
    let handlers = unsafe {
        *handle = ptr::without_provenance_mut(1);
        *characteristics
    };
    let driver = Driver {
        handlers,
        device: ptr::null_mut(),
        control: None,
        context,
        module: ptr::null_mut(),
        unload: None,
    };
    REGISTERED.set(Some(driver));
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
    device: *mut *mut DEVICE_OBJECT,
    handle: *mut NDIS_HANDLE,
) -> NDIS_STATUS {
    // SAFETY: the caller passes attributes with a table of functions, and places for the handle and
    // the device, which here is its extension.
    unsafe {
        let control = *(*attributes).MajorFunctions.add(sys::IRP_MJ_DEVICE_CONTROL);
        let object = hooks::allocate(size_of::<usize>());
        (*device, *handle) = (object.cast(), object);
        registered(|driver| (driver.device, driver.control) = (object.cast(), control));
    }
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisDeregisterDeviceEx(handle: NDIS_HANDLE) {
    // SAFETY: of NdisRegisterDeviceEx.
    unsafe { hooks::free(handle) };
}

#[unsafe(no_mangle)]
unsafe extern "efiapi" fn NdisGetDeviceReservedExtension(
    device: *mut DEVICE_OBJECT,
) -> *mut c_void {
    device.cast()
}
