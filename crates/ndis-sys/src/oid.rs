//! Structures that travel beside the packets: OID requests, status indications, network events.

use core::ffi::c_void;

use crate::{GUID, NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_OID, NDIS_PORT_NUMBER, NDIS_STATUS};

/// A query or a setting on its way from the overlying driver to the miniport.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_OID_REQUEST {
    pub Header: NDIS_OBJECT_HEADER,
    /// `NdisRequest…`; it determines which member of `DATA` is valid.
    pub RequestType: i32,
    pub PortNumber: NDIS_PORT_NUMBER,
    /// Seconds.
    pub Timeout: u32,
    pub RequestId: *mut c_void,
    pub RequestHandle: NDIS_HANDLE,
    pub DATA: NDIS_OID_REQUEST_DATA,
    pub NdisReserved: [u8; 128],
    pub MiniportReserved: [u8; 16],
    pub SourceReserved: [u8; 16],
    pub SupportedRevision: u8,
    pub Reserved1: u8,
    pub Reserved2: u16,
    pub SwitchId: u32,
    pub VPortId: u32,
    pub Flags: u32,
}

/// The three shapes of a request. All start with the OID, the buffer and its length.
#[repr(C)]
#[derive(Clone, Copy)]
pub union NDIS_OID_REQUEST_DATA {
    pub Oid: NDIS_OID,
    pub QUERY_INFORMATION: NDIS_OID_REQUEST_QUERY,
    pub SET_INFORMATION: NDIS_OID_REQUEST_SET,
    pub METHOD_INFORMATION: NDIS_OID_REQUEST_METHOD,
}

/// A question: `NdisRequestQueryInformation` or `NdisRequestQueryStatistics`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_OID_REQUEST_QUERY {
    pub Oid: NDIS_OID,
    pub InformationBuffer: *mut c_void,
    pub InformationBufferLength: u32,
    pub BytesWritten: u32,
    pub BytesNeeded: u32,
}

/// A setting: `NdisRequestSetInformation`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_OID_REQUEST_SET {
    pub Oid: NDIS_OID,
    pub InformationBuffer: *mut c_void,
    pub InformationBufferLength: u32,
    pub BytesRead: u32,
    pub BytesNeeded: u32,
}

/// A setting with an answer: `NdisRequestMethod`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_OID_REQUEST_METHOD {
    pub Oid: NDIS_OID,
    pub InformationBuffer: *mut c_void,
    pub InputBufferLength: u32,
    pub OutputBufferLength: u32,
    pub MethodId: u32,
    pub BytesWritten: u32,
    pub BytesRead: u32,
    pub BytesNeeded: u32,
}

/// A status indication of a miniport or a filter to the overlying drivers.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_STATUS_INDICATION {
    pub Header: NDIS_OBJECT_HEADER,
    pub SourceHandle: NDIS_HANDLE,
    pub PortNumber: NDIS_PORT_NUMBER,
    pub StatusCode: NDIS_STATUS,
    pub Flags: u32,
    pub DestinationHandle: NDIS_HANDLE,
    pub RequestId: *mut c_void,
    pub StatusBuffer: *mut c_void,
    pub StatusBufferSize: u32,
    pub Guid: GUID,
    pub NdisReserved: [*mut c_void; 4],
}

/// A network event on its way from NDIS or the overlying driver.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NET_PNP_EVENT_NOTIFICATION {
    pub Header: NDIS_OBJECT_HEADER,
    pub PortNumber: NDIS_PORT_NUMBER,
    pub NetPnPEvent: NET_PNP_EVENT,
    pub Flags: u32,
    pub SwitchId: u32,
    pub VPortId: u32,
}

/// The event itself: `NetEvent…` and its parameters.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NET_PNP_EVENT {
    pub NetEvent: i32,
    pub Buffer: *mut c_void,
    pub BufferLength: u32,
    pub NdisReserved: [usize; 4],
    pub TransportReserved: [usize; 4],
    pub TdiReserved: [usize; 4],
    pub TdiClientReserved: [usize; 4],
}

layout! {
    NDIS_OID_REQUEST: size 248, align 8 {
        Header, RequestType, PortNumber, Timeout, RequestId, RequestHandle, DATA, NdisReserved,
        MiniportReserved, SourceReserved, SupportedRevision, Reserved1, Reserved2, SwitchId,
        VPortId, Flags,
    }
    NDIS_OID_REQUEST_DATA in "_REQUEST_DATA": size 40, align 8 {
        Oid, QUERY_INFORMATION, SET_INFORMATION, METHOD_INFORMATION,
    }
    NDIS_OID_REQUEST_QUERY in "_QUERY": size 32, align 8 {
        Oid, InformationBuffer, InformationBufferLength, BytesWritten, BytesNeeded,
    }
    NDIS_OID_REQUEST_SET in "_SET": size 32, align 8 {
        Oid, InformationBuffer, InformationBufferLength, BytesRead, BytesNeeded,
    }
    NDIS_OID_REQUEST_METHOD in "_METHOD": size 40, align 8 {
        Oid, InformationBuffer, InputBufferLength, OutputBufferLength, MethodId, BytesWritten,
        BytesRead, BytesNeeded,
    }
    NDIS_STATUS_INDICATION: size 112, align 8 {
        Header, SourceHandle, PortNumber, StatusCode, Flags, DestinationHandle, RequestId,
        StatusBuffer, StatusBufferSize, Guid, NdisReserved,
    }
    NET_PNP_EVENT_NOTIFICATION: size 176, align 8 {
        Header, PortNumber, NetPnPEvent, Flags, SwitchId, VPortId,
    }
    NET_PNP_EVENT: size 152, align 8 {
        NetEvent, Buffer, BufferLength, NdisReserved, TransportReserved, TdiReserved,
        TdiClientReserved,
    }
}

constants! {
    u8 {
        NDIS_OID_REQUEST_REVISION_1 = 1;
        NDIS_OID_REQUEST_REVISION_2 = 2;
        NDIS_STATUS_INDICATION_REVISION_1 = 1;
    }
    u16 {
        NDIS_SIZEOF_OID_REQUEST_REVISION_1 = 236;
        NDIS_SIZEOF_OID_REQUEST_REVISION_2 = 248;
        NDIS_SIZEOF_STATUS_INDICATION_REVISION_1 = 112;
        NDIS_SIZEOF_NET_PNP_EVENT_NOTIFICATION_REVISION_2 = 172;
    }
    i32 {
        NdisRequestQueryInformation = 0;
        NdisRequestSetInformation = 1;
        NdisRequestQueryStatistics = 2;
        NdisRequestMethod = 12;

        NetEventSetPower = 0;
        NetEventQueryPower = 1;
        NetEventQueryRemoveDevice = 2;
        NetEventFilterPreDetach = 15;
    }
    u32 {
        OID_GEN_MAXIMUM_FRAME_SIZE = 0x0001_0106;
        OID_GEN_LINK_SPEED = 0x0001_0107;
        OID_GEN_MINIPORT_RESTART_ATTRIBUTES = 0x0001_021d;
        OID_GEN_STATISTICS = 0x0002_0106;
        OID_OFFLOAD_ENCAPSULATION = 0x0101_010a;
        OID_TCP_TASK_OFFLOAD = 0xfc01_0201;
        OID_TCP_OFFLOAD_CURRENT_CONFIG = 0xfc01_020b;
        OID_TCP_OFFLOAD_PARAMETERS = 0xfc01_020c;
        OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES = 0xfc01_020d;
    }
}

/// The revision of [`NET_PNP_EVENT_NOTIFICATION`] that has `SwitchId` and `VPortId`.
pub const NET_PNP_EVENT_NOTIFICATION_REVISION_2: u8 = 2;
