//! The control device, and requests to it as the system makes them.
#![expect(unsafe_code, reason = "IRPs are C structures")]

use std::{ptr, sync::Arc};

use ndis::sys;

use crate::{
    guard,
    memory::Block,
    rules::{Finding, Level, Rule},
    state::State,
};

/// The protection that the control device must have: access for the system and administrators only.
pub const PROTECTION: &str = "D:P(A;;GA;;;SY)(A;;GA;;;BA)";

/// The handlers of a device, by major function.
pub(crate) type MajorFunctions = [Option<sys::DRIVER_DISPATCH>; sys::IRP_MJ_MAXIMUM_FUNCTION + 1];

/// The driver's control device.
pub(crate) struct Device {
    /// DEVICE_OBJECT.
    pub(crate) object: Block,
    /// The block that NdisGetDeviceReservedExtension returns.
    pub(crate) extension: Block,
    pub(crate) names: [String; 2],
    pub(crate) major: MajorFunctions,
    /// Whether its handlers are those of the driver object.
    pub(crate) of_driver_object: bool,
}

/// Bytes of a DEVICE_OBJECT, and where in it the driver object is.
const DEVICE_OBJECT: (usize, usize) = (336, 8);

impl Device {
    pub(crate) fn new(
        names: [String; 2],
        major: MajorFunctions,
        extension: u32,
        driver: *mut u8,
    ) -> Self {
        let object = Block::new(DEVICE_OBJECT.0, 16);
        // SAFETY: the block is new and longer than that.
        unsafe {
            object
                .start()
                .add(DEVICE_OBJECT.1)
                .cast::<*mut u8>()
                .write(driver);
        }
        Self {
            object,
            extension: Block::new(extension as usize, 16),
            names,
            major,
            of_driver_object: false,
        }
    }
}

/// The control device's reply to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answered {
    /// Its status.
    pub status: i32,
    /// Its output, which the system copies even where the status is a warning.
    pub bytes: Vec<u8>,
}

/// A request under way.
pub(crate) struct Request {
    pub(crate) irp: Block,
    stack: Block,
    file: Arc<File>,
    buffer: Block,
    input: usize,
    output: usize,
    /// How it was completed, by status and information.
    completed: Option<(i32, usize)>,
    /// Its and its buffer's bytes after that.
    after: Option<[Vec<u8>; 2]>,
    /// The buffer's contents when the request was completed.
    result: Vec<u8>,
}

/// A file object, which a program's open handle stands for, and its name.
#[derive(Debug)]
pub(crate) struct File {
    object: Block,
    name: Block,
    /// Bytes of the name.
    length: u16,
}

impl File {
    /// A file object to open what is asked for below the device.
    pub(crate) fn new(below: &str) -> Arc<Self> {
        let name: Vec<u8> = below.encode_utf16().flat_map(u16::to_ne_bytes).collect();
        Arc::new(Self {
            object: Block::new(size_of::<sys::FILE_OBJECT>(), 16),
            name: Block::of(&name),
            length: name.len() as u16,
        })
    }
}

/// Bytes after the buffer that must not be written to.
const GUARD: usize = 64;
/// The highest of the results of an open.
const FILE_DOES_NOT_EXIST: usize = 5;
/// The byte that fills an IRP once it is completed.
const GONE: u8 = 0xDE;

/// The stale contents of byte `index` of a buffer, which stand for other users' data.
fn stale(index: usize) -> u8 {
    (index.wrapping_mul(0x9E37_79B9) >> 13) as u8 ^ 0xA5
}

impl Request {
    /// A request of `major` for `file`, and for a device control with `code`, `input` and room for an
    /// output.
    pub(crate) fn new(
        device: *mut sys::DEVICE_OBJECT,
        major: usize,
        code: u32,
        input: &[u8],
        output: usize,
        file: Arc<File>,
        level: Level,
    ) -> Self {
        let raw_file = file.object.start().cast::<sys::FILE_OBJECT>();
        let name_length = file.length;
        let length = input.len().max(output);
        let mut bytes = input.to_vec();
        // A guard page behind the buffer finds a write there at once.
        let guard = if guard::is_on() { 0 } else { GUARD };
        bytes.extend((input.len()..length + guard).map(stale));
        let request = Self {
            irp: Block::new(size_of::<sys::IRP>(), 16),
            stack: Block::new(size_of::<sys::IO_STACK_LOCATION>(), 16),
            file,
            buffer: Block::of(&bytes),
            input: input.len(),
            output,
            completed: None,
            after: None,
            result: Vec::new(),
        };
        let (irp, stack) = (
            request.raw(),
            request.stack.start().cast::<sys::IO_STACK_LOCATION>(),
        );
        // SAFETY: the blocks are new and as long as the structures.
        unsafe {
            (*irp).Size = size_of::<sys::IRP>() as u16;
            (*irp).RequestorMode = sys::UserMode;
            (*irp).StackCount = 1;
            (*irp).CurrentLocation = 1;
            // The system makes an IRP of zeroes; this product's driver sets both, always.
            if level == Level::Product {
                (*irp).IoStatus.Status = UNSET;
                (*irp).IoStatus.Information = usize::MAX;
            }
            if length > 0 {
                (*irp).AssociatedIrp.SystemBuffer = request.buffer.start().cast();
            }
            (*irp).Tail.Overlay.CurrentStackLocation = stack;
            (*stack).MajorFunction = major as u8;
            (*stack).DeviceObject = device;
            (*stack).FileObject = raw_file;
            (*raw_file).FileName = sys::UNICODE_STRING {
                Length: name_length,
                MaximumLength: name_length,
                Buffer: request.file.name.start().cast(),
            };
            if major == sys::IRP_MJ_DEVICE_CONTROL {
                let parameters = &raw mut (*stack).Parameters.DeviceIoControl;
                (*parameters).OutputBufferLength = output as u32;
                (*parameters).InputBufferLength = input.len() as u32;
                (*parameters).IoControlCode = code;
            }
        }
        request
    }

    pub(crate) fn raw(&self) -> *mut sys::IRP {
        self.irp.start().cast()
    }

    /// Ends the request. From now on its memory belongs to its next owner.
    fn complete(&mut self) {
        // SAFETY: the IRP is live until the handler has returned.
        let status = unsafe { (*self.raw()).IoStatus };
        let stack = self.stack.start().cast::<sys::IO_STACK_LOCATION>();
        // SAFETY: as above. An open states there what was done, such as FILE_OPENED, and no length.
        let opens = usize::from(unsafe { (*stack).MajorFunction }) == sys::IRP_MJ_CREATE;
        let information = match status.Information {
            0..=FILE_DOES_NOT_EXIST if opens => 0,
            other => other,
        };
        self.completed = Some((status.Status, information));
        self.result = self.buffer.bytes();
        for block in [&self.irp, &self.buffer] {
            // SAFETY: the block is that long.
            unsafe { ptr::write_bytes(block.start(), GONE, block.size()) };
        }
        self.after = Some([self.irp.bytes(), self.buffer.bytes()]);
        for block in [&self.irp, &self.stack, &self.buffer] {
            guard::close(block.start(), "of an IRP that was completed");
        }
    }

    /// Whether it is completed.
    pub(crate) fn is_completed(&self) -> bool {
        self.completed.is_some()
    }

    /// Whether the driver has marked it pending.
    pub(crate) fn is_pending(&self) -> bool {
        const SL_PENDING_RETURNED: u8 = 1;
        let stack = self.stack.start().cast::<sys::IO_STACK_LOCATION>();
        // SAFETY: the location lives as long as `self`, and is accessible until the completion.
        !self.is_completed() && unsafe { (*stack).Control } & SL_PENDING_RETURNED != 0
    }

    /// Opens its memory for a last look.
    fn open(&self) {
        for block in [&self.irp, &self.stack, &self.buffer] {
            guard::open(block.start());
        }
    }

    /// Judges the request once its handler has returned `status`.
    pub(crate) fn judge(mut self, status: i32, broken: &mut Vec<Finding>) -> Answered {
        self.open();
        let mut add = |level, found: String| {
            broken.push(Finding::at(level, Rule::ControlDevice, found));
        };
        let Some((completed, information)) = self.completed else {
            let found = format!("never completed, the handler returned {status:#x}");
            add(Level::Contract, found);
            return Answered {
                status: sys::STATUS_UNSUCCESSFUL,
                bytes: Vec::new(),
            };
        };
        if completed == sys::STATUS_PENDING {
            let found = "completed with STATUS_PENDING, which is no final status";
            add(Level::Contract, found.into());
        }
        if status != completed && status != sys::STATUS_PENDING {
            let found = format!("completed with {completed:#x}, the handler returned {status:#x}");
            add(Level::Contract, found);
        }
        if self.after != Some([self.irp.bytes(), self.buffer.bytes()]) {
            add(Level::Contract, "touched after it was completed".into());
        }
        let behind = self.result.split_off(self.input.max(self.output));
        let intact =
            |(index, byte): (usize, &u8)| *byte == stale(self.input.max(self.output) + index);
        if !guard::is_on() && !behind.iter().enumerate().all(intact) {
            add(Level::Contract, "written to behind its buffer".into());
        }
        // The system copies no output of a request that failed.
        let copied = if is_error(completed) {
            Level::Product
        } else {
            Level::Contract
        };
        if information > self.output {
            let found = format!("{information} bytes of output in room for {}", self.output);
            add(copied, found);
        }
        let mut bytes = self.result;
        bytes.truncate(information.min(self.output));
        if let Some(at) = disclosed(&bytes, self.input) {
            let found = format!("its output has bytes from {at} on that nobody wrote");
            add(copied, found);
        }
        if is_error(completed) {
            bytes.clear();
        }
        Answered {
            status: completed,
            bytes,
        }
    }
}

/// A status that no driver sets.
const UNSET: i32 = 0x0BAD_5747;

/// The system copies no output of a request that failed.
fn is_error(status: i32) -> bool {
    status.cast_unsigned() >> 30 == 3
}

/// Finds where the output, behind the input's end, still holds the buffer's earlier contents. Three
/// bytes in a row are no accident.
fn disclosed(output: &[u8], input: usize) -> Option<usize> {
    (input..output.len().saturating_sub(2))
        .find(|at| (*at..at + 3).all(|index| output[index] == stale(index)))
}

impl State {
    /// IofCompleteRequest.
    pub(crate) fn complete_request(&mut self, irp: usize) {
        let request = self
            .control
            .requests
            .iter_mut()
            .rfind(|one| one.irp.address() == irp);
        let found = match request {
            Some(request) if request.completed.is_none() => return request.complete(),
            Some(_) => "completed twice".into(),
            None => format!("the request at {irp:#x} does not exist"),
        };
        self.violation(Rule::ControlDevice, "IofCompleteRequest", found);
    }
}
