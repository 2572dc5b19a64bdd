//! `ndis.sys`: the control device.

use std::{ffi::c_void, ptr};

use ::ndis::sys::{self, DEVICE_OBJECT, NDIS_DEVICE_OBJECT_ATTRIBUTES, NDIS_HANDLE, NDIS_STATUS};

use crate::{
    attach::{terminated_text, text},
    device::{Device, MajorFunctions, PROTECTION},
    handles::{DEVICE, DRIVER, handle},
    rules::{Finding, Level, Rule},
    thread,
};

/// The page of a device's attributes.
const ATTRIBUTES: &str = "ddi/ndis/ns-ndis-_ndis_device_object_attributes";

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisRegisterDeviceEx(
    driver: NDIS_HANDLE,
    attributes: *mut NDIS_DEVICE_OBJECT_ATTRIBUTES,
    device: *mut *mut DEVICE_OBJECT,
    device_handle: *mut NDIS_HANDLE,
) -> NDIS_STATUS {
    let routine = "NdisRegisterDeviceEx";
    thread::ndis_call(sys::PASSIVE_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    // SAFETY: the caller passes attributes of the size in their header, with everything that they
    // point to.
    let (attributes, name, symbolic, protection) = unsafe {
        let all = *attributes;
        let (name, symbolic) = (terminated_text(all.DeviceName), text(all.SymbolicName));
        (all, name, symbolic, text(all.DefaultSDDLString))
    };
    let header = attributes.Header;
    let (Some(name), Some(symbolic)) = (name, symbolic) else {
        return sys::NDIS_STATUS_INVALID_PARAMETER;
    };
    if header.Type != sys::NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES
        || header.Revision != sys::NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1
        || header.Size != sys::NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1
        || driver.addr() != DRIVER
        || attributes.MajorFunctions.is_null()
    {
        return sys::NDIS_STATUS_INVALID_PARAMETER;
    }
    if state.control.device.is_some() {
        return sys::STATUS_OBJECT_NAME_COLLISION;
    }
    match protection.as_deref() {
        Some(PROTECTION) => {}
        Some(other) => {
            let found = format!("its protection is {other:?}, not {PROTECTION}");
            let finding = Finding::at(Level::Product, Rule::ControlDevice, found);
            state.finding(name.clone(), finding);
        }
        None => {
            let found = "no DefaultSDDLString: it has the system's default protection";
            let finding = Finding::at(Level::Advice, Rule::ControlDevice, found);
            state.finding(routine, finding.on(ATTRIBUTES));
        }
    }
    if !state.may_allocate(routine) {
        return sys::NDIS_STATUS_RESOURCES;
    }
    // SAFETY: an array of one handler for each major function.
    let major = unsafe { *attributes.MajorFunctions.cast::<MajorFunctions>() };
    // NDIS handles these itself for a device that has no stack.
    const PNP_AND_POWER: [usize; 2] = [0x1B, 0x16];
    if PNP_AND_POWER
        .iter()
        .any(|function| major[*function].is_some())
    {
        let found = "has handlers for IRP_MJ_PNP or IRP_MJ_POWER";
        state.finding(
            routine,
            Finding::new(Rule::ControlDevice, found).on(ATTRIBUTES),
        );
    }
    let object = world.driver_object();
    let made = Device::new([name, symbolic], major, attributes.ExtensionSize, object);
    // SAFETY: the caller passes places for the device and its handle.
    unsafe {
        *device = made.object.start().cast();
        *device_handle = handle(DEVICE);
    }
    state.control.device = Some(made);
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisDeregisterDeviceEx(device_handle: NDIS_HANDLE) {
    thread::ndis_call(sys::PASSIVE_LEVEL, "NdisDeregisterDeviceEx");
    let world = thread::world();
    let mut state = world.state();
    if device_handle.addr() != DEVICE || state.control.device.take().is_none() {
        let found = "deregistered although it is not registered";
        state.violation(Rule::Once, "control device", found);
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisGetDeviceReservedExtension(
    device: *mut DEVICE_OBJECT,
) -> *mut c_void {
    let world = thread::world();
    let state = world.state();
    let known = state.control.device.as_ref();
    known
        .filter(|known| known.object.address() == device.addr())
        .map_or(ptr::null_mut(), |known| known.extension.start().cast())
}

super::exports! {
    NdisRegisterDeviceEx
    NdisDeregisterDeviceEx
    NdisGetDeviceReservedExtension
}
