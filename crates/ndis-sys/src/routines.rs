//! The routines that a filter calls.
//!
//! All are in one block without a link attribute: the image's import table names the module of each
//! routine, and a test process provides its own definitions of the same symbols. `efiapi` is the
//! Microsoft x64 convention on every x86-64 host and the C convention on Arm, so both sides agree
//! wherever this is compiled.
//!
//! Routines whose names begin with Ndis are exports of ndis.sys, all others of ntoskrnl.exe. Every
//! routine states the IRQL it may be called at. Only true exports are here; the caller writes out
//! the macros and inline functions of the WDK.

use core::ffi::c_void;

use crate::{
    BOOLEAN, DEVICE_OBJECT, DRIVER_OBJECT, EVENT_DATA_DESCRIPTOR, EVENT_DESCRIPTOR,
    EX_RUNDOWN_REF_CACHE_AWARE, GUID, IRP, KEVENT, KIRQL, KPROCESSOR_MODE, KSPIN_LOCK, MDL,
    NDIS_CONFIGURATION_OBJECT, NDIS_CONFIGURATION_PARAMETER, NDIS_DEVICE_OBJECT_ATTRIBUTES,
    NDIS_FILTER_ATTRIBUTES, NDIS_FILTER_DRIVER_CHARACTERISTICS, NDIS_HANDLE, NDIS_OID_REQUEST,
    NDIS_PORT_NUMBER, NDIS_STATUS, NDIS_STATUS_INDICATION, NDIS_STRING, NET_BUFFER,
    NET_BUFFER_LIST, NET_BUFFER_LIST_POOL_PARAMETERS, NET_BUFFER_POOL_PARAMETERS,
    NET_PNP_EVENT_NOTIFICATION, NTSTATUS, PROCESSOR_NUMBER, REGHANDLE,
};

unsafe extern "efiapi" {
    /// Makes the driver known as a filter driver; attach may follow before it returns. IRQL
    /// PASSIVE_LEVEL.
    pub fn NdisFRegisterFilterDriver(
        DriverObject: *mut DRIVER_OBJECT,
        FilterDriverContext: NDIS_HANDLE,
        FilterDriverCharacteristics: *mut NDIS_FILTER_DRIVER_CHARACTERISTICS,
        NdisFilterDriverHandle: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS;

    /// Detaches every module of the driver, then forgets it. IRQL PASSIVE_LEVEL.
    pub fn NdisFDeregisterFilterDriver(NdisFilterDriverHandle: NDIS_HANDLE);

    /// Hands NDIS the module's context, from the attach handler. IRQL PASSIVE_LEVEL.
    pub fn NdisFSetAttributes(
        NdisFilterHandle: NDIS_HANDLE,
        FilterModuleContext: NDIS_HANDLE,
        FilterAttributes: *mut NDIS_FILTER_ATTRIBUTES,
    ) -> NDIS_STATUS;

    /// Sends a chain to the underlying driver, which owns it until it completes. IRQL ≤
    /// DISPATCH_LEVEL.
    pub fn NdisFSendNetBufferLists(
        NdisFilterHandle: NDIS_HANDLE,
        NetBufferList: *mut NET_BUFFER_LIST,
        PortNumber: NDIS_PORT_NUMBER,
        SendFlags: u32,
    );

    /// Completes a chain to the overlying driver, which may send again before the call returns.
    /// IRQL ≤ DISPATCH_LEVEL.
    pub fn NdisFSendNetBufferListsComplete(
        NdisFilterHandle: NDIS_HANDLE,
        NetBufferList: *mut NET_BUFFER_LIST,
        SendCompleteFlags: u32,
    );

    /// Ends a pause that its handler left pending. IRQL ≤ DISPATCH_LEVEL.
    pub fn NdisFPauseComplete(NdisFilterHandle: NDIS_HANDLE);

    /// Ends a restart that its handler left pending. IRQL PASSIVE_LEVEL.
    pub fn NdisFRestartComplete(NdisFilterHandle: NDIS_HANDLE, Status: NDIS_STATUS);

    /// Indicates a status to the overlying driver. IRQL ≤ DISPATCH_LEVEL.
    pub fn NdisFIndicateStatus(
        NdisFilterHandle: NDIS_HANDLE,
        StatusIndication: *mut NDIS_STATUS_INDICATION,
    );

    /// Forwards a request to the underlying driver. IRQL ≤ DISPATCH_LEVEL.
    pub fn NdisFOidRequest(
        NdisFilterHandle: NDIS_HANDLE,
        OidRequest: *mut NDIS_OID_REQUEST,
    ) -> NDIS_STATUS;

    /// Completes a request of the overlying driver that the handler left pending. IRQL ≤
    /// DISPATCH_LEVEL.
    pub fn NdisFOidRequestComplete(
        NdisFilterHandle: NDIS_HANDLE,
        OidRequest: *mut NDIS_OID_REQUEST,
        Status: NDIS_STATUS,
    );

    /// Forwards the cancellation of a request to the underlying driver. IRQL ≤ DISPATCH_LEVEL.
    pub fn NdisFCancelOidRequest(NdisFilterHandle: NDIS_HANDLE, RequestId: *mut c_void);

    /// Forwards a network event to the overlying driver. IRQL PASSIVE_LEVEL.
    pub fn NdisFNetPnPEvent(
        NdisFilterHandle: NDIS_HANDLE,
        NetPnPEventNotification: *mut NET_PNP_EVENT_NOTIFICATION,
    ) -> NDIS_STATUS;

    /// Creates a pool; null when there is no memory. IRQL ≤ DISPATCH_LEVEL.
    pub fn NdisAllocateNetBufferListPool(
        NdisHandle: NDIS_HANDLE,
        Parameters: *const NET_BUFFER_LIST_POOL_PARAMETERS,
    ) -> NDIS_HANDLE;

    /// Frees a pool, all of whose lists must have been freed before. IRQL ≤ DISPATCH_LEVEL.
    pub fn NdisFreeNetBufferListPool(PoolHandle: NDIS_HANDLE);

    /// Takes a list with one packet from a pool made with `fAllocateNetBuffer`; null when there is
    /// no memory. IRQL ≤ DISPATCH_LEVEL.
    pub fn NdisAllocateNetBufferAndNetBufferList(
        PoolHandle: NDIS_HANDLE,
        ContextSize: u16,
        ContextBackFill: u16,
        MdlChain: *mut MDL,
        DataOffset: u32,
        DataLength: usize,
    ) -> *mut NET_BUFFER_LIST;

    /// Returns a list to its pool. IRQL ≤ DISPATCH_LEVEL.
    pub fn NdisFreeNetBufferList(NetBufferList: *mut NET_BUFFER_LIST);

    /// Makes a pool of packets without a list. IRQL ≤ DISPATCH_LEVEL.
    pub fn NdisAllocateNetBufferPool(
        NdisHandle: NDIS_HANDLE,
        Parameters: *const NET_BUFFER_POOL_PARAMETERS,
    ) -> NDIS_HANDLE;

    /// Destroys a pool to which all packets have returned. IRQL ≤ DISPATCH_LEVEL.
    pub fn NdisFreeNetBufferPool(PoolHandle: NDIS_HANDLE);

    /// Takes a packet from a pool; null when there is no memory. IRQL ≤ DISPATCH_LEVEL.
    pub fn NdisAllocateNetBuffer(
        PoolHandle: NDIS_HANDLE,
        MdlChain: *mut MDL,
        DataOffset: u32,
        DataLength: usize,
    ) -> *mut NET_BUFFER;

    /// Returns a packet to its pool. IRQL ≤ DISPATCH_LEVEL.
    pub fn NdisFreeNetBuffer(NetBuffer: *mut NET_BUFFER);

    /// Copies the out-of-band data of a send, to the extent that NDIS supports. IRQL ≤
    /// DISPATCH_LEVEL.
    pub fn NdisCopySendNetBufferListInfo(
        DestNetBufferList: *mut NET_BUFFER_LIST,
        SrcNetBufferList: *const NET_BUFFER_LIST,
    );

    /// Makes a request of our own that shares the original's buffer. IRQL ≤ DISPATCH_LEVEL.
    pub fn NdisAllocateCloneOidRequest(
        SourceHandle: NDIS_HANDLE,
        OidRequest: *mut NDIS_OID_REQUEST,
        PoolTag: u32,
        ClonedOidRequest: *mut *mut NDIS_OID_REQUEST,
    ) -> NDIS_STATUS;

    /// Frees such a request. IRQL ≤ DISPATCH_LEVEL.
    pub fn NdisFreeCloneOidRequest(SourceHandle: NDIS_HANDLE, Request: *mut NDIS_OID_REQUEST);

    /// Opens the registry parameters of a module or of the driver. IRQL PASSIVE_LEVEL.
    pub fn NdisOpenConfigurationEx(
        ConfigObject: *mut NDIS_CONFIGURATION_OBJECT,
        ConfigurationHandle: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS;

    /// Reads a parameter; the value belongs to the configuration handle. IRQL PASSIVE_LEVEL.
    pub fn NdisReadConfiguration(
        Status: *mut NDIS_STATUS,
        ParameterValue: *mut *mut NDIS_CONFIGURATION_PARAMETER,
        ConfigurationHandle: NDIS_HANDLE,
        Keyword: *mut NDIS_STRING,
        ParameterType: i32,
    );

    /// Writes a parameter. IRQL PASSIVE_LEVEL.
    pub fn NdisWriteConfiguration(
        Status: *mut NDIS_STATUS,
        ConfigurationHandle: NDIS_HANDLE,
        Keyword: *mut NDIS_STRING,
        ParameterValue: *mut NDIS_CONFIGURATION_PARAMETER,
    );

    /// Closes the parameters and frees every value read from them. IRQL PASSIVE_LEVEL.
    pub fn NdisCloseConfiguration(ConfigurationHandle: NDIS_HANDLE);

    /// Creates the control device. IRQL PASSIVE_LEVEL.
    pub fn NdisRegisterDeviceEx(
        NdisHandle: NDIS_HANDLE,
        DeviceObjectAttributes: *mut NDIS_DEVICE_OBJECT_ATTRIBUTES,
        pDeviceObject: *mut *mut DEVICE_OBJECT,
        NdisDeviceHandle: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS;

    /// Removes the control device. IRQL PASSIVE_LEVEL.
    pub fn NdisDeregisterDeviceEx(NdisDeviceHandle: NDIS_HANDLE);

    /// Returns the `ExtensionSize` zeroed bytes that NdisRegisterDeviceEx reserved with the device.
    /// Any IRQL.
    pub fn NdisGetDeviceReservedExtension(DeviceObject: *mut DEVICE_OBJECT) -> *mut c_void;

    /// Sleeps. IRQL < DISPATCH_LEVEL.
    pub fn NdisMSleep(MicrosecondsToSleep: u32);

    /// The running NDIS's version, major in the upper half and minor in the lower. IRQL ≤
    /// DISPATCH_LEVEL.
    pub fn NdisGetVersion() -> u32;

    /// Makes `TargetMdl` describe a part of `SourceMdl`; it must have room for the pages. IRQL ≤
    /// DISPATCH_LEVEL.
    pub fn IoBuildPartialMdl(
        SourceMdl: *mut MDL,
        TargetMdl: *mut MDL,
        VirtualAddress: *mut c_void,
        Length: u32,
    );

    /// Fills in the pages of an MDL that describes nonpaged memory. IRQL ≤ DISPATCH_LEVEL.
    pub fn MmBuildMdlForNonPagedPool(MemoryDescriptorList: *mut MDL);

    /// Maps an MDL's pages; null when there is no room, unless a bug check was requested. IRQL ≤
    /// DISPATCH_LEVEL for `KernelMode`, APC_LEVEL for `UserMode`.
    pub fn MmMapLockedPagesSpecifyCache(
        MemoryDescriptorList: *mut MDL,
        AccessMode: KPROCESSOR_MODE,
        CacheType: i32,
        RequestedAddress: *mut c_void,
        BugCheckOnFailure: u32,
        Priority: u32,
    ) -> *mut c_void;

    /// Undoes such a mapping. IRQL ≤ DISPATCH_LEVEL for a mapping in the system's space.
    pub fn MmUnmapLockedPages(BaseAddress: *mut c_void, MemoryDescriptorList: *mut MDL);

    /// Allocates from a pool, zeroed unless `POOL_FLAG_UNINITIALIZED`; null when there is no
    /// memory. IRQL ≤ DISPATCH_LEVEL for nonpaged memory, APC_LEVEL for paged.
    pub fn ExAllocatePool2(Flags: u64, NumberOfBytes: usize, Tag: u32) -> *mut c_void;

    /// Frees memory that was allocated with the same tag. IRQL ≤ DISPATCH_LEVEL for nonpaged
    /// memory, APC_LEVEL for paged.
    pub fn ExFreePoolWithTag(P: *mut c_void, Tag: u32);

    /// The processor's IRQL now. Any IRQL.
    pub fn KeGetCurrentIrql() -> KIRQL;

    /// Raises the IRQL and returns the old one. IRQL ≤ `NewIrql`.
    pub fn KfRaiseIrql(NewIrql: KIRQL) -> KIRQL;

    /// Lowers the IRQL to the one that [`KfRaiseIrql`] returned. IRQL ≥ `NewIrql`. An
    /// export of that name on x64; the WDK for Arm64 makes it a macro over the export `KfLowerIrql`.
    #[cfg_attr(
        all(target_arch = "aarch64", target_os = "windows"),
        link_name = "KfLowerIrql"
    )]
    pub fn KeLowerIrql(NewIrql: KIRQL);

    /// The processor that runs this: its number across all groups, and optionally its place. Any
    /// IRQL; the answer only lasts from DISPATCH_LEVEL up.
    pub fn KeGetCurrentProcessorNumberEx(ProcNumber: *mut PROCESSOR_NUMBER) -> u32;

    /// Returns the maximum number of processors. Any IRQL.
    pub fn KeQueryMaximumProcessorCountEx(GroupNumber: u16) -> u32;

    /// Returns the number of active processors. Any IRQL.
    pub fn KeQueryActiveProcessorCountEx(GroupNumber: u16) -> u32;

    /// Keeps normal kernel APCs, and so a suspension, from this thread. May be nested. IRQL ≤
    /// APC_LEVEL.
    pub fn KeEnterCriticalRegion();

    /// Undoes one call of [`KeEnterCriticalRegion`] by this thread. IRQL ≤ APC_LEVEL.
    pub fn KeLeaveCriticalRegion();

    /// Allocates an entry of the System event log for a driver or a device; null when there is no
    /// memory. It is written, which frees it, or freed. IRQL ≤ DISPATCH_LEVEL.
    pub fn IoAllocateErrorLogEntry(IoObject: *mut c_void, EntrySize: u8) -> *mut c_void;

    /// Queues an entry for the System event log, and frees it. IRQL ≤ DISPATCH_LEVEL.
    pub fn IoWriteErrorLogEntry(ElEntry: *mut c_void);

    /// Frees an entry that is not written. IRQL ≤ DISPATCH_LEVEL.
    pub fn IoFreeErrorLogEntry(ElEntry: *mut c_void);

    /// Initializes an event, signaled if `State` is not 0. Any IRQL.
    pub fn KeInitializeEvent(Event: *mut KEVENT, Type: i32, State: BOOLEAN);

    /// Signals an event; returns its previous state. IRQL ≤ DISPATCH_LEVEL if `Wait` is 0.
    pub fn KeSetEvent(Event: *mut KEVENT, Increment: i32, Wait: BOOLEAN) -> i32;

    /// Makes an event not signaled; returns its previous state. IRQL ≤ DISPATCH_LEVEL.
    pub fn KeResetEvent(Event: *mut KEVENT) -> i32;

    /// Waits until an object is signaled, or until a time has passed: in units of 100 ns, negative
    /// if relative; a null pointer is no limit. IRQL ≤ APC_LEVEL, or
    /// DISPATCH_LEVEL if `*Timeout` is 0.
    pub fn KeWaitForSingleObject(
        Object: *mut c_void,
        WaitReason: i32,
        WaitMode: KPROCESSOR_MODE,
        Alertable: BOOLEAN,
        Timeout: *mut i64,
    ) -> NTSTATUS;

    /// Makes a spin lock free. Any IRQL.
    pub fn KeInitializeSpinLock(SpinLock: *mut KSPIN_LOCK);

    /// Raises to DISPATCH_LEVEL, acquires the lock, returns the old level. IRQL ≤ DISPATCH_LEVEL.
    pub fn KeAcquireSpinLockRaiseToDpc(SpinLock: *mut KSPIN_LOCK) -> KIRQL;

    /// Releases the lock and lowers to the old level. IRQL DISPATCH_LEVEL.
    pub fn KeReleaseSpinLock(SpinLock: *mut KSPIN_LOCK, NewIrql: KIRQL);

    /// Acquires the lock at an IRQL that is already right. IRQL ≥ DISPATCH_LEVEL.
    pub fn KeAcquireSpinLockAtDpcLevel(SpinLock: *mut KSPIN_LOCK);

    /// Frees such a lock. IRQL ≥ DISPATCH_LEVEL.
    pub fn KeReleaseSpinLockFromDpcLevel(SpinLock: *mut KSPIN_LOCK);

    /// Stops the machine. Any IRQL.
    pub fn KeBugCheckEx(
        BugCheckCode: u32,
        BugCheckParameter1: usize,
        BugCheckParameter2: usize,
        BugCheckParameter3: usize,
        BugCheckParameter4: usize,
    ) -> !;

    /// Completes a request, whose status and information have been set; it may not be touched
    /// after. IRQL ≤ DISPATCH_LEVEL.
    pub fn IofCompleteRequest(Irp: *mut IRP, PriorityBoost: i8);

    /// Attaches zeroed memory to the driver object, identified by the address given here; the
    /// kernel frees it with the driver. IRQL ≤ DISPATCH_LEVEL.
    pub fn IoAllocateDriverObjectExtension(
        DriverObject: *mut DRIVER_OBJECT,
        ClientIdentificationAddress: *mut c_void,
        DriverObjectExtensionSize: u32,
        DriverObjectExtension: *mut *mut c_void,
    ) -> NTSTATUS;

    /// Finds such memory; null where there is none. IRQL ≤ DISPATCH_LEVEL.
    pub fn IoGetDriverObjectExtension(
        DriverObject: *mut DRIVER_OBJECT,
        ClientIdentificationAddress: *mut c_void,
    ) -> *mut c_void;

    /// Creates a rundown reference; null when there is no memory. IRQL ≤ APC_LEVEL.
    pub fn ExAllocateCacheAwareRundownProtection(
        PoolType: i32,
        PoolTag: u32,
    ) -> *mut EX_RUNDOWN_REF_CACHE_AWARE;

    /// Frees a rundown reference that is not held. IRQL ≤ APC_LEVEL.
    pub fn ExFreeCacheAwareRundownProtection(RunRefCacheAware: *mut EX_RUNDOWN_REF_CACHE_AWARE);

    /// Enters `Count` times at once, unless the rundown has begun. IRQL ≤ DISPATCH_LEVEL.
    pub fn ExAcquireRundownProtectionCacheAwareEx(
        RunRefCacheAware: *mut EX_RUNDOWN_REF_CACHE_AWARE,
        Count: u32,
    ) -> BOOLEAN;

    /// Leaves `Count` times at once; on any processor. IRQL ≤ DISPATCH_LEVEL.
    pub fn ExReleaseRundownProtectionCacheAwareEx(
        RunRef: *mut EX_RUNDOWN_REF_CACHE_AWARE,
        Count: u32,
    );

    /// Begins the rundown and waits until all have left. IRQL ≤ APC_LEVEL.
    pub fn ExWaitForRundownProtectionReleaseCacheAware(RunRef: *mut EX_RUNDOWN_REF_CACHE_AWARE);

    /// Makes a completed rundown reference usable again. IRQL ≤ APC_LEVEL.
    pub fn ExReInitializeRundownProtectionCacheAware(
        RunRefCacheAware: *mut EX_RUNDOWN_REF_CACHE_AWARE,
    );

    /// Marks the rundown as complete, after the wait. IRQL ≤ APC_LEVEL.
    pub fn ExRundownCompletedCacheAware(RunRefCacheAware: *mut EX_RUNDOWN_REF_CACHE_AWARE);

    /// Makes an event provider known, with a routine that hears of sessions, or without. IRQL
    /// PASSIVE_LEVEL.
    pub fn EtwRegister(
        ProviderId: *const GUID,
        EnableCallback: *const c_void,
        CallbackContext: *mut c_void,
        RegHandle: *mut REGHANDLE,
    ) -> NTSTATUS;

    /// Forgets it again. IRQL PASSIVE_LEVEL.
    pub fn EtwUnregister(RegHandle: REGHANDLE) -> NTSTATUS;

    /// Sets information about the provider in ETW; `InformationClass` selects which. IRQL
    /// PASSIVE_LEVEL.
    pub fn EtwSetInformation(
        RegHandle: REGHANDLE,
        InformationClass: i32,
        EventInformation: *const c_void,
        InformationLength: u32,
    ) -> NTSTATUS;

    /// Whether a session enables such an event. Any IRQL.
    pub fn EtwEventEnabled(
        RegHandle: REGHANDLE,
        EventDescriptor: *const EVENT_DESCRIPTOR,
    ) -> BOOLEAN;

    /// Writes an event to every session that enables it. Above APC_LEVEL, none of the data may be
    /// pageable. Any IRQL.
    pub fn EtwWriteTransfer(
        RegHandle: REGHANDLE,
        EventDescriptor: *const EVENT_DESCRIPTOR,
        ActivityId: *const GUID,
        RelatedActivityId: *const GUID,
        UserDataCount: u32,
        UserData: *const EVENT_DATA_DESCRIPTOR,
    ) -> NTSTATUS;
}
