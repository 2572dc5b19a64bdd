//! The control device: it adds one to every byte.

use std::ptr;

use ndis::sys::{self, DEVICE_OBJECT, IRP, NDIS_HANDLE, NTSTATUS};

use super::fault;

/// The one control code that the device supports.
pub(crate) const ADD_ONE: u32 = 0x0012_2000;
/// A request that is answered with as much as there is room for, and a warning.
pub(crate) const OVERFLOW: u32 = 0x0012_2004;

/// Registers the device and returns its handle.
///
/// # Safety
/// `driver` is the driver's handle.
pub(super) unsafe fn register<const FAULT: u8>(driver: NDIS_HANDLE) -> NDIS_HANDLE {
    let mut major: [Option<sys::DRIVER_DISPATCH>; sys::IRP_MJ_MAXIMUM_FUNCTION + 1] =
        [None; sys::IRP_MJ_MAXIMUM_FUNCTION + 1];
    major[sys::IRP_MJ_CREATE] = Some(open_or_close);
    major[sys::IRP_MJ_CLEANUP] = Some(open_or_close);
    major[sys::IRP_MJ_CLOSE] = Some(open_or_close);
    major[sys::IRP_MJ_DEVICE_CONTROL] = Some(request::<FAULT>);
    let protection = if FAULT == fault::DEVICE_OPEN_TO_ALL {
        "D:P(A;;GA;;;WD)"
    } else {
        model::PROTECTION
    };
    let texts = ["\\Device\\mini", "\\DosDevices\\mini", protection];
    let wide = texts.map(|text| text.encode_utf16().chain([0]).collect::<Vec<u16>>());
    let [mut name, mut link, protection] = wide.each_ref().map(|text| sys::UNICODE_STRING {
        Length: (text.len() * 2 - 2) as u16,
        MaximumLength: (text.len() * 2) as u16,
        Buffer: text.as_ptr().cast_mut(),
    });
    let mut attributes = sys::NDIS_DEVICE_OBJECT_ATTRIBUTES {
        Header: ndis::driver::header(
            sys::NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES,
            sys::NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1,
            sys::NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1,
        ),
        DeviceName: &raw mut name,
        SymbolicName: &raw mut link,
        MajorFunctions: major.as_mut_ptr(),
        ExtensionSize: 8,
        DefaultSDDLString: &raw const protection,
        DeviceClassGuid: ptr::null(),
    };
    let (mut device, mut handle) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: everything lives during the call.
    unsafe {
        sys::NdisRegisterDeviceEx(
            driver,
            &raw mut attributes,
            &raw mut device,
            &raw mut handle,
        );
    }
    handle
}

unsafe extern "efiapi" fn open_or_close(_device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the request is the driver's until it completes it.
    unsafe { complete(irp, sys::STATUS_SUCCESS, 0) }
}

/// # Safety
/// The request is the caller's.
unsafe fn complete(irp: *mut IRP, status: NTSTATUS, information: usize) -> NTSTATUS {
    // SAFETY: as the caller vouches.
    unsafe {
        (*irp).IoStatus.Status = status;
        (*irp).IoStatus.Information = information;
        sys::IofCompleteRequest(irp, sys::IO_NO_INCREMENT);
    }
    status
}

/// Waits for its turn, as no thread that can be suspended should, and answers.
unsafe extern "efiapi" fn request<const FAULT: u8>(
    device: *mut DEVICE_OBJECT,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the handler's IRQL is PASSIVE_LEVEL but where raised; the rest is `control`'s.
    unsafe {
        if FAULT == fault::REGION_HIGH {
            let old = sys::KfRaiseIrql(sys::DISPATCH_LEVEL);
            sys::KeEnterCriticalRegion();
            sys::KeLowerIrql(old);
        } else if FAULT != fault::REGION_NONE {
            sys::KeEnterCriticalRegion();
        }
        sys::NdisMSleep(1);
        let leave = match FAULT {
            fault::REGION_NONE | fault::REGION_KEPT => 0,
            fault::REGION_LEFT_TWICE => 2,
            _ => 1,
        };
        for _ in 0..leave {
            sys::KeLeaveCriticalRegion();
        }
        control::<FAULT>(device, irp)
    }
}

/// # Safety
/// Both are the system's, and the request is the driver's.
unsafe fn control<const FAULT: u8>(device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the request is the driver's until it completes it; its buffer is as long as the
    // longer of its two lengths.
    unsafe {
        let extension = sys::NdisGetDeviceReservedExtension(device).cast::<u64>();
        *extension += 1;
        let stack = (*irp).Tail.Overlay.CurrentStackLocation;
        let parameters = (*stack).Parameters.DeviceIoControl;
        let (input, output) = (
            parameters.InputBufferLength as usize,
            parameters.OutputBufferLength as usize,
        );
        let buffer = (*irp).AssociatedIrp.SystemBuffer.cast::<u8>();
        if FAULT == fault::IRP_NEVER {
            return sys::STATUS_PENDING;
        }
        let (status, length) = match parameters.IoControlCode {
            ADD_ONE if output < input => return complete(irp, sys::STATUS_BUFFER_TOO_SMALL, 0),
            ADD_ONE => (sys::STATUS_SUCCESS, input),
            OVERFLOW => (sys::STATUS_BUFFER_OVERFLOW, input.min(output)),
            _ => return complete(irp, sys::STATUS_INVALID_DEVICE_REQUEST, 0),
        };
        for at in 0..length {
            *buffer.add(at) += 1;
        }
        let information = match FAULT {
            fault::IRP_TOO_MUCH => output + 1,
            fault::IRP_DISCLOSES => output,
            _ => length,
        };
        if FAULT == fault::IRP_BEHIND {
            *buffer.add(input.max(output)) ^= 0xFF;
        }
        complete(irp, status, information);
        match FAULT {
            fault::IRP_TWICE => complete(irp, status, information),
            fault::IRP_TOUCHED => {
                (*irp).IoStatus.Information = 0;
                status
            }
            fault::IRP_OTHER_STATUS => sys::STATUS_UNSUCCESSFUL,
            fault::IRP_READ_BACK => (*irp).IoStatus.Status,
            _ => status,
        }
    }
}
