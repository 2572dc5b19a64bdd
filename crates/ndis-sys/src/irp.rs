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
        Type @ 0: 2,
        Size @ 2: 2,
        MdlAddress @ 8: 8,
        Flags @ 16: 4,
        AssociatedIrp @ 24: 8,
        ThreadListEntry @ 32: 16,
        IoStatus @ 48: 16,
        RequestorMode @ 64: 1,
        PendingReturned @ 65: 1,
        StackCount @ 66: 1,
        CurrentLocation @ 67: 1,
        Cancel @ 68: 1,
        CancelIrql @ 69: 1,
        ApcEnvironment @ 70: 1,
        AllocationFlags @ 71: 1,
        UserIosb @ 72: 8 = IoRingContext,
        UserEvent @ 80: 8,
        Overlay @ 88: 16,
        CancelRoutine @ 104: 8,
        UserBuffer @ 112: 8,
        Tail @ 120: 88,
    }
    IRP_ASSOCIATED_IRP in "IRP.AssociatedIrp": size 8, align 8 {
        MasterIrp @ 0: 8,
        IrpCount @ 0: 4,
        SystemBuffer @ 0: 8,
    }
    IRP_TAIL in "IRP.Tail": size 88, align 8 {
        Overlay @ 0: 80,
        Apc @ 0: 88,
        CompletionKey @ 0: 8,
    }
    IRP_TAIL_OVERLAY in "IRP.Tail.Overlay": size 80, align 8 {
        DriverContext @ 0: 32 = DeviceQueueEntry,
        Thread @ 32: 8,
        AuxiliaryBuffer @ 40: 8,
        ListEntry @ 48: 16,
        CurrentStackLocation @ 64: 8 = PacketType,
        OriginalFileObject @ 72: 8,
    }
    IO_STATUS_BLOCK: size 16, align 8 {
        Status @ 0: 4 = Pointer,
        Information @ 8: 8,
    }
    FILE_OBJECT: size 216, align 8 {
        Type @ 0: 2,
        Size @ 2: 2,
        DeviceObject @ 8: 8,
        Vpb @ 16: 8,
        FsContext @ 24: 8,
        FsContext2 @ 32: 8,
        SectionObjectPointer @ 40: 8,
        PrivateCacheMap @ 48: 8,
        FinalStatus @ 56: 4,
        RelatedFileObject @ 64: 8,
        LockOperation @ 72: 1,
        DeletePending @ 73: 1,
        ReadAccess @ 74: 1,
        WriteAccess @ 75: 1,
        DeleteAccess @ 76: 1,
        SharedRead @ 77: 1,
        SharedWrite @ 78: 1,
        SharedDelete @ 79: 1,
        Flags @ 80: 4,
        FileName @ 88: 16,
        CurrentByteOffset @ 104: 8,
        Waiters @ 112: 4,
        Busy @ 116: 4,
        LastLock @ 120: 8,
        Lock @ 128: 24,
        Event @ 152: 24,
        CompletionContext @ 176: 8,
        IrpListLock @ 184: 8,
        IrpList @ 192: 16,
        FileObjectExtension @ 208: 8,
    }
    IO_STACK_LOCATION: size 72, align 8 {
        MajorFunction @ 0: 1,
        MinorFunction @ 1: 1,
        Flags @ 2: 1,
        Control @ 3: 1,
        Parameters @ 8: 32,
        DeviceObject @ 40: 8,
        FileObject @ 48: 8,
        CompletionRoutine @ 56: 8,
        Context @ 64: 8,
    }
    IO_STACK_LOCATION_PARAMETERS in "IO_STACK_LOCATION.Parameters": size 32, align 8 {
        DeviceIoControl @ 0: 32,
        Others @ 0: 32 = Create CreatePipe CreateMailslot Read Write QueryDirectory
            NotifyDirectory NotifyDirectoryEx QueryFile SetFile QueryEa SetEa QueryVolume SetVolume
            FileSystemControl LockControl QuerySecurity SetSecurity MountVolume VerifyVolume Scsi
            QueryQuota SetQuota QueryDeviceRelations QueryInterface DeviceCapabilities
            FilterResourceRequirements ReadWriteConfig SetLock QueryId QueryDeviceText
            UsageNotification WaitWake PowerSequence Power StartDevice WMI,
    }
    IO_STACK_LOCATION_DEVICE_IO_CONTROL in
        "IO_STACK_LOCATION.Parameters.DeviceIoControl": size 32, align 8 {
        OutputBufferLength @ 0: 4,
        InputBufferLength @ 8: 4,
        IoControlCode @ 16: 4,
        Type3InputBuffer @ 24: 8,
    }
}

constants! {
    i8 {
        IO_NO_INCREMENT = 0;
    }
}
