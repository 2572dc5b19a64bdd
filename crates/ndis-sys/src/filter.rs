//! The filter driver's and the filter module's contract with NDIS: handlers and parameters.

use core::ffi::c_void;

use crate::{
    DEVICE_OBJECT, NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_OFFLOAD, NDIS_OID, NDIS_OID_REQUEST,
    NDIS_PORT_NUMBER, NDIS_STATUS, NDIS_STATUS_INDICATION, NDIS_STRING, NET_BUFFER_LIST,
    NET_IFINDEX, NET_LUID, NET_PNP_EVENT_NOTIFICATION,
};

/// Bytes reserved for a link-layer address in NDIS structures.
pub const NDIS_MAX_PHYS_ADDRESS_LENGTH: usize = 32;

/// Called once at registration, for optional services. PASSIVE_LEVEL.
pub type FILTER_SET_OPTIONS = unsafe extern "efiapi" fn(
    NdisDriverHandle: NDIS_HANDLE,
    DriverContext: NDIS_HANDLE,
) -> NDIS_STATUS;
/// Called before a restart, to change which handlers a module has. PASSIVE_LEVEL.
pub type FILTER_SET_MODULE_OPTIONS =
    unsafe extern "efiapi" fn(FilterModuleContext: NDIS_HANDLE) -> NDIS_STATUS;
/// A module is inserted into a stack. PASSIVE_LEVEL.
pub type FILTER_ATTACH = unsafe extern "efiapi" fn(
    NdisFilterHandle: NDIS_HANDLE,
    FilterDriverContext: NDIS_HANDLE,
    AttachParameters: *mut NDIS_FILTER_ATTACH_PARAMETERS,
) -> NDIS_STATUS;
/// A paused module is removed. PASSIVE_LEVEL.
pub type FILTER_DETACH = unsafe extern "efiapi" fn(FilterModuleContext: NDIS_HANDLE);
/// A paused module shall run. PASSIVE_LEVEL.
pub type FILTER_RESTART = unsafe extern "efiapi" fn(
    FilterModuleContext: NDIS_HANDLE,
    RestartParameters: *mut NDIS_FILTER_RESTART_PARAMETERS,
) -> NDIS_STATUS;
/// A running module shall stop sending. PASSIVE_LEVEL.
pub type FILTER_PAUSE = unsafe extern "efiapi" fn(
    FilterModuleContext: NDIS_HANDLE,
    PauseParameters: *mut NDIS_FILTER_PAUSE_PARAMETERS,
) -> NDIS_STATUS;
/// The overlying driver sends. Up to DISPATCH_LEVEL.
pub type FILTER_SEND_NET_BUFFER_LISTS = unsafe extern "efiapi" fn(
    FilterModuleContext: NDIS_HANDLE,
    NetBufferList: *mut NET_BUFFER_LIST,
    PortNumber: NDIS_PORT_NUMBER,
    SendFlags: u32,
);
/// The underlying driver has completed sends. Up to DISPATCH_LEVEL.
pub type FILTER_SEND_NET_BUFFER_LISTS_COMPLETE = unsafe extern "efiapi" fn(
    FilterModuleContext: NDIS_HANDLE,
    NetBufferList: *mut NET_BUFFER_LIST,
    SendCompleteFlags: u32,
);
/// The overlying driver cancels its queued sends. Up to DISPATCH_LEVEL.
pub type FILTER_CANCEL_SEND_NET_BUFFER_LISTS =
    unsafe extern "efiapi" fn(FilterModuleContext: NDIS_HANDLE, CancelId: *mut c_void);
/// The underlying driver has received. Up to DISPATCH_LEVEL.
pub type FILTER_RECEIVE_NET_BUFFER_LISTS = unsafe extern "efiapi" fn(
    FilterModuleContext: NDIS_HANDLE,
    NetBufferLists: *mut NET_BUFFER_LIST,
    PortNumber: NDIS_PORT_NUMBER,
    NumberOfNetBufferLists: u32,
    ReceiveFlags: u32,
);
/// The overlying driver returns NBLs that it received. Up to DISPATCH_LEVEL.
pub type FILTER_RETURN_NET_BUFFER_LISTS = unsafe extern "efiapi" fn(
    FilterModuleContext: NDIS_HANDLE,
    NetBufferLists: *mut NET_BUFFER_LIST,
    ReturnFlags: u32,
);
/// The overlying driver queries or sets. Up to DISPATCH_LEVEL, one at a time.
pub type FILTER_OID_REQUEST = unsafe extern "efiapi" fn(
    FilterModuleContext: NDIS_HANDLE,
    OidRequest: *mut NDIS_OID_REQUEST,
) -> NDIS_STATUS;
/// The underlying driver has completed a request. Up to DISPATCH_LEVEL.
pub type FILTER_OID_REQUEST_COMPLETE = unsafe extern "efiapi" fn(
    FilterModuleContext: NDIS_HANDLE,
    OidRequest: *mut NDIS_OID_REQUEST,
    Status: NDIS_STATUS,
);
/// The overlying driver cancels a request. Up to DISPATCH_LEVEL.
pub type FILTER_CANCEL_OID_REQUEST =
    unsafe extern "efiapi" fn(FilterModuleContext: NDIS_HANDLE, RequestId: *mut c_void);
/// A device event of the underlying adapter. PASSIVE_LEVEL.
pub type FILTER_DEVICE_PNP_EVENT_NOTIFY =
    unsafe extern "efiapi" fn(FilterModuleContext: NDIS_HANDLE, NetDevicePnPEvent: *mut c_void);
/// A network event from an overlying driver. PASSIVE_LEVEL.
pub type FILTER_NET_PNP_EVENT = unsafe extern "efiapi" fn(
    FilterModuleContext: NDIS_HANDLE,
    NetPnPEventNotification: *mut NET_PNP_EVENT_NOTIFICATION,
) -> NDIS_STATUS;
/// The underlying driver indicates a status. Up to DISPATCH_LEVEL.
pub type FILTER_STATUS = unsafe extern "efiapi" fn(
    FilterModuleContext: NDIS_HANDLE,
    StatusIndication: *mut NDIS_STATUS_INDICATION,
);
/// A request outside the serialized order. Up to DISPATCH_LEVEL.
pub type FILTER_DIRECT_OID_REQUEST = FILTER_OID_REQUEST;
/// The completion of such a request. Up to DISPATCH_LEVEL.
pub type FILTER_DIRECT_OID_REQUEST_COMPLETE = FILTER_OID_REQUEST_COMPLETE;
/// The overlying driver cancels such a request. Up to DISPATCH_LEVEL.
pub type FILTER_CANCEL_DIRECT_OID_REQUEST = FILTER_CANCEL_OID_REQUEST;
/// A request completed before the call returns. Up to DISPATCH_LEVEL.
pub type FILTER_SYNCHRONOUS_OID_REQUEST = unsafe extern "efiapi" fn(
    FilterModuleContext: NDIS_HANDLE,
    OidRequest: *mut NDIS_OID_REQUEST,
    CallContext: *mut *mut c_void,
) -> NDIS_STATUS;
/// Such a request on its way back up. Up to DISPATCH_LEVEL.
pub type FILTER_SYNCHRONOUS_OID_REQUEST_COMPLETE = unsafe extern "efiapi" fn(
    FilterModuleContext: NDIS_HANDLE,
    OidRequest: *mut NDIS_OID_REQUEST,
    Status: *mut NDIS_STATUS,
    CallContext: *mut c_void,
);

/// The characteristics that a filter driver registers: versions, names, handlers. A missing handler
/// is bypassed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_FILTER_DRIVER_CHARACTERISTICS {
    pub Header: NDIS_OBJECT_HEADER,
    pub MajorNdisVersion: u8,
    pub MinorNdisVersion: u8,
    pub MajorDriverVersion: u8,
    pub MinorDriverVersion: u8,
    pub Flags: u32,
    pub FriendlyName: NDIS_STRING,
    pub UniqueName: NDIS_STRING,
    pub ServiceName: NDIS_STRING,
    pub SetOptionsHandler: Option<FILTER_SET_OPTIONS>,
    pub SetFilterModuleOptionsHandler: Option<FILTER_SET_MODULE_OPTIONS>,
    pub AttachHandler: Option<FILTER_ATTACH>,
    pub DetachHandler: Option<FILTER_DETACH>,
    pub RestartHandler: Option<FILTER_RESTART>,
    pub PauseHandler: Option<FILTER_PAUSE>,
    pub SendNetBufferListsHandler: Option<FILTER_SEND_NET_BUFFER_LISTS>,
    pub SendNetBufferListsCompleteHandler: Option<FILTER_SEND_NET_BUFFER_LISTS_COMPLETE>,
    pub CancelSendNetBufferListsHandler: Option<FILTER_CANCEL_SEND_NET_BUFFER_LISTS>,
    pub ReceiveNetBufferListsHandler: Option<FILTER_RECEIVE_NET_BUFFER_LISTS>,
    pub ReturnNetBufferListsHandler: Option<FILTER_RETURN_NET_BUFFER_LISTS>,
    pub OidRequestHandler: Option<FILTER_OID_REQUEST>,
    pub OidRequestCompleteHandler: Option<FILTER_OID_REQUEST_COMPLETE>,
    pub CancelOidRequestHandler: Option<FILTER_CANCEL_OID_REQUEST>,
    pub DevicePnPEventNotifyHandler: Option<FILTER_DEVICE_PNP_EVENT_NOTIFY>,
    pub NetPnPEventHandler: Option<FILTER_NET_PNP_EVENT>,
    pub StatusHandler: Option<FILTER_STATUS>,
    pub DirectOidRequestHandler: Option<FILTER_DIRECT_OID_REQUEST>,
    pub DirectOidRequestCompleteHandler: Option<FILTER_DIRECT_OID_REQUEST_COMPLETE>,
    pub CancelDirectOidRequestHandler: Option<FILTER_CANCEL_DIRECT_OID_REQUEST>,
    pub SynchronousOidRequestHandler: Option<FILTER_SYNCHRONOUS_OID_REQUEST>,
    pub SynchronousOidRequestCompleteHandler: Option<FILTER_SYNCHRONOUS_OID_REQUEST_COMPLETE>,
}

/// NDIS's description of the adapter that a module is attached to.
///
/// Revision 1 ends with `Flags`, 2 with `HDSplitCurrentConfig`, 3 with `NicSwitchCapabilities`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_FILTER_ATTACH_PARAMETERS {
    pub Header: NDIS_OBJECT_HEADER,
    pub IfIndex: NET_IFINDEX,
    pub NetLuid: NET_LUID,
    pub FilterModuleGuidName: *mut NDIS_STRING,
    pub BaseMiniportIfIndex: NET_IFINDEX,
    pub BaseMiniportInstanceName: *mut NDIS_STRING,
    pub BaseMiniportName: *mut NDIS_STRING,
    pub MediaConnectState: i32,
    pub MediaDuplexState: i32,
    /// Bits per second.
    pub XmitLinkSpeed: u64,
    /// Bits per second.
    pub RcvLinkSpeed: u64,
    pub MiniportMediaType: i32,
    pub MiniportPhysicalMediaType: i32,
    pub MiniportMediaSpecificAttributes: NDIS_HANDLE,
    /// The configuration that the overlying driver will read; the module may change it in place.
    /// May be null.
    pub DefaultOffloadConfiguration: *mut NDIS_OFFLOAD,
    pub MacAddressLength: u16,
    pub CurrentMacAddress: [u8; NDIS_MAX_PHYS_ADDRESS_LENGTH],
    pub BaseMiniportNetLuid: NET_LUID,
    pub LowerIfIndex: NET_IFINDEX,
    pub LowerIfNetLuid: NET_LUID,
    pub Flags: u32,
    pub HDSplitCurrentConfig: *mut c_void,
    pub ReceiveFilterCapabilities: *mut c_void,
    pub MiniportPhysicalDeviceObject: *mut DEVICE_OBJECT,
    pub NicSwitchCapabilities: *mut c_void,
    pub BaseMiniportIfConnectorPresent: u8,
    pub SriovCapabilities: *mut c_void,
    pub NicSwitchArray: *mut c_void,
}

/// The attributes that a module sets, once, in its attach handler.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_FILTER_ATTRIBUTES {
    pub Header: NDIS_OBJECT_HEADER,
    pub Flags: u32,
}

/// The reason for a pause.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_FILTER_PAUSE_PARAMETERS {
    pub Header: NDIS_OBJECT_HEADER,
    pub Flags: u32,
    pub PauseReason: u32,
}

/// The attributes that may have changed while a module was paused.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_FILTER_RESTART_PARAMETERS {
    pub Header: NDIS_OBJECT_HEADER,
    pub MiniportMediaType: i32,
    pub MiniportPhysicalMediaType: i32,
    /// May be null.
    pub RestartAttributes: *mut NDIS_RESTART_ATTRIBUTES,
    pub LowerIfIndex: NET_IFINDEX,
    pub LowerIfNetLuid: NET_LUID,
    pub Flags: u32,
}

/// One attribute of a list, `DataLength` bytes from `Data` on.
#[repr(C, align(16))]
pub struct NDIS_RESTART_ATTRIBUTES {
    pub Next: *mut NDIS_RESTART_ATTRIBUTES,
    pub Oid: NDIS_OID,
    pub DataLength: u32,
    pub Data: [u8; 1],
}

/// The attribute `OID_GEN_MINIPORT_RESTART_ATTRIBUTES`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_RESTART_GENERAL_ATTRIBUTES {
    pub Header: NDIS_OBJECT_HEADER,
    pub MtuSize: u32,
    pub MaxXmitLinkSpeed: u64,
    pub MaxRcvLinkSpeed: u64,
    pub LookaheadSize: u32,
    pub MacOptions: u32,
    pub SupportedPacketFilters: u32,
    pub MaxMulticastListSize: u32,
    pub RecvScaleCapabilities: *mut c_void,
    pub AccessType: i32,
    pub Flags: u32,
    pub ConnectionType: i32,
    pub SupportedStatistics: u32,
    pub DataBackFillSize: u32,
    pub ContextBackFillSize: u32,
    pub SupportedOidList: *mut NDIS_OID,
    pub SupportedOidListLength: u32,
    pub MaxLookaheadSizeAccessed: u32,
}

layout! {
    NDIS_FILTER_DRIVER_CHARACTERISTICS: size 240, align 8 {
        Header, MajorNdisVersion, MinorNdisVersion, MajorDriverVersion, MinorDriverVersion, Flags,
        FriendlyName, UniqueName, ServiceName, SetOptionsHandler, SetFilterModuleOptionsHandler,
        AttachHandler, DetachHandler, RestartHandler, PauseHandler, SendNetBufferListsHandler,
        SendNetBufferListsCompleteHandler, CancelSendNetBufferListsHandler,
        ReceiveNetBufferListsHandler, ReturnNetBufferListsHandler, OidRequestHandler,
        OidRequestCompleteHandler, CancelOidRequestHandler, DevicePnPEventNotifyHandler,
        NetPnPEventHandler, StatusHandler, DirectOidRequestHandler, DirectOidRequestCompleteHandler,
        CancelDirectOidRequestHandler, SynchronousOidRequestHandler,
        SynchronousOidRequestCompleteHandler,
    }
    NDIS_FILTER_ATTACH_PARAMETERS: size 224, align 8 {
        Header, IfIndex, NetLuid, FilterModuleGuidName, BaseMiniportIfIndex,
        BaseMiniportInstanceName, BaseMiniportName, MediaConnectState, MediaDuplexState,
        XmitLinkSpeed, RcvLinkSpeed, MiniportMediaType, MiniportPhysicalMediaType,
        MiniportMediaSpecificAttributes, DefaultOffloadConfiguration, MacAddressLength,
        CurrentMacAddress, BaseMiniportNetLuid, LowerIfIndex, LowerIfNetLuid, Flags,
        HDSplitCurrentConfig, ReceiveFilterCapabilities, MiniportPhysicalDeviceObject,
        NicSwitchCapabilities, BaseMiniportIfConnectorPresent, SriovCapabilities, NicSwitchArray,
    }
    NDIS_FILTER_ATTRIBUTES: size 8, align 4 { Header, Flags }
    NDIS_FILTER_PAUSE_PARAMETERS: size 12, align 4 { Header, Flags, PauseReason }
    NDIS_FILTER_RESTART_PARAMETERS: size 48, align 8 {
        Header, MiniportMediaType, MiniportPhysicalMediaType, RestartAttributes, LowerIfIndex,
        LowerIfNetLuid, Flags,
    }
    NDIS_RESTART_ATTRIBUTES: size 32, align 16 { Next, Oid, DataLength, Data }
    NDIS_RESTART_GENERAL_ATTRIBUTES: size 88, align 8 {
        Header, MtuSize, MaxXmitLinkSpeed, MaxRcvLinkSpeed, LookaheadSize, MacOptions,
        SupportedPacketFilters, MaxMulticastListSize, RecvScaleCapabilities, AccessType, Flags,
        ConnectionType, SupportedStatistics, DataBackFillSize, ContextBackFillSize,
        SupportedOidList, SupportedOidListLength, MaxLookaheadSizeAccessed,
    }
}

constants! {
    u8 {
        NDIS_FILTER_CHARACTERISTICS_REVISION_1 = 1;
        NDIS_FILTER_CHARACTERISTICS_REVISION_2 = 2;
        NDIS_FILTER_CHARACTERISTICS_REVISION_3 = 3;
        NDIS_FILTER_ATTACH_PARAMETERS_REVISION_4 = 4;
        NDIS_FILTER_ATTRIBUTES_REVISION_1 = 1;
        NDIS_FILTER_PAUSE_PARAMETERS_REVISION_1 = 1;
        NDIS_FILTER_RESTART_PARAMETERS_REVISION_1 = 1;
        NDIS_RESTART_GENERAL_ATTRIBUTES_REVISION_2 = 2;
    }
    u16 {
        NDIS_SIZEOF_FILTER_DRIVER_CHARACTERISTICS_REVISION_1 = 200;
        NDIS_SIZEOF_FILTER_DRIVER_CHARACTERISTICS_REVISION_2 = 224;
        NDIS_SIZEOF_FILTER_DRIVER_CHARACTERISTICS_REVISION_3 = 240;
        NDIS_SIZEOF_FILTER_ATTACH_PARAMETERS_REVISION_4 = 224;
        NDIS_SIZEOF_FILTER_ATTRIBUTES_REVISION_1 = 8;
        NDIS_SIZEOF_FILTER_PAUSE_PARAMETERS_REVISION_1 = 12;
        NDIS_SIZEOF__FILTER_RESTART_PARAMETERS_REVISION_1 = 44;
        NDIS_SIZEOF_RESTART_GENERAL_ATTRIBUTES_REVISION_2 = 88;
    }
    u32 {
        NDIS_FILTER_DRIVER_SUPPORTS_L2_MTU_SIZE_CHANGE = 0x04;
    }
    i32 {
        NdisMedium802_3 = 0;
        NdisMediumLoopback = 17;
        NdisMediumIP = 19;

        NdisPhysicalMedium802_3 = 14;

        MediaConnectStateConnected = 1;

        MediaDuplexStateFull = 2;
    }
}
