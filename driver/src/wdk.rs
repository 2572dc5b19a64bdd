//! What the Windows Driver Kit adds where the image is built with it: an allocator, a word in the
//! debugger, and a second opinion on every kernel structure that the driver uses.

use core::mem::offset_of;

use wdk_alloc::WdkAllocator;

/// For crates that need one. The driver itself takes its memory from tagged pools, fallibly; an
/// infallible allocation would end in a bug check.
#[global_allocator]
static ALLOCATOR: WdkAllocator = WdkAllocator;

/// Tells a kernel debugger that the driver is there. IRQL PASSIVE_LEVEL.
pub(crate) fn greet() {
    wdk::println!("mslso {} loads", env!("CARGO_PKG_VERSION"));
}

/// Holds structures of `ndis::sys` against those that bindgen read from the installed headers.
macro_rules! same {
    ($($name:ident { $($field:ident)* })*) => {$(
        const _: () = {
            use ndis::sys::$name as Ours;
            use wdk_sys::$name as Theirs;
            assert!(size_of::<Ours>() == size_of::<Theirs>(), stringify!($name));
            assert!(align_of::<Ours>() == align_of::<Theirs>(), stringify!($name));
            $(assert!(
                offset_of!(Ours, $field) == offset_of!(Theirs, $field),
                concat!(stringify!($name), ".", stringify!($field)),
            );)*
        };
    )*};
}

same! {
    MDL { Next Size MdlFlags Process MappedSystemVa StartVa ByteCount ByteOffset }
    UNICODE_STRING { Length MaximumLength Buffer }
    LIST_ENTRY { Flink Blink }
    GUID { Data1 Data2 Data3 Data4 }
    PROCESSOR_NUMBER { Group Number Reserved }
    EVENT_DESCRIPTOR { Id Version Channel Level Opcode Task Keyword }
    EVENT_DATA_DESCRIPTOR { Ptr Size }
    DRIVER_EXTENSION { DriverObject AddDevice Count ServiceKeyName }
    IO_STATUS_BLOCK { Information }
    IRP {
        Type Size MdlAddress Flags AssociatedIrp ThreadListEntry IoStatus RequestorMode
        PendingReturned StackCount CurrentLocation Cancel CancelIrql ApcEnvironment AllocationFlags
        UserEvent Overlay CancelRoutine UserBuffer Tail
    }
    IO_STACK_LOCATION {
        MajorFunction MinorFunction Flags Control Parameters DeviceObject FileObject
        CompletionRoutine Context
    }
    DRIVER_OBJECT {
        Type Size DeviceObject Flags DriverStart DriverSize DriverSection DriverExtension DriverName
        HardwareDatabase FastIoDispatch DriverInit DriverStartIo DriverUnload MajorFunction
    }
}

/// Constants likewise.
macro_rules! equal {
    ($($name:ident)*) => {
        $(const _: () = assert!(ndis::sys::$name as i64 == wdk_sys::$name as i64);)*
    };
}

equal! {
    POOL_FLAG_NON_PAGED POOL_FLAG_CACHE_ALIGNED
    MDL_MAPPED_TO_SYSTEM_VA MDL_PAGES_LOCKED MDL_SOURCE_IS_NONPAGED_POOL MDL_PARTIAL
    MDL_PARTIAL_HAS_BEEN_MAPPED MdlMappingNoExecute
    PASSIVE_LEVEL APC_LEVEL DISPATCH_LEVEL
    IRP_MJ_CREATE IRP_MJ_CLOSE IRP_MJ_CLEANUP IRP_MJ_DEVICE_CONTROL IRP_MJ_MAXIMUM_FUNCTION
}
