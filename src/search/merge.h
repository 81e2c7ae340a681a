/* SPDX-License-Identifier: ISC */
/* Making one segment of several that follow each other, in steps; what was removed is left out.
 * Private to the room. */
#ifndef SEARCH_MERGE_H
#define SEARCH_MERGE_H

#include "search/segment.h"

struct merge_input {
    struct segment segment; /* open, with its bodies; closed by merge_close */
    struct segment_cursor cursor;
    uint32_t shift;   /* what its places begin with in the one that is made */
    uint8_t *removed; /* owned; a byte for each body, or NULL */
    bool has_entry;
};

struct merge {
    struct merge_input *inputs; /* borrowed */
    size_t count, at;
    uint64_t key;
    bool is_damaged, is_done;
    struct segment_writer writer;
};

/* In the caller's memory; the inputs are in their order. */
void merge_open(struct merge *merge, struct merge_input *inputs, size_t count);
void merge_close(struct merge *merge);
/* Goes on until about so many octets are in the writer's `out`, or all is done: is_done. False
 * when an input is damaged. */
MUST_USE bool merge_step(struct merge *merge, size_t octets);

#endif
