/* The least that a filter must do to split LSOv2 sends over IPv4, by hand: a floor to compare the
 * real filter with, over the same null NDIS.
 *
 * It does what no such filter can do without, and does it safely: it validates the headers in a
 * copy that the sender cannot change, holds rundown protection for every child, copies all
 * out-of-band data, ends every MDL chain with its packet, returns children to the processor that
 * owns them, and counts. It knows no tunnels, no IPv6, no USO, no LSOv1, no headers in several MDLs,
 * no segmentation in software, no settings and no changes of the NIC's limits; what it does not
 * know, it forwards. */
#include "floor.h"

enum { TAG = 0x6f6f6c46 };

INLINE bool is_large(const NET_BUFFER_LIST *list) {
    uint32_t lso = list->NetBufferListInfo[TcpLargeSend],
             uso = list->NetBufferListInfo[UdpSegmentation];

    return (lso | uso) & 0xfffff;
}

/* Whether the NIC takes every NBL as it is. Counts them. */
INLINE bool all_fit(const struct floor *floor, const NET_BUFFER_LIST *list, uint32_t *count) {
    bool fit = true;

    for (; list && !is_large(list); list = list->Next)
        ++*count;
    for (; list; list = list->Next) {
        ++*count;
        fit &= !is_large(list) || list->FirstNetBuffer->DataLength <= floor->max_payload;
    }
    return fit;
}

/* FilterSendNetBufferLists. */
void mslso_floor_send(struct floor *floor, NET_BUFFER_LIST *chain, uint32_t port, uint32_t flags) {
    NET_BUFFER_LIST *down = NULL, **tail = &down, *list, *next;
    uint32_t sends = 0, number;

    if (!ExAcquireRundownProtectionCacheAwareEx(floor, 1))
        __builtin_trap();
    if (all_fit(floor, chain, &sends)) {
        number = KeGetCurrentProcessorNumberEx(NULL);
        __atomic_fetch_add(&floor->processors[number].sends, sends, __ATOMIC_RELAXED);
        down = chain;
    } else {
        uint8_t irql = flags & FLAGS_DISPATCH_LEVEL ? DISPATCH_LEVEL : KfRaiseIrql(DISPATCH_LEVEL);
        number = KeGetCurrentProcessorNumberEx(NULL);
        for (list = chain; list; list = next) {
            next = list->Next;
            list->Next = NULL;
            if (!mslso_floor_split(floor, number, list, &tail)) {
                *tail = list;
                tail = &list->Next;
            }
        }
        floor->processors[number].sends += sends;
        if (!(flags & FLAGS_DISPATCH_LEVEL))
            KeLowerIrql(irql);
    }
    NdisFSendNetBufferLists(floor, down, port, flags);
    ExReleaseRundownProtectionCacheAwareEx(floor, 1);
}

/* Undoes mappings by lower drivers, of the child's own MDLs: the parent's can follow. */
static __attribute__((noinline)) void unmap(struct child *child) {
    for (MDL *mdl = child->header_mdl.Next;
         (uint8_t *)mdl >= child->partial && (uint8_t *)mdl < child->partial + PARTIAL_BYTES;
         mdl = mdl->Next)
        if (mdl->MdlFlags & MDL_PARTIAL_HAS_BEEN_MAPPED)
            MmUnmapLockedPages(mdl->MappedSystemVa, mdl);
    child->may_be_mapped = 0;
}

/* Gives children to the processor that owns them: at once where that is this one, and else through
 * the list that it takes from when its own is empty. */
INLINE void give_back(struct floor *floor, uint32_t owner, NET_BUFFER_LIST *first,
                      NET_BUFFER_LIST *last, bool at_dispatch, uint32_t number) {
    struct processor *processor = &floor->processors[owner];

    if (at_dispatch && owner == number) {
        last->Next = processor->idle;
        processor->idle = first;
        return;
    }
    last->Next = __atomic_load_n(&processor->returned, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&processor->returned, &last->Next, first, true,
                                        __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
}

/* Takes the children of one parent that `chain` begins with. Returns the parent if no other is
 * missing. */
INLINE NET_BUFFER_LIST *complete_run(struct floor *floor, NET_BUFFER_LIST **chain, uint32_t flags,
                                     uint32_t number, uint32_t *children) {
    NET_BUFFER_LIST *first = *chain, *list = first, *last, *parent;
    struct child *child = child_of(list);
    uint32_t owner = child->owner, count = 0;
    int32_t status = 0;

    parent = child->parent;
    for (;;) {
        if (child->may_be_mapped)
            unmap(child);
        /* A WFP object is on it: it would have to be freed. */
        if (list->NetBufferListInfo[Wfp])
            __builtin_trap();
        if (!status)
            status = list->Status;
        count++;
        last = list;
        list = list->Next;
        if (!list || list->SourceHandle != floor)
            break;
        child = child_of(list);
        if (child->parent != parent || child->owner != owner)
            break;
    }
    *chain = list;
    *children += count;
    if (parent->NblFlags & NBL_FLAGS_CAPTURE_TIMESTAMP)
        __builtin_trap();
    give_back(floor, owner, first, last, flags & FLAGS_DISPATCH_LEVEL, number);
    if (status)
        __atomic_store_n(&parent->Status, status, __ATOMIC_RELAXED);
    /* Where these are all, no other processor subtracts any. */
    if (__atomic_load_n(&parent->Scratch, __ATOMIC_ACQUIRE) != count &&
        __atomic_sub_fetch(&parent->Scratch, count, __ATOMIC_ACQ_REL) != 0)
        return NULL;
    return parent;
}

/* FilterSendNetBufferListsComplete. */
void mslso_floor_complete(struct floor *floor, NET_BUFFER_LIST *chain, uint32_t flags) {
    NET_BUFFER_LIST *up = NULL, **tail = &up, *list = chain;
    uint32_t children = 0, parents = 0, number;

    while (list && list->SourceHandle != floor)
        list = list->Next;
    if (!list) {
        NdisFSendNetBufferListsComplete(floor, chain, flags);
        return;
    }
    number = KeGetCurrentProcessorNumberEx(NULL);
    while (chain) {
        if (chain->SourceHandle == floor) {
            list = complete_run(floor, &chain, flags, number, &children);
            if (!list)
                continue;
            parents++;
            list->Next = NULL;
        } else {
            list = chain;
            chain = chain->Next;
        }
        *tail = list;
        tail = &list->Next;
    }
    *tail = NULL;
    __atomic_fetch_add(&floor->processors[number].completed, parents, __ATOMIC_RELAXED);
    NdisFSendNetBufferListsComplete(floor, up, flags);
    ExReleaseRundownProtectionCacheAwareEx(floor, children);
}

/* A floor over a NIC with these limits, with nothing allocated yet; null where memory is short. */
struct floor *mslso_floor_new(uint32_t max_payload, uint32_t min_segments) {
    struct floor *floor = ExAllocatePool2(0, sizeof *floor, TAG);

    if (floor) {
        floor->max_payload = max_payload;
        floor->min_segments = min_segments;
    }
    return floor;
}

static void free_all(NET_BUFFER_LIST *list) {
    while (list) {
        NET_BUFFER_LIST *next = list->Next;
        NdisFreeNetBufferList(list);
        list = next;
    }
}

/* Frees the floor, all of whose sends are completed. */
void mslso_floor_free(struct floor *floor) {
    for (int number = 0; number < PROCESSORS; number++) {
        free_all(floor->processors[number].idle);
        free_all(floor->processors[number].returned);
    }
    ExFreePoolWithTag(floor, TAG);
}
