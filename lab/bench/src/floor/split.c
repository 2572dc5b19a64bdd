/* The floor's split of one large send into children. */
#include "floor.h"

enum {
    ETHERNET = 14,
    IPV4 = 20,
    TCP = 20,
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_URG = 0x20,
    TCP_CWR = 0x80
};

/* Describes the packet, as opposed to its ownership; NDIS's own bits are a child's. */
static const uint32_t INHERITED_NBL_FLAGS = 0x9e01, NDIS_NBL_FLAGS = 0xfc;
/* The large-send slot of a completed LSOv2 send. */
static const uint64_t LSO_V2_COMPLETE = 0x40000000;

/* Two slots, or 16 bytes of header. */
typedef uint64_t pair __attribute__((vector_size(16)));
typedef uint64_t loose_pair __attribute__((vector_size(16), aligned(1), may_alias));
typedef pair slot_pair __attribute__((may_alias));
typedef uint16_t loose_u16 __attribute__((aligned(1), may_alias));
typedef uint32_t loose_u32 __attribute__((aligned(1), may_alias));
typedef uint64_t loose_u64 __attribute__((aligned(1), may_alias));

/* How a payload is cut. */
struct plan {
    uint32_t payload, mss, count, each, first_larger;
};

/* A place in an MDL chain: the bytes of `mdl` before it, and from it on. */
struct cursor {
    MDL *mdl;
    uint32_t offset, left;
};

/* A parent's header, checked. */
struct header {
    _Alignas(16) uint8_t bytes[MOST_HEADER];
    uint32_t tcp, end;
    uint8_t flags;
};

INLINE uint32_t smaller(uint32_t left, uint32_t right) { return left < right ? left : right; }

static uint16_t swap16(uint16_t value) { return __builtin_bswap16(value); }

static NET_BUFFER_LIST *allocate(struct floor *floor, uint32_t owner) {
    NET_BUFFER_LIST *list =
        NdisAllocateNetBufferAndNetBufferList(floor, sizeof(struct child), 0, NULL, 0, 0);
    struct child *child = child_of(list);
    uintptr_t start = (uintptr_t)child->areas[0];

    if (start % PAGE_SIZE + HEADER_AREA > PAGE_SIZE)
        start = (uintptr_t)child->areas[1];
    child->owner = owner;
    child->header = (uint8_t *)start + BACKFILL;
    child->header_mdl = (MDL){.Size = sizeof(MDL) + sizeof child->header_page,
                              .StartVa = (char *)(start & -PAGE_SIZE),
                              .ByteOffset = start % PAGE_SIZE,
                              .ByteCount = HEADER_AREA};
    MmBuildMdlForNonPagedPool(&child->header_mdl);
    list->SourceHandle = floor;
    return list;
}

/* Copies the first bytes of the frame, each read once. Returns how many there are. */
INLINE uint32_t copy_front(const NET_BUFFER *packet, uint8_t *to) {
    const MDL *mdl = packet->CurrentMdl;
    uint32_t offset = packet->CurrentMdlOffset, length, at;
    const volatile char *from = mdl->MappedSystemVa + offset;

    if (!(mdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL)) ||
        mdl->ByteCount < offset)
        return 0;
    length = smaller(smaller(mdl->ByteCount - offset, packet->DataLength), MOST_HEADER);
    for (at = 0; at + 8 <= length; at += 8)
        *(loose_u64 *)(to + at) = *(const volatile loose_u64 *)(from + at);
    for (; at < length; at++)
        to[at] = from[at];
    return length;
}

/* Whether the frame is one that the floor can split. The fields that are the same in every child
 * are written. */
INLINE bool read_header(const NET_BUFFER *packet, uint32_t lso, struct header *header) {
    uint8_t *bytes = header->bytes, *ip = bytes + ETHERNET, *tcp;
    uint32_t have = copy_front(packet, bytes);

    if (have < ETHERNET + IPV4 + TCP || *(loose_u16 *)(bytes + 12) != swap16(0x0800) ||
        ip[0] >> 4 != 4 || (*(loose_u16 *)(ip + 6) & swap16(0x3fff)) || ip[9] != 6)
        return false;
    header->tcp = ETHERNET + (ip[0] & 15) * 4;
    if (header->tcp < ETHERNET + IPV4 || header->tcp + TCP > have)
        return false;
    tcp = bytes + header->tcp;
    header->end = header->tcp + (tcp[12] >> 4) * 4;
    header->flags = tcp[13];
    /* The offset and the type are in the slot too: LSOv2, IPv4. */
    if (header->end < header->tcp + TCP || header->end > have ||
        (header->flags & (TCP_SYN | TCP_RST | TCP_URG)) ||
        ((lso >> 20) & 0x3ff) != header->tcp || lso >> 30 != 1)
        return false;
    *(loose_u16 *)(ip + 2) = 0;
    tcp[13] = header->flags & ~(TCP_FIN | TCP_PSH | TCP_CWR);
    return true;
}

/* As few children as the NIC's maximum admits, their numbers of segments alike, larger ones last. */
INLINE bool make_plan(const struct floor *floor, uint32_t payload, uint32_t mss,
                      struct plan *plan) {
    uint32_t full = floor->max_payload / mss * mss, segments = (payload + mss - 1) / mss;

    if (payload <= floor->max_payload || full == 0)
        return false;
    *plan = (struct plan){.payload = payload, .mss = mss};
    plan->count = 1 + (payload - floor->max_payload + full - 1) / full;
    plan->each = segments / plan->count;
    plan->first_larger = plan->count - segments % plan->count;
    return plan->each >= floor->min_segments;
}

INLINE void next_mdl(struct cursor *at) {
    at->mdl = at->mdl->Next;
    /* The chain is shorter than the packet, which no case has. */
    if (at->mdl == NULL)
        __builtin_trap();
    at->offset = 0;
    at->left = at->mdl->ByteCount;
}

INLINE void advance(struct cursor *at, uint32_t length) {
    while (length > at->left) {
        length -= at->left;
        next_mdl(at);
    }
    at->offset += length;
    at->left -= length;
}

/* Makes `partial` describe the next bytes, which are in the current MDL. */
INLINE void build_partial(const struct cursor *at, MDL *partial, uint32_t length,
                          struct child *child) {
    MDL *source = at->mdl;

    IoBuildPartialMdl(source, partial, source->StartVa + source->ByteOffset + at->offset, length);
    child->may_be_mapped |=
        !(partial->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL));
}

/* Whether the chain ends where `length` bytes do. */
INLINE bool is_tail(struct cursor at, uint32_t length) {
    uint32_t rest = at.left;

    while ((at.mdl = at.mdl->Next) != NULL)
        rest += at.mdl->ByteCount;
    return rest == length;
}

/* The next bytes as a chain that ends with them. The parent's own MDLs can be the end of it. Out of
 * line: a loop with few variables stays in registers. */
static __attribute__((noinline)) void trim(struct cursor *cursor, struct child *child,
                                           uint32_t length, bool is_last) {
    struct cursor at = *cursor;
    MDL *last = &child->header_mdl, *place = (MDL *)child->partial;
    bool tail = is_last && is_tail(at, length);

    while (length > 0) {
        uint32_t part, page, bytes;
        while (at.left == 0)
            next_mdl(&at);
        if (tail && at.offset == 0) {
            last->Next = at.mdl;
            return;
        }
        part = smaller(length, at.left);
        page = (at.mdl->ByteOffset + at.offset) % PAGE_SIZE;
        bytes = sizeof(MDL) + (page + part + PAGE_SIZE - 1) / PAGE_SIZE * sizeof(uint64_t);
        if ((uint8_t *)place + bytes > child->partial + PARTIAL_BYTES)
            __builtin_trap();
        place->Size = bytes;
        place->MdlFlags = 0;
        build_partial(&at, place, part, child);
        last = last->Next = place;
        place = (MDL *)((uint8_t *)place + (uint16_t)place->Size);
        at.offset += part;
        at.left -= part;
        length -= part;
    }
    last->Next = NULL;
    *cursor = at;
}

/* Copies out-of-band data: what NDIS is documented to copy, and the slots that it is not. */
INLINE void copy_oob(NET_BUFFER_LIST *child, const NET_BUFFER_LIST *parent) {
    slot_pair *to = (slot_pair *)child->NetBufferListInfo;
    const slot_pair *from = (const slot_pair *)parent->NetBufferListInfo;
    const pair none = {0, 0};

    to[0] = to[2] = to[3] = to[5] = to[6] = to[8] = to[9] = to[10] = to[11] = none;
    child->NetBufferListInfo[SLOTS - 1] = 0;
    to[TcpLargeSend / 2] = from[TcpLargeSend / 2];
    to[HashValue / 2] = from[HashValue / 2];
    to[FilteringInfo / 2] = from[FilteringInfo / 2];
    to[GftInformation / 2] = from[GftInformation / 2];
    NdisCopySendNetBufferListInfo(child, parent);
    child->NblFlags =
        (parent->NblFlags & INHERITED_NBL_FLAGS) | (child->NblFlags & NDIS_NBL_FLAGS);
    child->Status = 0;
}

INLINE void copy_header(const struct header *header, uint8_t *to) {
    const slot_pair *from = (const slot_pair *)header->bytes;
    loose_pair *pieces = (loose_pair *)to;

    /* Not in a loop, of which the compiler would make a string instruction. */
    pieces[0] = from[0];
    pieces[1] = from[1];
    pieces[2] = from[2];
    pieces[3] = from[3];
    if (header->end > 64) {
        pieces[4] = from[4];
        pieces[5] = from[5];
    }
    if (header->end > 96)
        __builtin_memcpy(pieces + 6, from + 6, MOST_HEADER - 96);
}

bool mslso_floor_split(struct floor *floor, uint32_t number, NET_BUFFER_LIST *parent,
                       NET_BUFFER_LIST ***tail) {
    struct processor *processor = &floor->processors[number];
    const uint32_t lso = parent->NetBufferListInfo[TcpLargeSend], mss = lso & 0xfffff;
    const NET_BUFFER *packet = parent->FirstNetBuffer;
    struct header header;
    struct plan plan;
    struct cursor at;
    NET_BUFFER_LIST *list, *first, *last;
    uint32_t sequence, done = 0;
    uint16_t id;

    if (mss == 0 || packet->Next || !read_header(packet, lso, &header) ||
        !make_plan(floor, packet->DataLength - header.end, mss, &plan))
        return false;
    sequence = __builtin_bswap32(*(loose_u32 *)(header.bytes + header.tcp + 4));
    id = swap16(*(loose_u16 *)(header.bytes + ETHERNET + 4));
    at = (struct cursor){packet->CurrentMdl, packet->CurrentMdlOffset,
                         packet->CurrentMdl->ByteCount - packet->CurrentMdlOffset};
    advance(&at, header.end);
    if (!processor->idle)
        processor->idle = __atomic_exchange_n(&processor->returned, NULL, __ATOMIC_ACQUIRE);
    if (!processor->idle)
        processor->idle = allocate(floor, number);
    first = list = processor->idle;
    for (uint32_t index = 0;; index++) {
        struct child *child = child_of(list);
        NET_BUFFER *own = list->FirstNetBuffer;
        uint32_t segments = plan.each + (index >= plan.first_larger), length = segments * mss;
        bool is_last = index + 1 == plan.count;

        if (is_last)
            length = plan.payload - done;
        copy_oob(list, parent);
        child->parent = parent;
        copy_header(&header, child->header);
        *(loose_u16 *)(child->header + ETHERNET + 4) = swap16(id);
        *(loose_u32 *)(child->header + header.tcp + 4) = __builtin_bswap32(sequence);
        trim(&at, child, length, is_last);
        child->header_mdl.ByteCount = BACKFILL + header.end;
        own->MdlChain = own->CurrentMdl = &child->header_mdl;
        own->DataOffset = own->CurrentMdlOffset = BACKFILL;
        own->DataLength = header.end + length;
        id += segments;
        sequence += length;
        done += length;
        last = list;
        if (is_last)
            break;
        if (!list->Next)
            list->Next = __atomic_exchange_n(&processor->returned, NULL, __ATOMIC_ACQUIRE);
        if (!list->Next)
            list->Next = allocate(floor, number);
        list = list->Next;
    }
    child_of(first)->header[header.tcp + 13] |= header.flags & TCP_CWR;
    child_of(last)->header[header.tcp + 13] |= header.flags & (TCP_FIN | TCP_PSH);
    if (parent->NblFlags & NBL_FLAGS_CAPTURE_TIMESTAMP)
        first->NblFlags |= NBL_FLAGS_CAPTURE_TIMESTAMP;
    /* The case's module never pauses: else the children would return to `idle`. */
    if (!ExAcquireRundownProtectionCacheAwareEx(floor, plan.count))
        __builtin_trap();
    processor->idle = last->Next;
    last->Next = NULL;
    parent->NetBufferListInfo[TcpLargeSend] = LSO_V2_COMPLETE;
    parent->Status = 0;
    parent->Scratch = plan.count;
    **tail = first;
    *tail = &last->Next;
    processor->splits++;
    processor->children += plan.count;
    processor->bytes += plan.payload;
    return true;
}

