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
        Next @ 0: 8,
        Size @ 8: 2,
        MdlFlags @ 10: 2,
        Process @ 16: 8,
        MappedSystemVa @ 24: 8,
        StartVa @ 32: 8,
        ByteCount @ 40: 4,
        ByteOffset @ 44: 4,
    }
}

constants! {
    u16 {
        MDL_MAPPED_TO_SYSTEM_VA = 0x0001;
        MDL_PAGES_LOCKED = 0x0002;
        MDL_SOURCE_IS_NONPAGED_POOL = 0x0004;
        MDL_ALLOCATED_FIXED_SIZE = 0x0008;
        MDL_PARTIAL = 0x0010;
        MDL_PARTIAL_HAS_BEEN_MAPPED = 0x0020;
        MDL_IO_PAGE_READ = 0x0040;
        MDL_WRITE_OPERATION = 0x0080;
        MDL_LOCKED_PAGE_TABLES = 0x0100;
        MDL_PARENT_MAPPED_SYSTEM_VA = 0x0100;
        MDL_FREE_EXTRA_PTES = 0x0200;
        MDL_DESCRIBES_AWE = 0x0400;
        MDL_IO_SPACE = 0x0800;
        MDL_NETWORK_HEADER = 0x1000;
        MDL_MAPPING_CAN_FAIL = 0x2000;
        MDL_PAGE_CONTENTS_INVARIANT = 0x4000;
        MDL_INTERNAL = 0x8000;
    }
    u32 {
        // Added to a page priority when pages are mapped.
        MdlMappingNoWrite = 0x8000_0000;
        MdlMappingNoExecute = 0x4000_0000;
        MdlMappingWithGuardPtes = 0x2000_0000;
        LowPagePriority = 0;
        NormalPagePriority = 16;
        HighPagePriority = 32;
    }
    i32 {
        MmNonCached = 0;
        MmCached = 1;
        MmWriteCombined = 2;
    }
}
