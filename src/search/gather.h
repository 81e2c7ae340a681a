/* SPDX-License-Identifier: ISC */
/* Texts that are not in a segment yet: their grams in memory, of one account. Private to the
 * room. */
#ifndef SEARCH_GATHER_H
#define SEARCH_GATHER_H

#include "search/segment.h"

/* Octets of texts: before there are more, they are made a segment. Memory for this many is about
 * three times that; a segment could have a hundred times as many. */
enum { GATHER_OCTETS_MAX = 32 << 20 };

struct gather_list;
struct gather {
    struct gather_list *lists; /* owned: places of a hash table */
    size_t size, count;
    struct buffer bodies; /* of struct segment_body */
    uint32_t end;         /* the next free place */
};

/* In the caller's memory; allocates nothing yet. */
void gather_init(struct gather *gather);
/* Forgets all and gives the memory back. */
void gather_clear(struct gather *gather);
bool gather_is_empty(const struct gather *gather);
/* Puts a message; texts have less than GATHER_OCTETS_MAX together. */
void gather_put(struct gather *gather, uint64_t body, struct slice head, struct slice text);
/* Writes all of it: what follows is segment_end. */
void gather_write(struct gather *gather, struct segment_writer *writer);

#endif
