//! Structures of the kernel itself: strings, objects, pools, levels.

use core::{
    ffi::c_void,
    marker::{PhantomData, PhantomPinned},
};

use crate::{IRP, NTSTATUS};

/// Declares types that only the kernel can look into.
macro_rules! opaque {
    ($( $(#[$doc:meta])* $name:ident; )+) => {$(
        $(#[$doc])*
        #[repr(C)]
        pub struct $name {
            _opaque: [u8; 0],
            _marker: PhantomData<(*mut u8, PhantomPinned)>,
        }
    )+};
}

opaque! {
    /// A device, here the control device.
    DEVICE_OBJECT;
    /// Counters, one per processor, of the users of an object that may be about to be freed.
    EX_RUNDOWN_REF_CACHE_AWARE;
}

/// A spin lock; zero is free.
pub type KSPIN_LOCK = usize;
/// The mode of a memory access: `KernelMode` or `UserMode`.
pub type KPROCESSOR_MODE = i8;

/// The image's entry point. PASSIVE_LEVEL.
pub type DRIVER_INITIALIZE = unsafe extern "efiapi" fn(
    DriverObject: *mut DRIVER_OBJECT,
    RegistryPath: *mut UNICODE_STRING,
) -> NTSTATUS;
/// The image is about to go. PASSIVE_LEVEL.
pub type DRIVER_UNLOAD = unsafe extern "efiapi" fn(DriverObject: *mut DRIVER_OBJECT);
/// A request to the control device. PASSIVE_LEVEL when it comes from a program.
pub type DRIVER_DISPATCH =
    unsafe extern "efiapi" fn(DeviceObject: *mut DEVICE_OBJECT, Irp: *mut IRP) -> NTSTATUS;

/// A counted UTF-16 string; both lengths are bytes, and no terminator is needed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct UNICODE_STRING {
    pub Length: u16,
    pub MaximumLength: u16,
    pub Buffer: *mut u16,
}

/// A doubly linked, circular list's link or head.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LIST_ENTRY {
    pub Flink: *mut LIST_ENTRY,
    pub Blink: *mut LIST_ENTRY,
}

/// A globally unique identifier.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct GUID {
    pub Data1: u32,
    pub Data2: u16,
    pub Data3: u16,
    pub Data4: [u8; 8],
}

/// An object that threads wait for until it is signaled. It must stay at its address.
#[repr(C)]
pub struct KEVENT {
    /// The dispatcher header, which the kernel alone reads.
    pub Header: [u64; 3],
}

/// An entry of the System event log. Its insertion strings, UTF-16 with a NUL, follow it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IO_ERROR_LOG_PACKET {
    pub MajorFunctionCode: u8,
    pub RetryCount: u8,
    pub DumpDataSize: u16,
    pub NumberOfStrings: u16,
    pub StringOffset: u16,
    pub EventCategory: u16,
    pub ErrorCode: NTSTATUS,
    pub UniqueErrorValue: u32,
    pub FinalStatus: NTSTATUS,
    pub SequenceNumber: u32,
    pub IoControlCode: u32,
    pub DeviceOffset: i64,
    pub DumpData: [u32; 1],
}

/// A processor as group and number within the group.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PROCESSOR_NUMBER {
    pub Group: u16,
    pub Number: u8,
    pub Reserved: u8,
}

/// The kernel's object for a loaded driver.
///
/// Not `Copy`: there is one per driver, and the kernel owns it.
#[repr(C)]
pub struct DRIVER_OBJECT {
    pub Type: i16,
    pub Size: i16,
    pub DeviceObject: *mut DEVICE_OBJECT,
    pub Flags: u32,
    pub DriverStart: *mut c_void,
    pub DriverSize: u32,
    pub DriverSection: *mut c_void,
    pub DriverExtension: *mut DRIVER_EXTENSION,
    pub DriverName: UNICODE_STRING,
    pub HardwareDatabase: *mut UNICODE_STRING,
    pub FastIoDispatch: *mut c_void,
    pub DriverInit: Option<DRIVER_INITIALIZE>,
    pub DriverStartIo: *mut c_void,
    pub DriverUnload: Option<DRIVER_UNLOAD>,
    pub MajorFunction: [Option<DRIVER_DISPATCH>; IRP_MJ_MAXIMUM_FUNCTION + 1],
}

/// The rest of [`DRIVER_OBJECT`].
#[repr(C)]
pub struct DRIVER_EXTENSION {
    pub DriverObject: *mut DRIVER_OBJECT,
    pub AddDevice: *mut c_void,
    pub Count: u32,
    pub ServiceKeyName: UNICODE_STRING,
}

layout! {
    UNICODE_STRING: size 16, align 8 { Length, MaximumLength, Buffer }
    LIST_ENTRY: size 16, align 8 { Flink, Blink }
    GUID: size 16, align 4 { Data1, Data2, Data3, Data4 }
    KEVENT: size 24, align 8 { Header }
    IO_ERROR_LOG_PACKET: size 48, align 8 {
        MajorFunctionCode, RetryCount, DumpDataSize, NumberOfStrings, StringOffset, EventCategory,
        ErrorCode, UniqueErrorValue, FinalStatus, SequenceNumber, IoControlCode, DeviceOffset,
        DumpData,
    }
    PROCESSOR_NUMBER: size 4, align 2 { Group, Number, Reserved }
    DRIVER_OBJECT: size 336, align 8 {
        Type, Size, DeviceObject, Flags, DriverStart, DriverSize, DriverSection, DriverExtension,
        DriverName, HardwareDatabase, FastIoDispatch, DriverInit, DriverStartIo, DriverUnload,
        MajorFunction,
    }
    DRIVER_EXTENSION: size 40, align 8 { DriverObject, AddDevice, Count, ServiceKeyName }
}

constants! {
    u8 {
        PASSIVE_LEVEL = 0;
        APC_LEVEL = 1;
        DISPATCH_LEVEL = 2;
    }
    i8 {
        KernelMode = 0;
        UserMode = 1;
    }
    usize {
        IRP_MJ_CREATE = 0x00;
        IRP_MJ_CLOSE = 0x02;
        IRP_MJ_DEVICE_CONTROL = 0x0e;
        IRP_MJ_CLEANUP = 0x12;
        IRP_MJ_MAXIMUM_FUNCTION = 0x1b;
    }
    u64 {
        POOL_FLAG_UNINITIALIZED = 0x0002;
        POOL_FLAG_NON_PAGED = 0x0040;
        POOL_FLAG_PAGED = 0x0100;
    }
    i32 {
        NotificationEvent = 0;
        SynchronizationEvent = 1;
        Executive = 0;

        NonPagedPoolNx = 512;
    }
    u32 {
        PAGE_SIZE = 0x1000;
        PAGE_SHIFT = 12;

        METHOD_BUFFERED = 0;
        FILE_READ_ACCESS = 1;
        FILE_WRITE_ACCESS = 2;
        FILE_DEVICE_NETWORK = 0x12;
    }
}

/// Most bytes of an entry of the System event log, its strings included.
pub const ERROR_LOG_MAXIMUM_SIZE: u8 = 240;
/// In place of a group's number: all the processors of all groups.
pub const ALL_PROCESSOR_GROUPS: u16 = 0xffff;
