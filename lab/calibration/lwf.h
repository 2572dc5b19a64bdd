/*
 * The part of NDIS and of the kernel that lwf.c uses. The declarations follow the layouts that this
 * project asserts for its own bindings; no header file of a kit is needed. Members that the driver
 * does not use are padding. x86-64 only.
 */
#pragma once

typedef unsigned char UCHAR, BOOLEAN, KIRQL;
typedef char CCHAR;
typedef unsigned short USHORT, WCHAR;
typedef int LONG, NTSTATUS, NDIS_STATUS;
typedef unsigned int ULONG, UINT;
typedef unsigned long long ULONGLONG, SIZE_T, ULONG_PTR;
typedef void VOID, *PVOID, *NDIS_HANDLE;
typedef ULONG_PTR KSPIN_LOCK;

#define TRUE 1
#define FALSE 0
#define NULL ((void *)0)
#define OFFSET(type, field) __builtin_offsetof(type, field)
#define AT(type, field, offset) _Static_assert(OFFSET(type, field) == (offset), #type "." #field)
#define LONG_IS(type, size) _Static_assert(sizeof(type) == (size), #type)

typedef struct {
    USHORT Length, MaximumLength;
    WCHAR *Buffer;
} UNICODE_STRING;
LONG_IS(UNICODE_STRING, 16);
#define CONSTANT_STRING(text) { sizeof(text) - sizeof(WCHAR), sizeof(text), (WCHAR *)(text) }

typedef struct {
    UCHAR Type, Revision;
    USHORT Size;
} NDIS_OBJECT_HEADER;
LONG_IS(NDIS_OBJECT_HEADER, 4);

/* ---- the I/O manager ------------------------------------------------------------------------- */

typedef struct _DEVICE_OBJECT DEVICE_OBJECT;

typedef struct _IO_STACK_LOCATION {
    UCHAR MajorFunction, MinorFunction, Flags, Control;
    ULONG Pad0;
    struct { /* Parameters.DeviceIoControl */
        ULONG OutputBufferLength, Pad0;
        ULONG InputBufferLength, Pad1;
        ULONG IoControlCode, Pad2;
        PVOID Type3InputBuffer;
    } Ioctl;
    DEVICE_OBJECT *DeviceObject;
    UCHAR Rest[24];
} IO_STACK_LOCATION;
LONG_IS(IO_STACK_LOCATION, 72);
AT(IO_STACK_LOCATION, Ioctl.OutputBufferLength, 8);
AT(IO_STACK_LOCATION, Ioctl.InputBufferLength, 16);
AT(IO_STACK_LOCATION, Ioctl.IoControlCode, 24);
AT(IO_STACK_LOCATION, DeviceObject, 40);

typedef struct _IRP {
    UCHAR Pad0[24];
    PVOID SystemBuffer; /* AssociatedIrp.SystemBuffer */
    UCHAR Pad1[16];
    struct {
        NTSTATUS Status;
        ULONG Pad;
        ULONG_PTR Information;
    } IoStatus;
    UCHAR Pad2[120];
    IO_STACK_LOCATION *CurrentStackLocation; /* Tail.Overlay.CurrentStackLocation */
    UCHAR Rest[16];
} IRP;
LONG_IS(IRP, 208);
AT(IRP, SystemBuffer, 24);
AT(IRP, IoStatus, 48);
AT(IRP, CurrentStackLocation, 184);

typedef NTSTATUS DISPATCH(DEVICE_OBJECT *Device, IRP *Irp);

typedef struct _DRIVER_OBJECT {
    UCHAR Pad0[104];
    VOID (*DriverUnload)(struct _DRIVER_OBJECT *Driver);
    DISPATCH *MajorFunction[28];
} DRIVER_OBJECT;
LONG_IS(DRIVER_OBJECT, 336);
AT(DRIVER_OBJECT, DriverUnload, 104);
AT(DRIVER_OBJECT, MajorFunction, 112);

#define IRP_MJ_CREATE 0
#define IRP_MJ_CLOSE 2
#define IRP_MJ_DEVICE_CONTROL 14
#define IRP_MJ_CLEANUP 18
#define STATUS_SUCCESS 0
#define STATUS_INVALID_PARAMETER ((NTSTATUS)0xC000000D)
#define STATUS_INVALID_DEVICE_REQUEST ((NTSTATUS)0xC0000010)
#define STATUS_BUFFER_TOO_SMALL ((NTSTATUS)0xC0000023)
#define STATUS_NO_SUCH_DEVICE ((NTSTATUS)0xC000000E)

/* ---- memory ---------------------------------------------------------------------------------- */

typedef struct _MDL {
    struct _MDL *Next;
    USHORT Size, MdlFlags;
    ULONG Pad;
    PVOID Process, MappedSystemVa, StartVa;
    ULONG ByteCount, ByteOffset;
} MDL;
LONG_IS(MDL, 48);
AT(MDL, MdlFlags, 10);
AT(MDL, MappedSystemVa, 24);
AT(MDL, StartVa, 32);
AT(MDL, ByteCount, 40);
AT(MDL, ByteOffset, 44);

#define PAGE 4096
#define MDL_MAPPED_TO_SYSTEM_VA 1
#define MDL_SOURCE_IS_NONPAGED_POOL 4
#define POOL_FLAG_NON_PAGED 0x40ull
#define NormalPoolPriority 16
#define DISPATCH_LEVEL 2

/* ---- NET_BUFFER and NET_BUFFER_LIST ---------------------------------------------------------- */

typedef struct _NET_BUFFER {
    struct _NET_BUFFER *Next;
    MDL *CurrentMdl;
    ULONG CurrentMdlOffset, Pad0;
    ULONG DataLength, Pad1;
    MDL *MdlChain;
    ULONG DataOffset;
    UCHAR Rest[132];
} NET_BUFFER;
LONG_IS(NET_BUFFER, 176);
AT(NET_BUFFER, CurrentMdl, 8);
AT(NET_BUFFER, CurrentMdlOffset, 16);
AT(NET_BUFFER, DataLength, 24);
AT(NET_BUFFER, MdlChain, 32);
AT(NET_BUFFER, DataOffset, 40);

typedef struct {
    PVOID Next;
    USHORT Size, Offset;
    ULONG Pad;
    UCHAR ContextData[];
} NET_BUFFER_LIST_CONTEXT;
LONG_IS(NET_BUFFER_LIST_CONTEXT, 16);
AT(NET_BUFFER_LIST_CONTEXT, Offset, 10);

typedef struct _NBL {
    struct _NBL *Next;
    NET_BUFFER *FirstNetBuffer;
    NET_BUFFER_LIST_CONTEXT *Context;
    struct _NBL *ParentNetBufferList;
    NDIS_HANDLE NdisPoolHandle;
    UCHAR Pad0[72];
    PVOID Scratch; /* its owner's, as long as it owns it */
    NDIS_HANDLE SourceHandle;
    ULONG NblFlags;
    LONG ChildRefCount;
    ULONG Flags;
    NDIS_STATUS Status;
    PVOID Info[27]; /* NetBufferListInfo */
} NBL; /* NET_BUFFER_LIST: never copied, never embedded */
AT(NBL, NdisPoolHandle, 32);
AT(NBL, Scratch, 112);
AT(NBL, SourceHandle, 120);
AT(NBL, NblFlags, 128);
AT(NBL, ChildRefCount, 132);
AT(NBL, Status, 140);
AT(NBL, Info, 144);

enum { /* indices into Info */
    TcpIpChecksumInfo = 0,
    TcpLargeSendInfo = 2,
    ClassificationHandleInfo = 3,
    CancelId = 5,
    HashValue = 8,
    HashInfo = 9,
    MediaSpecificInformationEx = 15,
    UdpSegmentationInfo = 22,
    SendOffloadsSupplemental = 23,
};

typedef struct {
    NDIS_OBJECT_HEADER Header;
    UCHAR ProtocolId;
    BOOLEAN fAllocateNetBuffer;
    USHORT ContextSize;
    ULONG PoolTag, DataSize;
} NET_BUFFER_LIST_POOL_PARAMETERS;
LONG_IS(NET_BUFFER_LIST_POOL_PARAMETERS, 16);

#define SEND_DISPATCH_LEVEL 1
#define COMPLETE_DISPATCH_LEVEL 1
#define RETURN_DISPATCH_LEVEL 1
#define RECEIVE_DISPATCH_LEVEL 1
#define RECEIVE_RESOURCES 2

/* ---- statuses -------------------------------------------------------------------------------- */

#define NDIS_STATUS_SUCCESS 0
#define NDIS_STATUS_PENDING 0x103
#define NDIS_STATUS_FAILURE ((NDIS_STATUS)0xC0000001)
#define NDIS_STATUS_RESOURCES ((NDIS_STATUS)0xC000009A)
#define NDIS_STATUS_NOT_SUPPORTED ((NDIS_STATUS)0xC00000BB)
#define NDIS_STATUS_INVALID_PARAMETER ((NDIS_STATUS)0xC000000D)
#define NDIS_STATUS_UNSUPPORTED_MEDIA ((NDIS_STATUS)0xC0010019)
#define NDIS_STATUS_SEND_ABORTED ((NDIS_STATUS)0xC023000C)
#define NDIS_STATUS_PAUSED ((NDIS_STATUS)0xC023002A)
#define NDIS_STATUS_LINK_STATE 0x40010017
#define NDIS_STATUS_MEDIA_SPECIFIC_INDICATION 0x40010012

/* ---- OID requests, indications, events ------------------------------------------------------- */

typedef union {
    struct {
        ULONG Oid, Pad;
        PVOID InformationBuffer;
        ULONG InformationBufferLength, BytesWritten, BytesNeeded, Pad2;
    } Query;
    struct {
        ULONG Oid, Pad;
        PVOID InformationBuffer;
        ULONG InformationBufferLength, BytesRead, BytesNeeded, Pad2;
    } Set;
    struct {
        ULONG Oid, Pad;
        PVOID InformationBuffer;
        ULONG InputBufferLength, OutputBufferLength, MethodId, BytesWritten, BytesRead, BytesNeeded;
    } Method;
} OID_DATA;
LONG_IS(OID_DATA, 40);

typedef struct {
    NDIS_OBJECT_HEADER Header;
    ULONG RequestType, PortNumber, Timeout;
    PVOID RequestId;
    NDIS_HANDLE RequestHandle;
    OID_DATA Data;
    UCHAR NdisReserved[128], MiniportReserved[16];
    PVOID SourceReserved[2];
    UCHAR SupportedRevision, Reserved1;
    USHORT Reserved2;
    ULONG SwitchId, VPortId, Flags;
} NDIS_OID_REQUEST;
LONG_IS(NDIS_OID_REQUEST, 248);
AT(NDIS_OID_REQUEST, RequestId, 16);
AT(NDIS_OID_REQUEST, Data, 32);
AT(NDIS_OID_REQUEST, Data.Query.BytesWritten, 52);
AT(NDIS_OID_REQUEST, Data.Method.BytesNeeded, 68);
AT(NDIS_OID_REQUEST, SourceReserved, 216);
AT(NDIS_OID_REQUEST, SupportedRevision, 232);

enum { RequestQuery = 0, RequestSet = 1, RequestStatistics = 2, RequestMethod = 12 };
#define OID_GEN_MAXIMUM_FRAME_SIZE 0x10106
#define OID_GEN_VENDOR_DESCRIPTION 0x1010D
#define OID_GEN_MINIPORT_RESTART_ATTRIBUTES 0x1021D

typedef struct {
    NDIS_OBJECT_HEADER Header;
    ULONG Pad0;
    NDIS_HANDLE SourceHandle;
    ULONG PortNumber, StatusCode, Flags, Pad1;
    NDIS_HANDLE DestinationHandle;
    PVOID RequestId, StatusBuffer;
    ULONG StatusBufferSize;
    UCHAR Guid[16];
    ULONG Pad2;
    PVOID NdisReserved[4];
} NDIS_STATUS_INDICATION;
LONG_IS(NDIS_STATUS_INDICATION, 112);
AT(NDIS_STATUS_INDICATION, StatusCode, 20);
AT(NDIS_STATUS_INDICATION, StatusBuffer, 48);
AT(NDIS_STATUS_INDICATION, Guid, 60);
AT(NDIS_STATUS_INDICATION, NdisReserved, 80);

typedef struct {
    NDIS_OBJECT_HEADER Header;
    ULONG MediaConnectState, MediaDuplexState, Pad;
    ULONGLONG XmitLinkSpeed, RcvLinkSpeed;
    ULONG PauseFunctions, AutoNegotiationFlags;
} NDIS_LINK_STATE;
LONG_IS(NDIS_LINK_STATE, 40);
AT(NDIS_LINK_STATE, XmitLinkSpeed, 16);

typedef struct {
    NDIS_OBJECT_HEADER Header;
    ULONG PortNumber;
    ULONG NetEvent, Pad; /* the first members of NetPnPEvent */
    PVOID Buffer;
    UCHAR Rest[152];
} NET_PNP_EVENT_NOTIFICATION;
LONG_IS(NET_PNP_EVENT_NOTIFICATION, 176);
AT(NET_PNP_EVENT_NOTIFICATION, NetEvent, 8);
AT(NET_PNP_EVENT_NOTIFICATION, Buffer, 16);
typedef struct _NET_DEVICE_PNP_EVENT NET_DEVICE_PNP_EVENT;
enum { NetEventReconfigure = 4 };

/* ---- attaching, restarting, pausing, registering --------------------------------------------- */

typedef struct {
    NDIS_OBJECT_HEADER Header;
    ULONG IfIndex;
    ULONGLONG NetLuid;
    UNICODE_STRING *FilterModuleGuidName;
    ULONG BaseMiniportIfIndex, Pad;
    UNICODE_STRING *BaseMiniportInstanceName, *BaseMiniportName;
    ULONG MediaConnectState, MediaDuplexState;
    ULONGLONG XmitLinkSpeed, RcvLinkSpeed;
    ULONG MiniportMediaType, MiniportPhysicalMediaType;
} NDIS_FILTER_ATTACH_PARAMETERS; /* its beginning */
AT(NDIS_FILTER_ATTACH_PARAMETERS, FilterModuleGuidName, 16);
AT(NDIS_FILTER_ATTACH_PARAMETERS, BaseMiniportName, 40);
AT(NDIS_FILTER_ATTACH_PARAMETERS, XmitLinkSpeed, 56);
AT(NDIS_FILTER_ATTACH_PARAMETERS, MiniportMediaType, 72);
#define NdisMedium802_3 0

typedef struct _NDIS_RESTART_ATTRIBUTES {
    struct _NDIS_RESTART_ATTRIBUTES *Next;
    ULONG Oid, DataLength;
    UCHAR Data[16];
} NDIS_RESTART_ATTRIBUTES;
AT(NDIS_RESTART_ATTRIBUTES, Data, 16);

typedef struct {
    NDIS_OBJECT_HEADER Header;
    ULONG MtuSize;
    ULONGLONG MaxXmitLinkSpeed, MaxRcvLinkSpeed;
} NDIS_RESTART_GENERAL_ATTRIBUTES; /* its beginning */
AT(NDIS_RESTART_GENERAL_ATTRIBUTES, MtuSize, 4);
AT(NDIS_RESTART_GENERAL_ATTRIBUTES, MaxXmitLinkSpeed, 8);

typedef struct {
    NDIS_OBJECT_HEADER Header;
    ULONG MiniportMediaType, MiniportPhysicalMediaType, Pad0;
    NDIS_RESTART_ATTRIBUTES *RestartAttributes;
    ULONG LowerIfIndex, Pad1;
    ULONGLONG LowerIfNetLuid;
    ULONG Flags, Pad2;
} NDIS_FILTER_RESTART_PARAMETERS;
LONG_IS(NDIS_FILTER_RESTART_PARAMETERS, 48);
AT(NDIS_FILTER_RESTART_PARAMETERS, RestartAttributes, 16);

typedef struct {
    NDIS_OBJECT_HEADER Header;
    ULONG Flags;
} NDIS_FILTER_ATTRIBUTES;
LONG_IS(NDIS_FILTER_ATTRIBUTES, 8);

typedef NDIS_STATUS FILTER_ATTACH(NDIS_HANDLE, NDIS_HANDLE, NDIS_FILTER_ATTACH_PARAMETERS *);
typedef VOID FILTER_DETACH(NDIS_HANDLE);
typedef NDIS_STATUS FILTER_RESTART(NDIS_HANDLE, NDIS_FILTER_RESTART_PARAMETERS *);
typedef NDIS_STATUS FILTER_PAUSE(NDIS_HANDLE, PVOID);
typedef VOID FILTER_SEND(NDIS_HANDLE, NBL *, ULONG Port, ULONG Flags);
typedef VOID FILTER_SEND_COMPLETE(NDIS_HANDLE, NBL *, ULONG Flags);
typedef VOID FILTER_CANCEL(NDIS_HANDLE, PVOID Id);
typedef VOID FILTER_RECEIVE(NDIS_HANDLE, NBL *, ULONG Port, ULONG Count, ULONG Flags);
typedef VOID FILTER_RETURN(NDIS_HANDLE, NBL *, ULONG Flags);
typedef NDIS_STATUS FILTER_OID_REQUEST(NDIS_HANDLE, NDIS_OID_REQUEST *);
typedef VOID FILTER_OID_REQUEST_COMPLETE(NDIS_HANDLE, NDIS_OID_REQUEST *, NDIS_STATUS);
typedef VOID FILTER_DEVICE_PNP_EVENT(NDIS_HANDLE, NET_DEVICE_PNP_EVENT *);
typedef NDIS_STATUS FILTER_NET_PNP_EVENT(NDIS_HANDLE, NET_PNP_EVENT_NOTIFICATION *);
typedef VOID FILTER_STATUS(NDIS_HANDLE, NDIS_STATUS_INDICATION *);

typedef struct {
    NDIS_OBJECT_HEADER Header;
    UCHAR MajorNdisVersion, MinorNdisVersion, MajorDriverVersion, MinorDriverVersion;
    ULONG Flags, Pad;
    UNICODE_STRING FriendlyName, UniqueName, ServiceName;
    PVOID SetOptionsHandler, SetFilterModuleOptionsHandler;
    FILTER_ATTACH *AttachHandler;
    FILTER_DETACH *DetachHandler;
    FILTER_RESTART *RestartHandler;
    FILTER_PAUSE *PauseHandler;
    FILTER_SEND *SendHandler;
    FILTER_SEND_COMPLETE *SendCompleteHandler;
    FILTER_CANCEL *CancelSendHandler;
    FILTER_RECEIVE *ReceiveHandler;
    FILTER_RETURN *ReturnHandler;
    FILTER_OID_REQUEST *OidRequestHandler;
    FILTER_OID_REQUEST_COMPLETE *OidRequestCompleteHandler;
    FILTER_CANCEL *CancelOidRequestHandler;
    FILTER_DEVICE_PNP_EVENT *DevicePnPEventHandler;
    FILTER_NET_PNP_EVENT *NetPnPEventHandler;
    FILTER_STATUS *StatusHandler;
    PVOID DirectOidHandlers[3];      /* revision 2 and later */
    PVOID SynchronousOidHandlers[2]; /* revision 3 */
} NDIS_FILTER_DRIVER_CHARACTERISTICS;
LONG_IS(NDIS_FILTER_DRIVER_CHARACTERISTICS, 240);
AT(NDIS_FILTER_DRIVER_CHARACTERISTICS, FriendlyName, 16);
AT(NDIS_FILTER_DRIVER_CHARACTERISTICS, AttachHandler, 80);
AT(NDIS_FILTER_DRIVER_CHARACTERISTICS, SendHandler, 112);
AT(NDIS_FILTER_DRIVER_CHARACTERISTICS, ReturnHandler, 144);
AT(NDIS_FILTER_DRIVER_CHARACTERISTICS, StatusHandler, 192);
AT(NDIS_FILTER_DRIVER_CHARACTERISTICS, DirectOidHandlers, 200);
AT(NDIS_FILTER_DRIVER_CHARACTERISTICS, SynchronousOidHandlers, 224);

/* ---- configuration and device ---------------------------------------------------------------- */

typedef struct {
    NDIS_OBJECT_HEADER Header;
    ULONG Pad;
    NDIS_HANDLE NdisHandle;
    ULONG Flags;
} NDIS_CONFIGURATION_OBJECT;
LONG_IS(NDIS_CONFIGURATION_OBJECT, 24);

typedef struct {
    ULONG ParameterType, Pad;
    union {
        ULONG IntegerData;
        UNICODE_STRING StringData;
    };
} NDIS_CONFIGURATION_PARAMETER;
LONG_IS(NDIS_CONFIGURATION_PARAMETER, 24);
enum { ParameterInteger = 0, ParameterString = 2 };

typedef struct {
    NDIS_OBJECT_HEADER Header;
    ULONG Pad0;
    UNICODE_STRING *DeviceName, *SymbolicName;
    DISPATCH **MajorFunctions;
    ULONG ExtensionSize, Pad1;
    UNICODE_STRING *DefaultSDDLString;
    PVOID DeviceClassGuid;
} NDIS_DEVICE_OBJECT_ATTRIBUTES;
LONG_IS(NDIS_DEVICE_OBJECT_ATTRIBUTES, 56);
AT(NDIS_DEVICE_OBJECT_ATTRIBUTES, MajorFunctions, 24);
AT(NDIS_DEVICE_OBJECT_ATTRIBUTES, DefaultSDDLString, 40);

typedef struct {
    ULONGLONG Event[3];
} NDIS_EVENT;
LONG_IS(NDIS_EVENT, 24);

typedef VOID NDIS_WORK(PVOID Context, NDIS_HANDLE Item);
typedef VOID NDIS_TIMER(PVOID, PVOID Context, PVOID, PVOID);

typedef struct {
    NDIS_OBJECT_HEADER Header;
    ULONG AllocationTag;
    NDIS_TIMER *TimerFunction;
    PVOID FunctionContext;
} NDIS_TIMER_CHARACTERISTICS;
LONG_IS(NDIS_TIMER_CHARACTERISTICS, 24);

#define HEADER(type, revision, size) { (type), (revision), (size) }
#define OF_CHARACTERISTICS 0x8B
#define OF_ATTRIBUTES HEADER(0x8D, 1, 8)
#define OF_POOL HEADER(0x80, 1, 16)
#define OF_OID_REQUEST HEADER(0x96, 1, 236)
#define OF_STATUS HEADER(0x98, 1, 112)
#define OF_CONFIGURATION HEADER(0xA9, 1, 20)
#define OF_TIMER HEADER(0x97, 1, 24)
#define OF_DEVICE HEADER(0x85, 1, 56)

/* ---- routines -------------------------------------------------------------------------------- */

#define IMPORT __declspec(dllimport)

IMPORT NDIS_STATUS NdisFRegisterFilterDriver(DRIVER_OBJECT *, NDIS_HANDLE Context,
                                             NDIS_FILTER_DRIVER_CHARACTERISTICS *, NDIS_HANDLE *);
IMPORT VOID NdisFDeregisterFilterDriver(NDIS_HANDLE);
IMPORT NDIS_STATUS NdisFSetAttributes(NDIS_HANDLE, NDIS_HANDLE Context, NDIS_FILTER_ATTRIBUTES *);
IMPORT VOID NdisFPauseComplete(NDIS_HANDLE);
IMPORT VOID NdisFRestartComplete(NDIS_HANDLE, NDIS_STATUS);
IMPORT NDIS_STATUS NdisFRestartFilter(NDIS_HANDLE);
IMPORT VOID NdisFSendNetBufferLists(NDIS_HANDLE, NBL *, ULONG Port, ULONG Flags);
IMPORT VOID NdisFSendNetBufferListsComplete(NDIS_HANDLE, NBL *, ULONG Flags);
IMPORT VOID NdisFCancelSendNetBufferLists(NDIS_HANDLE, PVOID Id);
IMPORT VOID NdisFIndicateReceiveNetBufferLists(NDIS_HANDLE, NBL *, ULONG Port, ULONG Count, ULONG Flags);
IMPORT VOID NdisFReturnNetBufferLists(NDIS_HANDLE, NBL *, ULONG Flags);
IMPORT NDIS_STATUS NdisAllocateCloneOidRequest(NDIS_HANDLE, NDIS_OID_REQUEST *, UINT Tag, NDIS_OID_REQUEST **);
IMPORT VOID NdisFreeCloneOidRequest(NDIS_HANDLE, NDIS_OID_REQUEST *);
IMPORT NDIS_STATUS NdisFOidRequest(NDIS_HANDLE, NDIS_OID_REQUEST *);
IMPORT VOID NdisFOidRequestComplete(NDIS_HANDLE, NDIS_OID_REQUEST *, NDIS_STATUS);
IMPORT VOID NdisFCancelOidRequest(NDIS_HANDLE, PVOID Id);
IMPORT VOID NdisFIndicateStatus(NDIS_HANDLE, NDIS_STATUS_INDICATION *);
IMPORT NDIS_STATUS NdisFNetPnPEvent(NDIS_HANDLE, NET_PNP_EVENT_NOTIFICATION *);
IMPORT VOID NdisFDevicePnPEventNotify(NDIS_HANDLE, NET_DEVICE_PNP_EVENT *);
IMPORT NDIS_HANDLE NdisAllocateNetBufferListPool(NDIS_HANDLE, const NET_BUFFER_LIST_POOL_PARAMETERS *);
IMPORT VOID NdisFreeNetBufferListPool(NDIS_HANDLE);
IMPORT VOID NdisFreeNetBufferPool(NDIS_HANDLE);
IMPORT NBL *NdisAllocateNetBufferList(NDIS_HANDLE, USHORT ContextSize, USHORT BackFill);
IMPORT NBL *NdisAllocateNetBufferAndNetBufferList(NDIS_HANDLE, USHORT ContextSize, USHORT BackFill, MDL *,
                                                  ULONG Offset, SIZE_T Length);
IMPORT VOID NdisFreeNetBufferList(NBL *);
IMPORT VOID NdisCopySendNetBufferListInfo(NBL *To, const NBL *From);
IMPORT PVOID NdisAllocateMemoryWithTagPriority(NDIS_HANDLE, UINT Length, ULONG Tag, LONG Priority);
IMPORT VOID NdisFreeMemory(PVOID, UINT Length, UINT Flags);
IMPORT VOID NdisInitializeEvent(NDIS_EVENT *);
IMPORT VOID NdisSetEvent(NDIS_EVENT *);
IMPORT VOID NdisResetEvent(NDIS_EVENT *);
IMPORT BOOLEAN NdisWaitEvent(NDIS_EVENT *, UINT Milliseconds);
IMPORT VOID NdisMSleep(ULONG Microseconds);
IMPORT VOID KeStallExecutionProcessor(ULONG Microseconds);
IMPORT NDIS_HANDLE NdisAllocateIoWorkItem(NDIS_HANDLE);
IMPORT VOID NdisQueueIoWorkItem(NDIS_HANDLE, NDIS_WORK *, PVOID Context);
IMPORT VOID NdisFreeIoWorkItem(NDIS_HANDLE);
IMPORT NDIS_STATUS NdisAllocateTimerObject(NDIS_HANDLE, NDIS_TIMER_CHARACTERISTICS *, NDIS_HANDLE *);
IMPORT BOOLEAN NdisSetTimerObject(NDIS_HANDLE, long long Due, ULONG Period, PVOID Context);
IMPORT BOOLEAN NdisCancelTimerObject(NDIS_HANDLE);
IMPORT VOID NdisFreeTimerObject(NDIS_HANDLE);
IMPORT NDIS_STATUS NdisOpenConfigurationEx(NDIS_CONFIGURATION_OBJECT *, NDIS_HANDLE *);
IMPORT VOID NdisReadConfiguration(NDIS_STATUS *, NDIS_CONFIGURATION_PARAMETER **, NDIS_HANDLE, UNICODE_STRING *,
                                  ULONG Type);
IMPORT VOID NdisCloseConfiguration(NDIS_HANDLE);
IMPORT NDIS_STATUS NdisRegisterDeviceEx(NDIS_HANDLE, NDIS_DEVICE_OBJECT_ATTRIBUTES *, DEVICE_OBJECT **,
                                        NDIS_HANDLE *);
IMPORT VOID NdisDeregisterDeviceEx(NDIS_HANDLE);
IMPORT PVOID ExAllocatePool2(ULONGLONG Flags, SIZE_T Size, ULONG Tag);
IMPORT VOID ExFreePoolWithTag(PVOID, ULONG Tag);
IMPORT PVOID MmMapLockedPagesSpecifyCache(MDL *, CCHAR Mode, LONG Cache, PVOID, ULONG BugCheck, ULONG Priority);
IMPORT VOID MmBuildMdlForNonPagedPool(MDL *);
IMPORT VOID KeInitializeSpinLock(KSPIN_LOCK *);
IMPORT KIRQL KeAcquireSpinLockRaiseToDpc(KSPIN_LOCK *);
IMPORT VOID KeReleaseSpinLock(KSPIN_LOCK *, KIRQL);
IMPORT VOID KeAcquireSpinLockAtDpcLevel(KSPIN_LOCK *);
IMPORT VOID KeReleaseSpinLockFromDpcLevel(KSPIN_LOCK *);
IMPORT KIRQL KeGetCurrentIrql(void);
IMPORT KIRQL KfRaiseIrql(KIRQL);
IMPORT VOID KeLowerIrql(KIRQL);
IMPORT VOID IofCompleteRequest(IRP *, CCHAR Boost);
IMPORT NTSTATUS IoCreateDevice(DRIVER_OBJECT *, ULONG Extension, UNICODE_STRING *, ULONG Type, ULONG, BOOLEAN,
                               DEVICE_OBJECT **);
IMPORT VOID IoDeleteDevice(DEVICE_OBJECT *);
IMPORT NTSTATUS IoCreateSymbolicLink(UNICODE_STRING *, UNICODE_STRING *);
IMPORT NTSTATUS IoDeleteSymbolicLink(UNICODE_STRING *);
IMPORT VOID IoAcquireCancelSpinLock(KIRQL *);
IMPORT VOID IoReleaseCancelSpinLock(KIRQL);
IMPORT PVOID memcpy(PVOID, const void *, SIZE_T);
IMPORT PVOID memset(PVOID, int, SIZE_T);
IMPORT int memcmp(const void *, const void *, SIZE_T);

/* Address of an MDL's bytes, or NULL: what the header's inline routine does. */
static inline UCHAR *MdlAddress(MDL *Mdl)
{
    if (Mdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL))
        return Mdl->MappedSystemVa;
    /* KernelMode, MmCached, NormalPagePriority | MdlMappingNoExecute */
    return MmMapLockedPagesSpecifyCache(Mdl, 0, 1, NULL, FALSE, 16 | 0x40000000);
}

/* Makes an MDL of `Length` bytes at `Start`, which lie in at most two pages. */
static inline VOID MdlInitialize(MDL *Mdl, PVOID Start, ULONG Length)
{
    Mdl->Next = NULL;
    Mdl->Size = sizeof(MDL) + 2 * sizeof(PVOID);
    Mdl->MdlFlags = 0;
    Mdl->StartVa = (PVOID)((ULONG_PTR)Start & ~(ULONG_PTR)(PAGE - 1));
    Mdl->ByteOffset = (ULONG)((ULONG_PTR)Start & (PAGE - 1));
    Mdl->ByteCount = Length;
}
