/* SPDX-License-Identifier: ISC */
/* An arena hands out memory that is freed all at once: one for each connection, one for each
 * transaction or command. It fails only at its limit, and that failure is sticky: an engine asks
 * once at the end (arena_failed) and answers 452, NO [LIMIT] or the like. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first; owned */
    size_t used;                /* bytes handed out from the newest chunk */
    size_t total;               /* bytes handed out from all chunks */
    size_t limit;
    bool failed;
};

/* Prepares an empty arena in the caller's memory; allocates nothing yet. */
void arena_init(struct arena *arena, size_t limit);

/* Frees everything; the arena is empty and usable again. */
void arena_finish(struct arena *arena);

/* The same for secrets: overwrites everything first, in a way that no compiler removes. */
void arena_wipe(struct arena *arena);

/* Forgets everything handed out and the failure; keeps one chunk for what comes next. */
void arena_reset(struct arena *arena);

/* `size` zeroed bytes, aligned for any type; NULL when the limit would be passed. */
MUST_USE void *arena_new(struct arena *arena, size_t size);
/* The same with anything in it, for who fills all of it at once. */
MUST_USE void *arena_room(struct arena *arena, size_t size);

/* `count` zeroed elements of `size` bytes; NULL at the limit or when the product overflows. */
MUST_USE void *arena_new_array(struct arena *arena, size_t count, size_t size);

#define ARENA_NEW(arena, type) ((type *)arena_new((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_new_array((arena), (count), sizeof(type)))

/* A copy that lives in the arena; an empty slice when the limit is reached (see arena_failed). */
struct slice arena_copy(struct arena *arena, struct slice bytes);

/* A NUL-terminated copy, for C libraries and file names; NULL at the limit. */
MUST_USE char *arena_copy_string(struct arena *arena, struct slice bytes);

static inline bool
arena_failed(const struct arena *arena)
{
    return arena->failed;
}

#endif
