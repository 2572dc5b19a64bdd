//! The image's import table: every routine of another module that the driver calls.
//!
//! `ndis::sys` declares these routines with their signatures and without a library; here each gets
//! the library that exports it. What is missing here fails to link; what is here and not used is
//! left out of the image. The image checks hold the finished table against this list.

#![expect(dead_code, reason = "named for the linker, not called from here")]

#[link(name = "ndis.sys", kind = "raw-dylib", modifiers = "+verbatim")]
unsafe extern "system" {
    fn NdisAllocateNetBufferAndNetBufferList();
    fn NdisAllocateNetBufferListPool();
    fn NdisCloseConfiguration();
    fn NdisCopySendNetBufferListInfo();
    fn NdisFDeregisterFilterDriver();
    fn NdisFRegisterFilterDriver();
    fn NdisFSendNetBufferLists();
    fn NdisFSendNetBufferListsComplete();
    fn NdisFSetAttributes();
    fn NdisFreeNetBufferList();
    fn NdisFreeNetBufferListPool();
    fn NdisGetVersion();
    fn NdisOpenConfigurationEx();
    fn NdisReadConfiguration();
}

#[link(name = "ntoskrnl.exe", kind = "raw-dylib", modifiers = "+verbatim")]
unsafe extern "system" {
    fn ExAcquireRundownProtectionCacheAwareEx();
    fn ExAllocateCacheAwareRundownProtection();
    fn ExAllocatePool2();
    fn ExFreeCacheAwareRundownProtection();
    fn ExFreePoolWithTag();
    fn ExReInitializeRundownProtectionCacheAware();
    fn ExReleaseRundownProtectionCacheAwareEx();
    fn ExWaitForRundownProtectionReleaseCacheAware();
    fn IoAllocateDriverObjectExtension();
    fn IoBuildPartialMdl();
    fn IoGetDriverObjectExtension();
    fn KeBugCheckEx();
    fn KeGetCurrentProcessorNumberEx();
    fn KeQueryActiveProcessorCountEx();
    fn KeQueryMaximumProcessorCountEx();
    fn KfRaiseIrql();
    fn MmBuildMdlForNonPagedPool();
    fn MmMapLockedPagesSpecifyCache();
    fn MmUnmapLockedPages();
    fn memcmp();
    fn memcpy();
    fn memmove();
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
