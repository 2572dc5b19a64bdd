//! The memory descriptor list: which pages a buffer lies on, and where they are mapped.

use core::ffi::c_void;

/// One buffer of a chain; an array of page frame numbers follows it in memory.
///
/// Not `Copy`: a copy would leave that array behind.
#[repr(C)]
pub struct MDL {
    pub Next: *mut MDL,
    /// Bytes of this structure and its page frame array together.
    pub Size: i16,
    pub MdlFlags: u16,
    pub Process: *mut c_void,
    /// Valid while `MdlFlags` has one of `MDL_MAPPED_TO_SYSTEM_VA`,
    /// `MDL_SOURCE_IS_NONPAGED_POOL`.
    pub MappedSystemVa: *mut c_void,
    /// The page the buffer starts on.
    pub StartVa: *mut c_void,
    pub ByteCount: u32,
    /// The offset of the buffer in its first page.
    pub ByteOffset: u32,
}

layout! {
    MDL: size 48, align 8 {
        Next, Size, MdlFlags, Process, MappedSystemVa, StartVa, ByteCount, ByteOffset,
    }
}

constants! {
    u16 {
        MDL_MAPPED_TO_SYSTEM_VA = 0x0001;
        MDL_PAGES_LOCKED = 0x0002;
        MDL_SOURCE_IS_NONPAGED_POOL = 0x0004;
        MDL_PARTIAL = 0x0010;
        MDL_PARTIAL_HAS_BEEN_MAPPED = 0x0020;
    }
    u32 {
        // Added to a page priority when pages are mapped.
        MdlMappingNoExecute = 0x4000_0000;
        NormalPagePriority = 16;
    }
    i32 {
        MmCached = 1;
    }
}
