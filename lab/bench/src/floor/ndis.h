/* The structures and routines of NDIS and the kernel that the floor needs, for 64-bit systems, after
 * Microsoft's documentation of nbl.h, ndis.h and wdm.h. */
#ifndef NDIS_H
#define NDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Windows' calling convention, in which the null NDIS is called as well. */
#ifdef __x86_64__
#define NTAPI __attribute__((ms_abi))
#else
#define NTAPI
#endif

typedef struct MDL {
    struct MDL *Next;
    int16_t Size;
    uint16_t MdlFlags;
    void *Process;
    char *MappedSystemVa;
    char *StartVa;
    uint32_t ByteCount;
    uint32_t ByteOffset;
} MDL;

typedef struct NET_BUFFER {
    struct NET_BUFFER *Next;
    MDL *CurrentMdl;
    uint32_t CurrentMdlOffset;
    uint32_t Padding;
    uint32_t DataLength;
    uint32_t DataLengthHigh;
    MDL *MdlChain;
    uint32_t DataOffset;
} NET_BUFFER;

typedef struct NET_BUFFER_LIST_CONTEXT {
    struct NET_BUFFER_LIST_CONTEXT *Next;
    uint16_t Size;
    uint16_t Offset;
    _Alignas(16) uint8_t ContextData[];
} NET_BUFFER_LIST_CONTEXT;

/* Slots of NetBufferListInfo. */
enum {
    TcpLargeSend = 2,
    Classification = 3,
    HashValue = 8,
    HashInfo = 9,
    Wfp = 10,
    FilteringInfo = 14,
    MediaSpecificEx = 15,
    UdpSegmentation = 22,
    GftInformation = 24,
    SLOTS = 27
};

typedef struct NET_BUFFER_LIST {
    struct NET_BUFFER_LIST *Next;
    NET_BUFFER *FirstNetBuffer;
    NET_BUFFER_LIST_CONTEXT *Context;
    struct NET_BUFFER_LIST *ParentNetBufferList;
    void *NdisPoolHandle;
    _Alignas(16) void *NdisReserved[2];
    void *ProtocolReserved[4];
    void *MiniportReserved[2];
    uint64_t Scratch;
    void *SourceHandle;
    uint32_t NblFlags;
    int32_t ChildRefCount;
    uint32_t Flags;
    int32_t Status;
    uint64_t NetBufferListInfo[SLOTS];
} NET_BUFFER_LIST;

_Static_assert(sizeof(MDL) == 48, "MDL");
_Static_assert(offsetof(NET_BUFFER, DataLength) == 24, "NET_BUFFER.DataLength");
_Static_assert(offsetof(NET_BUFFER, MdlChain) == 32, "NET_BUFFER.MdlChain");
_Static_assert(offsetof(NET_BUFFER, DataOffset) == 40, "NET_BUFFER.DataOffset");
_Static_assert(offsetof(NET_BUFFER_LIST_CONTEXT, ContextData) == 16, "ContextData");
_Static_assert(offsetof(NET_BUFFER_LIST, Scratch) == 112, "NET_BUFFER_LIST.Scratch");
_Static_assert(offsetof(NET_BUFFER_LIST, NblFlags) == 128, "NET_BUFFER_LIST.NblFlags");
_Static_assert(offsetof(NET_BUFFER_LIST, NetBufferListInfo) == 144, "NetBufferListInfo");

enum {
    MDL_MAPPED_TO_SYSTEM_VA = 0x0001,
    MDL_SOURCE_IS_NONPAGED_POOL = 0x0004,
    MDL_PARTIAL_HAS_BEEN_MAPPED = 0x0020,
    DISPATCH_LEVEL = 2,
    PAGE_SIZE = 4096,
    /* For a send and for its completion. */
    FLAGS_DISPATCH_LEVEL = 1,
    NBL_FLAGS_CAPTURE_TIMESTAMP = 0x10000
};

NTAPI void NdisFSendNetBufferLists(void *module, NET_BUFFER_LIST *chain, uint32_t port,
                                   uint32_t flags);
NTAPI void NdisFSendNetBufferListsComplete(void *module, NET_BUFFER_LIST *chain, uint32_t flags);
NTAPI void NdisCopySendNetBufferListInfo(NET_BUFFER_LIST *to, const NET_BUFFER_LIST *from);
NTAPI NET_BUFFER_LIST *NdisAllocateNetBufferAndNetBufferList(void *pool, uint16_t context_size,
                                                             uint16_t backfill, MDL *chain,
                                                             uint32_t offset, size_t length);
NTAPI void NdisFreeNetBufferList(NET_BUFFER_LIST *list);
NTAPI void IoBuildPartialMdl(MDL *source, MDL *target, void *address, uint32_t length);
NTAPI void MmBuildMdlForNonPagedPool(MDL *mdl);
NTAPI void MmUnmapLockedPages(void *address, MDL *mdl);
NTAPI uint8_t ExAcquireRundownProtectionCacheAwareEx(void *reference, uint32_t count);
NTAPI void ExReleaseRundownProtectionCacheAwareEx(void *reference, uint32_t count);
NTAPI void *ExAllocatePool2(uint64_t flags, size_t size, uint32_t tag);
NTAPI void ExFreePoolWithTag(void *memory, uint32_t tag);
NTAPI uint8_t KfRaiseIrql(uint8_t irql);
NTAPI void KeLowerIrql(uint8_t irql);
NTAPI uint32_t KeGetCurrentProcessorNumberEx(void *number);

#endif
