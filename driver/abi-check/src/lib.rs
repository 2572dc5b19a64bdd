//! Compares `ndis-sys` with the bindings that wdk-sys makes from the installed headers. A
//! difference stops the build.
//!
//! The driver depends on this crate with feature `wdk` and names nothing in it, so that Cargo builds
//! it first and rustc leaves it, and with it wdk-sys, out of the image. In the image wdk-sys would
//! define four symbols under fixed names, which rustc exports from a `cdylib`.
//!
//! wdk-sys binds no header of NDIS. Those structures, and every field, are compared by the C
//! assertions in `driver/build/assertions.rs`.
#![no_std]

#[cfg(all(windows, feature = "wdk"))]
mod comparison {
    /// Stands in for a structure that wdk-sys lacks: no structure of the kernel is aligned like
    /// this.
    #[repr(align(8192))]
    struct Unknown;

    /// The comparisons that the build script wrote for every structure and constant. In each
    /// block, the names of wdk-sys shadow those around the block.
    #[expect(
        dead_code,
        non_camel_case_types,
        non_upper_case_globals,
        clippy::upper_case_acronyms,
        reason = "most names are unknown to wdk-sys, and the names are the WDK's"
    )]
    mod generated {
        use super::Unknown;
        include!(concat!(env!("OUT_DIR"), "/comparisons.rs"));

        // The structures that wdk-sys 0.5 declares. Fewer would mean that the names are no longer
        // where they are looked for, and that nothing is compared.
        const _: () = assert!(structures::KNOWN >= 13, "structures that wdk-sys knows");
        const _: () = assert!(constants::KNOWN >= 42, "constants that wdk-sys knows");
    }

    /// Compares the offsets of fields.
    macro_rules! same_offsets {
        ($($name:ident { $($field:ident)* })*) => {$($(
            const _: () = assert!(
                core::mem::offset_of!(ndis_sys::$name, $field)
                    == core::mem::offset_of!(wdk_sys::$name, $field),
                concat!(stringify!($name), ".", stringify!($field)),
            );
        )*)*};
    }

    // Without the members of unions that have no name in C: bindgen numbers those.
    same_offsets! {
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
            PendingReturned StackCount CurrentLocation Cancel CancelIrql ApcEnvironment
            AllocationFlags UserEvent Overlay CancelRoutine UserBuffer Tail
        }
        IO_STACK_LOCATION {
            MajorFunction MinorFunction Flags Control Parameters DeviceObject FileObject
            CompletionRoutine Context
        }
        DRIVER_OBJECT {
            Type Size DeviceObject Flags DriverStart DriverSize DriverSection DriverExtension
            DriverName HardwareDatabase FastIoDispatch DriverInit DriverStartIo DriverUnload
            MajorFunction
        }
        FILE_OBJECT {
            Type Size DeviceObject Vpb FsContext FsContext2 SectionObjectPointer PrivateCacheMap
            FinalStatus RelatedFileObject LockOperation DeletePending ReadAccess WriteAccess
            DeleteAccess SharedRead SharedWrite SharedDelete Flags FileName CurrentByteOffset
            Waiters Busy LastLock Lock Event CompletionContext IrpListLock IrpList
            FileObjectExtension
        }
    }
}
