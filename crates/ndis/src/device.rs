//! The control device: how it is made, and the requests that programs send to it.

use core::{
    ffi::c_void,
    ptr::{self, NonNull},
};

use crate::{
    object::{header, unicode_string},
    status::Status,
    sys,
};

/// Names and protection of a control device, as UTF-16 that lives as long as the driver.
pub struct DeviceNames {
    /// Its name in the kernel.
    pub device: &'static [u16],
    /// The name by which programs open it.
    pub symbolic: &'static [u16],
    /// The security descriptor, as an SDDL string.
    pub sddl: &'static [u16],
}

/// Creates the control device of the filter driver `driver`, and returns NDIS's handle of it. Every
/// request to it goes to `dispatch`. IRQL PASSIVE_LEVEL.
pub(crate) fn create(
    driver: sys::NDIS_HANDLE,
    names: &DeviceNames,
    dispatch: sys::DRIVER_DISPATCH,
    context: NonNull<c_void>,
) -> Result<sys::NDIS_HANDLE, Status> {
    let mut functions = [None; sys::IRP_MJ_MAXIMUM_FUNCTION + 1];
    functions[sys::IRP_MJ_CREATE] = Some(dispatch);
    functions[sys::IRP_MJ_CLEANUP] = Some(dispatch);
    functions[sys::IRP_MJ_CLOSE] = Some(dispatch);
    functions[sys::IRP_MJ_DEVICE_CONTROL] = Some(dispatch);
    let mut device_name = unicode_string(names.device);
    let mut symbolic_name = unicode_string(names.symbolic);
    let sddl = unicode_string(names.sddl);
    let mut attributes = sys::NDIS_DEVICE_OBJECT_ATTRIBUTES {
        Header: header(
            sys::NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES,
            sys::NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1,
            sys::NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1,
        ),
        DeviceName: &raw mut device_name,
        SymbolicName: &raw mut symbolic_name,
        MajorFunctions: functions.as_mut_ptr(),
        ExtensionSize: EXTENSION,
        DefaultSDDLString: &raw const sddl,
        DeviceClassGuid: ptr::null(),
    };
    let (mut device, mut handle) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the driver is registered; all that the attributes point to lives during the call.
    let status = unsafe {
        sys::NdisRegisterDeviceEx(
            driver,
            &raw mut attributes,
            &raw mut device,
            &raw mut handle,
        )
    };
    Status(status).ok()?;
    // SAFETY: the device is new and its extension as long as a pointer. A request that arrives
    // before this finds null there and is refused.
    unsafe { extension(device).write(context.as_ptr()) };
    Ok(handle)
}

/// Bytes of the device's extension: a pointer to the driver's context.
const EXTENSION: u32 = 8;

/// # Safety
/// `device` is a device of [`create`].
unsafe fn extension(device: *mut sys::DEVICE_OBJECT) -> *mut *mut c_void {
    // SAFETY: `device` is a device of `create`, by this function's contract, with an extension of
    // `EXTENSION` bytes.
    unsafe { sys::NdisGetDeviceReservedExtension(device).cast() }
}

/// A request of a program, owned until it is completed.
#[must_use = "a request that is not completed keeps its program waiting for ever"]
pub struct DeviceRequest {
    irp: NonNull<sys::IRP>,
    context: *mut c_void,
}

/// A program's request to the device.
pub enum DeviceCall<'request> {
    /// To open it.
    Open {
        /// The opened name continues below the device's own. The documentation does not specify
        /// whether the security descriptor of a device that NDIS creates covers such names.
        below: bool,
    },
    /// To close it.
    Close,
    /// A device control, buffered: the code, the input, and room for the output in the same place.
    Control {
        /// The control code.
        code: u32,
        /// Bytes of input at the start of the buffer.
        input: usize,
        /// Input, then output.
        buffer: &'request mut [u8],
        /// Size in bytes of the program's output buffer.
        output: usize,
    },
    /// Anything else.
    Other,
}

impl DeviceRequest {
    /// # Safety
    /// Both were passed by the system to the dispatch routine of a device of this driver.
    pub unsafe fn from_raw(device: *mut sys::DEVICE_OBJECT, irp: NonNull<sys::IRP>) -> Self {
        // SAFETY: `device` is a device of this driver, by this function's contract, so that
        // `create` wrote the pointer in its extension.
        let context = unsafe { *extension(device) };
        Self { irp, context }
    }

    /// The driver's context, once the device has it.
    pub fn context(&self) -> Option<NonNull<c_void>> {
        NonNull::new(self.context)
    }

    /// Decodes the request.
    pub fn call(&mut self) -> DeviceCall<'_> {
        // SAFETY: the IRP is ours until it is completed, and its current stack location is this
        // driver's; its file object, if it has one, lives as long. With METHOD_BUFFERED, the only
        // method of the protocol, the system buffer is as long as the longer of input and output.
        unsafe {
            let irp = self.irp.as_ptr();
            let stack = (*irp).Tail.Overlay.CurrentStackLocation;
            match usize::from((*stack).MajorFunction) {
                sys::IRP_MJ_CREATE => DeviceCall::Open {
                    below: {
                        let file = (*stack).FileObject;
                        file.is_null() || (*file).FileName.Length > 0
                    },
                },
                sys::IRP_MJ_CLEANUP | sys::IRP_MJ_CLOSE => DeviceCall::Close,
                sys::IRP_MJ_DEVICE_CONTROL => {
                    let control = (*stack).Parameters.DeviceIoControl;
                    let code = control.IoControlCode;
                    if code & METHOD_MASK != METHOD_BUFFERED {
                        return DeviceCall::Other;
                    }
                    let input = control.InputBufferLength as usize;
                    let output = control.OutputBufferLength as usize;
                    let start = (*irp).AssociatedIrp.SystemBuffer.cast::<u8>();
                    let buffer: &mut [u8] = if start.is_null() {
                        &mut []
                    } else {
                        core::slice::from_raw_parts_mut(start, input.max(output))
                    };
                    DeviceCall::Control {
                        code,
                        input: input.min(buffer.len()),
                        output: output.min(buffer.len()),
                        buffer,
                    }
                }
                _ => DeviceCall::Other,
            }
        }
    }

    /// Completes the request with `written` bytes of output, and returns the status for the
    /// dispatch routine to return. IRQL ≤ DISPATCH_LEVEL.
    pub fn complete(self, status: Status, written: usize) -> sys::NTSTATUS {
        // SAFETY: the IRP is ours, and given up here.
        unsafe {
            (*self.irp.as_ptr()).IoStatus.Status = status.0;
            (*self.irp.as_ptr()).IoStatus.Information = written;
            sys::IofCompleteRequest(self.irp.as_ptr(), NO_INCREMENT);
        }
        status.0
    }
}

/// The bits of a control code that select how its buffers are passed.
const METHOD_MASK: u32 = 3;
const METHOD_BUFFERED: u32 = 0;
/// IO_NO_INCREMENT: the waiting program's priority stays as it is.
const NO_INCREMENT: i8 = 0;
