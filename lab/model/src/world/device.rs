//! Programs that open the control device.
#![expect(unsafe_code, reason = "calls the driver's handlers as the system does")]

use std::{
    cell::RefCell,
    ffi::c_void,
    ptr,
    sync::{
        Arc,
        atomic::{AtomicPtr, Ordering},
    },
};

use ndis::sys;

use super::World;
use crate::{
    cancel_lock,
    device::{Answered, File, Request},
    rules::Rule,
    state::State,
    suspension, thread,
};

/// DRIVER_CANCEL.
type CancelRoutine = unsafe extern "efiapi" fn(device: *mut sys::DEVICE_OBJECT, irp: *mut sys::IRP);

thread_local! {
    /// The file objects that this thread, a program's, has open.
    static OPEN: RefCell<Vec<Arc<File>>> = const { RefCell::new(Vec::new()) };
}

impl World {
    /// Whether the driver has registered its control device.
    #[must_use]
    pub fn has_control_device(&self) -> bool {
        self.state().control.device.is_some()
    }

    /// The control device's name and symbolic name.
    #[must_use]
    pub fn control_device_names(&self) -> Option<[String; 2]> {
        let state = self.state();
        state
            .control
            .device
            .as_ref()
            .map(|device| device.names.clone())
    }

    /// Opens the control device, makes one request, and closes it, as a program does. The output
    /// has room for `output` bytes.
    ///
    /// # Errors
    /// The status, where it is an error or a warning.
    pub fn ioctl(self: &Arc<Self>, code: u32, input: &[u8], output: usize) -> Result<Vec<u8>, i32> {
        let answered = self.device_control(code, input, output);
        if answered.status < 0 {
            return Err(answered.status);
        }
        Ok(answered.bytes)
    }

    /// The same, with the output that comes with a warning.
    pub fn device_control(self: &Arc<Self>, code: u32, input: &[u8], output: usize) -> Answered {
        if !self.has_control_device() {
            return Answered {
                status: sys::STATUS_OBJECT_NAME_NOT_FOUND,
                bytes: Vec::new(),
            };
        }
        let opened = self.open_device("");
        if opened < 0 {
            return Answered {
                status: opened,
                bytes: Vec::new(),
            };
        }
        let answered = self.request(sys::IRP_MJ_DEVICE_CONTROL, code, input, output);
        self.close_device();
        answered
    }

    /// Closes a handle of [`open_device`](Self::open_device).
    pub fn close_device(self: &Arc<Self>) {
        self.request(sys::IRP_MJ_CLEANUP, 0, &[], 0);
        self.request(sys::IRP_MJ_CLOSE, 0, &[], 0);
    }

    /// Makes one request through a handle that is open, and returns its status.
    pub fn open_ioctl(self: &Arc<Self>, code: u32, input: &[u8], output: usize) -> i32 {
        self.request(sys::IRP_MJ_DEVICE_CONTROL, code, input, output)
            .status
    }

    /// Opens the control device, or the name `below` below it, and returns the status.
    pub fn open_device(self: &Arc<Self>, below: &str) -> i32 {
        self.request_of(sys::IRP_MJ_CREATE, 0, &[], 0, below).status
    }

    /// Cancels a request that the driver keeps. Returns whether it has a cancel routine.
    ///
    /// # Safety
    /// `irp` is a live request.
    pub(crate) unsafe fn cancel_irp(self: &Arc<Self>, irp: *mut sys::IRP) -> bool {
        let _inside = thread::enter(self, thread::processor(), thread::irql());
        let before = cancel_lock::acquire();
        // SAFETY: as the caller vouches; a cancel routine is one of the driver's.
        unsafe {
            (*irp).Cancel = 1;
            let place = AtomicPtr::from_ptr(&raw mut (*irp).CancelRoutine);
            let routine = place.swap(ptr::null_mut(), Ordering::AcqRel);
            if routine.is_null() {
                cancel_lock::release(before);
                return false;
            }
            (*irp).CancelIrql = before;
            let device = (*(*irp).Tail.Overlay.CurrentStackLocation).DeviceObject;
            let routine = std::mem::transmute::<*mut c_void, CancelRoutine>(routine);
            routine(device, irp);
        }
        let after = thread::irql();
        if after != before {
            let found = format!("called at IRQL {before}, left at {after}");
            self.violation(Rule::Irql, "IoReleaseCancelSpinLock", found);
            thread::set_irql(before);
        }
        true
    }

    /// Makes one request to the control device.
    fn request(self: &Arc<Self>, major: usize, code: u32, input: &[u8], output: usize) -> Answered {
        self.request_of(major, code, input, output, "")
    }

    fn request_of(
        self: &Arc<Self>,
        major: usize,
        code: u32,
        input: &[u8],
        output: usize,
        below: &str,
    ) -> Answered {
        let file = match major {
            sys::IRP_MJ_CREATE => None,
            _ => OPEN.with_borrow(|open| open.last().cloned()),
        };
        let file = file.unwrap_or_else(|| File::new(below));
        let entered = {
            let mut state = self.state();
            let device = state.control.device.as_ref();
            let handler = device.and_then(|device| match device.of_driver_object {
                true => {
                    let driver = self.driver_object.start().cast::<sys::DRIVER_OBJECT>();
                    // SAFETY: the driver object lives as long as the machine.
                    unsafe { (*driver).MajorFunction[major] }
                }
                false => device.major.get(major).copied().flatten(),
            });
            device
                .map(|device| device.object.start().cast())
                .zip(handler)
                .map(|(object, handler)| {
                    let request = Request::new(
                        object,
                        major,
                        code,
                        input,
                        output,
                        file.clone(),
                        self.config.level,
                    );
                    let irp = request.raw();
                    state.control.requests.push(request);
                    (handler, object, irp)
                })
        };
        let Some((handler, object, irp)) = entered else {
            return Answered {
                status: sys::STATUS_INVALID_DEVICE_REQUEST,
                bytes: Vec::new(),
            };
        };
        let name = format!("request {major:#x} to the control device");
        let status = self.call(&name, sys::PASSIVE_LEVEL, || {
            // SAFETY: the handler is the driver's; the IRP lives until it has returned.
            suspension::requesting(|| unsafe { handler(object, irp) })
        });
        if status == sys::STATUS_PENDING {
            let pending = |state: &State| {
                let mut requests = state.control.requests.iter();
                requests.any(|one| one.raw() == irp && one.is_pending())
            };
            // What was kept once is not waited for again.
            if !self.state().control.kept.contains(&code) {
                self.wait_until("IRP", || !pending(&self.state()));
            }
            if pending(&self.state()) {
                // The program gives up.
                self.state().control.kept.insert(code);
                // SAFETY: a request that is pending is live.
                unsafe { self.cancel_irp(irp) };
                self.wait_until("IRP", || !pending(&self.state()));
            }
        }
        let mut state = self.state();
        let place = state
            .control
            .requests
            .iter()
            .position(|one| one.raw() == irp);
        let request = place.map(|place| state.control.requests.remove(place));
        let mut broken = Vec::new();
        let answered = request
            .map(|request| request.judge(status, &mut broken))
            .expect("a request stays until its handler has returned");
        for finding in broken {
            state.finding(name.clone(), finding);
        }
        OPEN.with_borrow_mut(|open| match major {
            sys::IRP_MJ_CREATE if answered.status >= 0 => open.push(file),
            sys::IRP_MJ_CLOSE => drop(open.pop()),
            _ => {}
        });
        answered
    }
}
