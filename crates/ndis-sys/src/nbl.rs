//! NET_BUFFER_LIST and NET_BUFFER, the packets, and the pools they come from.

use core::ffi::c_void;

use crate::{
    MDL, NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_STATUS, PHYSICAL_ADDRESS, oob::MaxNetBufferListInfo,
};

/// One packet: a window of `DataLength` bytes, `DataOffset` bytes into a chain of MDLs.
///
/// `CurrentMdl` and `CurrentMdlOffset` describe the same window relative to the MDL it starts in.
#[repr(C, align(16))]
pub struct NET_BUFFER {
    pub Next: *mut NET_BUFFER,
    pub CurrentMdl: *mut MDL,
    pub CurrentMdlOffset: u32,
    pub _pad0: u32,
    pub DataLength: u32,
    /// Upper half of the length seen as one 64-bit number; zero.
    pub DataLengthHigh: u32,
    pub MdlChain: *mut MDL,
    pub DataOffset: u32,
    /// The end of the header of an interlocked list, in the union of the C declaration.
    pub _pad1: u32,
    pub ChecksumBias: u16,
    pub Reserved: u16,
    pub NdisPoolHandle: NDIS_HANDLE,
    pub NdisReserved: [*mut c_void; 2],
    pub ProtocolReserved: [*mut c_void; 6],
    pub MiniportReserved: [*mut c_void; 4],
    pub DataPhysicalAddress: PHYSICAL_ADDRESS,
    /// Or the description of shared memory, for a miniport that allocates it.
    pub ScatterGatherList: *mut c_void,
}

/// Packets that travel together: a list of NET_BUFFERs with one set of out-of-band data.
///
/// Not `Copy`, and never to be built from parts: ndis.sys keeps more behind the slots than these
/// headers declare.
#[repr(C, align(16))]
pub struct NET_BUFFER_LIST {
    pub Next: *mut NET_BUFFER_LIST,
    pub FirstNetBuffer: *mut NET_BUFFER,
    pub Context: *mut NET_BUFFER_LIST_CONTEXT,
    pub ParentNetBufferList: *mut NET_BUFFER_LIST,
    pub NdisPoolHandle: NDIS_HANDLE,
    pub _pad0: [u8; 8],
    pub NdisReserved: [*mut c_void; 2],
    pub ProtocolReserved: [*mut c_void; 4],
    pub MiniportReserved: [*mut c_void; 2],
    pub Scratch: *mut c_void,
    /// The originator of the list, which completes it.
    pub SourceHandle: NDIS_HANDLE,
    /// `NDIS_NBL_FLAGS_…`, which travel with the list.
    pub NblFlags: u32,
    pub ChildRefCount: i32,
    /// `NBL_FLAGS_…`, private to the list's owner.
    pub Flags: u32,
    pub Status: NDIS_STATUS,
    /// Out-of-band data, indexed by the slot numbers of `_NDIS_NET_BUFFER_LIST_INFO`.
    pub NetBufferListInfo: [*mut c_void; MaxNetBufferListInfo],
}

/// A region of private data of one driver, attached to a NET_BUFFER_LIST.
///
/// The driver's bytes start `Offset` bytes into `ContextData` and end at `Size`.
#[repr(C, align(16))]
pub struct NET_BUFFER_LIST_CONTEXT {
    pub Next: *mut NET_BUFFER_LIST_CONTEXT,
    pub Size: u16,
    pub Offset: u16,
    pub _pad0: u32,
    pub ContextData: [u8; 0],
}

/// The properties of a pool of NET_BUFFER_LISTs.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NET_BUFFER_LIST_POOL_PARAMETERS {
    pub Header: NDIS_OBJECT_HEADER,
    pub ProtocolId: u8,
    pub fAllocateNetBuffer: u8,
    pub ContextSize: u16,
    pub PoolTag: u32,
    pub DataSize: u32,
}

/// The properties of a pool of NET_BUFFERs.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NET_BUFFER_POOL_PARAMETERS {
    pub Header: NDIS_OBJECT_HEADER,
    pub PoolTag: u32,
    pub DataSize: u32,
}

layout! {
    NET_BUFFER: size 176, align 16 {
        Next = Link NetBufferHeader, CurrentMdl, CurrentMdlOffset, DataLength = stDataLength,
        DataLengthHigh = stDataLength, MdlChain, DataOffset, ChecksumBias, Reserved, NdisPoolHandle,
        NdisReserved, ProtocolReserved, MiniportReserved, DataPhysicalAddress,
        ScatterGatherList = SharedMemoryInfo,
    }
    NET_BUFFER_LIST: size 368, align 16 {
        Next = Link NetBufferListHeader, FirstNetBuffer, Context, ParentNetBufferList,
        NdisPoolHandle, NdisReserved, ProtocolReserved, MiniportReserved, Scratch, SourceHandle,
        NblFlags, ChildRefCount, Flags, Status = NdisReserved2, NetBufferListInfo,
    }
    NET_BUFFER_LIST_CONTEXT: size 16, align 16 { Next, Size, Offset, ContextData }
    NET_BUFFER_LIST_POOL_PARAMETERS: size 16, align 4 {
        Header, ProtocolId, fAllocateNetBuffer, ContextSize, PoolTag, DataSize,
    }
    NET_BUFFER_POOL_PARAMETERS: size 12, align 4 { Header, PoolTag, DataSize }
}

constants! {
    u32 {
        NDIS_NBL_FLAGS_SEND_READ_ONLY = 0x0000_0001;
        NDIS_NBL_FLAGS_IS_IPV4 = 0x0000_0200;
        NDIS_NBL_FLAGS_IS_IPV6 = 0x0000_0400;
        NDIS_NBL_FLAGS_IS_TCP = 0x0000_0800;
        NDIS_NBL_FLAGS_IS_UDP = 0x0000_1000;
        NDIS_NBL_FLAGS_IS_LOOPBACK_PACKET = 0x0000_8000;
        NDIS_NBL_FLAGS_CAPTURE_TIMESTAMP_ON_TRANSMIT = 0x0001_0000;

        NDIS_SEND_FLAGS_DISPATCH_LEVEL = 0x01;
        NDIS_SEND_FLAGS_CHECK_FOR_LOOPBACK = 0x02;

        NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL = 0x01;
    }
    u8 {
        NDIS_PROTOCOL_ID_DEFAULT = 0x00;
        NDIS_PROTOCOL_ID_MASK = 0x0f;
    }
    u16 {
        NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1 = 16;
        NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1 = 12;
    }
}

/// The revision of [`NET_BUFFER_LIST_POOL_PARAMETERS`].
pub const NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1: u8 = 1;
/// The revision of [`NET_BUFFER_POOL_PARAMETERS`].
pub const NET_BUFFER_POOL_PARAMETERS_REVISION_1: u8 = 1;
