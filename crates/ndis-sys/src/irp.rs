//! A request to a device: the IRP, the driver's own part of it, and how it ends.

use core::ffi::c_void;

use crate::{DEVICE_OBJECT, KPROCESSOR_MODE, LIST_ENTRY, MDL, NTSTATUS, UNICODE_STRING};

/// A request to a device.
///
/// Not `Copy`: the kernel owns it, and a driver only until it completes it.
#[repr(C, align(16))]
pub struct IRP {
    pub Type: i16,
    pub Size: u16,
    pub MdlAddress: *mut MDL,
    pub Flags: u32,
    pub AssociatedIrp: IRP_ASSOCIATED_IRP,
    pub ThreadListEntry: LIST_ENTRY,
    pub IoStatus: IO_STATUS_BLOCK,
    pub RequestorMode: KPROCESSOR_MODE,
    pub PendingReturned: u8,
    pub StackCount: i8,
    pub CurrentLocation: i8,
    pub Cancel: u8,
    pub CancelIrql: u8,
    pub ApcEnvironment: i8,
    pub AllocationFlags: u8,
    pub UserIosb: *mut IO_STATUS_BLOCK,
    pub UserEvent: *mut c_void,
    pub Overlay: [usize; 2],
    pub CancelRoutine: *mut c_void,
    pub UserBuffer: *mut c_void,
    pub Tail: IRP_TAIL,
}

/// The location of the request's data. With buffered I/O that is `SystemBuffer`, for input and output.
#[repr(C)]
#[derive(Clone, Copy)]
pub union IRP_ASSOCIATED_IRP {
    pub MasterIrp: *mut IRP,
    pub IrpCount: i32,
    pub SystemBuffer: *mut c_void,
}

/// The kernel's and the current driver's part of a request.
#[repr(C)]
#[derive(Clone, Copy)]
pub union IRP_TAIL {
    pub Overlay: IRP_TAIL_OVERLAY,
    pub Apc: [usize; 11],
    pub CompletionKey: *mut c_void,
}

/// The layout of the tail while a driver has the request.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IRP_TAIL_OVERLAY {
    pub DriverContext: [*mut c_void; 4],
    pub Thread: *mut c_void,
    pub AuxiliaryBuffer: *mut c_void,
    pub ListEntry: LIST_ENTRY,
    /// The value that IoGetCurrentIrpStackLocation returns.
    pub CurrentStackLocation: *mut IO_STACK_LOCATION,
    pub OriginalFileObject: *mut c_void,
}

/// The result of a request.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IO_STATUS_BLOCK {
    /// The lower half of a union with a pointer.
    pub Status: NTSTATUS,
    /// The meaning depends on the request: for a device control, bytes of output.
    pub Information: usize,
}

/// A driver's own part of a request.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IO_STACK_LOCATION {
    /// `IRP_MJ_…`.
    pub MajorFunction: u8,
    pub MinorFunction: u8,
    pub Flags: u8,
    pub Control: u8,
    pub Parameters: IO_STACK_LOCATION_PARAMETERS,
    pub DeviceObject: *mut DEVICE_OBJECT,
    pub FileObject: *mut FILE_OBJECT,
    pub CompletionRoutine: *mut c_void,
    pub Context: *mut c_void,
}

/// The request's parameters, by its major function.
#[repr(C)]
#[derive(Clone, Copy)]
pub union IO_STACK_LOCATION_PARAMETERS {
    pub DeviceIoControl: IO_STACK_LOCATION_DEVICE_IO_CONTROL,
    /// Any other function's, as four words.
    pub Others: [*mut c_void; 4],
}

/// Parameters of `IRP_MJ_DEVICE_CONTROL`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IO_STACK_LOCATION_DEVICE_IO_CONTROL {
    pub OutputBufferLength: u32,
    _pad0: u32,
    pub InputBufferLength: u32,
    _pad1: u32,
    pub IoControlCode: u32,
    _pad2: u32,
    pub Type3InputBuffer: *mut c_void,
}

/// The kernel's object for a file, device or volume that a program opened.
///
/// Not `Copy`: the kernel owns it.
#[repr(C)]
pub struct FILE_OBJECT {
    pub Type: i16,
    pub Size: i16,
    pub DeviceObject: *mut DEVICE_OBJECT,
    pub Vpb: *mut c_void,
    pub FsContext: *mut c_void,
    pub FsContext2: *mut c_void,
    pub SectionObjectPointer: *mut c_void,
    pub PrivateCacheMap: *mut c_void,
    pub FinalStatus: NTSTATUS,
    pub RelatedFileObject: *mut FILE_OBJECT,
    pub LockOperation: u8,
    pub DeletePending: u8,
    pub ReadAccess: u8,
    pub WriteAccess: u8,
    pub DeleteAccess: u8,
    pub SharedRead: u8,
    pub SharedWrite: u8,
    pub SharedDelete: u8,
    pub Flags: u32,
    /// The part of the opened path behind the device's own name; valid only during IRP_MJ_CREATE.
    pub FileName: UNICODE_STRING,
    pub CurrentByteOffset: i64,
    pub Waiters: u32,
    pub Busy: u32,
    pub LastLock: *mut c_void,
    pub Lock: [usize; 3],
    pub Event: [usize; 3],
    pub CompletionContext: *mut c_void,
    pub IrpListLock: usize,
    pub IrpList: LIST_ENTRY,
    pub FileObjectExtension: *mut c_void,
}

layout! {
    IRP: size 208, align 16 {
        Type, Size, MdlAddress, Flags, AssociatedIrp, ThreadListEntry, IoStatus, RequestorMode,
        PendingReturned, StackCount, CurrentLocation, Cancel, CancelIrql, ApcEnvironment,
        AllocationFlags, UserIosb = IoRingContext, UserEvent, Overlay, CancelRoutine, UserBuffer,
        Tail,
    }
    IRP_ASSOCIATED_IRP in "IRP.AssociatedIrp": size 8, align 8 { MasterIrp, IrpCount, SystemBuffer }
    IRP_TAIL in "IRP.Tail": size 88, align 8 { Overlay, Apc, CompletionKey }
    IRP_TAIL_OVERLAY in "IRP.Tail.Overlay": size 80, align 8 {
        DriverContext = DeviceQueueEntry, Thread, AuxiliaryBuffer, ListEntry,
        CurrentStackLocation = PacketType, OriginalFileObject,
    }
    IO_STATUS_BLOCK: size 16, align 8 { Status = Pointer, Information }
    FILE_OBJECT: size 216, align 8 {
        Type, Size, DeviceObject, Vpb, FsContext, FsContext2, SectionObjectPointer, PrivateCacheMap,
        FinalStatus, RelatedFileObject, LockOperation, DeletePending, ReadAccess, WriteAccess,
        DeleteAccess, SharedRead, SharedWrite, SharedDelete, Flags, FileName, CurrentByteOffset,
        Waiters, Busy, LastLock, Lock, Event, CompletionContext, IrpListLock, IrpList,
        FileObjectExtension,
    }
    IO_STACK_LOCATION: size 72, align 8 {
        MajorFunction, MinorFunction, Flags, Control, Parameters, DeviceObject, FileObject,
        CompletionRoutine, Context,
    }
    IO_STACK_LOCATION_PARAMETERS in "IO_STACK_LOCATION.Parameters": size 32, align 8 {
        DeviceIoControl,
        Others = Create CreatePipe CreateMailslot Read Write QueryDirectory NotifyDirectory
            NotifyDirectoryEx QueryFile SetFile QueryEa SetEa QueryVolume SetVolume
            FileSystemControl LockControl QuerySecurity SetSecurity MountVolume VerifyVolume Scsi
            QueryQuota SetQuota QueryDeviceRelations QueryInterface DeviceCapabilities
            FilterResourceRequirements ReadWriteConfig SetLock QueryId QueryDeviceText
            UsageNotification WaitWake PowerSequence Power StartDevice WMI,
    }
    IO_STACK_LOCATION_DEVICE_IO_CONTROL in
        "IO_STACK_LOCATION.Parameters.DeviceIoControl": size 32, align 8 {
        OutputBufferLength, InputBufferLength, IoControlCode, Type3InputBuffer,
    }
}

constants! {
    i8 {
        IO_NO_INCREMENT = 0;
    }
}
