//! `ntoskrnl.exe`: devices that a driver makes itself, with the handlers of its driver object.

use std::ffi::c_void;

use ::ndis::sys::{self, DEVICE_OBJECT, DRIVER_OBJECT, NTSTATUS, UNICODE_STRING};

use crate::{
    attach::text,
    device::{Device, MajorFunctions},
    memory::Block,
    objects::Kind,
    rules::{Finding, Rule},
    thread,
};

/// Where a DEVICE_OBJECT has its extension, and how long it is.
const EXTENSION: usize = 0x40;
const SIZE: usize = 336;
/// Where it has the driver's next device.
const NEXT: usize = 0x10;

unsafe extern "efiapi" fn IoCreateDevice(
    driver: *mut DRIVER_OBJECT,
    extension: u32,
    name: *const UNICODE_STRING,
    _kind: u32,
    _characteristics: u32,
    _exclusive: u8,
    device: *mut *mut DEVICE_OBJECT,
) -> NTSTATUS {
    let routine = "IoCreateDevice";
    thread::require_irql_at_most(sys::APC_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    if !state.may_allocate(routine) {
        return sys::NDIS_STATUS_RESOURCES;
    }
    // SAFETY: the caller passes a name or null.
    let name = unsafe { text(name) };
    let made = match name {
        // Programs open the first device that has a name.
        Some(name) if state.control.device.is_none() => {
            let none: MajorFunctions = [None; sys::IRP_MJ_MAXIMUM_FUNCTION + 1];
            let mut made = Device::new([name, String::new()], none, extension, driver.cast());
            made.of_driver_object = true;
            let extension = made.extension.start();
            let object = made.object.start();
            // SAFETY: the object is longer than that.
            unsafe { object.add(EXTENSION).cast::<*mut u8>().write(extension) };
            state.control.device = Some(made);
            object
        }
        _ => {
            let block = Block::new(SIZE + extension as usize, 16);
            let start = block.start();
            // SAFETY: the block has the object and its extension.
            unsafe {
                let extension = start.add(SIZE);
                start.add(EXTENSION).cast::<*mut u8>().write(extension);
            }
            state.kernel.objects.insert(Kind::Device, block)
        }
    };
    // The devices of a driver are a list, the newest first.
    // SAFETY: the caller passes its driver object and a place; the new object is long enough.
    unsafe {
        made.add(NEXT)
            .cast::<usize>()
            .write((*driver).DeviceObject.expose_provenance());
        (*driver).DeviceObject = made.cast();
        *device = made.cast();
    }
    sys::STATUS_SUCCESS
}

/// Takes `device` out of the list of its driver's.
fn unlink(driver: *mut u8, device: *mut DEVICE_OBJECT) {
    let next = |device: *mut DEVICE_OBJECT| -> *mut DEVICE_OBJECT {
        // SAFETY: the devices of a list are live.
        let next = unsafe { device.cast::<u8>().add(NEXT).cast::<usize>().read() };
        std::ptr::with_exposed_provenance_mut(next)
    };
    // SAFETY: the driver object is the machine's, and its devices are live.
    unsafe {
        let mut place = &raw mut (*driver.cast::<DRIVER_OBJECT>()).DeviceObject;
        while !(*place).is_null() {
            if *place == device {
                *place = next(device);
                return;
            }
            place = (*place).cast::<u8>().add(NEXT).cast();
        }
    }
}

unsafe extern "efiapi" fn IoDeleteDevice(device: *mut DEVICE_OBJECT) {
    let routine = "IoDeleteDevice";
    thread::require_irql_at_most(sys::APC_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    let known = state.control.device.as_ref();
    let is_first = known.is_some_and(|known| known.object.address() == device.addr());
    if is_first || state.kernel.objects.has(device.addr(), Kind::Device) {
        unlink(world.driver_object(), device);
    }
    let known = state.control.device.as_ref();
    if known.is_some_and(|known| known.of_driver_object && known.object.address() == device.addr())
    {
        state.control.device = None;
    } else {
        state.free_object(device.addr(), Kind::Device, routine);
    }
}

unsafe extern "efiapi" fn IoCreateSymbolicLink(
    link: *const UNICODE_STRING,
    _target: *const UNICODE_STRING,
) -> NTSTATUS {
    let routine = "IoCreateSymbolicLink";
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    // SAFETY: the caller passes two names.
    let link = unsafe { text(link) }.unwrap_or_default();
    match state.kernel.links.insert(link) {
        true => sys::STATUS_SUCCESS,
        false => sys::STATUS_OBJECT_NAME_COLLISION,
    }
}

unsafe extern "efiapi" fn IoDeleteSymbolicLink(link: *const UNICODE_STRING) -> NTSTATUS {
    let routine = "IoDeleteSymbolicLink";
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    // SAFETY: the caller passes a name.
    let link = unsafe { text(link) }.unwrap_or_default();
    if !state.kernel.links.remove(&link) {
        let found = Finding::new(Rule::Once, "of a link that does not exist");
        state.finding(routine, found);
        return sys::STATUS_OBJECT_NAME_NOT_FOUND;
    }
    sys::STATUS_SUCCESS
}

/// Counts no references: the model's objects are the driver's alone.
unsafe extern "efiapi" fn ObfReferenceObject(_object: *mut c_void) -> isize {
    2
}
use ObfReferenceObject as ObfDereferenceObject;

super::exports! {
    IoCreateDevice
    IoDeleteDevice
    IoCreateSymbolicLink
    IoDeleteSymbolicLink
    ObfReferenceObject
    ObfDereferenceObject
}
