//! The routines of the data path.

use std::ffi::c_void;

use ::ndis::sys::{
    self, BOOLEAN, EX_RUNDOWN_REF_CACHE_AWARE, KIRQL, MDL, NDIS_HANDLE, NDIS_PORT_NUMBER,
    NET_BUFFER_LIST, PROCESSOR_NUMBER,
};

use super::thread::PROCESSOR;

/// Keeps the chain's head. The filter sends a batch in one call, so there is one at a time.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "efiapi" fn NdisFSendNetBufferLists(
    _module: NDIS_HANDLE,
    chain: *mut NET_BUFFER_LIST,
    _port: NDIS_PORT_NUMBER,
    _flags: u32,
) {
    PROCESSOR.with(|processor| processor.sent.set(chain));
}

#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "efiapi" fn NdisFSendNetBufferListsComplete(
    _module: NDIS_HANDLE,
    chain: *mut NET_BUFFER_LIST,
    _flags: u32,
) {
    PROCESSOR.with(|processor| processor.completed.set(chain));
}

/// The slots that it is documented to copy.
const COPIED: [usize; 11] = [
    sys::TcpIpChecksumNetBufferListInfo,
    sys::IPsecOffloadV1NetBufferListInfo,
    sys::TcpLargeSendNetBufferListInfo,
    sys::Ieee8021QNetBufferListInfo,
    sys::NetBufferListCancelId,
    sys::MediaSpecificInformation,
    sys::NetBufferListProtocolId,
    sys::IPsecOffloadV2TunnelNetBufferListInfo,
    sys::IPsecOffloadV2HeaderNetBufferListInfo,
    sys::NetBufferListFilteringInfo,
    sys::VirtualSubnetInfo,
];

#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "efiapi" fn NdisCopySendNetBufferListInfo(
    to: *mut NET_BUFFER_LIST,
    from: *const NET_BUFFER_LIST,
) {
    for slot in COPIED {
        // SAFETY: the caller owns both NBLs.
        unsafe { (&mut (*to).NetBufferListInfo)[slot] = (&(*from).NetBufferListInfo)[slot] };
    }
}

/// The flags that the target inherits from the source.
const INHERITED: u16 = sys::MDL_SOURCE_IS_NONPAGED_POOL | sys::MDL_MAPPED_TO_SYSTEM_VA;

/// Header and page frame numbers, as the kernel writes them.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "efiapi" fn IoBuildPartialMdl(
    source: *mut MDL,
    target: *mut MDL,
    start: *mut c_void,
    length: u32,
) {
    let page_mask = sys::PAGE_SIZE as usize - 1;
    // SAFETY: the caller passes two MDLs, with `start` in the source, and in the target room for
    // the numbers of the pages from there on.
    unsafe {
        let in_page = start.addr() & page_mask;
        let first_page = start.wrapping_byte_sub(in_page);
        let inherited = (*source).MdlFlags & INHERITED;
        (*target).MdlFlags = sys::MDL_PARTIAL | inherited;
        (*target).Process = (*source).Process;
        (*target).StartVa = first_page;
        (*target).ByteOffset = in_page as u32;
        (*target).ByteCount = length;
        if inherited != 0 {
            let skipped = start.addr() - (*source).StartVa.addr() - (*source).ByteOffset as usize;
            (*target).MappedSystemVa = (*source).MappedSystemVa.wrapping_byte_add(skipped);
        }
        let pages_before = (first_page.addr() - (*source).StartVa.addr()) >> sys::PAGE_SHIFT;
        let pages = (in_page + length as usize + page_mask) >> sys::PAGE_SHIFT;
        let from = source.add(1).cast::<sys::PFN_NUMBER>().add(pages_before);
        let to = target.add(1).cast::<sys::PFN_NUMBER>();
        // Two at a time, as the kernel's copy does. Not by the compiler's, which by its other
        // calling convention would have this routine save all vector registers.
        for pair in 0..pages / 2 {
            let pair = pair * 2;
            let numbers = from
                .add(pair)
                .cast::<[sys::PFN_NUMBER; 2]>()
                .read_unaligned();
            to.add(pair)
                .cast::<[sys::PFN_NUMBER; 2]>()
                .write_unaligned(numbers);
        }
        if pages % 2 == 1 {
            *to.add(pages - 1) = *from.add(pages - 1);
        }
    }
}

type Rundown = *mut EX_RUNDOWN_REF_CACHE_AWARE;

#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "efiapi" fn ExAcquireRundownProtectionCacheAwareEx(
    _reference: Rundown,
    count: u32,
) -> BOOLEAN {
    PROCESSOR.with(|processor| {
        let inside = processor.inside.get() + i64::from(count);
        processor.inside.set(inside);
        u8::from(inside != 0)
    })
}

#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "efiapi" fn ExReleaseRundownProtectionCacheAwareEx(_reference: Rundown, count: u32) {
    PROCESSOR.with(|processor| {
        let inside = processor.inside.get() - i64::from(count);
        processor.inside.set(inside);
    });
}

#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "efiapi" fn KfRaiseIrql(irql: KIRQL) -> KIRQL {
    PROCESSOR.with(|processor| processor.irql.replace(irql))
}

#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "efiapi" fn KeLowerIrql(irql: KIRQL) {
    PROCESSOR.with(|processor| processor.irql.set(irql));
}

/// The group and the number in it are not filled in: the benchmark's driver does not ask for them.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "efiapi" fn KeGetCurrentProcessorNumberEx(_number: *mut PROCESSOR_NUMBER) -> u32 {
    PROCESSOR.with(|processor| processor.number.get())
}

nullndis::routines! {
    NdisFSendNetBufferLists
    NdisFSendNetBufferListsComplete
    NdisCopySendNetBufferListInfo
    IoBuildPartialMdl
    ExAcquireRundownProtectionCacheAwareEx
    ExReleaseRundownProtectionCacheAwareEx
    KfRaiseIrql
    KeLowerIrql
    KeGetCurrentProcessorNumberEx
}
