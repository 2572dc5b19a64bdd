/* The floor's state, and what its parts share. */
#ifndef FLOOR_H
#define FLOOR_H

#include "ndis.h"

#define INLINE static inline __attribute__((always_inline))

enum {
    MOST_HEADER = 256,
    BACKFILL = 64,
    HEADER_AREA = BACKFILL + MOST_HEADER,
    /* Partial MDLs of a child: of 63 buffers, and the pages of a large one. */
    PARTIAL_BYTES = 63 * (sizeof(MDL) + 2 * sizeof(uint64_t)) + 17 * sizeof(uint64_t),
    PROCESSORS = 2
};

/* The context area of a child. */
struct child {
    uint32_t owner;
    /* A partial MDL may have been mapped by a lower driver. */
    uint32_t may_be_mapped;
    NET_BUFFER_LIST *parent;
    /* Behind the backfill, in the one of two areas that no page boundary crosses. */
    uint8_t *header;
    MDL header_mdl;
    uint64_t header_page;
    uint8_t areas[2][HEADER_AREA];
    _Alignas(16) uint8_t partial[PARTIAL_BYTES];
};

struct processor {
    /* Touched on this processor only, at DISPATCH_LEVEL. */
    NET_BUFFER_LIST *idle;
    uint64_t sends, splits, children, bytes, completed;
    /* Children that other processors return. */
    _Alignas(64) NET_BUFFER_LIST *returned;
} __attribute__((aligned(64)));

struct floor {
    uint32_t max_payload, min_segments;
    struct processor processors[PROCESSORS];
};

INLINE struct child *child_of(NET_BUFFER_LIST *list) {
    return (struct child *)(list->Context->ContextData + list->Context->Offset);
}

/* Returns whether `parent` was split, with its children appended at `tail`. */
bool mslso_floor_split(struct floor *floor, uint32_t processor, NET_BUFFER_LIST *parent,
                       NET_BUFFER_LIST ***tail);

#endif
