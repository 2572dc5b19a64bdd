//! The image's import table: every routine of another module that the driver calls.
//!
//! `ndis-sys` declares these routines with their signatures and without a library; here each gets
//! the library that exports it. A routine missing here fails to link, and the image checks compare
//! the finished table with this list, so that it is complete and has no superfluous entry.

#![expect(dead_code, reason = "named for the linker, not called from here")]

#[link(name = "ndis.sys", kind = "raw-dylib", modifiers = "+verbatim")]
unsafe extern "system" {
    fn NdisAllocateCloneOidRequest();
    fn NdisAllocateNetBuffer();
    fn NdisAllocateNetBufferAndNetBufferList();
    fn NdisAllocateNetBufferListPool();
    fn NdisAllocateNetBufferPool();
    fn NdisCloseConfiguration();
    fn NdisCopySendNetBufferListInfo();
    fn NdisDeregisterDeviceEx();
    fn NdisFCancelOidRequest();
    fn NdisFDeregisterFilterDriver();
    fn NdisFIndicateStatus();
    fn NdisFNetPnPEvent();
    fn NdisFOidRequest();
    fn NdisFOidRequestComplete();
    fn NdisFRegisterFilterDriver();
    fn NdisFSendNetBufferLists();
    fn NdisFSendNetBufferListsComplete();
    fn NdisFSetAttributes();
    fn NdisFreeCloneOidRequest();
    fn NdisFreeNetBuffer();
    fn NdisFreeNetBufferList();
    fn NdisFreeNetBufferListPool();
    fn NdisFreeNetBufferPool();
    fn NdisGetDeviceReservedExtension();
    fn NdisGetVersion();
    fn NdisOpenConfigurationEx();
    fn NdisReadConfiguration();
    fn NdisRegisterDeviceEx();
    fn NdisWriteConfiguration();
}

#[link(name = "ntoskrnl.exe", kind = "raw-dylib", modifiers = "+verbatim")]
unsafe extern "system" {
    fn EtwEventEnabled();
    fn EtwRegister();
    fn EtwSetInformation();
    fn EtwUnregister();
    fn EtwWriteTransfer();
    fn ExAcquireRundownProtectionCacheAwareEx();
    fn ExAllocateCacheAwareRundownProtection();
    fn ExAllocatePool2();
    fn ExFreeCacheAwareRundownProtection();
    fn ExFreePoolWithTag();
    fn ExReInitializeRundownProtectionCacheAware();
    fn ExReleaseRundownProtectionCacheAwareEx();
    fn ExRundownCompletedCacheAware();
    fn ExWaitForRundownProtectionReleaseCacheAware();
    fn IoAllocateDriverObjectExtension();
    fn IoAllocateErrorLogEntry();
    fn IoBuildPartialMdl();
    fn IoGetDriverObjectExtension();
    fn IoWriteErrorLogEntry();
    fn IofCompleteRequest();
    fn KeAcquireSpinLockRaiseToDpc();
    fn KeEnterCriticalRegion();
    fn KeGetCurrentProcessorNumberEx();
    fn KeInitializeEvent();
    fn KeInitializeSpinLock();
    fn KeLeaveCriticalRegion();
    fn KeQueryActiveProcessorCountEx();
    fn KeQueryMaximumProcessorCountEx();
    fn KeReleaseSpinLock();
    fn KeResetEvent();
    fn KeSetEvent();
    fn KeWaitForSingleObject();
    fn KfRaiseIrql();
    fn MmBuildMdlForNonPagedPool();
    fn MmMapLockedPagesSpecifyCache();
    fn MmUnmapLockedPages();
    fn memcpy();
    fn memset();
}

#[cfg(target_arch = "x86_64")]
#[link(name = "ntoskrnl.exe", kind = "raw-dylib", modifiers = "+verbatim")]
unsafe extern "system" {
    fn KeLowerIrql();
}

// The Arm64 kernel has KeLowerIrql under its older name only.
#[cfg(target_arch = "aarch64")]
#[link(name = "ntoskrnl.exe", kind = "raw-dylib", modifiers = "+verbatim")]
unsafe extern "system" {
    fn KfLowerIrql();
}

// Called by the panic handler only. The image must not import it: the linker keeps the handler only
// if something in the driver can panic, and the image checks verify that nothing can.
#[link(name = "ntoskrnl.exe", kind = "raw-dylib", modifiers = "+verbatim")]
unsafe extern "system" {
    fn KeBugCheckEx();
}
